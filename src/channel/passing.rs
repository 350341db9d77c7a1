//! The short way of a fetch, for a thread that has the channel to itself at this moment.
//!
//! It finds what sources tell through the ring or the poll set, and nothing else: where something
//! stands in the queue, somebody sleeps, or anything is to be undone afterwards, the whole way is
//! gone (`wait.rs`), as it is when this one has found nothing.
#![forbid(unsafe_code)]

use super::fetch::{Room, Teller};
use super::state::State;
use super::{Channel, Event};
use crate::engine::table::Kind;
use crate::error::Result;
use crate::sys::cell::Entered;
use crate::sys::own::Own;

/// So many waits do not look first after one that has looked in vain.
const LOOKS_SKIPPED: u32 = 32;

impl Channel {
    /// Fetches; 0: the whole way is to be gone. `is_for_long`: the thread would have waited without
    /// a time limit.
    pub fn fetch_in_passing(&self, events: &mut [Event], is_for_long: bool) -> usize {
        let Some(mut state) = self.state.try_enter() else { return 0 };
        self.pass_by(&mut state, events, is_for_long)
    }

    /// The same for a thread that does not wait: that is what one does who polls the descriptor. On a
    /// ring of one thread there is something to be undone then, each time.
    pub fn look_in_passing(&self, events: &mut [Event]) -> usize {
        if self.is_single() && self.choice.kind == Kind::Uring {
            return 0;
        }
        let Some(mut state) = self.state.try_enter() else { return 0 };
        state.may_be_polled();
        self.pass_by(&mut state, events, false)
    }

    #[inline]
    fn pass_by(&self, state: &mut State, events: &mut [Event], is_for_long: bool) -> usize {
        if self.is_dead() || self.bell.is_rung() {
            return 0;
        }
        let count = state.fetch_in_passing(events, is_for_long);
        if count > 0 {
            state.count_fetched(count);
            if is_for_long {
                state.habit.has_waited();
            }
            if !state.is_settled() || self.bell.is_rung() {
                // What was fetched is not lost because something else went wrong.
                let _ = state.rest(false).and_then(|()| self.settle(state));
            }
        }
        count
    }
}

/// The short way of one call on a socket, in a look (glance.rs): nothing is waited for there.
impl Channel {
    /// Enters, if that can be had at once and nobody has asked for something.
    #[inline(always)]
    pub fn try_enter(&self, own: &Own) -> Option<Entered<'_, State>> {
        let state = self.state.try_enter_of(own)?;
        (!self.is_dead() && !self.bell.is_rung()).then_some(state)
    }

    /// Ends a change; `false`: somebody has asked for something meanwhile, and the change is to be
    /// ended by [`Channel::settle`].
    pub fn settle_in_passing(&self, state: &mut State) -> Result<bool> {
        state.settle()?;
        self.watch_thread(state);
        Ok(!self.bell.is_rung())
    }
}

impl State {
    fn fetch_in_passing(&mut self, events: &mut [Event], is_for_long: bool) -> usize {
        if !self.is_alone() {
            return 0;
        }
        // Who waits and fetches by one call need not look first, unless looking pays.
        let is_tried = is_for_long && self.can_catch();
        if is_tried && self.looks_to_skip > 0 {
            self.looks_to_skip -= 1;
            return 0;
        }
        let mut room = Room::new(events);
        // An error comes again on the whole way, or was none of what has been fetched.
        let mut was_asked = false;
        if self.poll.is_hot() {
            was_asked = self.poll_in_passing(&mut room).unwrap_or(false);
        } else {
            let Self { engines, sources, poll, notices, .. } = self;
            let mut teller = Teller { sources, room: &mut room };
            let _ = engines[0].turn_in_passing(&mut teller, poll, notices);
        }
        let count = room.count();
        self.take_notices();
        if count == 0 && is_tried {
            self.looks_to_skip = LOOKS_SKIPPED;
        } else if count == 0 && was_asked {
            self.poll.was_empty();
        }
        count
    }

    /// `true`: the set was asked.
    fn poll_in_passing(&mut self, room: &mut Room<'_>) -> Result<bool> {
        if !self.engines[0].is_idle() {
            return Ok(false);
        }
        self.fetch_polled(room)?;
        self.tell_timers(room);
        Ok(true)
    }

    /// Nothing is queued, nobody sleeps, and there is but one engine.
    fn is_alone(&self) -> bool {
        self.live() == 0
            && self.engines.len() == 1
            && !self.has_requests()
            && !self.sleepers.is_anyone_coming()
            && !self.sleepers.is_kicked
            && !self.poll.is_ring_due()
    }

    /// Whether settling would change nothing.
    pub(super) fn is_settled(&mut self) -> bool {
        self.live() == 0
            && self.poll.is_token_down()
            && !self.poll.is_ring_due()
            && self.engines[0].is_settled(self.habit.is_strong())
    }
}
