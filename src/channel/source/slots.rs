//! Sources by id: a slot and a generation, so that an id of the past means nothing.
#![forbid(unsafe_code)]

use super::{Descriptor, Kind, Source};
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::limits::SOURCE_SLOT_BITS;

#[derive(Default)]
pub struct Sources {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

/// In one line of the cache: a burst of events comes from sources all over the place.
#[repr(align(64))]
struct Slot {
    generation: u32,
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

    /// The descriptor that the source of a key of the poll set is, if it is one, and its cookie.
    #[inline(always)]
    pub fn descriptor(&self, key: u64) -> Option<(&Descriptor, u64)> {
        let slot = self.slots.get((key & SLOT_MASK as u64) as usize)?;
        match &slot.source {
            Some(Source { kind: Kind::Descriptor(descriptor), cookie, .. })
                if key >> SOURCE_SLOT_BITS == u64::from(slot.generation) =>
            {
                Some((descriptor, *cookie))
            }
            _ => None,
        }
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
