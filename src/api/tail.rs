//! The rest of a send that a stream in no channel has begun: it is sent as a whole or not at all, and
//! the kernel took only a part. Until it is sent nothing else is, so that order is kept.
//!
//! A call that may wait does so. Otherwise the rest is copied, unless it is one of a file, and handed to
//! a thread of the library's, which ends with it. It happens when a peer stops reading in the middle of
//! a call, and in no other case.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};

use crate::engine::{File, Passed, Request};
use crate::error::{Errno, Result};
use crate::sys::descriptor::{self, Descriptor};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::atomic::{AtomicU32, Ordering};
use crate::sys::sync::{Mutex, MutexGuard};
use crate::sys::wait::{self, Sleep, Terms};
use crate::sys::{futex, socket, thread};

/// What the word says.
const IDLE: u32 = 0;
const BUSY: u32 = 1;

/// The words of rests, by the kernel's numbers of the sockets.
type Rests = Mutex<Vec<(u64, Arc<AtomicU32>)>>;

/// All that there are: a socket that is taken out of the library and comes back finds its own.
static RESTS: PerProcess<Rests> = PerProcess::empty();

/// The rest of one socket, if there is one.
pub struct Tail {
    identity: u64,
    /// Few sockets ever have one.
    word: OnceLock<Arc<AtomicU32>>,
    turn: Mutex<()>,
}

/// Nothing else is sent until it is dropped.
pub struct Hold(Arc<AtomicU32>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(rests) = RESTS.get() {
            rests.lock().retain(|(_, word)| !Arc::ptr_eq(word, &self.0));
        }
        self.0.swap(IDLE, Ordering::AcqRel);
        futex::wake(&self.0, i32::MAX);
    }
}

impl Tail {
    /// Of a socket with that number of the kernel's.
    pub fn new(identity: u64) -> Self {
        let find = |rests: &Rests| {
            rests.lock().iter().find(|(known, _)| *known == identity).map(|(_, word)| word.clone())
        };
        let word = RESTS.get().and_then(find).map_or_else(OnceLock::new, OnceLock::from);
        Self { identity, word, turn: Mutex::default() }
    }

    /// Whether something else is to wait for a rest. As long as one has the turn there is none, or its
    /// own.
    pub fn is_busy(&self) -> bool {
        self.word.get().is_some_and(|word| word.load(Ordering::Acquire) == BUSY)
    }

    fn word(&self) -> &Arc<AtomicU32> {
        self.word.get_or_init(Default::default)
    }

    /// What a thread that may block waits for before it sends.
    pub fn sleep(&self) -> Sleep {
        Sleep::Word { word: self.word().clone(), expected: BUSY }
    }

    /// Held while the kernel is given something, and until it is clear whether there is a rest.
    pub fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// There is a rest: to be said by who has the turn.
    pub fn hold(&self) -> Hold {
        let word = self.word();
        word.swap(BUSY, Ordering::AcqRel);
        let rests = RESTS.get_or_make(Mutex::default);
        rests.lock().push((self.identity, word.clone()));
        Hold(word.clone())
    }

    /// Takes over what is left of a request after `sent` bytes. An error leaves it to the caller.
    pub fn take_over(fd: RawFd, request: &Request, sent: usize, hold: Hold) -> Result<()> {
        let own = descriptor::duplicate(fd)?;
        let rest = Rest::of(request, sent)?;
        thread::spawn("sio-tail", move || {
            rest.send(&own);
            drop(hold);
        })
    }
}

/// What is left, of memory or of a file.
enum Rest {
    Bytes(Vec<u8>),
    Part { file: File, skip: usize, length: usize },
}

impl Rest {
    fn of(request: &Request, sent: usize) -> Result<Self> {
        if let Some(file) = &request.file {
            return Ok(Self::Part { file: file.share()?, skip: sent, length: request.length });
        }
        let mut bytes = Vec::with_capacity(request.length - sent);
        for span in request.spans(sent) {
            bytes.extend_from_slice(&span.to_vec());
        }
        Ok(Self::Bytes(bytes))
    }

    fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Part { skip, length, .. } => length - skip,
        }
    }

    /// Sends what follows the first bytes; 0: there is no more.
    fn send_some(&self, fd: RawFd, sent: usize) -> Result<usize> {
        match self {
            Self::Bytes(bytes) => socket::send_bytes(fd, &bytes[sent..]),
            Self::Part { file, skip, .. } => {
                match file.send(fd, skip + sent, self.length() - sent)? {
                    Passed::Bytes { count, .. } => Ok(count),
                    Passed::End => Ok(0),
                }
            }
        }
    }

    /// An error is the connection's: the next call on the socket will see it too.
    fn send(&self, fd: &Descriptor) {
        let mut sent = 0;
        while sent < self.length() {
            match self.send_some(fd.as_raw_fd(), sent) {
                Ok(0) => return,
                Ok(count) => sent += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let sleep = Sleep::Poll { fd: fd.as_raw_fd(), events: libc::POLLOUT };
                    // Whatever ended the wait, the next send tells what is so.
                    let _ = wait::block(&sleep, &Terms::default());
                }
                Err(_) => return,
            }
        }
    }
}
