//! A timer. timerfd_create(2).
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::super::event::{self, Event};
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::descriptor::{self, Descriptor};

pub struct Timer {
    descriptor: Descriptor,
    /// Expirations beyond the first in the event that was fetched last.
    overrun: AtomicI32,
}

impl Timer {
    /// A timer that is not armed.
    pub fn new(clock: libc::clockid_t) -> Result<Self> {
        Ok(Self { descriptor: descriptor::timer_create(clock)?, overrun: AtomicI32::new(0) })
    }

    pub fn fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Arms it, or disarms it; `flags` as timerfd_settime(2). Returns what was set before.
    pub fn set(&self, flags: i32, when: &libc::itimerspec) -> Result<libc::itimerspec> {
        let old = descriptor::timer_set(self.fd(), flags, when)?;
        self.overrun.swap(0, Ordering::Relaxed);
        Ok(old)
    }

    /// The time until it expires.
    pub fn rest(&self) -> Result<libc::itimerspec> {
        descriptor::timer_rest(self.fd())
    }

    /// Its event if it has expired; `None` when somebody was faster.
    pub fn take(&self, id: Key, cookie: u64) -> Option<Event> {
        let mut event = Event::new(event::TIMER, -1, id, cookie);
        match descriptor::counter_read_plain(self.fd()) {
            Ok(count) => event.result = i64::try_from(count).unwrap_or(i64::MAX),
            Err(Errno::EAGAIN) => return None,
            Err(errno) => event.fail(errno),
        }
        Some(event)
    }

    /// An event with so many expirations is the program's now.
    pub fn fetched(&self, expirations: i64) {
        let overrun = i32::try_from(expirations - 1).unwrap_or(i32::MAX);
        self.overrun.swap(overrun.max(0), Ordering::Relaxed);
    }

    /// At most `DELAYTIMER_MAX`, which is the largest `int`.
    pub fn overrun(&self) -> i32 {
        self.overrun.load(Ordering::Relaxed)
    }
}
