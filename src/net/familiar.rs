//! The next datagram of a flow: its headers are those of the one before but for a few numbers, so
//! that they need not be read field by field.
//!
//! Only for what most of such traffic is, UDP over IPv4 without options and tags. Anything else is
//! left to [`super::parse`], and what is found here is what that would find.
#![forbid(unsafe_code)]

use super::checksum::Sum;
use super::parse::{Head, array, parse_head, word};
use super::{ETHERNET_BYTES, IPV4_BYTES, PROTOCOL_UDP, TYPE_IPV4, UDP_BYTES};

const WORD_BYTES: usize = size_of::<u64>();
const WORDS: usize = PAYLOAD_FROM.div_ceil(WORD_BYTES);

/// Where the payload begins, and numbers that differ from datagram to datagram.
pub const PAYLOAD_FROM: usize = UDP_AT + UDP_BYTES;
const UDP_AT: usize = ETHERNET_BYTES + IPV4_BYTES;
const TOTAL: usize = ETHERNET_BYTES + 2;
const IDENTIFICATION: usize = ETHERNET_BYTES + 4;
const NETWORK_SUM: usize = ETHERNET_BYTES + 10;
const UDP_LENGTH: usize = UDP_AT + 4;
const UDP_SUM: usize = UDP_AT + 6;
/// The addresses of IPv4 stand in front of UDP, whose header begins with the ports.
const ADDRESSES_BYTES: usize = 8;
const PORTS_BYTES: usize = 4;
const DIFFERENT: [usize; 5] = [TOTAL, IDENTIFICATION, NETWORK_SUM, UDP_LENGTH, UDP_SUM];

/// Which bits of the headers stay the same; and in a datagram that is as long as the one before, and
/// whose checksum says as much.
const SAME: [u64; WORDS] = all_but(&DIFFERENT);
const SAME_AGAIN: [u64; WORDS] = all_but(&[IDENTIFICATION, NETWORK_SUM]);

const fn all_but(different: &[usize]) -> [u64; WORDS] {
    let mut bytes = [[0; WORD_BYTES]; WORDS];
    let mut at = 0;
    while at < PAYLOAD_FROM {
        bytes[at / WORD_BYTES][at % WORD_BYTES] = 0xff;
        at += 1;
    }
    let mut number = 0;
    while number < 2 * different.len() {
        let at = different[number / 2] + number % 2;
        bytes[at / WORD_BYTES][at % WORD_BYTES] = 0;
        number += 1;
    }
    let mut words = [0; WORDS];
    let mut place = 0;
    while place < WORDS {
        words[place] = u64::from_ne_bytes(bytes[place]);
        place += 1;
    }
    words
}

#[inline(always)]
fn words(head: &Head) -> [u64; WORDS] {
    std::array::from_fn(|place| u64::from_ne_bytes(array(head, place * WORD_BYTES)))
}

/// How long the packet has to be.
#[inline(always)]
fn least_bytes(head: &Head) -> usize {
    ETHERNET_BYTES + usize::from(word(head, TOTAL))
}

/// The sum of the numbers that balance in an undamaged header.
#[inline(always)]
fn together(head: &Head) -> u32 {
    let number = |at| u32::from(u16::from_ne_bytes(array(head, at)));
    let sum = number(IDENTIFICATION) + number(NETWORK_SUM);
    (sum >> 16) + (sum & 0xffff)
}

/// The headers of a datagram, by which others of its flow are known.
#[derive(Clone, Copy, Debug)]
pub struct Familiar {
    words: [u64; WORDS],
    /// Over what stays the same of the IPv4 header, of what UDP counts of that, and of this and its
    /// own header.
    sum: Sum,
    pseudo: Sum,
    headers: Sum,
    /// What the datagram is that `words` are of, and what the two numbers that most likely differ in
    /// the next one come to together.
    next: Next,
    packet_bytes: usize,
    together: u32,
}

/// What is different in each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    pub payload_bytes: usize,
    /// As it stands there; 0 is none.
    pub checksum: u16,
}

