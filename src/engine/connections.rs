//! What an engine knows of each of its sockets and watches, found by the source's id without
//! hashing: the id holds the slot.
#![forbid(unsafe_code)]

use super::Key;
use crate::limits::SOURCE_SLOT_BITS;

pub struct Connections<T> {
    slots: Vec<Option<(Key, T)>>,
    count: usize,
}

impl<T> Default for Connections<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), count: 0 }
    }
}

fn slot(key: Key) -> usize {
    key as usize & ((1 << SOURCE_SLOT_BITS) - 1)
}

impl<T> Connections<T> {
    pub fn get(&self, key: Key) -> Option<&T> {
        let (owner, connection) = self.slots.get(slot(key))?.as_ref()?;
        (*owner == key).then_some(connection)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (owner, connection) = self.slots.get_mut(slot(key))?.as_mut()?;
        (*owner == key).then_some(connection)
    }

    pub fn insert(&mut self, key: Key, connection: T) {
        let slot = slot(key);
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        let old = self.slots[slot].replace((key, connection));
        self.count += usize::from(old.is_none());
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        self.count -= 1;
        self.slots[slot(key)].take().map(|(_, connection)| connection)
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots.iter_mut().flatten().map(|(key, connection)| (*key, connection))
    }
}
