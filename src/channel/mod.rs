//! Event channels: "one interface to rule them all" (the talk, "Current Event Handling").
//!
//! A channel is a descriptor, a queue of events, a set of sources, and engines that serve its
//! sockets. `state.rs` is what one thread at a time does with it; `wait.rs` how threads sleep.
#![forbid(unsafe_code)]

pub mod bell;
pub mod event;
mod fetch;
mod habit;
mod parting;
mod passing;
mod queue;
mod requests;
mod sockets;
pub mod source;
pub mod state;
mod wait;
mod watched;
mod words;

use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Weak};

use bell::{Bell, Errand};
pub use event::Event;
use queue::Queue;
pub use state::State;
pub use wait::{Interest, Step, Waiting};

use crate::engine::table::{self, Choice, Kind};
use crate::engine::{Key, PollSet, RING, Socket};
use crate::error::{Errno, Result};
use crate::limits::{CAPACITY_LOG2_DEFAULT, CAPACITY_LOG2_MAX};
use crate::region::Patron;
use crate::sys::cell::{Entered, Guarded, thread_mark};
use crate::sys::descriptor::Descriptor;
use crate::sys::stat::Tally;
use crate::sys::stat::layout::{self, Kind as Counted};
use crate::sys::sync::atomic::{AtomicBool, Ordering};
use crate::sys::trace::{self, Fallback};
use crate::sys::{fork, poll};

/// What `ec_create` was asked for.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Only the creating thread will use the channel.
    pub single: bool,
    /// Events that it holds, as a power of two; 0 is the default.
    pub capacity_log2: u32,
}

pub struct Channel {
    fd: RawFd,
    /// The descriptor where it is not the poll set's own.
    _outer: Option<Descriptor>,
    epoch: u32,
    choice: Choice,
    state: Guarded<State>,
    is_dead: AtomicBool,
    bell: Arc<Bell>,
    me: Weak<Channel>,
}

impl Channel {
    pub fn new(options: Options) -> Result<Arc<Self>> {
        let capacity_log2 = match options.capacity_log2 {
            0 => CAPACITY_LOG2_DEFAULT,
            1..=CAPACITY_LOG2_MAX => options.capacity_log2,
            _ => return Err(Errno::EINVAL),
        };
        let capacity = 1u32 << capacity_log2;
        let choice = table::choose(0)?;
        match Self::build(&choice, capacity, options.single) {
            Err(errno) if choice.kind != Kind::Epoll && !table::is_required() => {
                let reason = format!("{}: {errno:?}: no ring for this channel", choice.kind.name());
                let choice = Choice { kind: Kind::Epoll, reason };
                Self::build(&choice, capacity, options.single)
            }
            other => other,
        }
    }

    /// A channel of the library's own: no sockets, and no ring, which would cost memory and a
    /// level of nesting.
    pub fn internal() -> Result<Arc<Self>> {
        let choice = Choice { kind: Kind::Epoll, reason: String::new() };
        Self::build(&choice, 1 << CAPACITY_LOG2_DEFAULT, false)
    }

    fn build(choice: &Choice, capacity: u32, single: bool) -> Result<Arc<Self>> {
        fork::watch();
        // Made first: the channel's number is the lowest free one, as open(2) has it.
        let outer = if choice.kind == Kind::Uring { Some(poll::create()?) } else { None };
        let counts = Arc::new(Tally::new(Counted::Engine));
        let built = table::build(choice, capacity, single, counts.clone())?;
        if let Some(outer) = &outer {
            built
                .fds
                .iter()
                .try_for_each(|&fd| poll::add(outer.as_raw_fd(), fd, poll::IN, RING))?;
        }
        let outer_fd = outer.as_ref().map(AsRawFd::as_raw_fd);
        let mut poll = PollSet::new(outer_fd)?;
        // A ring of one thread watches most descriptors itself.
        poll.let_spread(!single);
        let fd = outer_fd.unwrap_or(poll.fd());
        let bell = Arc::new(Bell::new(poll.token()));
        counts.set_channel(fd);
        counts.set_reason(&choice.reason);
        if !choice.reason.is_empty() {
            counts.add(layout::engine::FALLBACKS, 1);
            trace::fallback(fd, choice.kind.code(), Fallback::Engine);
        }
        let tally = Arc::new(Tally::new(Counted::Channel));
        tally.set_channel(fd);
        tally.set_engine(choice.kind.code());
        tally.set_size(capacity.into());
        let queue = Queue::new(capacity as usize, tally);
        let mut state = State::new(queue, choice.kind, built.engine, poll, bell.clone());
        state.owner = single.then(thread_mark);
        Ok(Arc::new_cyclic(|me| Self {
            fd,
            _outer: outer,
            epoch: fork::epoch(),
            choice: choice.clone(),
            state: if single { Guarded::single(state) } else { Guarded::shared(state) },
            is_dead: AtomicBool::new(false),
            bell,
            me: me.clone(),
        }))
    }

