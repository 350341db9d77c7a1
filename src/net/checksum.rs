//! The checksum of the Internet protocols. RFC 1071.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::PROTOCOL_UDP;

/// The sum of 16-bit words so far, in the byte order of this machine: folding turns it over.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum {
    words: u64,
    /// So many bytes were added, as far as that matters: the next one is the second of its word.
    is_odd: bool,
}

impl Sum {
    /// What UDP counts besides its own header and payload.
    pub fn of_pseudo_header(source: IpAddr, destination: IpAddr, udp_bytes: usize) -> Self {
        let mut sum = Self::default();
        for address in [source, destination] {
            match address {
                IpAddr::V4(address) => sum.add(&address.octets()),
                IpAddr::V6(address) => sum.add(&address.octets()),
            }
        }
        sum.add(&u32::from(PROTOCOL_UDP).to_be_bytes());
        sum.add(&(udp_bytes as u32).to_be_bytes());
        sum
    }

    pub fn add(&mut self, bytes: &[u8]) {
        let mut sum = 0u64;
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = u64::from_ne_bytes([
                word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
            ]);
            // The carry goes round, as ones' complement has it.
            let (next, carry) = sum.overflowing_add(word);
            sum = next + u64::from(carry);
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.add_word(sum);
        self.add_word(u64::from_ne_bytes(last));
        self.is_odd ^= bytes.len() % 2 == 1;
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
