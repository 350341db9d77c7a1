//! One request: what the program has asked for, and how far it has got.

use std::os::fd::RawFd;

use super::lanes::Key;
use crate::sys::control::Control;
use crate::sys::descriptor::Kept;
use crate::sys::notify::{self, Callback};
use crate::sys::transfer::{Identity, Memory};

/// How the program is told of the end. sigevent(3type).
#[derive(Clone, Copy)]
pub enum Notification {
    None,
    Signal { signal: i32, value: usize, thread: Option<i32> },
    Call(Callback),
}

impl Notification {
    /// Whether it has to come without a call of the program's.
    pub fn is_due_unasked(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Tells, from a thread that may do anything.
    pub fn send(self) {
        match self {
            Self::None => {}
            Self::Signal { signal, value, thread } => {
                // Too many signals are queued already: nothing more can be done.
                let _ = notify::signal(signal, value, thread);
            }
            // No thread is to be had: as above.
            Self::Call(callback) => drop(callback.start()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Read,
    Write,
    /// fsync(2), or fdatasync(2).
    Sync {
        data_only: bool,
    },
}

#[derive(Clone, Copy)]
pub struct Request {
    pub control: Control,
    pub operation: Operation,
    pub fd: RawFd,
    pub memory: Memory,
    pub offset: i64,
    pub notification: Notification,
    /// The list that it belongs to.
    pub group: Option<u32>,
}

/// What kind of file it goes to, and so how it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// At its offset, beside others. `offload`: by a thread of the kernel's from the start.
    File { offload: bool },
    /// At the end of the file, after those before it.
    Append { lane: Key },
    /// No offset, after those before it where there is a lane.
    Stream { stream: Stream, lane: Option<Key> },
    /// After every write that was accepted before it.
    Sync,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Socket,
    Pipe,
    /// A terminal, a counter, and whatever else has no offset.
    Other,
}

impl Route {
    pub fn lane(&self) -> Option<Key> {
        match self {
            Self::Append { lane } => Some(*lane),
            Self::Stream { lane, .. } => *lane,
            Self::File { .. } | Self::Sync => None,
        }
    }
}

/// A request that could not be done at once, and what has been done of it.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    pub route: Route,
    pub done: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Others have to end first.
    Queued,
    /// The library's thread is to start it.
    Handed,
    /// The backend has it.
    Started,
    /// The backend waits until something can be transferred.
    Polled,
}

/// A request under way.
pub struct Entry {
    pub request: Request,
    pub number: u64,
    pub route: Route,
    pub done: usize,
    pub phase: Phase,
    /// The program wants no more of it.
    pub is_cancelled: bool,
    /// It cannot go on, or be told, without a thread of ours.
    pub needs_helper: bool,
    /// Its file cannot be asked to transfer only what does not block.
    pub is_unaskable: bool,
    /// Writes that have to end before a synchronisation begins.
    pub ahead: usize,
    /// The next one in its lane.
    pub next: Option<u32>,
    /// A descriptor of our own where there is no lane to have one.
    pub kept: Option<Kept>,
    /// The file that it was made for, where another thread starts it: the descriptor may have come
    /// to mean another one until then.
    pub file: Option<Identity>,
}

impl Entry {
    pub fn is_write(&self) -> bool {
        self.request.operation == Operation::Write
    }

    /// Whether bytes may be left over after a part was written.
    pub fn is_stream_write(&self) -> bool {
        self.is_write() && matches!(self.route, Route::Stream { .. })
    }

    pub fn rest(&self) -> Memory {
        self.request.memory.skip(self.done)
    }
}