    /// The number by which the program knows it; readable while an event is queued.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// The engine that serves its sockets, and why not another.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Whether it has been destroyed.
    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Whether only the thread that made it may use it.
    pub fn is_single(&self) -> bool {
        matches!(self.state, Guarded::Single(_))
    }

    /// The right to change the channel. `EPERM` in a child and in a thread that is not the
    /// owner's, `EBADF` once it is destroyed.
    #[inline]
    pub fn enter(&self) -> Result<Entered<'_, State>> {
        self.enter_and_answer().map(|(state, _)| state)
    }

    /// The same; `true`: somebody outside has asked for something, which has been done.
    #[inline]
    pub fn enter_and_answer(&self) -> Result<(Entered<'_, State>, bool)> {
        if self.epoch != fork::epoch() {
            return Err(Errno::EPERM);
        }
        let mut state = self.state.enter()?;
        if self.is_dead() {
            return Err(Errno::EBADF);
        }
        let has_answered = self.answer_bell(&mut state);
        Ok((state, has_answered))
    }

    /// Does what others have asked for; `false` when they have not.
    #[inline(always)]
    fn answer_bell(&self, state: &mut State) -> bool {
        match self.bell.answer() {
            None => false,
            Some(errands) => self.run_errands(errands, state),
        }
    }

    #[cold]
    fn run_errands(&self, errands: Vec<Errand>, state: &mut State) -> bool {
        state.poll.token_was_raised();
        state.replenish();
        state.collect();
        for errand in errands {
            match errand {
                Errand::Spare(area) => state.reclaim(area),
                Errand::Retire(area) => state.retire(area),
                // It may have been removed meanwhile.
                Errand::Abandon(key) => drop(state.remove(key)),
                Errand::Woken(key, ticket, news) => state.woken(key, ticket, news),
            }
        }
        true
    }

    /// Ends a change: the descriptor says what is so, and whoever should wake is woken.
    pub fn settle(&self, state: &mut State) -> Result<()> {
        self.settle_anew(state).map(drop)
    }

    /// The same; `true` if somebody has asked for something meanwhile, so that there may be more
    /// to find than there was.
    #[inline]
    fn settle_anew(&self, state: &mut State) -> Result<bool> {
        let mut is_anew = self.answer_bell(state);
        state.settle()?;
        // Whoever has rung before the token was taken down is not seen there any more.
        while self.answer_bell(state) {
            is_anew = true;
            state.settle()?;
        }
        self.watch_thread(state);
        Ok(is_anew)
    }

    /// If the ring was asked to watch the poll set just now, that ends with this thread.
    #[inline]
    fn watch_thread(&self, state: &mut State) {
        if state.poll.has_begun_watch() {
            parting::remember(&self.me);
        }
    }

    /// The channel as something that an area can call.
    pub fn patron(&self) -> Option<Arc<dyn Patron>> {
        let me: Arc<dyn Patron> = self.me.upgrade()?;
        Some(me)
    }

    /// The socket of a source is gone: the source goes with whoever enters the channel next.
    pub fn abandon(&self, key: Key) {
        self.bell.ring_for(Errand::Abandon(key));
    }

    /// Destroys it: nothing touches the program's memory any more, every waiter gets `EBADF`.
    /// Returns the sockets that were attached.
    pub fn destroy(&self) -> Result<Vec<Arc<Socket>>> {
        let mut state = self.enter()?;
        let sockets = state.close()?;
        self.is_dead.swap(true, Ordering::AcqRel);
        Ok(sockets)
    }
}

impl Patron for Channel {
    fn space(&self) {
        self.bell.ring();
    }

    fn reclaim(&self, area: u64) {
        // From a thread that may not enter, nothing can be had.
        if let Ok(mut state) = self.enter() {
            state.reclaim(area);
            let _ = self.settle(&mut state);
        }
    }

    fn spare(&self, area: u64, asker: RawFd) {
        if self.fd == asker || self.epoch != fork::epoch() {
            return;
        }
        match self.state.try_enter() {
            Some(_) if self.is_dead() => {}
            Some(mut state) => {
                state.reclaim(area);
                let _ = self.settle(&mut state);
            }
            // Whoever is inside will do it, or the owner's thread with its next call.
            None => self.bell.ring_for_room(area),
        }
    }

    fn retire(&self, area: u64) {
        match self.enter() {
            Ok(mut state) => state.retire(area),
            // The owner's thread will do it with its next call.
            Err(Errno::EPERM) => self.bell.ring_for(Errand::Retire(area)),
            Err(_) => {}
        }
    }
}
