//! The registrations of `async_io_notify`, and what each of them is watched by.
//!
//! A registration's descriptor is a one-shot source of the dispatcher's channel. Not so that of a
//! socket which is attached to a channel of the program's: a ring takes its data from the kernel,
//! and the descriptor never becomes readable. There the program's channel is watched, by an edge
//! each time that something happens in it, and is asked what it has for the socket.
//!
//! A number may be closed and mean another file. epoll(7) knows a file by its number and its
//! identity, so a source that can still be modified is of the file that was registered; others
//! are dropped before their number is watched again.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

use super::context::{Association, Attached, context};
use super::pause::Owner;
use crate::channel::source::{Descriptor, Kind as SourceKind, Source};
use crate::channel::state::Modify;
use crate::channel::{Channel, Event, event};
use crate::engine::Key;
use crate::engine::frame::{Flow, Sleeper};
use crate::error::{Errno, Result};
use crate::sys::{descriptor, poll};

/// What runs once, in the dispatcher's thread.
pub type Complete = Box<dyn FnOnce(RawFd) + Send>;

/// Names a registration: its descriptor in the upper half, so that those of one descriptor are
/// neighbours, and a number in the lower half. It is the cookie of the source.
type Ticket = u64;

/// The cookie of a source that watches a channel of the program's.
const OF_CHANNEL: Ticket = u64::MAX;

pub struct Registration {
    pub fd: RawFd,
    pub complete: Complete,
    pub owner: Arc<Owner>,
    identity: (u64, u64),
    watch: Watch,
    /// While it waits for what an interface has for the socket.
    _sleeper: Option<Sleeper>,
}

/// How it is noticed that data has arrived.
#[derive(Clone, Copy, PartialEq)]
enum Watch {
    /// By the descriptor: the source.
    Descriptor(Key),
    /// By the channel that the socket is attached to: the source that watches that.
    Channel(Key),
    /// Not at all, while the socket is attached to a channel that no other thread may use.
    Hidden,
}

/// What has to be watched at present.
pub enum Place {
    /// The descriptor; of an associated socket that may have data of a former channel.
    Descriptor(Option<Arc<Association>>),
    Channel(Arc<Attached>),
    Hidden,
}

impl Place {
    /// Of a descriptor that somebody wants to register: `EPERM` if it cannot be watched.
    pub fn of_new(fd: RawFd) -> Result<Self> {
        let place = Self::of(fd)?;
        if descriptor::is_always_ready(fd)? || matches!(place, Self::Hidden) {
            return Err(Errno::EPERM);
        }
        Ok(place)
    }

    /// What the socket has of interfaces, while it is in no channel.
    fn flow(&self) -> Option<&Arc<Flow>> {
        match self {
            Self::Descriptor(Some(association)) => association.socket.flow(),
            _ => None,
        }
    }

    /// The descriptor that tells of data.
    fn waiting_fd(&self, fd: RawFd) -> Result<RawFd> {
        match self {
            Self::Descriptor(Some(association)) => association.socket.waiting_fd(),
            _ => Ok(fd),
        }
    }

    fn of(fd: RawFd) -> Result<Self> {
        let association = match context().current_socket(fd) {
            Ok(association) => association,
            Err(Errno::EINVAL) => return Ok(Self::Descriptor(None)),
            Err(errno) => return Err(errno),
        };
        Ok(match association.attached() {
            None => Self::Descriptor(Some(association)),
            Some(attached) if attached.channel.is_single() => Self::Hidden,
            Some(attached) => Self::Channel(attached),
        })
    }
}

/// A channel of the program's that is watched.
struct Watched {
    channel: Weak<Channel>,
    fd: RawFd,
    /// Registrations that need it.
    users: usize,
}

pub struct Registrations {
    /// The dispatcher's.
    channel: Arc<Channel>,
    entries: BTreeMap<Ticket, Registration>,
    watched: HashMap<Key, Watched>,
    /// To be looked at, whatever their sources say.
    due: VecDeque<Ticket>,
    next: u32,
}

fn tickets_of(fd: RawFd) -> std::ops::RangeInclusive<Ticket> {
    let first = (fd as u64) << 32;
    first..=first | u64::from(u32::MAX)
}

const ONCE: Modify = Modify::ONESHOT;

impl Registrations {
    pub fn new(channel: Arc<Channel>) -> Self {
        Self {
            channel,
            entries: BTreeMap::new(),
            watched: HashMap::new(),
            due: VecDeque::new(),
            next: 0,
        }
    }

