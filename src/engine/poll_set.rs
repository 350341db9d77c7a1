//! The epoll set of a channel: what is waited for by readiness.
//!
//! epoll(7) takes a descriptor once per set; a channel takes it as often as the program likes, so
//! a second source of the same descriptor gets a small set of its own, nested in this one.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::error::{Errno, Result};
use crate::sys::cell::thread_mark;
use crate::sys::descriptor::Counter;
use crate::sys::poll;
use crate::sys::wait::{CAUGHT_MAX, Net};

/// The key of the set's own wake-up counter.
pub const TOKEN: u64 = u64::MAX;

/// The key of whatever does the channel's asynchronous requests.
pub const REQUESTS: u64 = TOKEN - 1;

/// Keys from here on, below the two above, are an engine's own descriptors: see [`engine_place`].
const ENGINE: u64 = 1 << 63;

const _: () = assert!((super::Key::MAX as u64) < ENGINE);

/// Whether a key is that of a source.
pub fn is_source(key: u64) -> bool {
    key < ENGINE
}

/// What a key of an engine's descriptor stands for: the place it was added with.
pub fn engine_place(key: u64) -> Option<usize> {
    (ENGINE..REQUESTS).contains(&key).then(|| (key - ENGINE) as usize)
}

/// As many are asked for in one system call.
const READY_MAX: usize = CAUGHT_MAX;

pub struct PollSet {
    set: OwnedFd,
    /// Nested in another set: somebody else says when it is worth asking.
    is_nested: bool,
    nested: HashMap<u64, OwnedFd>,
    /// Whose each descriptor is: one that was closed leaves by itself, and its number may come
    /// back as somebody else's before its source goes.
    owners: HashMap<RawFd, u64>,
    /// Made at once, so that nothing fails half-way for want of a descriptor.
    token: Arc<Counter>,
    token_is_set: bool,
    /// Somebody outside has raised it, or is about to.
    token_may_be_up: bool,
    /// Kept from one look to the next.
    room: Vec<libc::epoll_event>,
    /// Something may be ready.
    is_hot: bool,
    /// A moment ago nothing was.
    is_known_empty: bool,
    /// The thread that has asked a ring to say when something is, and whether there has been cause
    /// to since.
    watcher: Option<u64>,
    is_ring_due: bool,
    has_begun_watch: bool,
    /// Somebody is about to wait: it pays to have the ring watch.
    pub is_awaited: bool,
    /// What a thread that waits for the set fetches by that: see [`PollSet::cast`].
    net: Option<Arc<Net>>,
    /// Somebody is about to wait for it, who is told what there is.
    pub is_left_to_wait: bool,
    /// System calls that have asked the set.
    asked: u64,
}

/// What a set has told, as the kernel has written it: it comes by the thousand.
pub struct Found {
    room: Vec<libc::epoll_event>,
    count: usize,
}

impl Found {
    pub fn events(&self) -> &[libc::epoll_event] {
        &self.room[..self.count]
    }

    /// Keys and events.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.events().iter().map(|event| (event.u64, event.events))
    }
}

impl PollSet {
    /// A set that is the channel's descriptor, or is nested in `outer`, which is.
    pub fn new(outer: Option<RawFd>) -> Result<Self> {
        let set = poll::create()?;
        let token = Arc::new(Counter::new()?);
        poll::add(set.as_raw_fd(), token.fd(), poll::IN, TOKEN)?;
        if let Some(outer) = outer {
            poll::add(outer, set.as_raw_fd(), poll::IN, TOKEN)?;
        }
        Ok(Self {
            set,
            is_nested: outer.is_some(),
            nested: HashMap::new(),
            owners: HashMap::new(),
            token,
            token_is_set: false,
            token_may_be_up: false,
            room: Vec::new(),
            is_hot: true,
            is_known_empty: false,
            watcher: None,
            is_ring_due: false,
            has_begun_watch: false,
            is_awaited: false,
            net: None,
            is_left_to_wait: false,
            asked: 0,
        })
    }

