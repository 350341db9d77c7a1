//! What one thread at a time does with a channel: submit, reap, queue, fetch.
//!
//! Invariants: whatever the engines tell goes through `take_notices`; every public change ends
//! with `settle`, which makes the descriptor tell the truth and wakes who should wake.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::bell::Bell;
use super::event::Event;
use super::habit::Habit;
use super::queue::Queue;
use super::requests::Requests;
use super::source::{self, Accept, Kind as SourceKind, Source, Sources};
use super::wait::Sleepers;
use crate::engine::table::Kind;
use crate::engine::{Engine, Key, Notice, PollSet, Socket};
use crate::error::{Errno, Result};
use crate::sys::descriptor::{self, Counter};
use crate::sys::stat::layout::channel as count;
use crate::sys::sync::atomic::AtomicU32;
use crate::sys::wait::Sleep;

pub struct State {
    pub(super) queue: Queue,
    pub(super) sources: Sources,
    /// The first serves the channel's sockets and is what a thread waits on; the others, if there
    /// are any, serve sockets that insist on epoll, and those of interfaces.
    pub(super) engines: Vec<Box<dyn Engine>>,
    pub(super) epoll: Option<usize>,
    pub(super) frames: Option<usize>,
    pub(super) kind: Kind,
    /// The mark of the only thread that uses the channel, if it is for one.
    pub(super) owner: Option<u64>,
    pub(super) poll: PollSet,
    pub(super) notices: Vec<Notice>,
    /// What watches of the engine have told; kept for its memory.
    pub(super) told: Vec<(Key, u64)>,
    pub(super) sleepers: Sleepers,
    /// Which of queue and poll set is looked at first: they take turns.
    pub(super) poll_first: bool,
    /// Fetches since the poll set was asked last that could do without.
    pub(super) spared: u32,
    /// Events that a look without a fetch has taken from the poll set.
    pub(super) stash: VecDeque<Event>,
    /// Sources that a fetch has told of, and that go on standing in the queue.
    pub(super) again: Vec<Key>,
    pub(super) bell: Arc<Bell>,
    pub(super) requests: Requests,
    pub(super) habit: Habit,
    /// See `passing.rs`.
    pub(super) looks_to_skip: u32,
    /// Made for the first thread that waits for a socket alone.
    end: Option<Counter>,
}

impl State {
    pub fn new(
        queue: Queue,
        kind: Kind,
        engine: Box<dyn Engine>,
        poll: PollSet,
        bell: Arc<Bell>,
    ) -> Self {
        Self {
            queue,
            sources: Sources::default(),
            engines: vec![engine],
            epoll: (kind == Kind::Epoll).then_some(0),
            frames: None,
            kind,
            owner: None,
            poll,
            notices: Vec::new(),
            told: Vec::new(),
            sleepers: Sleepers::default(),
            poll_first: false,
            spared: 0,
            stash: VecDeque::new(),
            again: Vec::new(),
            bell,
            requests: Requests::default(),
            habit: Habit::default(),
            looks_to_skip: 0,
            end: None,
        }
    }

    /// Everything accepted goes out; what has come back is taken in.
    pub fn turn(&mut self) -> Result<()> {
        let turned = self.turn_engines();
        self.take_notices();
        self.collect();
        turned
    }

    fn turn_engines(&mut self) -> Result<()> {
        let Self { engines, poll, notices, .. } = self;
        engines.iter_mut().try_for_each(|engine| engine.turn(poll, notices))
    }

    /// Most of the time there are none.
    #[inline]
    pub(super) fn take_notices(&mut self) {
        self.engines[0].take_watched(&mut self.told);
        if !self.told.is_empty() || !self.notices.is_empty() {
            self.take_some_notices();
        }
    }

    #[inline(never)]
    fn take_some_notices(&mut self) {
        let mut told = std::mem::take(&mut self.told);
        for (key, value) in told.drain(..) {
            self.watched(key, Ok(value));
        }
        self.told = told;
        let mut notices = std::mem::take(&mut self.notices);
        for notice in notices.drain(..) {
            match notice {
                Notice::Receivable(key) => self.receivable(key),
                Notice::Sent(key, sent) => self.sent(key, &sent),
                Notice::Watched(key, news) => self.watched(key, news),
            }
        }
        self.notices = notices;
    }

    /// `ec_post`.
    pub fn post(&mut self, event: Event) -> Result<()> {
        self.queue.reserve()?;
        self.queue.push_reserved(event);
        Ok(())
    }

