//! Sources by id: a slot and a generation, so that an id of the past means nothing.
#![forbid(unsafe_code)]

use super::Source;
use super::card::Card;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::limits::SOURCE_SLOT_BITS;
use crate::sys::spare;

#[derive(Default)]
pub struct Sources {
    slots: Vec<Slot>,
    /// One for each slot, up to the last one whose source had any: most sources are sockets in some
    /// programs, and those have none.
    cards: Vec<Card>,
    /// The slot that was freed last, if any is free.
    free: Option<u32>,
    /// Events that were told through cards so far.
    told: u64,
}

struct Slot {
    /// The id of the source, or of the next one.
    id: Key,
    place: Place,
}

enum Place {
    Taken(Source),
    /// The next free slot is in it, so that a list of them takes no memory.
    Free(Option<u32>),
}

impl Place {
    fn source(&mut self) -> Option<&mut Source> {
        if let Self::Taken(source) = self { Some(source) } else { None }
    }
}

const SLOTS_MIN: usize = 16;
/// What all tables of sources grow by when they double, for each of those that there were.
const SLOT_GROWTH_BYTES: usize = 512;
const SLOT_MASK: i32 = (1 << SOURCE_SLOT_BITS) - 1;
const GENERATIONS: u32 = 1 << (31 - SOURCE_SLOT_BITS);
/// What one more source costs, at most, besides what its engine and the kernel keep of it.
const _: () = assert!(size_of::<Slot>() + size_of::<Card>() <= 88);

impl Sources {
    /// Puts a source in its place; its id is what `ec_remove` takes. `ENOSPC`: there are too many.
    pub fn add(&mut self, source: Source) -> Result<Key> {
        let slot = match self.free {
            Some(slot) => slot,
            None if self.slots.len() <= SLOT_MASK as usize => {
                if self.slots.len() == self.slots.capacity() {
                    // It doubles, and so do the tables of whoever waits for the sources.
                    spare::ensure(self.slots.len().max(SLOTS_MIN) * SLOT_GROWTH_BYTES)?;
                }
                let slot = self.slots.len() as u32;
                self.slots.push(Slot { id: slot as Key, place: Place::Free(None) });
                slot
            }
            None => return Err(Errno::ENOSPC),
        };
        let Slot { id, place } = &mut self.slots[slot as usize];
        if let Place::Free(next) = std::mem::replace(place, Place::Taken(source)) {
            self.free = next;
        }
        let id = *id;
        self.renew_card(id);
        Ok(id)
    }

    pub fn get(&mut self, id: Key) -> Option<&mut Source> {
        let slot = self.slots.get_mut((id & SLOT_MASK) as usize)?;
        if slot.id == id { slot.place.source() } else { None }
    }

    /// The engine has begun to watch the source, or has ceased to.
    pub fn renew_card(&mut self, id: Key) {
        let Some(source) = self.get(id) else { return };
        let card = Card::of(id, source);
        self.set_card((id & SLOT_MASK) as u32, card);
    }

    fn set_card(&mut self, slot: u32, card: Option<Card>) {
        let place = slot as usize;
        while self.cards.len() <= place {
            if card.is_none() {
                return;
            }
            self.cards.push(Card::blank(self.cards.len() as u32));
        }
        self.cards[place] = card.unwrap_or(Card::blank(slot));
    }

    /// The cards, and how many events have been told through them so far.
    #[inline(always)]
    pub fn cards(&mut self) -> (&mut [Card], &mut u64) {
        (&mut self.cards, &mut self.told)
    }

    pub fn remove(&mut self, id: Key) -> Option<Source> {
        self.get(id)?;
        let number = (id & SLOT_MASK) as u32;
        let slot = &mut self.slots[number as usize];
        let generation = ((id >> SOURCE_SLOT_BITS) as u32 + 1) % GENERATIONS;
        slot.id = (generation << SOURCE_SLOT_BITS | number) as Key;
        let before = std::mem::replace(&mut slot.place, Place::Free(self.free.replace(number)));
        self.set_card(number, None);
        if let Place::Taken(source) = before { Some(source) } else { None }
    }

    /// The next source in order, from that slot on: the slot, and its id.
    pub fn next(&self, from: usize) -> Option<(usize, Key)> {
        let rest = self.slots.get(from..)?;
        let place = rest.iter().position(|slot| matches!(slot.place, Place::Taken(_)))?;
        Some((from + place, rest[place].id))
    }
}

#[cfg(test)]
mod tests {
    use super::super::card;
    use super::super::{Counter, Descriptor, Kind};
    use super::*;
    use crate::channel::event::{self, F_HUP};
    use crate::sys::poll;

    fn found(sources: &mut Sources, number: u64) -> bool {
        card::find(sources.cards().0, number).is_some()
    }

    fn descriptor(cookie: u64) -> Source {
        Source::new(cookie, Kind::Descriptor(Descriptor::new(7, event::MQ, poll::IN, 0)))
    }

    #[test]
    fn a_card_comes_and_goes_with_its_source() {
        let mut sources = Sources::default();
        let ids: Vec<Key> = (0..3).map(|cookie| sources.add(descriptor(cookie)).unwrap()).collect();
        for (&id, cookie) in ids.iter().zip(0..) {
            let card = card::find(sources.cards().0, id as u64).unwrap();
            let event = card.ready(poll::IN | poll::HUP);
            assert_eq!((event.kind, event.fd, event.source), (event::MQ, 7, id));
            assert_eq!((event.cookie, event.flags, event.length), (cookie, F_HUP, 0));
            assert_eq!(event.result, i64::from(poll::IN | poll::HUP));
        }
        assert!(sources.remove(ids[1]).is_some());
        assert!(!found(&mut sources, ids[1] as u64));
        let next = sources.add(descriptor(3)).unwrap();
        assert_ne!(next, ids[1], "in the same place, by another name");
        assert!(found(&mut sources, next as u64) && !found(&mut sources, ids[1] as u64));
        for number in [3, 1 << 62, 1 << 62 | ids[0] as u64, u64::MAX, u64::MAX - 1] {
            assert!(!found(&mut sources, number), "{number:x}");
        }
    }

    #[test]
    fn sources_without_one_take_no_room_for_it() {
        let mut sources = Sources::default();
        let plain = || {
            Source::new(
                1,
                Kind::Counter(Counter { fd: 7, blocks: false, is_watched: false, pending: 0 }),
            )
        };
        let ids: Vec<Key> = (0..100).map(|_| sources.add(plain()).unwrap()).collect();
        assert!(sources.cards.is_empty());
        let last = sources.add(descriptor(2)).unwrap();
        assert!(found(&mut sources, last as u64));
        assert!(ids.iter().all(|&id| !found(&mut sources, id as u64)));
        for id in ids.into_iter().chain([last]) {
            assert!(sources.remove(id).is_some() && !found(&mut sources, id as u64));
        }
    }

    #[test]
    fn a_counter_has_one_while_the_engine_reads_it() {
        let mut sources = Sources::default();
        let counter = Counter { fd: 7, blocks: false, is_watched: false, pending: 0 };
        let id = sources.add(Source::new(2006, Kind::Counter(counter))).unwrap();
        for is_watched in [false, true, false] {
            if let Some(Source { kind: Kind::Counter(counter), .. }) = sources.get(id) {
                counter.is_watched = is_watched;
            }
            sources.renew_card(id);
            assert_eq!(found(&mut sources, id as u64), is_watched);
            // What is found nowhere is not found by its own name either.
            assert!(!found(&mut sources, !(id as u64)));
        }
    }
}