    pub fn fd(&self) -> RawFd {
        self.set.as_raw_fd()
    }

    pub fn asked(&self) -> u64 {
        self.asked
    }

    pub fn add(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        let set = self.fd();
        self.is_hot = true;
        match poll::add(set, fd, events, key) {
            Err(Errno::EEXIST) => {
                let inner = poll::create()?;
                poll::add(inner.as_raw_fd(), fd, events, key)?;
                poll::add(set, inner.as_raw_fd(), poll::IN, key)?;
                self.nested.insert(key, inner);
                Ok(())
            }
            Ok(()) => {
                self.owners.insert(fd, key);
                Ok(())
            }
            other => other,
        }
    }

    pub fn modify(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        self.is_hot = true;
        self.forget(key);
        let set = match self.nested.get(&key) {
            Some(inner) => inner.as_raw_fd(),
            None if self.owners.get(&fd) == Some(&key) => self.fd(),
            None => return Err(Errno::EBADF),
        };
        poll::modify(set, fd, events, key)
    }

    /// A descriptor that the program has closed has left the set by itself: no error.
    pub fn remove(&mut self, fd: RawFd, key: u64) {
        let set = self.fd();
        self.forget(key);
        let gone = match self.nested.remove(&key) {
            Some(inner) => poll::remove(set, inner.as_raw_fd()),
            None if self.owners.get(&fd) == Some(&key) => {
                self.owners.remove(&fd);
                poll::remove(set, fd)
            }
            None => return,
        };
        if gone.is_err() {
            // Not there any more: nothing to undo.
        }
    }

    /// Whether it is worth asking: always, where nobody else would say so.
    #[inline]
    pub fn is_hot(&self) -> bool {
        self.is_hot || !self.is_watched() || !self.is_nested
    }

    /// It is to be asked, whatever the ring says.
    pub fn heat(&mut self) {
        self.is_hot = true;
    }

    /// It has been asked in vain by a thread that goes on to wait: who waits need not ask again.
    pub fn was_empty(&mut self) {
        self.is_known_empty = true;
    }

    /// Somebody has slept since.
    pub fn may_have_filled(&mut self) {
        self.is_known_empty = false;
    }

    /// Whether that was the last that happened; once.
    #[inline]
    pub fn take_known_empty(&mut self) -> bool {
        std::mem::take(&mut self.is_known_empty)
    }

    /// A ring says from now on when something is ready: once.
    pub fn begin_watch(&mut self) {
        self.watcher = Some(thread_mark());
        self.has_begun_watch = true;
        self.is_ring_due = false;
    }

    /// Whether a watch has begun since this was asked last.
    #[inline]
    pub fn has_begun_watch(&mut self) -> bool {
        std::mem::take(&mut self.has_begun_watch)
    }

    /// Whether a ring should watch it, for a thread that may go to sleep soon.
    #[inline]
    pub fn is_worth_watching(&self) -> bool {
        self.is_awaited && !self.is_hot && !self.is_watched()
    }

    /// The ring has said so.
    pub fn end_watch(&mut self) {
        self.watcher = None;
        self.is_hot = true;
    }

    pub fn is_watched(&self) -> bool {
        self.watcher.is_some()
    }

    /// The same, if this thread has asked for it: then the ring can be told at once to stop.
    pub fn is_watched_here(&self) -> bool {
        self.watcher == Some(thread_mark())
    }

    /// Whether the ring is about to say so: the completion is on its way, by the thread that asked
    /// for it.
    pub fn is_ring_due(&self) -> bool {
        self.is_watched() && self.is_ring_due
    }

    /// Adds a descriptor of an engine's own.
    pub fn add_engine(&mut self, fd: RawFd, place: usize) -> Result<()> {
        self.add(fd, poll::IN, ENGINE + place as u64)
    }

    pub fn remove_engine(&mut self, fd: RawFd, place: usize) {
        self.remove(fd, ENGINE + place as u64);
    }

