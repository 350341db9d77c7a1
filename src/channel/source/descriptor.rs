//! Readiness of descriptors and message queues, and counters that the channel reads itself.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::super::event::{self, Event};
use super::card::Card;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::{descriptor, poll};

/// A descriptor whose readiness is told. It begins as its events do.
#[repr(C)]
pub struct Descriptor {
    /// `EC_EV_FD` or `EC_EV_MQ`.
    pub kind: i32,
    pub fd: RawFd,
    /// What is waited for, as the poll set is told.
    pub events: u32,
    /// What `ec_modify` means by no events at all; 0 where that is an error.
    pub default_events: u32,
    /// The engine watches it, not the poll set.
    pub is_watched: bool,
    /// What the engine has told and nobody has fetched.
    pub pending: u32,
}

impl Descriptor {
    pub fn new(fd: RawFd, kind: i32, events: u32, default_events: u32) -> Self {
        Self { fd, kind, events, default_events, is_watched: false, pending: 0 }
    }

    /// What the engine may watch: changes, for ever. States and single events are epoll's.
    pub fn is_watchable(&self) -> bool {
        self.events & poll::EDGE != 0 && self.events & poll::ONESHOT == 0
    }

    pub fn event(&self, ready: u32, id: Key, cookie: u64) -> Event {
        Card::new(self.kind, self.fd, id, cookie).ready(ready)
    }
}

/// A counter of eight bytes: eventfd(2), timerfd_create(2).
pub struct Counter {
    pub fd: RawFd,
    /// It did when it was added: reading it must be asked not to, which costs more.
    pub blocks: bool,
    pub is_watched: bool,
    /// What has been read and nobody has fetched.
    pub pending: u64,
}

impl Counter {
    /// Reads what is there now; `None` when somebody was faster.
    pub fn take(&self, id: Key, cookie: u64) -> Option<Event> {
        let read = if self.blocks {
            descriptor::counter_read(self.fd)
        } else {
            descriptor::counter_read_plain(self.fd)
        };
        match read {
            Ok(count) => Some(Self::event(self.fd, count, id, cookie)),
            Err(Errno::EAGAIN) => None,
            Err(errno) => {
                let mut event = Event::new(event::FD, self.fd, id, cookie);
                event.fail(errno);
                Some(event)
            }
        }
    }

    /// What has been read: from now on it is the program's.
    pub fn event(fd: RawFd, count: u64, id: Key, cookie: u64) -> Event {
        Card::new(event::FD, fd, id, cookie).counted(count)
    }
}

/// poll(2) bits that a program may ask for, and how the poll set is told.
pub fn interest(poll_events: u32, edge: bool, oneshot: bool) -> Result<u32> {
    const KNOWN: u32 = (libc::POLLIN
        | libc::POLLOUT
        | libc::POLLPRI
        | libc::POLLRDNORM
        | libc::POLLRDBAND
        | libc::POLLWRNORM
        | libc::POLLWRBAND
        | libc::POLLRDHUP
        | libc::POLLERR
        | libc::POLLHUP) as u32;
    if poll_events == 0 || poll_events & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    // The bits of epoll are those of poll.
    let edge = if edge { poll::EDGE } else { 0 };
    let oneshot = if oneshot { poll::ONESHOT } else { 0 };
    Ok(poll_events | edge | oneshot)
}
