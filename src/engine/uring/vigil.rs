//! What the ring watches for a thread that sleeps in it: the poll set, or its token alone.
//!
//! Who waits for a socket alone has nothing to do with what members of the set have, and would be
//! woken by it again and again. The token is how others get its attention.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use io_uring::{opcode, types};

use super::{POLL, TOKEN_WATCH, Uring};
use crate::engine::{Engine, Notice, PollSet};
use crate::error::Result;
use crate::sys::poll;

/// How long a completion may take that is on its way, in steps of five milliseconds.
const REST_STEPS_MAX: usize = 5;

impl Uring {
    /// A thread is about to sleep: what was put off is begun.
    pub(super) fn begin_all(&mut self) -> Result<()> {
        self.messages.end_limit();
        self.feed_all();
        self.put_off_taking()?;
        self.start_watches()?;
        self.start_receives()?;
        self.start_sends(None)?;
        self.come_in();
        Ok(())
    }

    /// One completion when the poll set has something.
    pub(super) fn watch_poll_set(&mut self, poll: &mut PollSet) -> Result<()> {
        if !poll.is_watched() {
            self.watch_readable(poll.fd(), POLL)?;
            poll.begin_watch();
        }
        Ok(())
    }

    /// The same for its token, which is a member.
    pub(super) fn watch_token(&mut self, poll: &mut PollSet) -> Result<()> {
        if !poll.is_watched() && !poll.is_token_watched() {
            self.watch_readable(poll.token().fd(), TOKEN_WATCH)?;
            poll.begin_token_watch();
        }
        Ok(())
    }

    fn watch_readable(&mut self, fd: RawFd, data: u64) -> Result<()> {
        let entry = opcode::PollAdd::new(types::Fd(fd), poll::IN).build().user_data(data);
        self.ring.push(&entry)
    }

    /// Gives up what is watched.
    pub(super) fn unwatch_poll_set(&mut self, poll: &PollSet) -> Result<()> {
        if poll.is_watched() {
            self.cancel(POLL)?;
        }
        if poll.is_token_watched() {
            self.cancel(TOKEN_WATCH)?;
        }
        self.ring.submit().map(drop)
    }

    /// See [`Engine::rest`].
    pub(super) fn come_to_rest(
        &mut self,
        give_up: bool,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let is_watched = |poll: &PollSet| poll.is_watched() || poll.is_token_watched();
        if give_up && is_watched(poll) {
            self.unwatch_poll_set(poll)?;
        }
        for _ in 0..REST_STEPS_MAX {
            self.look(poll, notices)?;
            if !is_watched(poll) || !(give_up || poll.is_ring_due()) {
                break;
            }
            self.ring.wait_briefly(5)?;
        }
        Ok(())
    }
}
