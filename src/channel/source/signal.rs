//! Signals, as sigwaitinfo(2) takes them. signalfd(2).
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};

use super::super::event::{self, Event};
use crate::engine::Key;
use crate::error::Result;
use crate::sys::descriptor::Descriptor;
use crate::sys::signal::{self, Taken};

/// A set of signals that the program has blocked.
pub struct Signals {
    descriptor: Descriptor,
}

impl Signals {
    /// `EINVAL`: there is no signal in the set that can be waited for.
    pub fn new(set: &libc::sigset_t) -> Result<Self> {
        Ok(Self { descriptor: signal::descriptor(set)? })
    }

    pub fn fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Takes at most `most` pending signals.
    pub fn take(&self, most: usize) -> Vec<Taken> {
        signal::take(self.fd(), most)
    }
}

/// The event of one delivery.
pub fn signal_event(taken: &Taken, id: Key, cookie: u64) -> Event {
    let mut event = Event::new(event::SIGNAL, taken.number, id, cookie);
    event.result = 1;
    event.pointer = taken.value;
    event.length = taken.sender as usize;
    event
}
