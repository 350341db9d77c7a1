//! How threads wait on a channel.
//!
//! One of them, the leader, waits in the kernel; the others follow it on a word of their own, so
//! that an event wakes one thread and not the herd. Who stops waiting sees to it that somebody
//! else leads. A thread that waits with a signal mask of its own always waits in the kernel,
//! because only there can the mask be put in place together with the wait.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use super::state::State;
use super::{Channel, Event};
use crate::engine::{Ask, Key, Received};
use crate::error::{Errno, Result};
use crate::sys::futex;
use crate::sys::stat::layout::channel as count;
use crate::sys::sync::atomic::{AtomicU32, Ordering};
use crate::sys::wait::{Sleep, Terms};

/// What the word of a follower says.
const WAITING: u32 = 0;
const LOOK_AGAIN: u32 = 1;
const WOKEN: u32 = 2;

/// Who waits, as the state knows them.
#[derive(Default)]
pub(super) struct Sleepers {
    /// The leader, and the socket that it waits for if not for any event.
    leader: Option<Option<Key>>,
    /// Threads in the kernel beside it.
    masked: usize,
    followers: VecDeque<Follower>,
    /// Followers that were told to look again and have not come yet: they still wait, as far as
    /// the program knows.
    roused: Vec<Follower>,
    /// `ec_wake` for the leader, and for those beside it.
    leader_woken: bool,
    masked_woken: usize,
    /// A wake-up is on its way to those in the kernel: it stays visible until they have come.
    pub is_kicked: bool,
    /// Those of them that sleep in the ring.
    pub on_ring: usize,
    /// The leader sleeps although events may be queued: what it counts in the ring stays as it is.
    pub is_pinned: bool,
    /// It has counted what is held there for them, and is not woken by that.
    pub is_holding: bool,
    /// How often one that slept was made to look, so far.
    pub woken: u64,
}

struct Follower {
    word: Arc<AtomicU32>,
    key: Option<Key>,
}

impl Follower {
    fn wake(&self, with: u32) {
        self.word.swap(with, Ordering::AcqRel);
        futex::wake(&self.word, 1);
    }

    /// Whether it waits for any event.
    fn is_for_events(&self) -> bool {
        self.key.is_none()
    }
}

impl Sleepers {
    pub fn follow(&mut self, key: Option<Key>) -> Arc<AtomicU32> {
        let word = Arc::new(AtomicU32::new(WAITING));
        self.followers.push_back(Follower { word: word.clone(), key });
        word
    }

    pub fn is_anyone_waiting(&self) -> bool {
        self.is_kernel_taken() || !self.followers.is_empty()
    }

    /// Whether somebody waits, or is on the way to look and may wait then.
    pub fn is_anyone_coming(&self) -> bool {
        self.is_anyone_waiting() || !self.roused.is_empty()
    }

    /// Whether somebody sleeps in the kernel.
    pub fn is_kernel_taken(&self) -> bool {
        self.leader.is_some() || self.masked > 0
    }

    /// Whether somebody sleeps in the kernel until there are events.
    pub fn is_kernel_waiting(&self) -> bool {
        self.leader == Some(None) || self.masked > 0
    }

    /// Whether somebody sleeps until there are events, in the kernel or not.
    pub fn is_anyone_for_events(&self) -> bool {
        self.is_kernel_waiting() || self.followers.iter().any(Follower::is_for_events)
    }

    /// Wakes one follower that takes any event.
    pub fn wake_one_for_events(&mut self) -> bool {
        let Some(index) = self.followers.iter().position(Follower::is_for_events) else {
            return false;
        };
        self.wake(index, LOOK_AGAIN);
        true
    }

    /// Wakes the followers that wait for this socket.
    pub fn wake_for_socket(&mut self, key: Key) {
        while let Some(index) = self.followers.iter().position(|f| f.key == Some(key)) {
            self.wake(index, LOOK_AGAIN);
        }
    }

    pub fn wake_all(&mut self) {
        while !self.followers.is_empty() {
            self.wake(0, LOOK_AGAIN);
        }
    }

    fn wake(&mut self, index: usize, with: u32) {
        if let Some(follower) = self.followers.remove(index) {
            follower.wake(with);
            self.woken += 1;
            if with == LOOK_AGAIN {
                self.roused.push(follower);
            }
        }
    }

