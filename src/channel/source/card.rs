//! What the events of a source begin with, at hand for those by the thousand: descriptors, and
//! counters that the engine reads. Whatever the kernel tells of them is all that there is to ask.
//!
//! Beside the sources and not in them, because a burst comes from sources all over the place: so
//! small, two of them are in one line of the cache, and nothing of another line is needed.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::super::event::{self, Event};
use super::{Kind, Source};
use crate::engine::{Key, Told};
use crate::limits::SOURCE_SLOT_BITS;
use crate::sys::poll;

const SLOT_MASK: u64 = (1 << SOURCE_SLOT_BITS) - 1;

/// It begins as the events do.
#[repr(C, align(32))]
pub struct Card {
    kind: i32,
    fd: RawFd,
    cookie: u64,
    /// The id of the source, or what is found nowhere.
    name: u64,
    /// The number of its last event, of those that were told through cards.
    pub told: u64,
}

const _: () = assert!(size_of::<Card>() == 32);

impl Card {
    /// The card of a slot whose source has none, or which is empty.
    pub fn blank(slot: u32) -> Self {
        // Looked for in this place is nothing that ends in other bits than the place's number.
        Self { kind: 0, fd: -1, cookie: 0, name: !u64::from(slot), told: 0 }
    }

    pub fn new(kind: i32, fd: RawFd, id: Key, cookie: u64) -> Self {
        Self { kind, fd, cookie, name: id as u64, told: 0 }
    }

    /// That of a source, if it has one.
    pub fn of(id: Key, source: &Source) -> Option<Self> {
        let (kind, fd) = match &source.kind {
            Kind::Descriptor(descriptor) => (descriptor.kind, descriptor.fd),
            // Otherwise it has to be read first.
            Kind::Counter(counter) if counter.is_watched => (event::FD, counter.fd),
            _ => return None,
        };
        Some(Self::new(kind, fd, id, source.cookie))
    }

    /// The event of a descriptor that is ready for this.
    #[inline(always)]
    pub fn ready(&self, ready: u32) -> Event {
        let flags = if ready & poll::HUP != 0 { event::F_HUP } else { 0 };
        Event { result: i64::from(ready), flags, ..self.blank_event() }
    }

    /// The event of a counter that held this.
    #[inline(always)]
    pub fn counted(&self, count: u64) -> Event {
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        Event { result: i64::from(poll::IN), length, ..self.blank_event() }
    }

    /// Either of them.
    pub fn event(&self, told: Told) -> Event {
        match told {
            Told::Ready(ready) => self.ready(ready),
            Told::Count(count) => self.counted(count),
        }
    }

    #[inline(always)]
    fn blank_event(&self) -> Event {
        let Self { kind, fd, cookie, name, .. } = *self;
        Event { kind, fd, cookie, source: name as Key, ..Event::EMPTY }
    }
}

/// The card of the source whose id is this number, which need not be the id of any.
#[inline(always)]
pub fn find(cards: &mut [Card], number: u64) -> Option<&mut Card> {
    let card = cards.get_mut((number & SLOT_MASK) as usize)?;
    (card.name == number).then_some(card)
}
