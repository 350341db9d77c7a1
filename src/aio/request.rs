//! One request: what the program has asked for, and how far it has got.

use std::os::fd::RawFd;
use std::sync::Arc;

use super::lanes::Key;
use super::mailbox::{Letter, Mailbox};
use crate::error::Result;
use crate::sys::control::Control;
use crate::sys::descriptor::Descriptor;
use crate::sys::exchange::{Call, Envelope};
use crate::sys::notify::{self, Callback};
use crate::sys::transfer::{Identity, Memory};

/// How the program is told of the end. sigevent(3type).
#[derive(Clone)]
pub enum Notification {
    None,
    Signal {
        signal: i32,
        value: usize,
        thread: Option<i32>,
    },
    Call(Callback),
    /// In a slot of an event channel that has been reserved. A list is known by its address.
    Event {
        mailbox: Arc<Mailbox>,
        cookie: u64,
        list: Option<usize>,
    },
}

impl Notification {
    /// Whether it has to come without a call of the program's.
    pub fn is_due_unasked(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether a thread of ours has to see to it that it comes. A channel that is waited on sees
    /// for itself.
    pub fn needs_thread(&self) -> bool {
        matches!(self, Self::Signal { .. } | Self::Call(_))
    }

    /// Whether an event channel tells.
    pub fn is_event(&self) -> bool {
        matches!(self, Self::Event { .. })
    }

    /// Tells, from a thread that may do anything.
    pub fn send(self, end: &End) {
        match self {
            Self::None => {}
            Self::Signal { signal, value, thread } => {
                // Too many signals are queued already: nothing more can be done.
                let _ = notify::signal(signal, value, thread);
            }
            // No thread is to be had: as above.
            Self::Call(callback) => drop(callback.start()),
            Self::Event { mailbox, cookie, list } => {
                mailbox.recipient().deliver(&end.letter(cookie, list));
            }
        }
    }
}

/// What has ended: a request, or a list of so many.
#[derive(Clone, Copy)]
pub enum End {
    Request { block: usize, fd: RawFd, outcome: Result<usize> },
    List { requests: usize },
}

impl End {
    pub fn letter(&self, cookie: u64, list: Option<usize>) -> Letter {
        match *self {
            Self::Request { block, fd, outcome } => {
                let (result, errno) = match outcome {
                    Ok(count) => (count as i64, 0),
                    Err(errno) => (-1, errno as i32),
                };
                Letter { pointer: block, fd: Some(fd), result, errno, cookie }
            }
            Self::List { requests } => {
                let pointer = list.unwrap_or_default();
                Letter { pointer, fd: None, result: requests as i64, errno: 0, cookie }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Read,
    Write,
    Call(Call),
    /// fsync(2), or fdatasync(2).
    Sync {
        data_only: bool,
    },
}

impl Operation {
    pub fn call(&self) -> Option<Call> {
        match *self {
            Self::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Whether it brings data into a file.
    pub fn is_write(&self) -> bool {
        *self == Self::Write || self.call().is_some_and(|call| call.is_send())
    }
}

#[derive(Clone)]
pub struct Request {
    pub control: Control,
    pub operation: Operation,
    pub fd: RawFd,
    pub memory: Memory,
    /// How much there is to do; of a message, in all its pieces.
    pub bytes: usize,
    pub offset: i64,
    pub notification: Notification,
    /// The list that it belongs to.
    pub group: Option<u32>,
}

impl Request {
    /// How it has ended, for those who tell.
    pub fn end(&self, outcome: Result<usize>) -> End {
        End::Request { block: self.control.address(), fd: self.fd, outcome }
    }
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
    /// By the driver of a device in the program: which opening of it, and where the books of devices
    /// have the request.
    Device { file: u64, place: u32 },
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
            Self::File { .. } | Self::Sync | Self::Device { .. } => None,
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
    /// A driver has it.
    Driven,
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
    /// A part is not enough.
    pub takes_all: bool,
    /// What its call names, copied.
    pub envelope: Option<Box<Envelope>>,
    /// A connection has been begun.
    pub is_connecting: bool,
    /// The backend does not wait for it: the library does.
    pub is_refused: bool,
    /// It is sent without a copy.
    pub is_uncopied: bool,
    /// Nobody tells when its peer has room again.
    pub is_futile: bool,
    /// The next one in its lane.
    pub next: Option<u32>,
    /// A descriptor of our own where there is no lane to have one.
    pub kept: Option<Descriptor>,
    /// The file that it was made for, where another thread starts it: the descriptor may have come
    /// to mean another one until then.
    pub file: Option<Identity>,
}

impl Entry {
    pub fn is_write(&self) -> bool {
        self.request.operation.is_write()
    }

    /// Whether bytes may be left over after a part was written.
    pub fn is_stream_write(&self) -> bool {
        self.is_write() && matches!(self.route, Route::Stream { .. })
    }

    pub fn rest(&self) -> Memory {
        let memory = self.request.memory;
        memory.skip(self.done.min(memory.length))
    }

    /// So much more has been done.
    pub fn skip(&mut self, bytes: usize) {
        self.done += bytes;
        if let Some(envelope) = &mut self.envelope {
            envelope.skip(bytes);
        }
    }
}
