//! What one thread at a time does with a channel: submit, reap, queue, fetch.
//!
//! Invariants: whatever the engines tell goes through `take_notices`; every public change ends
//! with `settle`, which makes the descriptor tell the truth and wakes who should wake.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::event::{self, Event};
use super::queue::{Item, Queue};
use super::source::{self, Accept, Kind as SourceKind, Source, Sources, timer_event};
use super::wait::Sleepers;
use crate::engine::table::Kind;
use crate::engine::{Engine, Key, Notice, PollSet, Socket, TOKEN};
use crate::error::{Errno, Result};
use crate::sys::wait::Sleep;
use crate::sys::{descriptor, poll};

pub struct State {
    pub(super) queue: Queue,
    pub(super) sources: Sources,
    /// The first serves the channel's sockets and is what a thread waits on; the second, if
    /// there is one, serves sockets that insist on epoll.
    pub(super) engines: Vec<Box<dyn Engine>>,
    pub(super) kind: Kind,
    pub(super) poll: PollSet,
    pub(super) notices: Vec<Notice>,
    pub(super) sleepers: Sleepers,
    /// Which of queue and poll set is looked at first: they take turns.
    poll_first: bool,
    /// Events that a look without a fetch has taken from the poll set.
    pub(super) stash: VecDeque<Event>,
}

impl State {
    pub fn new(capacity: usize, kind: Kind, engine: Box<dyn Engine>, poll: PollSet) -> Self {
        Self {
            queue: Queue::new(capacity),
            sources: Sources::default(),
            engines: vec![engine],
            kind,
            poll,
            notices: Vec::new(),
            sleepers: Sleepers::default(),
            poll_first: false,
            stash: VecDeque::new(),
        }
    }

    /// Everything accepted goes out; what has come back is taken in.
    pub fn turn(&mut self) -> Result<()> {
        for engine in &mut self.engines {
            engine.turn(&mut self.poll, &mut self.notices)?;
        }
        self.take_notices();
        Ok(())
    }

    pub(super) fn take_notices(&mut self) {
        let mut notices = std::mem::take(&mut self.notices);
        for notice in notices.drain(..) {
            match notice {
                Notice::Receivable(key) => self.receivable(key),
                Notice::Sent(key, sent) => self.sent(key, &sent),
            }
        }
        self.notices = notices;
    }

    /// Fetches at most as many events as there is room for.
    pub fn fetch(&mut self, room: &mut [Event]) -> Result<usize> {
        self.poll_first = !self.poll_first;
        let mut again = Vec::new();
        let mut count = 0;
        while count < room.len()
            && let Some(event) = self.stash.pop_front()
        {
            room[count] = event;
            count += 1;
        }
        for poll_now in [self.poll_first, !self.poll_first] {
            if poll_now {
                count = self.fetch_polled(room, count)?;
            } else {
                count += self.fetch_queued(&mut room[count..], &mut again);
            }
        }
        // Level-triggered: they stand in the queue until they have been emptied.
        for key in again {
            self.receivable(key);
        }
        Ok(count)
    }

    fn fetch_queued(&mut self, room: &mut [Event], again: &mut Vec<Key>) -> usize {
        let mut count = 0;
        while count < room.len() && self.queue.live() > 0 {
            let found = match self.queue.pop() {
                None => break,
                Some(Item::Event(event)) => Some(event),
                Some(Item::Receivable(key)) => self.fetch_receivable(key, again),
            };
            if let Some(event) = found {
                room[count] = event;
                count += 1;
            }
        }
        count
    }

    /// Adds what is ready to the first `count` events; how many there are then. What a source has
    /// told in this fetch already is not told again, but nothing new of it is lost.
    fn fetch_polled(&mut self, room: &mut [Event], count: usize) -> Result<usize> {
        let told = count;
        let mut count = count;
        if count == room.len() || !self.poll.hot {
            return Ok(count);
        }
        for (key, events) in self.poll.ready(room.len() - count)? {
            if key == TOKEN {
                self.poll.lower_token();
                continue;
            }
            let Some(event) = self.polled(key as Key, events) else { continue };
            match room[..told].iter_mut().find(|earlier| earlier.repeats(&event)) {
                Some(earlier) => earlier.merge(&event),
                None => {
                    room[count] = event;
                    count += 1;
                }
            }
        }
        self.take_notices();
        Ok(count)
    }

    /// The event of a source whose descriptor is ready, if it has one to tell.
    fn polled(&mut self, key: Key, events: u32) -> Option<Event> {
        let source = self.sources.get(key)?;
        let cookie = source.cookie;
        match &mut source.kind {
            SourceKind::Descriptor { fd } => {
                let mut event = Event::new(event::FD, *fd, key, cookie);
                event.result = i64::from(events);
                if events & poll::HUP != 0 {
                    event.flags |= event::F_HUP;
                }
                Some(event)
            }
            SourceKind::Timer { timer } => timer_event(timer, key, cookie),
            SourceKind::Accept(_) => self.accepted(key),
            SourceKind::Socket(attachment) => {
                let (engine, fd) = (attachment.engine, attachment.socket.fd);
                let readiness =
                    self.engines[engine].ready(key, events, &mut self.poll, &mut self.notices)?;
                Some(source::receive_event(readiness, fd, key, cookie))
            }
        }
    }

