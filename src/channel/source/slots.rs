//! Sources by id: a slot and a generation, so that an id of the past means nothing.
#![forbid(unsafe_code)]

use super::Source;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::limits::SOURCE_SLOT_BITS;

/// See [`Sources::finder`].
pub struct Finder<'a>(&'a mut [Slot]);

impl Finder<'_> {
    /// See [`Sources::find`].
    #[inline(always)]
    pub fn find(&mut self, number: u64) -> Option<&mut Source> {
        find(self.0, number)
    }
}

#[inline(always)]
fn find(slots: &mut [Slot], number: u64) -> Option<&mut Source> {
    let slot = slots.get_mut((number & SLOT_MASK as u64) as usize)?;
    if slot.id as u64 == number { slot.source.as_mut() } else { None }
}

#[derive(Default)]
pub struct Sources {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

/// In one line of the cache: a burst of events comes from sources all over the place.
#[repr(align(64))]
struct Slot {
    /// The id of the source, or of the next one.
    id: Key,
    source: Option<Source>,
}

const SLOT_MASK: i32 = (1 << SOURCE_SLOT_BITS) - 1;
const GENERATIONS: u32 = 1 << (31 - SOURCE_SLOT_BITS);
/// What one more source costs, at most, besides what its engine and the kernel keep of it.
const _: () = assert!(size_of::<Slot>() == 64);

impl Sources {
    /// Puts a source in its place; its id is what `ec_remove` takes. `ENOSPC`: there are too many.
    pub fn add(&mut self, source: Source) -> Result<Key> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() <= SLOT_MASK as usize => {
                let slot = self.slots.len() as u32;
                self.slots.push(Slot { id: slot as Key, source: None });
                slot
            }
            None => return Err(Errno::ENOSPC),
        };
        let place = &mut self.slots[slot as usize];
        place.source = Some(source);
        Ok(place.id)
    }

    pub fn get(&mut self, id: Key) -> Option<&mut Source> {
        self.find(u64::try_from(id).ok()?)
    }

    /// The source whose id is this number, which need not be the id of any.
    #[inline(always)]
    pub fn find(&mut self, number: u64) -> Option<&mut Source> {
        find(&mut self.slots, number)
    }

    /// For many of them, one after the other.
    #[inline(always)]
    pub fn finder(&mut self) -> Finder<'_> {
        Finder(&mut self.slots)
    }

    pub fn remove(&mut self, id: Key) -> Option<Source> {
        self.get(id)?;
        let slot = &mut self.slots[(id & SLOT_MASK) as usize];
        let generation = ((id >> SOURCE_SLOT_BITS) as u32 + 1) % GENERATIONS;
        slot.id = (generation << SOURCE_SLOT_BITS | (id & SLOT_MASK) as u32) as Key;
        self.free.push((id & SLOT_MASK) as u32);
        slot.source.take()
    }

    /// The ids of all sources.
    pub fn ids(&self) -> Vec<Key> {
        self.slots.iter().filter(|slot| slot.source.is_some()).map(|slot| slot.id).collect()
    }
}
