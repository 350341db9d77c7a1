//! The rest of a send that a non-blocking socket in no channel has begun: it was accepted as a
//! whole, the kernel took only a part, and the call must not wait.
//!
//! The rest is copied, unless it is one of a file, and handed to a thread of the library's, which ends
//! with it. Until then nothing else is sent on that socket, so that order is kept. It happens when a
//! peer stops reading in the middle of a call, and in no other case.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};

use crate::engine::{File, Passed, Request};
use crate::error::{Errno, Result};
use crate::sys::descriptor::{self, Descriptor};
use crate::sys::sync::atomic::{AtomicU32, Ordering};
use crate::sys::wait::{self, Sleep, Terms};
use crate::sys::{futex, socket, thread};

/// What the word says.
const IDLE: u32 = 0;
const BUSY: u32 = 1;

/// The rest of one socket, if there is one.
#[derive(Default)]
pub struct Tail {
    /// Few sockets ever have one.
    word: OnceLock<Arc<AtomicU32>>,
}

impl Tail {
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

    /// Takes over what is left of a request after `sent` bytes. An error leaves it to the caller.
    pub fn take_over(&self, fd: i32, request: &Request, sent: usize) -> Result<()> {
        let own = descriptor::duplicate(fd)?;
        let rest = Rest::of(request, sent)?;
        self.word().swap(BUSY, Ordering::AcqRel);
        let word = self.word().clone();
        thread::spawn("sio-tail", move || {
            rest.send(&own);
            word.swap(IDLE, Ordering::AcqRel);
            futex::wake(&word, i32::MAX);
        })
        .inspect_err(|_| {
            self.word().swap(IDLE, Ordering::AcqRel);
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
