//! The checksum of the Internet protocols. RFC 1071.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::flow::Ends;
use super::{PROTOCOL_UDP, UDP_BYTES};

/// The sum of 16-bit words so far, in the byte order of this machine: folding turns it over.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum {
    words: u64,
    /// So many bytes were added, as far as that matters: the next one is the second of its word.
    is_odd: bool,
}

/// What is added up together.
const LANES: usize = 8;
const LANES_BYTES: usize = 4 * LANES;

#[inline(always)]
fn sum_words(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    words.map(|word| u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))).sum()
}

impl Sum {
    /// What UDP counts besides its own header and payload.
    pub fn of_pseudo_header(source: IpAddr, destination: IpAddr, udp_bytes: usize) -> Self {
        let words = |address| match address {
            IpAddr::V4(address) => Self::of_words(&address.octets()).words,
            IpAddr::V6(address) => Self::of_words(&address.octets()).words,
        };
        let rest =
            u64::from(u32::from(PROTOCOL_UDP).to_be()) + u64::from((udp_bytes as u32).to_be());
        Self { words: words(source) + words(destination) + rest, is_odd: false }
    }

    /// The same and the header, with the checksum that stands there, of a datagram to the local end.
    pub fn of_headers(ends: &Ends, payload_bytes: usize, checksum: u16) -> Self {
        let (source, destination) = (ends.remote(), ends.local());
        let bytes = UDP_BYTES + payload_bytes;
        let mut sum = Self::of_pseudo_header(source.address, destination.address, bytes);
        for number in [source.port, destination.port, bytes as u16, checksum] {
            sum.add_number(number);
        }
        sum
    }

    /// Of a few bytes, a multiple of four.
    #[inline(always)]
    pub fn of_words<const N: usize>(bytes: &[u8; N]) -> Self {
        const { assert!(N.is_multiple_of(4) && N < 1 << 16) };
        Self { words: sum_words(bytes), is_odd: false }
    }

    /// The same as [`Sum::add`], for an even number of bytes that is known beforehand.
    #[inline(always)]
    pub fn add_block<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.add_word(Self::of_words(bytes).words);
    }

    pub fn add(&mut self, bytes: &[u8]) {
        let whole = bytes.len() - bytes.len() % LANES_BYTES;
        let mut lanes = [0u64; LANES];
        for block in bytes[..whole].chunks_exact(LANES_BYTES) {
            // Side by side, as processors like it; no lane can overflow.
            for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
                *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
            }
        }
        let rest = &bytes[whole..];
        let words = rest.len() - rest.len() % 4;
        let mut last = [0; 4];
        last[..rest.len() - words].copy_from_slice(&rest[words..]);
        self.add_word(lanes.iter().sum());
        self.add_word(sum_words(&rest[..words]) + u64::from(u32::from_ne_bytes(last)));
        self.is_odd ^= bytes.len() % 2 == 1;
    }

    /// The same for a number of 16 bits, after an even number of bytes.
    pub fn add_number(&mut self, number: u16) {
        debug_assert!(!self.is_odd);
        self.add_word(u64::from(number.to_be()));
    }

    fn add_word(&mut self, word: u64) {
        // Every other byte belongs to the other half of its word.
        let word = if self.is_odd { word.rotate_left(8) } else { word };
        let (next, carry) = self.words.overflowing_add(word);
        self.words = next + u64::from(carry);
    }

    /// Adds what another sum is over, after an even number of bytes.
    pub fn join(&mut self, other: Self) {
        debug_assert!(!self.is_odd);
        self.add_word(other.words);
        self.is_odd = other.is_odd;
    }

    /// The sum of everything, as it would stand in a packet: not complemented.
    fn folded(self) -> u16 {
        let mut sum = (self.words >> 32) + (self.words & 0xffff_ffff);
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        u16::from_be(sum as u16)
    }

    /// What stands in the packet.
    pub fn checksum(self) -> u16 {
        !self.folded()
    }

    /// The same for UDP, where 0 means that there is none.
    pub fn udp_checksum(self) -> u16 {
        match self.checksum() {
            0 => 0xffff,
            sum => sum,
        }
    }

    /// What a sender leaves in the packet who has the card finish it: the sum so far.
    pub fn unfinished(self) -> u16 {
        self.folded()
    }

    /// Whether everything was added, the checksum included, and nothing is wrong.
    pub fn is_right(self) -> bool {
        self.folded() == 0xffff
    }
}
