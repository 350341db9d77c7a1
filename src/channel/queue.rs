//! Events that wait to be fetched, and the slots that accepted requests have reserved.
//!
//! Invariants: events of requests and of the program never exceed the capacity, because a slot is
//! reserved before a request is accepted; a source that repeats stands in the queue at most once.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use super::event::Event;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::spare;
use crate::sys::stat::{Tally, layout::channel as count};

/// What stands in the queue.
pub enum Item {
    /// An event that is complete; it occupies a slot.
    Event(Event),
    /// A source has something: what exactly is found out when it is fetched.
    Source(Key),
}

/// What is kept of an item: small, because sources that repeat pass through by the thousand.
enum Place {
    Event(u32),
    Source(Key),
}

/// Room is looked for for so many events at once, at least.
const EVENTS_MIN: usize = 64;

/// Items of sources that are gone are removed when there are more of them than this.
const ORPHANS_MAX: usize = 64;

pub struct Queue {
    places: VecDeque<Place>,
    events: Slab<Event>,
    /// Items that would be fetched: not those of sources that have been emptied meanwhile.
    live: usize,
    /// Items of sources that have been removed.
    orphans: usize,
    /// Slots that are taken: by events in the queue, and by requests under way.
    taken: usize,
    capacity: usize,
    /// Slots for whose events there was memory.
    ensured: usize,
    /// What the channel counts.
    pub tally: Arc<Tally>,
}

impl Queue {
    pub fn new(capacity: usize, tally: Arc<Tally>) -> Self {
        Self {
            places: VecDeque::new(),
            events: Slab::new(),
            live: 0,
            orphans: 0,
            taken: 0,
            capacity,
            ensured: 0,
            tally,
        }
    }

    /// Events that can be fetched now.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Whether a slot could be reserved.
    pub fn has_room(&self) -> bool {
        self.taken < self.capacity
    }

    /// Takes a slot for an event that will come; `EAGAIN` when there is none.
    pub fn reserve(&mut self) -> Result<()> {
        if !self.has_room() {
            self.tally.add(count::REFUSED, 1);
            return Err(Errno::EAGAIN);
        }
        if self.taken >= self.ensured {
            // The tables double when they grow, and for a moment there are both.
            let more = (2 * self.taken).max(EVENTS_MIN);
            spare::ensure(3 * more * (size_of::<Event>() + 2 * size_of::<Place>()))?;
            self.events.reserve(more - self.events.len());
            self.places.reserve(more);
            self.ensured = more;
        }
        self.taken += 1;
        Ok(())
    }

    /// Gives a slot back whose event will not come.
    pub fn unreserve(&mut self) {
        self.taken -= 1;
    }

    /// The event that a slot was reserved for.
    pub fn push_reserved(&mut self, event: Event) {
        let index = self.events.insert(event);
        self.places.push_back(Place::Event(index as u32));
        self.live += 1;
    }

    /// A source that repeats what it has to tell, and sees to it that it stands here only once.
    pub fn push_source(&mut self, key: Key) {
        self.places.push_back(Place::Source(key));
        self.live += 1;
    }

    /// A source whose item is in the queue has gone; `true`: there are too many of them.
    pub fn orphan(&mut self) -> bool {
        self.orphans += 1;
        self.orphans > ORPHANS_MAX && self.orphans * 2 > self.places.len()
    }

    /// An item was popped whose source has gone.
    pub fn bury(&mut self) {
        self.orphans -= 1;
    }

    /// Removes the items of sources that have gone.
    pub fn sweep(&mut self, mut is_there: impl FnMut(Key) -> bool) {
        self.places.retain(|place| match place {
            Place::Event(_) => true,
            Place::Source(key) => is_there(*key),
        });
        self.orphans = 0;
    }

    /// A source whose item is in the queue has become worth fetching, or not any more.
    pub fn set_live(&mut self, is_live: bool) {
        if is_live { self.live += 1 } else { self.live -= 1 }
    }

    /// The next item. For a source the caller says with [`Queue::set_live`] what it was.
    pub fn pop(&mut self) -> Option<Item> {
        match self.places.pop_front()? {
            Place::Source(key) => Some(Item::Source(key)),
            Place::Event(index) => {
                self.live -= 1;
                self.taken -= 1;
                Some(Item::Event(self.events.remove(index as usize)))
            }
        }
    }

    /// Removes every event of a source. Items of sources become dead by themselves.
    pub fn purge(&mut self, source: Key) {
        self.remove(|event| event.source == source);
    }

    /// Removes every event.
    pub fn clear(&mut self) {
        self.remove(|_| true);
    }

    fn remove(&mut self, is_unwanted: impl Fn(&Event) -> bool) {
        let Self { places, events, live, taken, .. } = self;
        places.retain(|place| match place {
            Place::Event(index) if is_unwanted(&events[*index as usize]) => {
                events.remove(*index as usize);
                *live -= 1;
                *taken -= 1;
                false
            }
            _ => true,
        });
    }
}