    /// Somebody has to wait in the kernel while others wait for what it brings.
    fn appoint(&mut self) {
        if self.leader.is_none() && !self.followers.is_empty() {
            self.wake(0, LOOK_AGAIN);
        }
    }

    fn forget(&mut self, word: &Arc<AtomicU32>) {
        self.followers.retain(|follower| !Arc::ptr_eq(&follower.word, word));
        self.roused.retain(|follower| !Arc::ptr_eq(&follower.word, word));
    }
}

impl State {
    /// `ec_wake`: up to `count` threads that wait now return without an event.
    pub fn wake(&mut self, count: usize) -> Result<()> {
        let sleepers = &mut self.sleepers;
        let mut left = count;
        while left > 0
            && let Some(index) = sleepers.followers.iter().position(Follower::is_for_events)
        {
            sleepers.wake(index, WOKEN);
            left -= 1;
        }
        let mut kick = false;
        if left > 0 && sleepers.leader == Some(None) && !sleepers.leader_woken {
            sleepers.leader_woken = true;
            kick = true;
            left -= 1;
        }
        let masked = left.min(sleepers.masked - sleepers.masked_woken);
        sleepers.masked_woken += masked;
        // Last, because they may find an event.
        left -= masked;
        while left > 0
            && let Some(index) = sleepers.roused.iter().position(Follower::is_for_events)
        {
            sleepers.roused.swap_remove(index).wake(WOKEN);
            left -= 1;
        }
        if kick || masked > 0 { self.kick() } else { Ok(()) }
    }
}

/// What a thread waits for.
pub enum Interest<'a> {
    /// `ec_delay`: that there is an event.
    Look,
    /// `ec_wait_events`: to fetch.
    Fetch(&'a mut [Event]),
    /// A blocking `sio_recv` of an attached socket.
    Receive { key: Key, ask: Ask },
}

/// What came of it.
pub enum Step {
    /// Events fetched; 0: woken without one (or, for a look, there is one).
    Done(usize),
    Received(Received),
    /// Nothing yet: block on this, then come again.
    Block(Sleep),
}

enum Role {
    None,
    /// `true`: in the ring.
    Leader(bool),
    Masked(bool),
    Follower(Arc<AtomicU32>),
}

/// One thread's wait. It blocks nowhere itself: the caller does, between two steps, with no lock
/// held; if it is cancelled there, dropping the wait leaves everything in order.
pub struct Waiting<'a> {
    channel: Arc<Channel>,
    waiter: Waiter<'a>,
}

struct Waiter<'a> {
    interest: Interest<'a>,
    terms: Terms,
    role: Role,
    was_woken: bool,
}

impl<'a> Waiting<'a> {
    pub fn new(channel: Arc<Channel>, interest: Interest<'a>, terms: Terms) -> Self {
        Self { channel, waiter: Waiter { interest, terms, role: Role::None, was_woken: false } }
    }

    pub fn terms(&self) -> &Terms {
        &self.waiter.terms
    }

    /// Whether the socket that is waited for alone reports to the channel, if one is.
    pub fn has_source(&self) -> bool {
        match self.waiter.interest {
            Interest::Receive { key, .. } => {
                self.channel.enter().is_ok_and(|mut state| state.has_socket(key))
            }
            _ => true,
        }
    }

