//! The epoll set of a channel: what is waited for by readiness.
//!
//! epoll(7) takes a descriptor once per set; a channel takes it as often as the program likes, so
//! a second source of the same descriptor gets a small set of its own, nested in this one.
//!
//! Where the set is nested in another one, the channel's descriptor, so that a ring can watch it,
//! every write to a member pays for waking up both. So plain descriptors become members of the outer
//! set where there are many of them, and no socket that the ring serves: nobody waits in the ring
//! then. Sockets that a ring of several threads serves are members of the outer set, too.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use crate::error::{Errno, Result};
use crate::sys::cell::thread_mark;
use crate::sys::descriptor::{Counter, Descriptor};
use crate::sys::poll;
use crate::sys::spare;
use crate::sys::wait::{CAUGHT_MAX, Net};

/// The key of the set's own wake-up counter.
pub const TOKEN: u64 = u64::MAX;

/// The key of whatever does the channel's asynchronous requests.
pub const REQUESTS: u64 = TOKEN - 1;

/// The key, in the outer set, of what tells of a ring's completions.
pub const RING: u64 = TOKEN - 2;

/// The key of this set in the outer one.
const INNER: u64 = TOKEN - 3;

/// Keys from here on, below those above, are an engine's own descriptors: see [`engine_place`].
const ENGINE: u64 = 1 << 63;

/// As many sources are members of this set before others become members of the outer one: a
/// program with sockets has a few descriptors besides.
const INSIDE_MAX: usize = 16;

const _: () = assert!((super::Key::MAX as u64) < ENGINE);

/// Whether a key is that of a source.
pub fn is_source(key: u64) -> bool {
    key < ENGINE
}

/// What a key of an engine's descriptor stands for: the place it was added with.
pub fn engine_place(key: u64) -> Option<usize> {
    (ENGINE..INNER).contains(&key).then(|| (key - ENGINE) as usize)
}

/// Members of the outer set that are no sources: this set, and what tells of completions.
const NO_SOURCES_OUTSIDE: usize = 2;

/// As many are asked for in one system call.
const READY_MAX: usize = CAUGHT_MAX;

