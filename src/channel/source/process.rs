//! The end of a process. pidfd_open(2), waitid(2).
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::super::event::{self, Event};
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::process;

pub struct Process {
    /// The pidfd, which stays the program's.
    pub fd: RawFd,
    /// Its end has been told: there is nothing more to come.
    pub is_spent: bool,
}

impl Process {
    /// `EINVAL`: the descriptor is no pidfd.
    pub fn new(fd: RawFd) -> Result<Self> {
        process::is_pidfd(fd)?;
        Ok(Self { fd, is_spent: false })
    }

    /// Whether it has ended; reaps nothing.
    pub fn has_ended(&self) -> bool {
        !self.is_spent && !matches!(process::peek(self.fd), Ok(None))
    }

    /// Its wait status, if it has ended: a child is reaped.
    pub fn take(&mut self, id: Key, cookie: u64) -> Option<Event> {
        if self.is_spent {
            return None;
        }
        let status = match process::reap(self.fd) {
            Ok(None) => return None,
            Ok(Some(status)) => Ok(status),
            // Not ours to reap, or reaped already: the kernel may tell all the same.
            Err(Errno::ECHILD) => process::status(self.fd).ok_or(Errno::ECHILD),
            Err(errno) => Err(errno),
        };
        self.is_spent = true;
        let mut event = Event::new(event::PROCESS, self.fd, id, cookie);
        match status {
            Ok(status) => event.result = i64::from(status),
            Err(errno) => event.fail(errno),
        }
        Some(event)
    }
}
