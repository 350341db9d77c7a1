//! What the library counts, and how it lies in memory that sio-stat looks into.
//!
//! A segment is a header and a table of slots. Each object that is counted for has a slot: what it
//! is, and two lines of counters. The numbers of one counter in both lines are added up: one line
//! is written by whoever holds what guards the object, with plain additions, the other one by
//! anybody. All of it are atomics, and nothing that stands there is ever believed by the library:
//! it only writes.
//!
//! A change of what lies where, or of what a counter means, is a new [`VERSION`].
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub const MAGIC: u64 = u64::from_ne_bytes(*b"sio-stat");
pub const VERSION: u32 = 1;
/// Objects of one segment; when there are more, there are more segments.
pub const SLOTS: usize = if cfg!(feature = "model") { 16 } else { 1024 };
/// Counters of one object.
pub const COUNTERS: usize = 8;
const TEXT_WORDS: usize = 8;

/// What a slot is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Kind {
    Channel = 1,
    Engine = 2,
    Area = 3,
    Socket = 4,
}

pub const KINDS: [Kind; 4] = [Kind::Channel, Kind::Engine, Kind::Area, Kind::Socket];

/// The names of engines, by the number that stands in a slot.
pub const ENGINES: [&str; 5] = ["", "io_uring", "epoll", "af_xdp", "packet_mmap"];

/// Counters of a channel.
pub mod channel {
    /// Events that were fetched.
    pub const EVENTS: usize = 0;
    /// Calls that looked for some.
    pub const FETCHES: usize = 1;
    /// Times that a thread went to sleep.
    pub const SLEEPS: usize = 2;
    /// Times that one that slept was made to look.
    pub const WAKE_UPS: usize = 3;
    /// Requests that were refused because there was no room for their events.
    pub const REFUSED: usize = 4;
    /// How often the set of sources was asked.
    pub const SYSTEM_CALLS: usize = 5;
}

/// Counters of an engine, for one channel.
pub mod engine {
    /// Calls that hand over requests or take in results.
    pub const SYSTEM_CALLS: usize = 0;
    /// Operations that were handed to the kernel, and what it has told of them.
    pub const OPERATIONS: usize = 1;
    pub const COMPLETIONS: usize = 2;
    /// Sends that were tried without a copy, and those of them that the kernel copied after all.
    pub const ZERO_COPY_SENDS: usize = 3;
    pub const ZERO_COPY_COPIED: usize = 4;
    /// Times that something was done in a way that serves less well.
    pub const FALLBACKS: usize = 5;
}

/// Counters of an area.
pub mod area {
    /// Chunks of memory that were taken from it.
    pub const TAKEN: usize = 0;
    /// How often it had no room.
    pub const REFUSED: usize = 1;
}

/// Counters of a socket.
pub mod socket {
    pub const SENDS: usize = 0;
    pub const SENT_BYTES: usize = 1;
    /// Of those, bytes that nobody has copied. There are fewer of them: they are counted.
    pub const SENT_UNCOPIED_BYTES: usize = 2;
    pub const RECEIVES: usize = 3;
    pub const RECEIVED_BYTES: usize = 4;
    pub const RECEIVED_UNCOPIED_BYTES: usize = 5;
    /// Sends that were refused with EAGAIN, or failed later.
    pub const REFUSED: usize = 6;
    pub const FAILED: usize = 7;
}

impl Kind {
    pub fn from_number(number: u32) -> Option<Self> {
        KINDS.into_iter().find(|kind| *kind as u32 == number)
    }

    pub fn plural(self) -> &'static str {
        match self {
            Self::Channel => "channels",
            Self::Engine => "engines",
            Self::Area => "areas",
            Self::Socket => "sockets",
        }
    }

    /// The names of its counters, in their order.
    pub fn counters(self) -> &'static [&'static str] {
        match self {
            Self::Channel => {
                &["events", "fetches", "sleeps", "wake_ups", "refused", "system_calls"]
            }
            Self::Engine => &[
                "system_calls",
                "operations",
                "completions",
                "zero_copy_sends",
                "zero_copy_copied",
                "fallbacks",
            ],
            Self::Area => &["taken", "refused"],
            Self::Socket => &[
                "sends",
                "sent_bytes",
                "sent_uncopied_bytes",
                "receives",
                "received_bytes",
                "received_uncopied_bytes",
                "refused",
                "failed",
            ],
        }
    }
}

/// Counters that share a line of the cache.
#[repr(C, align(64))]
pub struct Line(pub [AtomicU64; COUNTERS]);

/// A text of at most 64 bytes.
#[repr(C, align(64))]
pub struct Text([AtomicU64; TEXT_WORDS]);

impl Text {
    pub fn set(&self, text: &str) {
        let mut bytes = text.bytes().chain(std::iter::repeat(0));
        for word in &self.0 {
            let part: [u8; 8] = std::array::from_fn(|_| bytes.next().unwrap_or(0));
            word.store(u64::from_ne_bytes(part), Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> String {
        let words = self.0.iter().map(|word| word.load(Ordering::Relaxed));
        let bytes: Vec<u8> = words.flat_map(u64::to_ne_bytes).take_while(|b| *b != 0).collect();
        // It comes from another process, and goes to a terminal.
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|character| !character.is_control()).collect()
    }
}

/// One object that is counted for.
#[repr(C, align(64))]
pub struct Slot {
    /// A [`Kind`], or 0: nothing is here.
    pub kind: AtomicU32,
    /// Which of [`ENGINES`] serves it.
    pub engine: AtomicU32,
    /// One more than the descriptor of its channel, or of itself; 0: it is in none.
    pub channel: AtomicU32,
    /// The descriptor of a socket.
    pub descriptor: AtomicU32,
    /// The handle of the area.
    pub area: AtomicU64,
    /// The size of an area, the capacity of a channel, the inode of a socket.
    pub size: AtomicU64,
    pub owned: Line,
    pub shared: Line,
    /// Why nothing better serves it.
    pub reason: Text,
}

#[repr(C, align(64))]
pub struct Header {
    /// [`MAGIC`], as soon as the rest is there.
    pub magic: AtomicU64,
    pub version: AtomicU32,
    pub header_bytes: AtomicU32,
    pub slot_bytes: AtomicU32,
    pub slots: AtomicU32,
    /// Which of the process's segments this is, from 0 on.
    pub number: AtomicU32,
    /// Slots that have been given out at some time: those after them were never touched.
    pub used: AtomicU32,
    /// Odd while a slot is given out or taken back.
    pub changes: AtomicU64,
    /// Objects that are counted for where nobody sees it, because there are too many.
    pub hidden: AtomicU64,
    /// The version of the library.
    pub library: Text,
    /// Requests of POSIX AIO: done at once, by the ring, by threads.
    pub requests: Line,
    /// What does those that are not done at once, and why nothing better.
    pub behind: Text,
    /// The counters of objects that have gone, by kind and engine. In the first segment.
    pub past: [[Line; ENGINES.len()]; KINDS.len()],
}

#[repr(C)]
pub struct Segment {
    pub header: Header,
    pub slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Slot>() == 256 && size_of::<Header>() == 1536);

impl Slot {
    pub fn channel(&self) -> Option<i32> {
        self.channel.load(Ordering::Relaxed).checked_sub(1).map(|fd| fd as i32)
    }

    /// The two lines, added up.
    pub fn counter(&self, number: usize) -> u64 {
        let of = |line: &Line| line.0[number].load(Ordering::Relaxed);
        of(&self.owned).wrapping_add(of(&self.shared))
    }
}