    /// Looks, and says what to do next. `slept` is how the last block ended, if there was one.
    pub fn step(&mut self, slept: Option<Result<()>>) -> Result<Step> {
        let Self { channel, waiter } = self;
        let mut state = channel.enter()?;
        let was_called = state.sleepers.is_kicked;
        let has_led = matches!(waiter.role, Role::Leader(_)) && !was_called;
        waiter.leave(&mut state);
        let may_sleep = waiter.terms.deadline.is_none() || slept.is_some();
        // Who goes to sleep without having been asked to look is told by that.
        let is_left_to_wait = may_sleep && slept.is_none();
        if slept.is_some() {
            state.poll.may_have_filled();
        }
        loop {
            let found = waiter.look(&mut state, may_sleep, is_left_to_wait);
            if matches!(found, Ok(None)) && channel.answer_bell(&mut state) {
                continue;
            }
            let end = match found {
                Ok(None) => waiter.give_up(&mut state, slept),
                other => other,
            };
            if has_led && matches!(end, Ok(None)) {
                waiter.pass_on(&mut state);
            }
            if !matches!(end, Ok(None)) {
                waiter.form_habit(&mut state, &end, may_sleep);
                // An error here is the next caller's to see, as below.
                let _ = state.rest(!matches!(end, Ok(Some(_))) || waiter.was_woken);
            }
            // Settled before anybody sleeps: what the ring holds is what the sleeper counts on.
            let settled = channel.settle_anew(&mut state);
            if let (Ok(None), Ok(is_anew)) = (&end, settled) {
                if is_anew {
                    continue;
                }
                state.queue.tally.add(count::SLEEPS, 1);
                let step = waiter.prepare(&mut state);
                channel.watch_thread(&mut state);
                return step;
            }
            state.sleepers.appoint();
            // What was fetched is not lost because something else went wrong.
            return match end? {
                Some(step) => Ok(step),
                None => settled.and(Err(Errno::EAGAIN)),
            };
        }
    }
}