pub struct PollSet {
    set: Descriptor,
    /// The set that this one is nested in: somebody else says when it is worth asking.
    outer: Option<RawFd>,
    /// Whether sources may become members of that, and which have.
    may_spread: bool,
    outside: HashMap<RawFd, u64>,
    /// How many sockets are members of it.
    sockets: usize,
    nested: HashMap<u64, Descriptor>,
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
    /// The same for the token alone.
    token_watcher: Option<u64>,
    is_token_due: bool,
    /// Somebody waits for what members of the set have, and not for the token alone.
    pub is_wanted: bool,
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

/// What the outer set has told: of members of both sets so many, at the beginning then, and whether
/// the inner one has something.
fn sift(told: &mut [libc::epoll_event]) -> (usize, bool) {
    let mut count = 0;
    let mut is_ready = false;
    for place in 0..told.len() {
        let key = told[place].u64;
        match key {
            INNER => is_ready = true,
            RING => {}
            _ => {
                if count < place {
                    told[count] = told[place];
                }
                count += 1;
            }
        }
    }
    (count, is_ready)
}

impl PollSet {
    /// A set that is the channel's descriptor, or is nested in `outer`, which is.
    pub fn new(outer: Option<RawFd>) -> Result<Self> {
        let set = poll::create()?;
        let token = Arc::new(Counter::new()?);
        poll::add(set.as_raw_fd(), token.fd(), poll::IN, TOKEN)?;
        if let Some(outer) = outer {
            poll::add(outer, set.as_raw_fd(), poll::IN, INNER)?;
        }
        Ok(Self {
            set,
            outer,
            may_spread: false,
            outside: HashMap::new(),
            sockets: 0,
            nested: HashMap::new(),
            owners: HashMap::new(),
            token,
            token_is_set: false,
            token_may_be_up: false,
            // Now: a fetch is to need no memory.
            room: poll::room(READY_MAX),
            is_hot: true,
            is_known_empty: false,
            watcher: None,
            is_ring_due: false,
            has_begun_watch: false,
            token_watcher: None,
            is_token_due: false,
            is_wanted: false,
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

    /// Adds a descriptor of which nothing but its readiness is asked.
    pub fn add_plain(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        if let Some(outer) = self.outer
            && self.may_spread
            && self.owners.len() >= INSIDE_MAX
            // What is refused there may be none the less a member here.
            && poll::add(outer, fd, events, key).is_ok()
        {
            self.outside.insert(fd, key);
            return Ok(());
        }
        self.add(fd, events, key)
    }

    /// Adds a socket of the engine's, of which there may be many: to the outer set only, and whoever has
    /// added it remembers that. The socket is kept open until it is removed.
    pub fn add_socket(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        poll::add(self.outer.ok_or(Errno::EOPNOTSUPP)?, fd, events, key)?;
        self.sockets += 1;
        Ok(())
    }

    /// Removes it. If the program has closed it, and the number is that of another member by now, it
    /// leaves when it is not kept open any more.
    pub fn remove_socket(&mut self, fd: RawFd) {
        self.sockets -= 1;
        if let Some(outer) = self.outer
            && !self.outside.contains_key(&fd)
        {
            let _ = poll::remove(outer, fd);
        }
    }

    /// Whether plain descriptors may be members of the outer set from now on.
    pub fn let_spread(&mut self, wanted: bool) {
        self.may_spread = wanted;
    }

    /// Whether some are.
    #[inline]
    pub fn is_spread(&self) -> bool {
        !self.outside.is_empty() || self.sockets > 0
    }

    pub fn outer(&self) -> Option<RawFd> {
        self.outer
    }

    pub fn modify(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        self.is_hot = true;
        self.forget(key);
        let set = match self.nested.get(&key) {
            Some(inner) => inner.as_raw_fd(),
            None if self.owners.get(&fd) == Some(&key) => self.fd(),
            None if self.outside.get(&fd) == Some(&key) => self.outer.ok_or(Errno::EBADF)?,
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
            None if self.outside.get(&fd) == Some(&key) => {
                self.outside.remove(&fd);
                self.outer.map_or(Ok(()), |outer| poll::remove(outer, fd))
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
        self.is_hot || !self.is_watched() || self.outer.is_none() || self.is_spread()
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
        self.is_hot |= self.has_caught();
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

    /// The same for the token.
    pub fn begin_token_watch(&mut self) {
        self.token_watcher = Some(thread_mark());
        self.has_begun_watch = true;
        self.is_token_due = self.token_is_set || self.token_may_be_up;
    }

    pub fn end_token_watch(&mut self) {
        self.token_watcher = None;
    }

    pub fn is_token_watched(&self) -> bool {
        self.token_watcher.is_some()
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

    /// Whether a ring says something of the set or of its token because this thread has asked for
    /// it: then the ring can be told at once to stop.
    pub fn is_watched_here(&self) -> bool {
        let mark = Some(thread_mark());
        self.watcher == mark || self.token_watcher == mark
    }

    /// Whether the ring is about to say so: the completion is on its way, by the thread that asked
    /// for it.
    #[inline]
    pub fn is_ring_due(&self) -> bool {
        (self.is_watched() && self.is_ring_due) || (self.is_token_watched() && self.is_token_due)
    }

    /// Adds a descriptor of an engine's own.
    pub fn add_engine(&mut self, fd: RawFd, place: usize) -> Result<()> {
        self.add(fd, poll::IN, ENGINE + place as u64)
    }

    pub fn remove_engine(&mut self, fd: RawFd, place: usize) {
        self.remove(fd, ENGINE + place as u64);
    }

    /// Whether there is memory for what a wait fetches.
    pub fn can_cast(&self) -> bool {
        self.net.is_some() || spare::ensure(2 * CAUGHT_MAX * size_of::<libc::epoll_event>()).is_ok()
    }

    /// For the only thread that is about to wait for the set, or always for the outer one: the wait
    /// fetches up to `most` of what is ready, which [`PollSet::ready`] tells next.
    pub fn cast(&mut self, set: RawFd, most: usize) -> Arc<Net> {
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

    /// What a wait has fetched, if it has, and up to `most` of this set if it was told of that.
    fn caught(&mut self, most: usize) -> Option<Found> {
        let mut caught = self.net.as_ref()?.caught();
        let told = caught.len();
        if told == 0 {
            return None;
        }
        let mut room = std::mem::take(&mut self.room);
        room.resize(room.len().max(told).max(READY_MAX), poll::NOTHING);
        room[..told].copy_from_slice(&caught);
        caught.clear();
        drop(caught);
        let (mut count, is_ready) = sift(&mut room[..told]);
        if is_ready && count < most {
            // An error comes again when the set is asked next.
            count += self.fill(self.fd(), &mut room[count..most]).unwrap_or(0);
        }
        let found = Found { room, count };
        if count > 0 {
            return Some(found);
        }
        self.recycle(found);
        None
    }

    /// At most `most` descriptors that are ready, or what a wait has fetched, however much that is.
    /// The list is to be given back with [`PollSet::recycle`].
    pub fn ready(&mut self, most: usize) -> Result<Found> {
        let most = most.clamp(1, READY_MAX);
        if let Some(mut found) = self.caught(most) {
            self.is_hot = true;
            self.ask_nested(&mut found)?;
            return Ok(found);
        }
        let mut room = std::mem::take(&mut self.room);
        if room.len() < most {
            room = poll::room(READY_MAX);
        }
        let answer = match self.outer.filter(|_| self.is_spread()) {
            None => self.fill(self.fd(), &mut room[..most]),
            Some(outer) => self.fill_from_both(outer, &mut room[..most]),
        };
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

    fn fill(&mut self, set: RawFd, room: &mut [libc::epoll_event]) -> Result<usize> {
        self.asked += 1;
        poll::fill(set, room)
    }

    /// What members of the outer set are ready, and in the place of this set its own.
    fn fill_from_both(&mut self, outer: RawFd, room: &mut [libc::epoll_event]) -> Result<usize> {
        // Those that are no sources are told before any is told again.
        for _ in 0..=NO_SOURCES_OUTSIDE {
            let told = self.fill(outer, room)?;
            let (mut count, is_ready) = sift(&mut room[..told]);
            if is_ready {
                // An error that comes again can wait: what was told must not be lost.
                let inside = self.fill(self.fd(), &mut room[count..]);
                count += if count > 0 { inside.unwrap_or(0) } else { inside? };
            }
            if count > 0 || told < room.len() {
                return Ok(count);
            }
        }
        Ok(0)
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
            self.is_token_due = true;
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
        self.is_token_due = true;
    }

    /// The token's key was ready: unless we hold it up ourselves, that was a call from outside.
    pub fn lower_token(&mut self) {
        self.is_token_due = true;
        if !self.token_is_set {
            self.token.lower();
        }
    }
}