    /// Adds one; a failure changes nothing.
    pub fn add(
        &mut self,
        fd: RawFd,
        place: &Place,
        complete: Complete,
        owner: Arc<Owner>,
    ) -> Result<()> {
        let identity = descriptor::identity(fd)?;
        self.purge(fd);
        let ticket = self.new_ticket(fd);
        let watch = self.watch(fd, place, ticket)?;
        owner.add();
        let _sleeper = place.flow().map(|flow| flow.listen());
        let entry = Registration { fd, complete, owner, identity, watch, _sleeper };
        self.entries.insert(ticket, entry);
        if !matches!(place, Place::Descriptor(None)) {
            // What has arrived already is no edge.
            self.look_at(ticket);
        }
        Ok(())
    }

    fn new_ticket(&mut self, fd: RawFd) -> Ticket {
        loop {
            self.next = self.next.wrapping_add(1);
            let ticket = tickets_of(fd).start() | u64::from(self.next);
            if !self.entries.contains_key(&ticket) {
                return ticket;
            }
        }
    }

    /// Takes back all of a descriptor's; how many there were.
    pub fn remove(&mut self, fd: RawFd) -> usize {
        self.purge(fd);
        let tickets: Vec<Ticket> = self.of(fd);
        tickets.iter().for_each(|&ticket| self.forget(ticket));
        tickets.len()
    }

    /// A socket has come into a channel or has left one.
    pub fn moved(&mut self, fd: RawFd) {
        for ticket in self.of(fd) {
            self.look_at(ticket);
        }
    }

    fn of(&self, fd: RawFd) -> Vec<Ticket> {
        self.entries.range(tickets_of(fd)).map(|(&ticket, _)| ticket).collect()
    }

    /// Gets the dispatcher to look at a registration.
    fn look_at(&mut self, ticket: Ticket) {
        self.due.push_back(ticket);
        if let Ok(mut state) = self.channel.enter() {
            // If there is no room for the event, the dispatcher has enough of them to wake up for.
            let _ = state.post(Event { kind: event::USER, ..Event::EMPTY });
            let _ = self.channel.settle(&mut state);
        }
    }

    /// Something has happened to a source.
    pub fn note(&mut self, event: &Event) {
        match event.kind {
            event::USER => {}
            _ if event.cookie == OF_CHANNEL => {
                let watch = Watch::Channel(event.source);
                let there = self.entries.iter().filter(|(_, entry)| entry.watch == watch);
                self.due.extend(there.map(|(&ticket, _)| ticket));
            }
            _ => self.due.push_back(event.cookie),
        }
    }

    /// The next registration whose data has arrived. It is in the caller's hands then.
    pub fn take_arrived(&mut self) -> Option<Registration> {
        while let Some(ticket) = self.due.pop_front() {
            if self.has_arrived(ticket) {
                let entry = self.entries.remove(&ticket)?;
                self.unwatch(entry.watch);
                return Some(entry);
            }
        }
        None
    }

    fn has_arrived(&mut self, ticket: Ticket) -> bool {
        let arrived = self.is_current(ticket) && self.look(ticket);
        // Looked at again afterwards: somebody may have closed it meanwhile.
        if !self.is_current(ticket) {
            self.forget(ticket);
            return false;
        }
        arrived
    }

    fn look(&mut self, ticket: Ticket) -> bool {
        let Some(fd) = self.entries.get(&ticket).map(|entry| entry.fd) else { return false };
        let Ok(place) = Place::of(fd) else { return false };
        if !self.is_watched(ticket, &place) && self.watch_anew(ticket, &place).is_err() {
            // It cannot be watched any more. The program had better look for itself.
            return true;
        }
        match place {
            Place::Descriptor(association) => {
                association.is_some_and(|found| {
                    let socket = &found.socket;
                    socket.backlog().is_some() || socket.flow().is_some_and(|flow| flow.look())
                }) || poll::now(fd, libc::POLLIN).is_ok_and(|events| events != 0)
            }
            Place::Channel(attached) => {
                let arrived = attached.channel.enter().and_then(|mut state| {
                    let arrived = state.has_arrived(attached.key);
                    attached.channel.settle(&mut state)?;
                    arrived
                });
                // Other errors: it is about to leave the channel, and is looked at then.
                matches!(arrived, Ok(true) | Err(Errno::ENOTRECOVERABLE))
            }
            Place::Hidden => false,
        }
    }

