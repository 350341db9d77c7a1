//! Waiting for a socket of which poll(2) says that it is worth a look while a call finds nothing: it
//! would be looked at for ever. So it is while the error queue has something, which the program fetches
//! by `MSG_ERRQUEUE` (recvmsg(2)): poll(2) tells of an error whatever it is asked for. And so it is of a
//! Unix socket that sends to an address where there is no room: nothing says when there is.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::sys::poll::{self, Changes};
use crate::sys::wait::{self, Terms};

/// Before somebody is asked again of whom nothing is told.
const PAUSE: Duration = Duration::from_millis(1);

/// How a call waits for a socket, after it has been woken for nothing.
#[derive(Default)]
pub struct Vigil {
    changes: Option<Changes>,
    attempt: Option<Instant>,
}

impl Vigil {
    /// The call has slept, and is about to try once more.
    pub fn wake(&mut self) {
        self.attempt = None;
        if let Some(changes) = &self.changes {
            changes.take();
        }
    }

    /// It has tried in vain. `found` is what poll(2) says now when it is asked for `events`, `fds` what
    /// the call is to be woken by.
    pub fn learn<I>(&mut self, found: i16, events: i16, fds: impl FnOnce() -> I)
    where
        I: IntoIterator<Item = RawFd>,
    {
        if self.changes.is_none() && poll::is_error_alone(found, events) {
            // It tells of the present first: nothing is missed.
            self.changes = Changes::of(fds(), poll::events(events)).ok();
        }
    }

    /// The next attempt is made in a moment, whatever is told.
    pub fn pause(&mut self) {
        self.attempt = wait::now().checked_add(PAUSE);
    }

    /// What is slept on in place of the descriptors.
    pub fn fd(&self) -> Option<RawFd> {
        // A negative number is passed over.
        self.attempt.map(|_| -1).or_else(|| self.changes.as_ref().map(Changes::fd))
    }

    /// No longer than that.
    pub fn limit(&self, terms: Terms) -> Terms {
        let earlier = [terms.deadline, self.attempt].into_iter().flatten().min();
        Terms { deadline: earlier, ..terms }
    }
}
