//! What a channel can wait for. One variant each, and what it tells when it is ready.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::event::{self, Event};
use crate::engine::{Key, Readiness, Socket};
use crate::error::{Errno, Result};
use crate::limits::SOURCE_SLOT_BITS;
use crate::sys::{descriptor, poll, socket};

/// Makes an accepted socket what its listening socket is: `Ok(None)` where that has no area.
pub type Inherit = Box<dyn Fn(RawFd) -> Result<Option<Heir>> + Send>;
/// Tells the owner of the table of sockets that one is attached to the channel now.
pub type Attached = Box<dyn Fn(&Arc<Socket>, Key) + Send>;
/// Undoes both for a connection that the program will never see; its source, if it was attached.
pub type Disown = Box<dyn Fn(RawFd) -> Option<Key> + Send>;

/// An accepted socket that has inherited an area.
pub struct Heir {
    pub socket: Arc<Socket>,
    /// A source of the same channel whose socket had this number and was closed behind our back.
    pub replaced: Option<Key>,
}

pub struct Source {
    pub cookie: u64,
    pub kind: Kind,
}

pub enum Kind {
    Descriptor { fd: RawFd },
    Timer { timer: OwnedFd },
    Accept(Accept),
    Socket(Attachment),
}

/// A listening socket.
pub struct Accept {
    pub fd: RawFd,
    pub attach: bool,
    pub nonblocking: bool,
    pub blocks: bool,
    pub inherit: Inherit,
    pub attached: Attached,
    pub disown: Disown,
}

/// An associated socket.
pub struct Attachment {
    pub socket: Arc<Socket>,
    pub edge: bool,
    /// Which engine of the channel serves it.
    pub engine: usize,
    /// Its item stands in the queue, and whether there is something to fetch.
    pub is_queued: bool,
    pub is_live: bool,
}

impl Source {
    /// The descriptor that is in the poll set on behalf of the source.
    pub fn polled_fd(&self) -> Option<RawFd> {
        match &self.kind {
            Kind::Descriptor { fd } => Some(*fd),
            Kind::Timer { timer } => Some(timer.as_raw_fd()),
            Kind::Accept(accept) => Some(accept.fd),
            Kind::Socket(_) => None,
        }
    }
}

/// The event of a timer that has expired; `None` when somebody was faster.
pub fn timer_event(timer: &OwnedFd, id: Key, cookie: u64) -> Option<Event> {
    let mut event = Event::new(event::TIMER, -1, id, cookie);
    match descriptor::timer_read(timer.as_raw_fd()) {
        Ok(count) => event.result = i64::try_from(count).unwrap_or(i64::MAX),
        Err(Errno::EAGAIN) => return None,
        Err(errno) => {
            event.result = -1;
            event.errno = errno as i32;
        }
    }
    Some(event)
}

impl Accept {
    /// Takes a connection; `None` when there is none any more.
    pub fn take(&self) -> Option<Result<RawFd>> {
        match socket::accept(self.fd, self.blocks, self.nonblocking) {
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => None,
            other => Some(other),
        }
    }
}

/// The event that tells what a socket has.
pub fn receive_event(readiness: Readiness, fd: RawFd, id: Key, cookie: u64) -> Event {
    let mut event = Event::new(event::RECV, fd, id, cookie);
    event.result = readiness.bytes as i64;
    if readiness.end {
        event.flags |= event::F_EOF;
    }
    if let Some(errno) = readiness.error {
        event.result = -1;
        event.errno = errno as i32;
        if matches!(errno, Errno::ECONNRESET | Errno::EPIPE | Errno::ETIMEDOUT) {
            event.flags |= event::F_HUP;
        }
    }
    event
}

/// Sources by id: a slot and a generation, so that an id of the past means nothing.
#[derive(Default)]
pub struct Sources {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    source: Option<Source>,
}

const SLOT_MASK: i32 = (1 << SOURCE_SLOT_BITS) - 1;
const GENERATIONS: u32 = 1 << (31 - SOURCE_SLOT_BITS);

impl Sources {
    /// Puts a source in its place; its id is what `ec_remove` takes. `ENOSPC`: there are too many.
    pub fn add(&mut self, source: Source) -> Result<Key> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() <= SLOT_MASK as usize => {
                self.slots.push(Slot { generation: 0, source: None });
                self.slots.len() as u32 - 1
            }
            None => return Err(Errno::ENOSPC),
        };
        let place = &mut self.slots[slot as usize];
        place.source = Some(source);
        Ok((place.generation << SOURCE_SLOT_BITS | slot) as Key)
    }

    pub fn get(&mut self, id: Key) -> Option<&mut Source> {
        let slot = self.slots.get_mut((id & SLOT_MASK) as usize)?;
        if id < 0 || slot.generation != (id >> SOURCE_SLOT_BITS) as u32 {
            return None;
        }
        slot.source.as_mut()
    }

    pub fn remove(&mut self, id: Key) -> Option<Source> {
        self.get(id)?;
        let slot = &mut self.slots[(id & SLOT_MASK) as usize];
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.free.push((id & SLOT_MASK) as u32);
        slot.source.take()
    }

    /// The ids of all sources.
    pub fn ids(&self) -> Vec<Key> {
        let ids = self.slots.iter().enumerate().filter(|(_, slot)| slot.source.is_some());
        ids.map(|(slot, place)| (place.generation << SOURCE_SLOT_BITS | slot as u32) as Key)
            .collect()
    }
}

/// poll(2) bits that a program may ask for, and how the poll set is told.
pub fn interest(poll_events: u32, edge: bool, oneshot: bool) -> Result<u32> {
    const KNOWN: u32 = (libc::POLLIN
        | libc::POLLOUT
        | libc::POLLPRI
        | libc::POLLRDNORM
        | libc::POLLRDBAND
        | libc::POLLWRNORM
        | libc::POLLWRBAND
        | libc::POLLRDHUP
        | libc::POLLERR
        | libc::POLLHUP) as u32;
    if poll_events == 0 || poll_events & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    // The bits of epoll are those of poll.
    let edge = if edge { poll::EDGE } else { 0 };
    let oneshot = if oneshot { poll::ONESHOT } else { 0 };
    Ok(poll_events | edge | oneshot)
}
