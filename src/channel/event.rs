//! The event record: 64 bytes, as a C program gets it. Source: the contract, section 1; the talk,
//! "Event Handling Solutions": uniform records.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

/// What happened, to what, for whom. The C name is `event_data`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: i32,
    pub fd: i32,
    pub cookie: u64,
    pub result: i64,
    pub errno: i32,
    pub flags: u32,
    pub pointer: usize,
    pub length: usize,
    pub source: i32,
    pub pad: i32,
    pub reserved: u64,
}

const _: () = assert!(size_of::<Event>() == 64);

pub const FD: i32 = 1;
pub const MQ: i32 = 2;
pub const SIGNAL: i32 = 3;
pub const TIMER: i32 = 4;
pub const FUTEX: i32 = 5;
pub const SEM: i32 = 6;
pub const PROCESS: i32 = 7;
pub const AIO: i32 = 8;
pub const LIO: i32 = 9;
pub const RECV: i32 = 10;
pub const SENT: i32 = 11;
pub const ACCEPT: i32 = 12;
pub const USER: i32 = 13;

/// Some layer copied the bytes.
pub const F_COPIED: u32 = 1;
/// The peer sends no more.
pub const F_EOF: u32 = 2;
/// The connection is gone.
pub const F_HUP: u32 = 4;
/// More events of the same request follow.
pub const F_MORE: u32 = 8;

impl Event {
    /// An event of a source, with nothing else said yet.
    #[inline(always)]
    pub fn new(kind: i32, fd: RawFd, source: i32, cookie: u64) -> Self {
        Self { kind, fd, cookie, source, ..Self::EMPTY }
    }

    pub const EMPTY: Self = Self {
        kind: 0,
        fd: -1,
        cookie: 0,
        result: 0,
        errno: 0,
        flags: 0,
        pointer: 0,
        length: 0,
        source: -1,
        pad: 0,
        reserved: 0,
    };

    /// Makes it tell of a failure.
    pub fn fail(&mut self, errno: crate::error::Errno) {
        self.result = -1;
        self.errno = errno as i32;
    }

    /// Whether it tells of the same source as `other` what one event can tell for both.
    pub fn repeats(&self, other: &Self) -> bool {
        self.source == other.source
            && self.source >= 0
            && self.kind == other.kind
            && matches!(self.kind, FD | MQ | TIMER | RECV)
            && self.errno == 0
            && other.errno == 0
    }

    /// Takes in a later event that repeats it.
    #[cold]
    pub fn merge(&mut self, later: &Self) {
        self.flags |= later.flags;
        match self.kind {
            FD | MQ => {
                self.result |= later.result;
                // What has been read of a counter; 0 otherwise.
                self.length = self.length.saturating_add(later.length);
            }
            TIMER => self.result = self.result.saturating_add(later.result),
            _ => self.result = later.result,
        }
    }
}