impl Next {
    fn udp_bytes(&self) -> u16 {
        (UDP_BYTES + self.payload_bytes) as u16
    }
}

impl Familiar {
    /// `None`: the packet is nothing of the kind.
    pub fn new(head: &Head, packet_bytes: usize) -> Option<Self> {
        if word(head, ETHERNET_BYTES - 2) != TYPE_IPV4 {
            return None;
        }
        let found = parse_head(head, packet_bytes, || *head).ok()?;
        let mut header = array::<IPV4_BYTES>(head, ETHERNET_BYTES);
        for at in [TOTAL, IDENTIFICATION, NETWORK_SUM] {
            header[at - ETHERNET_BYTES..][..2].fill(0);
        }
        let mut pseudo = Sum::of_words(&array::<ADDRESSES_BYTES>(head, UDP_AT - ADDRESSES_BYTES));
        pseudo.add_number(u16::from(PROTOCOL_UDP));
        let mut headers = pseudo;
        headers.add_block(&array::<PORTS_BYTES>(head, UDP_AT));
        let next = Next { payload_bytes: found.payload_bytes, checksum: found.checksum };
        Some(Self {
            words: words(head),
            sum: Sum::of_words(&header),
            pseudo,
            headers,
            next,
            packet_bytes: least_bytes(head),
            together: together(head),
        })
    }

    /// The datagram that begins like `head`, if it is undamaged, of the same flow, and says of itself
    /// what the one that was remembered last says. `None`: who knows.
    #[inline(always)]
    pub fn read_again(&self, head: &Head, packet_bytes: usize) -> Option<Next> {
        let (found, mut difference) = (words(head), 0);
        for place in 0..WORDS {
            difference |= (found[place] ^ self.words[place]) & SAME_AGAIN[place];
        }
        let is_whole = self.packet_bytes <= packet_bytes;
        // The sum over the header is right as long as these two come to the same.
        let is_right = together(head) == self.together;
        (difference == 0 && is_whole && is_right).then_some(self.next)
    }

    /// What was remembered last says of itself.
    pub fn last(&self) -> Next {
        self.next
    }

    /// From now on this one, which has just been read, is the last.
    pub fn remember(&mut self, head: &Head, next: &Next) {
        self.words = words(head);
        self.next = *next;
        self.packet_bytes = least_bytes(head);
        self.together = together(head);
    }

    /// What a sender leaves as the checksum of a datagram of the flow who has the card finish it.
    #[inline(always)]
    pub fn unfinished(&self, next: &Next) -> u16 {
        let mut sum = self.pseudo;
        sum.add_number(next.udp_bytes());
        sum.unfinished()
    }

    /// The sum over everything but the payload.
    #[inline(always)]
    pub fn headers(&self, next: &Next) -> Sum {
        let mut sum = self.headers;
        for number in [next.udp_bytes(), next.udp_bytes(), next.checksum] {
            sum.add_number(number);
        }
        sum
    }

    /// The datagram that begins like `head`, if it is undamaged and of the same flow. `None`: who
    /// knows.
    #[inline(always)]
    pub fn read(&self, head: &Head, packet_bytes: usize) -> Option<Next> {
        let (found, mut difference) = (words(head), 0);
        for place in 0..WORDS {
            difference |= (found[place] ^ self.words[place]) & SAME[place];
        }
        let (total, udp) = (word(head, TOTAL), word(head, UDP_LENGTH));
        let (total_bytes, udp_bytes) = (usize::from(total), usize::from(udp));
        let is_whole = least_bytes(head) <= packet_bytes
            && IPV4_BYTES + udp_bytes <= total_bytes
            && udp_bytes >= UDP_BYTES;
        let mut sum = self.sum;
        for number in [total, word(head, IDENTIFICATION), word(head, NETWORK_SUM)] {
            sum.add_number(number);
        }
        let next = Next {
            payload_bytes: udp_bytes.wrapping_sub(UDP_BYTES),
            checksum: word(head, UDP_SUM),
        };
        (difference == 0 && is_whole && sum.is_right()).then_some(next)
    }
}
