//! How a ring of one thread makes its channel's descriptor readable while that thread is elsewhere.
//!
//! What completes on such a ring is put off until the thread enters it (DEFER_TASKRUN), and the
//! ring's own descriptor wakes nobody who polls it: it only becomes readable. So the kernel is told
//! to raise an eventfd, which is a member of the channel's descriptor beside the ring. It is told
//! not to while the thread is inside the channel, where it sees for itself.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::Uring;
use crate::error::Result;
use crate::sys::descriptor::{self, Counter};
use crate::sys::ring::Ring;

pub(super) struct Gong {
    counter: Counter,
    is_muted: bool,
    may_be_up: bool,
    /// It must be up, if the kernel has been quick.
    is_due: bool,
    /// The kernel may raise it later than it should: see [`Uring::go_out`].
    is_late: bool,
}

impl Gong {
    pub fn new(ring: &Ring) -> Result<Self> {
        let counter = Counter::new()?;
        ring.register_eventfd(counter.fd())?;
        Ok(Self { counter, is_muted: false, may_be_up: false, is_due: false, is_late: false })
    }

    pub fn fd(&self) -> RawFd {
        self.counter.fd()
    }

    /// The thread is inside.
    #[inline]
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// The thread is outside, and nothing is left to be lowered.
    pub fn is_at_rest(&self) -> bool {
        !self.is_muted && !self.may_be_up && !self.is_late
    }

    /// The descriptor is watched from now on; it may be an eventfd, which is a file of the same kind.
    pub fn expect(&mut self, fd: RawFd) {
        self.is_late |= descriptor::identity(fd) == descriptor::identity(self.fd());
    }
}

impl Uring {
    /// The thread is inside: nobody else has to know.
    pub(super) fn come_in(&mut self) {
        if let Some(gong) = &mut self.gong
            && !gong.is_muted
        {
            gong.is_muted = true;
            gong.is_due |= self.ring.has_news();
            self.ring.mute(true);
            // Seen afterwards: whatever is there now may have raised it.
            gong.may_be_up |= self.ring.has_news();
        }
    }

    /// The thread goes; `is_readable`: there is something to fetch, and the ring or the token says
    /// so. Then the gong stays muted: who polls need not be told twice.
    ///
    /// What completes because an eventfd was written to cannot raise another one at once. The
    /// kernel does it a little later, but only the first time (seen in Linux 6.18): so the gong is
    /// registered anew where that may have happened.
    pub(super) fn go_out(&mut self, is_readable: bool) {
        let Some(gong) = self.gong.as_mut().filter(|_| !is_readable) else { return };
        if gong.may_be_up || gong.is_late {
            gong.counter.lower();
            if gong.is_due && gong.is_late {
                // If it fails now it is tried again after the next completion.
                let _ = self.ring.register_eventfd_anew(gong.fd());
            }
            gong.may_be_up = false;
            gong.is_due = false;
        }
        if !std::mem::take(&mut gong.is_muted) {
            return;
        }
        self.ring.mute(false);
        // What it tells of may have been run already: that is no news.
        let _ = self.ring.run_deferred();
        if !self.ring.has_completions() {
            return;
        }
        if gong.is_late {
            gong.counter.raise();
            gong.may_be_up = true;
        } else {
            // What was brought forth makes the ring readable, and has told those who poll it.
            self.ring.mute(true);
            gong.is_muted = true;
        }
    }
}