    /// For the only thread that uses the set, which is about to wait for it: the wait fetches up to
    /// `most` of what is ready, which [`PollSet::ready`] tells next.
    pub fn cast(&mut self, most: usize) -> Arc<Net> {
        let set = self.fd();
        let net = self.net.get_or_insert_with(|| Net::new(set));
        net.cast(most);
        net.clone()
    }

    /// What a wait has fetched of a member is not true any more.
    fn forget(&self, key: u64) {
        if let Some(net) = &self.net {
            net.caught().retain(|event| event.u64 != key);
        }
    }

    /// Whether a wait has fetched something that nobody has taken.
    pub fn has_caught(&self) -> bool {
        self.net.as_ref().is_some_and(|net| !net.caught().is_empty())
    }

    /// What a wait has fetched, if it has.
    fn caught(&mut self) -> Option<Found> {
        let mut caught = self.net.as_ref()?.caught();
        if caught.is_empty() {
            return None;
        }
        let mut room = std::mem::take(&mut self.room);
        if room.len() < READY_MAX {
            room = poll::room(READY_MAX);
        }
        let count = caught.len();
        room[..count].copy_from_slice(&caught);
        caught.clear();
        Some(Found { room, count })
    }

    /// At most `most` descriptors that are ready, or what a wait has fetched, however much that is.
    /// The list is to be given back with [`PollSet::recycle`].
    pub fn ready(&mut self, most: usize) -> Result<Found> {
        if let Some(mut found) = self.caught() {
            self.is_hot = true;
            self.ask_nested(&mut found)?;
            return Ok(found);
        }
        let most = most.clamp(1, READY_MAX);
        let mut room = std::mem::take(&mut self.room);
        if room.len() < most {
            room = poll::room(READY_MAX);
        }
        self.asked += 1;
        let answer = poll::fill(self.set.as_raw_fd(), &mut room[..most]);
        let mut found = Found { count: *answer.as_ref().unwrap_or(&0), room };
        self.is_hot = found.count > 0;
        self.is_ring_due |= self.is_hot;
        let asked = answer.and_then(|_| self.ask_nested(&mut found));
        if let Err(errno) = asked {
            self.recycle(found);
            return Err(errno);
        }
        Ok(found)
    }

    /// What sets within the set have is theirs to tell, and may be nothing.
    fn ask_nested(&self, found: &mut Found) -> Result<()> {
        if self.nested.is_empty() {
            return Ok(());
        }
        let mut left = 0;
        for place in 0..found.count {
            let mut event = found.room[place];
            let is_there = match self.nested.get(&{ event.u64 }) {
                Some(inner) => poll::fill(inner.as_raw_fd(), std::slice::from_mut(&mut event))? > 0,
                None => true,
            };
            if is_there {
                found.room[left] = event;
                left += 1;
            }
        }
        found.count = left;
        Ok(())
    }

    /// A list of [`PollSet::ready`] that is not needed any more.
    pub fn recycle(&mut self, found: Found) {
        self.room = found.room;
    }

    /// Makes the set readable, or not any more, whatever its members do.
    #[inline]
    pub fn set_token(&mut self, wanted: bool) {
        if wanted && !self.token_is_set {
            self.token.raise();
            self.is_ring_due = true;
        } else if !wanted && (self.token_is_set || self.token_may_be_up) {
            self.token.lower();
            self.token_may_be_up = false;
        }
        self.token_is_set = wanted;
    }

    /// Nothing of the token is to be undone.
    #[inline]
    pub fn is_token_down(&self) -> bool {
        !self.token_is_set && !self.token_may_be_up
    }

    /// The counter behind the token: a write from any thread makes the set readable once.
    pub fn token(&self) -> Arc<Counter> {
        self.token.clone()
    }

    /// A call from outside was heard without the token: it is to be lowered with the next chance.
    pub fn token_was_raised(&mut self) {
        self.token_may_be_up = true;
    }

    /// The token's key was ready: unless we hold it up ourselves, that was a call from outside.
    pub fn lower_token(&mut self) {
        if !self.token_is_set {
            self.token.lower();
        }
    }
}