    /// Whether the number still means the file that was registered. Arms its source again.
    fn is_current(&self, ticket: Ticket) -> bool {
        let Some(entry) = self.entries.get(&ticket) else { return false };
        if descriptor::identity(entry.fd) != Ok(entry.identity) {
            return false;
        }
        let Watch::Descriptor(key) = entry.watch else { return true };
        let state = self.channel.enter();
        state.and_then(|mut state| state.modify(key, libc::POLLIN as u32, ONCE)).is_ok()
    }

    fn is_watched(&self, ticket: Ticket, place: &Place) -> bool {
        match (self.entries.get(&ticket).map(|entry| &entry.watch), place) {
            (Some(Watch::Descriptor(_)), Place::Descriptor(_)) => true,
            (Some(Watch::Hidden), Place::Hidden) => true,
            (Some(Watch::Channel(key)), Place::Channel(attached)) => {
                self.watched.get(key).is_some_and(|watched| watched.is(&attached.channel))
            }
            _ => false,
        }
    }

    fn watch_anew(&mut self, ticket: Ticket, place: &Place) -> Result<()> {
        let entry = self.entries.get_mut(&ticket).ok_or(Errno::ENOENT)?;
        let fd = entry.fd;
        let old = std::mem::replace(&mut entry.watch, Watch::Hidden);
        self.unwatch(old);
        let watch = self.watch(fd, place, ticket)?;
        self.entries.get_mut(&ticket).ok_or(Errno::ENOENT)?.watch = watch;
        Ok(())
    }

    fn watch(&mut self, fd: RawFd, place: &Place, ticket: Ticket) -> Result<Watch> {
        let attached = match place {
            Place::Descriptor(_) => {
                let fd = place.waiting_fd(fd)?;
                return self.add_source(fd, poll::ONESHOT, ticket).map(Watch::Descriptor);
            }
            Place::Hidden => return Ok(Watch::Hidden),
            Place::Channel(attached) => attached,
        };
        let channel = &attached.channel;
        let known = self.watched.iter_mut().find(|(_, watched)| watched.is(channel));
        if let Some((&key, watched)) = known {
            watched.users += 1;
            return Ok(Watch::Channel(key));
        }
        let fd = channel.fd();
        self.purge(fd);
        let key = self.add_source(fd, poll::EDGE, OF_CHANNEL)?;
        // Weak: a channel that is destroyed must not live on because it was watched.
        self.watched.insert(key, Watched { channel: Arc::downgrade(channel), fd, users: 1 });
        Ok(Watch::Channel(key))
    }

    fn add_source(&self, fd: RawFd, how: u32, cookie: Ticket) -> Result<Key> {
        let mut state = self.channel.enter()?;
        let descriptor = Descriptor::new(fd, event::FD, poll::IN | how, 0);
        // In the poll set, edges too: epoll knows which file a number means.
        let key = state.add_polled(Source::new(cookie, SourceKind::Descriptor(descriptor)))?;
        self.channel.settle(&mut state)?;
        Ok(key)
    }

    fn unwatch(&mut self, watch: Watch) {
        match watch {
            Watch::Descriptor(key) => self.remove_source(key),
            Watch::Channel(key) => {
                let Some(watched) = self.watched.get_mut(&key) else { return };
                watched.users -= 1;
                if watched.users == 0 {
                    self.watched.remove(&key);
                    self.remove_source(key);
                }
            }
            Watch::Hidden => {}
        }
    }

    fn remove_source(&self, key: Key) {
        if let Ok(mut state) = self.channel.enter() {
            let _ = state.remove(key);
            let _ = self.channel.settle(&mut state);
        }
    }

    fn forget(&mut self, ticket: Ticket) {
        if let Some(entry) = self.entries.remove(&ticket) {
            self.unwatch(entry.watch);
            entry.owner.remove();
        }
    }

    /// Drops what was registered for a number that means another file by now, or none.
    fn purge(&mut self, fd: RawFd) {
        for ticket in self.of(fd) {
            if !self.is_current(ticket) {
                self.forget(ticket);
            }
        }
        let is_past = |watched: &Watched| watched.fd == fd && watched.channel.strong_count() == 0;
        let past: Vec<Key> =
            self.watched.iter().filter(|(_, watched)| is_past(watched)).map(|(&k, _)| k).collect();
        for key in past {
            self.watched.remove(&key);
            self.remove_source(key);
        }
    }
}

impl Watched {
    fn is(&self, channel: &Arc<Channel>) -> bool {
        std::ptr::eq(self.channel.as_ptr(), Arc::as_ptr(channel))
    }
}