    /// Whether something could be fetched. What only a fetch can tell is fetched and queued.
    pub fn look(&mut self) -> Result<bool> {
        if self.live() == 0 {
            let mut one = [Event::EMPTY];
            if self.fetch_polled(&mut one, 0)? > 0 {
                self.stash.push_back(one[0]);
            }
        }
        Ok(self.live() > 0)
    }

    /// Events that can be fetched without asking the kernel.
    fn live(&self) -> usize {
        self.queue.live() + self.stash.len()
    }

    /// `ec_post`.
    pub fn post(&mut self, event: Event) -> Result<()> {
        self.queue.reserve()?;
        self.queue.push_reserved(event);
        Ok(())
    }

    /// Adds a source that is waited for through the poll set.
    pub fn add_polled(&mut self, source: Source, events: u32) -> Result<Key> {
        let fd = source.polled_fd().ok_or(Errno::EINVAL)?;
        let id = self.sources.add(source)?;
        if let Err(errno) = self.poll.add(fd, events, id as u64) {
            self.sources.remove(id);
            return Err(errno);
        }
        Ok(id)
    }

    /// `ec_modify`.
    pub fn modify(&mut self, id: Key, events: u32, flags: Modify) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        match &mut source.kind {
            SourceKind::Descriptor { fd } => {
                let fd = *fd;
                let wanted = source::interest(events, flags.edge, flags.oneshot)?;
                if flags.attach || flags.nonblocking {
                    return Err(Errno::EINVAL);
                }
                self.poll.modify(fd, wanted, id as u64)?;
                // What was seen under the old terms is looked at again under the new ones.
                self.stash.retain(|event| event.source != id);
                Ok(())
            }
            SourceKind::Timer { .. } => Err(Errno::EINVAL),
            SourceKind::Accept(accept) => {
                if events != 0 || flags.edge || flags.oneshot {
                    return Err(Errno::EINVAL);
                }
                accept.attach = flags.attach;
                accept.nonblocking = flags.nonblocking;
                Ok(())
            }
            SourceKind::Socket(attachment) => {
                if events != 0 || flags.oneshot || flags.attach || flags.nonblocking {
                    return Err(Errno::EINVAL);
                }
                attachment.edge = flags.edge;
                let engine = attachment.engine;
                self.engines[engine].set_edge(id, flags.edge, &mut self.poll)?;
                self.refresh(id);
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
        let is_socket = matches!(source.kind, SourceKind::Socket(_));
        if is_socket {
            self.detach(id)?;
        }
        let source = self.sources.remove(id).ok_or(Errno::ENOENT)?;
        if let Some(fd) = source.polled_fd() {
            self.poll.remove(fd, id as u64);
        }
        self.queue.purge(id);
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
        for id in self.sources.ids() {
            match self.remove(id) {
                Ok(Source { kind: SourceKind::Socket(attachment), .. }) => {
                    sockets.push(attachment.socket);
                }
                // Gone together with the listening socket that it came from.
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.queue.clear();
        if self.sleepers.is_anyone_waiting() {
            self.sleepers.wake_all();
            self.kick()?;
        }
        Ok(sockets)
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
    pub(super) fn settle(&mut self) -> Result<()> {
        self.engines[0].arm()?;
        if self.live() > 0 {
            let held = self.engines[0].hold(true);
            if !self.sleepers.wake_one_for_events() && self.sleepers.is_kernel_waiting() && !held {
                return self.kick();
            }
            if !held {
                self.poll.set_token(true);
            }
        } else if !self.sleepers.is_kicked && !self.sleepers.is_pinned {
            self.engines[0].hold(false);
            self.poll.set_token(false);
        }
        if self.poll.hot && self.sleepers.is_anyone_waiting() {
            // Whoever is about to sleep counts on a completion that may just have been taken: the
            // ring has another one if there still is something.
            self.engines[0].sleep(&mut self.poll)?;
        }
        Ok(())
    }

    /// Gets whoever waits in the kernel to look again.
    pub(super) fn kick(&mut self) -> Result<()> {
        self.sleepers.is_kicked = true;
        self.poll.set_token(true);
        // The ring may not be watching the poll set at this moment.
        self.engines[0].sleep(&mut self.poll).map(drop)
    }

    /// What a thread is to wait for in the kernel.
    pub(super) fn sleep(&mut self) -> Result<Sleep> {
        self.engines[0].sleep(&mut self.poll)
    }

    /// A word for a thread that waits for another one.
    pub(super) fn follow(&mut self, key: Option<Key>) -> Arc<AtomicU32> {
        self.sleepers.follow(key)
    }
}

/// The flags of `ec_modify`, taken apart.
#[derive(Clone, Copy, Default)]
pub struct Modify {
    pub edge: bool,
    pub oneshot: bool,
    pub attach: bool,
    pub nonblocking: bool,
}
