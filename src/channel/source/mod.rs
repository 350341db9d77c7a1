//! What a channel can wait for: one variant of [`Kind`] each, and what is known of it.
//!
//! A source is waited for in one of three ways: through the poll set (its descriptor is ready:
//! `fetch.rs` asks what there is), through the engine's ring ([`Watch`]: the news come as
//! notices), or by the engine's data path (sockets).
#![forbid(unsafe_code)]

mod accept;
pub mod card;
mod descriptor;
mod process;
mod semaphore;
mod signal;
mod slots;
mod timer;
mod word;

use std::os::fd::RawFd;
use std::sync::Arc;

pub use accept::{Accept, Heir, Turn};
pub use descriptor::{Counter, Descriptor, interest};
pub use process::Process;
pub use semaphore::Semaphore;
pub use signal::{Signals, signal_event};
pub use slots::Sources;
pub use timer::Timer;
pub use word::Word;

use super::event::{self, Event};
use super::queue::Queue;
use crate::engine::{Key, Readiness, Socket, Watch};
use crate::error::Errno;
use crate::sys::mqueue::{End, Notification};
use crate::sys::poll;

pub struct Source {
    pub cookie: u64,
    pub kind: Kind,
    /// Its item stands in the queue, and whether there is something to fetch.
    pub is_queued: bool,
    pub is_live: bool,
}

pub enum Kind {
    /// A descriptor or a message queue: readiness.
    Descriptor(Descriptor),
    /// A descriptor whose counter the channel reads.
    Counter(Counter),
    Timer(Arc<Timer>),
    /// A message queue that tells when it is empty no more: once, then the source is gone.
    Notification(Notification),
    Signals(Signals),
    Word(Box<Word>),
    Semaphore(Box<Semaphore>),
    Process(Process),
    Accept(Box<Accept>),
    Socket(Attachment),
}

/// An associated socket.
pub struct Attachment {
    pub socket: Arc<Socket>,
    pub edge: bool,
    /// Which engine of the channel serves it.
    pub engine: usize,
}

impl Source {
    pub fn new(cookie: u64, kind: Kind) -> Self {
        Self { cookie, kind, is_queued: false, is_live: false }
    }

    /// It has something to tell: its item belongs into the queue.
    pub fn stand(&mut self, id: Key, queue: &mut Queue) {
        if !std::mem::replace(&mut self.is_queued, true) {
            queue.push_source(id);
        } else if !self.is_live {
            queue.set_live(true);
        }
        self.is_live = true;
    }

    /// The descriptor that is in the poll set on behalf of the source.
    pub fn polled_fd(&self) -> Option<RawFd> {
        match &self.kind {
            Kind::Descriptor(descriptor) => (!descriptor.is_watched).then_some(descriptor.fd),
            Kind::Counter(counter) => (!counter.is_watched).then_some(counter.fd),
            Kind::Timer(timer) => Some(timer.fd()),
            Kind::Notification(notification) => Some(notification.fd()),
            Kind::Signals(signals) => Some(signals.fd()),
            // Spent, it has left the set, and the number may mean something else by now.
            Kind::Process(process) => (!process.is_spent).then_some(process.fd),
            Kind::Accept(accept) => Some(accept.fd),
            Kind::Word(_) | Kind::Semaphore(_) | Kind::Socket(_) => None,
        }
    }

    /// What of that descriptor is waited for.
    pub fn polled_events(&self) -> u32 {
        match &self.kind {
            Kind::Descriptor(descriptor) => descriptor.events,
            _ => poll::IN,
        }
    }

    /// Whether the poll set goes on saying that it is ready for as long as it is.
    pub fn is_state(&self) -> bool {
        match &self.kind {
            Kind::Descriptor(descriptor) => descriptor.events & (poll::EDGE | poll::ONESHOT) == 0,
            // What a set says of a socket may have been asked for as a change.
            Kind::Socket(_) => false,
            _ => true,
        }
    }

    /// Whether the engine, or a thread of ours, waits on its behalf.
    pub fn is_watched(&self) -> bool {
        match &self.kind {
            Kind::Descriptor(descriptor) => descriptor.is_watched,
            Kind::Counter(counter) => counter.is_watched,
            Kind::Word(word) => word.is_waiting,
            Kind::Semaphore(semaphore) => semaphore.is_waiting,
            _ => false,
        }
    }

    /// Whether it has something that only a fetch may take, because a removal would lose it then:
    /// a signal, or the status of a child.
    pub fn is_for_fetch_only(&self) -> bool {
        match &self.kind {
            Kind::Signals(_) => true,
            Kind::Process(process) => process.has_ended(),
            _ => false,
        }
    }

    /// It goes, and nobody will fetch what it had to tell: what others can use is passed on.
    pub fn hand_back(&mut self) {
        match &mut self.kind {
            Kind::Word(word) => word.word.wake(1),
            Kind::Semaphore(semaphore) => semaphore.hand_back(),
            _ => {}
        }
    }

    /// It goes, and a wake-up has come meanwhile that somebody else may have counted on.
    pub fn pass_on(&self) {
        match &self.kind {
            Kind::Word(word) => word.word.wake(1),
            Kind::Semaphore(semaphore) => semaphore.pass_on(),
            _ => {}
        }
    }

    /// What the engine is asked to watch on behalf of the source, where it can.
    pub fn watch(&self) -> Option<Watch> {
        match &self.kind {
            Kind::Descriptor(descriptor) => {
                Some(Watch::Edge { fd: descriptor.fd, events: descriptor.events })
            }
            Kind::Counter(counter) => Some(Watch::Counter { fd: counter.fd }),
            Kind::Word(word) => Some(Watch::Word { word: word.word, expected: word.expected }),
            Kind::Semaphore(semaphore) => Some(Watch::Word { word: semaphore.word(), expected: 0 }),
            _ => None,
        }
    }
}

/// The event of a registration with a queue that ends so, if there is one to tell.
pub fn arrival_event(end: End, queue: RawFd, cookie: u64) -> Option<Event> {
    let mut event = Event::new(event::MQ, queue, -1, cookie);
    event.result = i64::from(poll::IN);
    (end == End::Arrived).then_some(event)
}

/// The event that tells what a socket has.
pub fn receive_event(readiness: Readiness, fd: RawFd, id: Key, cookie: u64) -> Event {
    let mut event = Event::new(event::RECV, fd, id, cookie);
    event.result = readiness.bytes as i64;
    if readiness.end {
        event.flags |= event::F_EOF;
    }
    if let Some(errno) = readiness.error {
        event.fail(errno);
        if matches!(errno, Errno::ECONNRESET | Errno::EPIPE | Errno::ETIMEDOUT) {
            event.flags |= event::F_HUP;
        }
    }
    event
}
