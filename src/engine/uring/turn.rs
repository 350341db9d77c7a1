//! A turn: what is to be handed in goes to the kernel, and what has come back is taken in.
#![forbid(unsafe_code)]

use super::Uring;
use super::group::Group;
use crate::engine::{Notice, PollSet, Taker};
use crate::error::Result;
use crate::sys::ring::DEFERRED_MAX;

/// A turn goes round while completions lead to submissions, but not for ever.
const ROUNDS_MAX: usize = 8;
/// What is received at a time, so that the caches still have it when the program comes to it.
pub(super) const INTAKE_BYTES: usize = 512 * 1024;

impl Uring {
    /// As many receives at a time as are likely to bring no more than there is to be.
    fn limit_intake(&mut self) {
        let usual = self.groups.iter().filter_map(Group::usual_bytes).max();
        let count = usual.map_or(usize::MAX, |bytes| INTAKE_BYTES / bytes.max(1));
        self.ring.bring_at_most(u32::try_from(count).unwrap_or(u32::MAX).min(DEFERRED_MAX));
        self.messages.begin_turn();
    }

    /// Submits and reaps once; `true` when something has come back.
    pub(super) fn round(
        &mut self,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
        taker: Option<&mut dyn Taker>,
    ) -> Result<bool> {
        self.come_in();
        if self.has_work() {
            self.start_watches()?;
            self.make_room(poll, notices);
            self.take_messages(notices);
            self.start_receives()?;
            self.start_sends(Some(notices))?;
        }
        if poll.is_worth_watching() {
            self.watch_poll_set(poll)?;
        }
        self.ring.submit_and_settle()?;
        let count = self.reap(poll, notices, taker);
        self.count();
        self.feed();
        Ok(count > 0)
    }

    pub(super) fn go_round(
        &mut self,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
        taker: Option<&mut dyn Taker>,
    ) -> Result<()> {
        self.come_in();
        if self.has_nothing_to_do() && !poll.is_worth_watching() {
            return Ok(());
        }
        self.limit_intake();
        self.taken_in_bytes = 0;
        self.go_rounds(poll, notices, taker)?;
        if self.messages.is_limited() {
            self.feed_one_message();
        }
        Ok(())
    }

    /// Submits and reaps for as long as one leads to the other, and there is room for more.
    pub(super) fn go_rounds(
        &mut self,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
        mut taker: Option<&mut dyn Taker>,
    ) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            let lent: Option<&mut dyn Taker> = match &mut taker {
                Some(taker) => Some(&mut **taker),
                None => None,
            };
            let reaped = self.round(poll, notices, lent)?;
            if !self.has_work() || !reaped || self.taken_in_bytes >= INTAKE_BYTES {
                break;
            }
        }
        Ok(())
    }
}