impl Waiter<'_> {
    /// What the way in which this wait has ended tells of the thread.
    fn form_habit(&self, state: &mut State, end: &Result<Option<Step>>, may_sleep: bool) {
        match (&self.interest, end) {
            (Interest::Look, _) => state.habit.may_be_polled(),
            (Interest::Receive { .. }, _) => {}
            (Interest::Fetch(_), Ok(Some(Step::Done(1..)))) if may_sleep => {
                state.habit.has_waited();
            }
            (Interest::Fetch(_), Ok(Some(Step::Done(1..)))) => {}
            // No time to wait at all.
            (Interest::Fetch(_), Err(Errno::ETIMEDOUT)) if !may_sleep => {
                state.habit.may_be_polled()
            }
            (Interest::Fetch(_), _) => state.habit.has_failed(),
        }
    }

    /// Who waits for a socket alone was woken, but not by that: what it is may be somebody else's.
    fn pass_on(&self, state: &mut State) {
        let is_alone = matches!(self.interest, Interest::Receive { .. });
        if is_alone && state.live() == 0 && state.may_have_polled() {
            state.sleepers.wake_one_for_events();
        }
    }

    /// Nothing was found: why not to wait on, or what is found at the last moment.
    fn give_up(&mut self, state: &mut State, slept: Option<Result<()>>) -> Result<Option<Step>> {
        if self.was_woken {
            return Ok(Some(Step::Done(0)));
        }
        if let Some(Err(errno)) = slept {
            return Err(errno);
        }
        if !self.terms.expired() {
            return Ok(None);
        }
        match self.look_now(state)? {
            None => Err(Errno::ETIMEDOUT),
            found => Ok(found),
        }
    }

    /// `may_sleep`: there is more to come, so that the ring may as well be asked to tell of it.
    /// `is_left_to_wait`: if there is nothing it sleeps, and for as long as it takes.
    fn look(
        &mut self,
        state: &mut State,
        may_sleep: bool,
        is_left_to_wait: bool,
    ) -> Result<Option<Step>> {
        match &mut self.interest {
            Interest::Receive { key, ask } => match state.receive(*key, ask) {
                Ok(received) => Ok(Some(Step::Received(received))),
                Err(Errno::EAGAIN) => Ok(None),
                Err(errno) => Err(errno),
            },
            Interest::Fetch(room) => {
                state.poll.is_left_to_wait = is_left_to_wait && state.can_catch();
                let fetched = state.turn_and_fetch(room, may_sleep);
                state.poll.is_left_to_wait = false;
                fetched.map(|count| {
                    state.count_fetched(count);
                    (count > 0).then_some(Step::Done(count))
                })
            }
            Interest::Look => {
                state.poll.is_awaited = may_sleep && !state.is_on_descriptor();
                let turned = state.turn();
                state.poll.is_awaited = false;
                turned?;
                Ok(state.look()?.then_some(Step::Done(0)))
            }
        }
    }

    /// The same for a thread that goes away if there is nothing.
    fn look_now(&mut self, state: &mut State) -> Result<Option<Step>> {
        Ok(match &mut self.interest {
            Interest::Look => state.look_now()?.then_some(Step::Done(0)),
            Interest::Fetch(room) => {
                let count = state.fetch_now(room)?;
                state.count_fetched(count);
                (count > 0).then_some(Step::Done(count))
            }
            Interest::Receive { .. } => None,
        })
    }

    /// What to wait for in the kernel.
    fn sleep(&self, state: &mut State) -> Result<Sleep> {
        match &self.interest {
            Interest::Fetch(room) => state.sleep_to_fetch(room.len()),
            Interest::Look => state.sleep(true),
            Interest::Receive { .. } => state.sleep(false),
        }
    }

    /// Takes a role for the time of sleeping.
    fn prepare(&mut self, state: &mut State) -> Result<Step> {
        let key = match &self.interest {
            Interest::Receive { key, .. } => Some(*key),
            _ => None,
        };
        if let Some(key) = key
            && state.wait_alone(key)?
        {
            let fd = state.attachment(key)?.socket.waiting_fd()?;
            return Ok(Step::Block(Sleep::Data { fd, end: state.end_fd() }));
        }
        if self.terms.mask.is_some() {
            let sleep = self.sleep(state)?;
            let is_on_ring = matches!(sleep, Sleep::Ring { .. });
            state.sleepers.masked += 1;
            state.sleepers.on_ring += usize::from(is_on_ring);
            self.role = Role::Masked(is_on_ring);
            return Ok(Step::Block(sleep));
        }
        if state.sleepers.leader.is_none() {
            let sleep = self.sleep(state)?;
            let is_on_ring = matches!(sleep, Sleep::Ring { .. });
            state.sleepers.leader = Some(key);
            state.sleepers.on_ring += usize::from(is_on_ring);
            state.sleepers.is_pinned = key.is_some();
            state.sleepers.is_holding =
                key.is_some() && matches!(sleep, Sleep::Ring { complete: 2.., .. });
            self.role = Role::Leader(is_on_ring);
            return Ok(Step::Block(sleep));
        }
        let word = state.follow(key);
        self.role = Role::Follower(word.clone());
        if key.is_none() && !state.sleepers.is_kernel_waiting() {
            // The leader waits for a socket alone, and nobody has watched for us so far.
            state.keep_watch()?;
        }
        Ok(Step::Block(Sleep::Word { word, expected: WAITING }))
    }

    /// Gives the role back.
    #[inline(always)]
    fn leave(&mut self, state: &mut State) {
        if !matches!(self.role, Role::None) {
            self.leave_role(state);
        }
    }

    #[inline(never)]
    fn leave_role(&mut self, state: &mut State) {
        let sleepers = &mut state.sleepers;
        match std::mem::replace(&mut self.role, Role::None) {
            Role::None => {}
            Role::Leader(is_on_ring) => {
                sleepers.leader = None;
                sleepers.on_ring -= usize::from(is_on_ring);
                sleepers.is_pinned = false;
                sleepers.is_holding = false;
                self.was_woken |= std::mem::take(&mut sleepers.leader_woken);
            }
            Role::Masked(is_on_ring) => {
                sleepers.masked -= 1;
                sleepers.on_ring -= usize::from(is_on_ring);
                if sleepers.masked_woken > 0 {
                    sleepers.masked_woken -= 1;
                    self.was_woken = true;
                }
            }
            Role::Follower(word) => {
                self.was_woken |= word.load(Ordering::Acquire) == WOKEN;
                sleepers.forget(&word);
            }
        }
        if !sleepers.is_kernel_taken() {
            sleepers.is_kicked = false;
        }
        state.queue.tally.set(count::WAKE_UPS, state.sleepers.woken);
    }
}

impl Drop for Waiting<'_> {
    /// A wait that was broken off, by cancellation: somebody else may have to lead.
    fn drop(&mut self) {
        let Self { channel, waiter } = self;
        if matches!(waiter.role, Role::None) {
            return;
        }
        if let Ok(mut state) = channel.enter() {
            waiter.leave(&mut state);
            state.keep_caught();
            state.habit.has_failed();
            // Errors here are the next waiter's to see. A wake-up is passed on.
            let _ = state.wake(usize::from(waiter.was_woken));
            let _ = state.rest(true);
            let _ = channel.settle(&mut state);
            state.sleepers.appoint();
        }
    }
}
