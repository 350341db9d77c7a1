//! Gates in front of flows: words that a program of the kernel's and the library change together.
//!
//! A gate that is *armed* lets the next packet of its flow go on to the kernel: the *token*, by which
//! the kernel's socket becomes readable. Then it *redirects* those that follow, and counts them,
//! until the library arms it again. The word has the mode and the count in one, so that arming
//! succeeds only if no packet was redirected that the library does not know of. A gate that
//! *passes* leaves everything to the kernel. What the kernel's side does is in
//! port/af_xdp/classifier.c.

use std::net::{IpAddr, SocketAddr};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bpf::{Map, MapKind};
use super::check;
use crate::error::{Errno, Result};
use crate::sys::sync::Mutex;
use std::os::fd::AsRawFd;

/// Gates of one interface, of which number 0 is none.
pub const GATES: u32 = 1024;

const ARMED: u64 = 0;
const REDIRECTS: u64 = 1;
const PASSES: u64 = 2;
const MODE: u64 = 3;
const ONE_MORE: u64 = 4;

/// `struct gate` of classifier.c.
#[repr(C)]
#[derive(Default)]
struct Words {
    word: AtomicU64,
    tokens: AtomicU64,
    time: AtomicU64,
    source: [AtomicU64; 2],
    port_and_length: AtomicU64,
    start: AtomicU64,
    reserved: AtomicU64,
}

const GATE_BYTES: usize = size_of::<Words>();
const _: () = assert!(GATE_BYTES == 64);

/// All gates of an interface, mapped.
pub struct Gates {
    map: Map,
    memory: NonNull<Words>,
    is_used: Mutex<Vec<bool>>,
}

// SAFETY: the memory is shared with the kernel, consists of atomics only, and stays mapped.
unsafe impl Send for Gates {}
// SAFETY: as above.
unsafe impl Sync for Gates {}

/// What the kernel does with the packets of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Armed,
    Redirects,
    Passes,
}

/// The gate of one socket.
pub struct Gate {
    gates: Arc<Gates>,
    number: u32,
}

/// The header before the bytes of a datagram. RFC 768
const UDP_BYTES: u64 = 8;

/// What a datagram is known by again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    source: [u64; 2],
    port_and_length: u64,
    start: u64,
}

impl Mark {
    /// Of a datagram that the kernel's socket has, of `bytes` bytes of which `start` are the first.
    pub fn new(source: SocketAddr, bytes: usize, start: &[u8]) -> Self {
        let source_words = match source.ip() {
            IpAddr::V4(address) => [0, u64::from(u32::from_ne_bytes(address.octets()))],
            IpAddr::V6(address) => {
                let octets = address.octets();
                let word = |at: usize| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(&octets[at..at + 8]);
                    u64::from_le_bytes(bytes)
                };
                [word(0), word(8)]
            }
        };
        let length = (bytes as u64 + UDP_BYTES) as u16;
        let start = start.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
        Self {
            source: source_words,
            port_and_length: u64::from(source.port().to_be()) | u64::from(length.to_be()) << 16,
            start,
        }
    }

    /// Whether this may be a datagram of `bytes` bytes, of which `start` are the first, or of more if
    /// there was no room for the rest.
    pub fn may_be(&self, bytes: usize, start: &[u8], is_cut: bool) -> bool {
        let length = u16::from_be((self.port_and_length >> 16) as u16);
        let known = usize::from(length).saturating_sub(UDP_BYTES as usize);
        let is_as_long = bytes == known || is_cut;
        let begins_so = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes) == self.start;
        is_as_long && start.first_chunk().is_none_or(begins_so)
    }
}

impl Gates {
    /// All of them pass.
    pub fn new() -> Result<Arc<Self>> {
        let map = Map::mappable(MapKind::Array, 4, GATE_BYTES as u32, GATES)?;
        let bytes = GATE_BYTES * GATES as usize;
        // SAFETY: a fresh mapping of a map of this size.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            check(-1)?;
        }
        let memory = NonNull::new(memory.cast()).ok_or(Errno::ENOMEM)?;
        let mut is_used = vec![false; GATES as usize];
        is_used[0] = true;
        Ok(Arc::new(Self { map, memory, is_used: Mutex::new(is_used) }))
    }

    pub fn map(&self) -> &Map {
        &self.map
    }

    fn words(&self, number: u32) -> &Words {
        debug_assert!(number < GATES);
        // SAFETY: within the mapping, by the check where the number comes from.
        unsafe { self.memory.add(number as usize).as_ref() }
    }

    /// A gate that nobody has; it passes. `ENOSPC`: there is none.
    pub fn take(self: &Arc<Self>) -> Result<Gate> {
        let mut is_used = self.is_used.lock();
        let number = is_used.iter().position(|used| !used).ok_or(Errno::ENOSPC)?;
        is_used[number] = true;
        drop(is_used);
        let gate = Gate { gates: self.clone(), number: number as u32 };
        gate.words().word.store(PASSES, Ordering::SeqCst);
        gate.words().tokens.store(0, Ordering::SeqCst);
        Ok(gate)
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this size, and nobody refers to it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), GATE_BYTES * GATES as usize) };
    }
}

impl Gate {
    pub fn number(&self) -> u32 {
        self.number
    }

    fn words(&self) -> &Words {
        self.gates.words(self.number)
    }

    /// The mode, and how many packets were redirected so far.
    pub fn look(&self) -> (Mode, u64) {
        let word = self.words().word.load(Ordering::SeqCst);
        let mode = match word & MODE {
            ARMED => Mode::Armed,
            REDIRECTS => Mode::Redirects,
            _ => Mode::Passes,
        };
        (mode, word / ONE_MORE)
    }

    /// Has a gate that passes let the next packet through as a token.
    pub fn open(&self) {
        let (_, count) = self.look();
        self.words().word.store((count * ONE_MORE) | ARMED, Ordering::SeqCst);
    }

    fn change(&self, from: u64, to: u64) -> bool {
        let word = &self.words().word;
        word.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Arms a gate that redirects, if it has redirected exactly `count` packets.
    pub fn arm(&self, count: u64) -> bool {
        let word = count * ONE_MORE;
        self.change(word | REDIRECTS, word | ARMED)
    }

    /// Has it pass everything, if it has redirected exactly `count` packets.
    pub fn close(&self, count: u64) -> bool {
        let word = count * ONE_MORE;
        self.change(word | REDIRECTS, word | PASSES) || self.change(word | ARMED, word | PASSES)
    }

    /// How many tokens there were.
    pub fn tokens(&self) -> u64 {
        self.words().tokens.load(Ordering::SeqCst)
    }

    /// When the last token came, in nanoseconds of `CLOCK_MONOTONIC`.
    pub fn token_time(&self) -> u64 {
        self.words().time.load(Ordering::SeqCst)
    }

    /// What the last token is known by.
    pub fn token(&self) -> Mark {
        let words = self.words();
        let source = &words.source;
        Mark {
            source: [source[0].load(Ordering::SeqCst), source[1].load(Ordering::SeqCst)],
            port_and_length: words.port_and_length.load(Ordering::SeqCst),
            start: words.start.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Gate {
    /// No flow has its number any more.
    fn drop(&mut self) {
        self.words().word.store(PASSES, Ordering::SeqCst);
        self.gates.is_used.lock()[self.number as usize] = false;
    }
}