    /// Adds a source that is waited for through the poll set.
    pub fn add_polled(&mut self, source: Source) -> Result<Key> {
        let fd = source.polled_fd().ok_or(Errno::EINVAL)?;
        let events = source.polled_events();
        let is_plain = matches!(source.kind, SourceKind::Descriptor(_) | SourceKind::Counter(_));
        let id = self.sources.add(source)?;
        let added = if is_plain {
            self.poll.add_plain(fd, events, id as u64)
        } else {
            self.poll.add(fd, events, id as u64)
        };
        if let Err(errno) = added {
            self.sources.remove(id);
            return Err(errno);
        }
        Ok(id)
    }

    /// `ec_modify`.
    pub fn modify(&mut self, id: Key, events: u32, flags: Modify) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        match &mut source.kind {
            SourceKind::Descriptor(descriptor) => {
                let events = if events == 0 { descriptor.default_events } else { events };
                let wanted = source::interest(events, flags.edge, flags.oneshot)?;
                if flags.attach || flags.nonblocking || flags.counter {
                    return Err(Errno::EINVAL);
                }
                self.modify_descriptor(id, wanted)
            }
            SourceKind::Counter(_)
            | SourceKind::Timer(_)
            | SourceKind::Notification(_)
            | SourceKind::Signals(_)
            | SourceKind::Process(_) => Err(Errno::EINVAL),
            SourceKind::Word(word) => {
                if flags != Modify::default() && flags != Modify::ONESHOT {
                    return Err(Errno::EINVAL);
                }
                word.expected = events;
                self.rearm_word(id)
            }
            SourceKind::Semaphore(semaphore) => {
                if events != 0 || (flags != Modify::default() && flags != Modify::ONESHOT) {
                    return Err(Errno::EINVAL);
                }
                semaphore.oneshot = flags.oneshot;
                self.claim(id)
            }
            SourceKind::Accept(accept) => {
                if events != 0 || flags.edge || flags.oneshot || flags.counter {
                    return Err(Errno::EINVAL);
                }
                accept.attach = flags.attach;
                accept.nonblocking = flags.nonblocking;
                Ok(())
            }
            SourceKind::Socket(attachment) => {
                if events != 0 || (Modify { edge: false, ..flags }) != Modify::default() {
                    return Err(Errno::EINVAL);
                }
                attachment.edge = flags.edge;
                let engine = attachment.engine;
                self.engines[engine].set_edge(id, flags.edge, &mut self.poll)?;
                self.refresh(id);
                // As with epoll_ctl(2): what is there is told once more.
                if self.has_waiting(id, engine) {
                    self.receivable(id);
                }
                Ok(())
            }
        }
    }

    /// `ec_flush`: everything goes out that the kernel takes.
    pub fn flush(&mut self) -> Result<()> {
        self.turn()?;
        for engine in &mut self.engines {
            engine.push_on(&mut self.poll, &mut self.notices)?;
        }
        self.take_notices();
        Ok(())
    }

    /// The listening socket of a source, if it is one.
    pub fn listener(&mut self, id: Key) -> Option<RawFd> {
        match &self.sources.get(id)?.kind {
            SourceKind::Accept(accept) => Some(accept.fd),
            _ => None,
        }
    }

    /// `ec_remove`: afterwards nobody receives an event of the source any more.
    pub fn remove(&mut self, id: Key) -> Result<Source> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let mut has_fired = false;
        match &source.kind {
            SourceKind::Socket(_) => {
                self.detach(id)?;
                self.queue.purge(id);
            }
            _ if source.is_watched() => has_fired = self.unwatch(id)?,
            _ => {}
        }
        let mut source = self.sources.remove(id).ok_or(Errno::ENOENT)?;
        if let Some(fd) = source.polled_fd() {
            self.poll.remove(fd, id as u64);
        }
        if source.is_live {
            self.queue.set_live(false);
            source.hand_back();
        }
        if let SourceKind::Semaphore(semaphore) = &mut source.kind {
            semaphore.give_up();
        }
        if has_fired {
            source.pass_on();
        }
        if source.is_queued && self.queue.orphan() {
            let sources = &mut self.sources;
            self.queue.sweep(|key| sources.get(key).is_some());
        }
        if let SourceKind::Accept(accept) = &source.kind {
            let unseen: Vec<i64> = self
                .stash
                .iter()
                .filter(|event| event.source == id && event.result >= 0)
                .map(|event| event.result)
                .collect();
            for connection in unseen {
                self.refuse(accept, connection as RawFd);
            }
        }
        self.stash.retain(|event| event.source != id);
        Ok(source)
    }

    /// A connection whose event nobody will fetch is closed.
    fn refuse(&mut self, accept: &Accept, connection: RawFd) {
        if let Some(key) = (accept.disown)(connection) {
            // It may have been removed already.
            let _ = self.remove(key);
        }
        descriptor::close(connection);
    }

    /// Ends everything: `ec_destroy`.
    pub fn close(&mut self) -> Result<Vec<Arc<Socket>>> {
        let mut sockets = Vec::new();
        // Without a list of them: there may be no memory for one.
        let mut from = 0;
        while let Some((slot, id)) = self.sources.next(from) {
            from = slot + 1;
            match self.remove(id) {
                Ok(Source { kind: SourceKind::Socket(attachment), .. }) => {
                    sockets.push(attachment.socket);
                }
                // Gone together with the listening socket that it came from.
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.close_requests();
        self.queue.clear();
        if self.sleepers.is_anyone_waiting() {
            self.sleepers.wake_all();
            self.kick()?;
        }
        if let Some(end) = &self.end {
            end.raise();
        }
        Ok(sockets)
    }

    /// What tells a thread that waits for a socket alone, and not for the channel, of the channel's
    /// end. `None`: there is nobody else who could bring that about, or nothing to tell it by.
    pub fn end_fd(&mut self) -> Option<RawFd> {
        if self.owner.is_none() && self.end.is_none() {
            self.end = Counter::new().ok();
        }
        self.end.as_ref().map(Counter::fd)
    }

    /// Whether what was accepted should go out without waiting for the next fetch.
    pub fn is_anyone_waiting(&self) -> bool {
        self.sleepers.is_anyone_waiting()
    }

    pub(super) fn replenish(&mut self) {
        for engine in &mut self.engines {
            engine.replenish(&mut self.poll);
        }
    }

    pub(super) fn reclaim(&mut self, area: u64) {
        for engine in &mut self.engines {
            engine.reclaim(area, &mut self.poll, &mut self.notices);
        }
        self.take_notices();
    }

    pub(super) fn retire(&mut self, area: u64) {
        for engine in &mut self.engines {
            engine.retire(area);
        }
    }

    /// Makes the descriptor readable exactly while there is something to fetch, and wakes one
    /// thread if there is and somebody waits for it.
    #[inline]
    pub(super) fn settle(&mut self) -> Result<()> {
        let is_live = self.live() > 0;
        let stays = !is_live && self.habit.is_strong() && self.engines[0].stay();
        let settled = self.settle_engine(stays);
        if !stays {
            self.engines[0].leave(is_live);
        }
        settled
    }

    /// The program uses the channel as one does whose descriptor is polled.
    pub fn may_be_polled(&mut self) {
        self.habit.may_be_polled();
    }

    /// `stays`: the descriptor is left readable, with nothing to fetch.
    #[inline]
    fn settle_engine(&mut self, stays: bool) -> Result<()> {
        for engine in &mut self.engines {
            engine.arm()?;
        }
        if self.live() > 0 {
            let held =
                self.engines[0].hold(true) || self.is_on_poll_set() && self.hold_frames(true);
            if !self.sleepers.wake_one_for_events() && self.sleepers.is_kernel_waiting() && !held {
                return self.kick();
            }
            // Who waits for a socket alone is woken by the token, but not by what is held.
            if !held || !self.sleepers.is_kicked {
                self.poll.set_token(!held);
            }
        } else if !self.sleepers.is_kicked {
            if !stays && !self.sleepers.is_pinned {
                self.engines[0].hold(false);
            }
            self.hold_frames(false);
            self.poll.set_token(false);
        }
        if self.sleepers.is_anyone_waiting() {
            self.keep_watch()?;
        }
        Ok(())
    }

    #[inline]
    fn hold_frames(&mut self, is_wanted: bool) -> bool {
        self.frames.is_some_and(|place| self.engines[place].hold(is_wanted))
    }

    /// A thread goes its way. If nobody else waits, nobody takes in what the ring may still say: the
    /// descriptor would be readable until the next call. `for_long`: it may not come again soon.
    #[inline]
    pub fn rest(&mut self, for_long: bool) -> Result<()> {
        // Who comes late already is not kept waiting for another thread.
        let is_worth_it =
            if for_long { self.poll.is_watched_here() } else { self.poll.is_ring_due() };
        if is_worth_it && self.live() == 0 && !self.sleepers.is_anyone_coming() {
            self.rest_engine(for_long)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn rest_engine(&mut self, for_long: bool) -> Result<()> {
        self.engines[0].rest(for_long, &mut self.poll, &mut self.notices)?;
        self.take_notices();
        Ok(())
    }

    /// Gets whoever waits in the kernel to look again.
    pub(super) fn kick(&mut self) -> Result<()> {
        self.sleepers.is_kicked = true;
        self.sleepers.woken += 1;
        self.queue.tally.set(count::WAKE_UPS, self.sleepers.woken);
        self.poll.set_token(true);
        self.keep_watch()
    }

    /// Somebody sleeps, or is about to.
    pub(super) fn keep_watch(&mut self) -> Result<()> {
        if self.sleepers.on_ring == 0 {
            return self.engines.iter_mut().try_for_each(|engine| engine.hand_in(&mut self.poll));
        }
        // Who sleeps in the ring counts on a completion that may just have been taken, even if
        // nothing was behind it: the ring asks for another one.
        self.poll.is_wanted = self.sleepers.is_anyone_for_events();
        self.engines.iter_mut().try_for_each(|engine| engine.sleep(&mut self.poll).map(drop))?;
        if self.live() == 0 && !self.sleepers.is_kicked && self.is_to_sleep_elsewhere() {
            return self.kick();
        }
        Ok(())
    }

    /// Whether one that sleeps in the ring does not hear there of all that is waited for, or keeps the
    /// descriptor readable with nothing to fetch.
    fn is_to_sleep_elsewhere(&mut self) -> bool {
        let is_deaf = self.poll.is_spread() && self.sleepers.is_anyone_for_events();
        is_deaf || self.sleepers.is_holding
    }

    /// What a thread is to wait for in the kernel; `for_events`: not for a socket alone.
    pub(super) fn sleep(&mut self, for_events: bool) -> Result<Sleep> {
        self.poll.is_wanted = for_events || self.sleepers.is_anyone_for_events();
        for engine in self.engines.iter_mut().skip(1) {
            // What the others have makes the poll set readable, which the first one waits for.
            engine.sleep(&mut self.poll)?;
        }
        if self.is_on_poll_set() {
            return Ok(Sleep::Poll { fd: self.poll.fd(), events: libc::POLLIN });
        }
        if self.live() == 0
            && self.poll.is_wanted
            && self.is_on_descriptor()
            && let Some(fd) = self.poll.outer()
        {
            self.engines[0].hand_in(&mut self.poll)?;
            return Ok(Sleep::Poll { fd, events: libc::POLLIN });
        }
        self.engines[0].sleep(&mut self.poll)
    }

    /// Whether a thread sleeps on the channel's descriptor and not on the ring: because the ring does
    /// not hear of all that may come, or has nothing to tell itself. Not while events are queued,
    /// which make it readable.
    pub(super) fn is_on_descriptor(&mut self) -> bool {
        self.owner.is_none()
            && self.poll.outer().is_some()
            && (self.poll.is_spread() || self.engines[0].is_quiet())
    }

    /// Whether members of the poll set may have something that nobody has looked at.
    pub fn may_have_polled(&self) -> bool {
        self.poll.is_spread() || self.poll.is_hot()
    }

    /// Whether all that may come makes the poll set readable, and it pays to sleep on that and not on
    /// the ring: a channel of one thread that interfaces serve.
    pub(super) fn is_on_poll_set(&mut self) -> bool {
        let is_served = self.frames.is_some() && self.owner.is_some();
        // A ring that watches the set already says when that has something.
        is_served && !self.poll.is_watched() && self.engines[0].is_in_poll_set()
    }

    /// Whether a thread that waits can fetch by that what the poll set has, or the channel's descriptor:
    /// nobody else does, and nothing else brings anything.
    #[inline]
    pub fn can_catch(&mut self) -> bool {
        if self.poll.has_caught() || self.sleepers.is_kernel_taken() {
            return false;
        }
        let is_by_epoll = self.kind == Kind::Epoll && self.engines.len() == 1;
        is_by_epoll || self.is_on_poll_set() || (self.live() == 0 && self.is_on_descriptor())
    }

    /// What a thread is to wait for that fetches up to `most` events then.
    pub(super) fn sleep_to_fetch(&mut self, most: usize) -> Result<Sleep> {
        let can_catch = self.can_catch();
        let sleep = self.sleep(true)?;
        Ok(match sleep {
            Sleep::Poll { fd, .. } if can_catch && self.poll.can_cast() => {
                Sleep::Set(self.poll.cast(fd, most), self.engines[0].idle_ring())
            }
            other => other,
        })
    }

    /// A fetch has ended.
    #[inline]
    pub fn count_fetched(&self, events: usize) {
        let tally = &self.queue.tally;
        tally.add(count::EVENTS, events as u64);
        tally.add(count::FETCHES, 1);
        tally.set(count::SYSTEM_CALLS, self.poll.asked());
    }

    /// A word for a thread that waits for another one.
    pub(super) fn follow(&mut self, key: Option<Key>) -> Arc<AtomicU32> {
        self.sleepers.follow(key)
    }
}

/// The flags of `ec_modify`, taken apart.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Modify {
    pub edge: bool,
    pub oneshot: bool,
    pub attach: bool,
    pub nonblocking: bool,
    pub counter: bool,
}

impl Modify {
    /// Nothing but `EC_ONESHOT`.
    pub const ONESHOT: Self =
        Self { oneshot: true, edge: false, attach: false, nonblocking: false, counter: false };
}
