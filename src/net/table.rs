//! Which flow a datagram belongs to: one hash table for all kinds of flows, whose cost does not
//! depend on how many there are.
//!
//! A flow takes one line of the cache, key and value together, and is looked for in two of them that
//! processors fetch together, seldom in more. So to find one among a million is to wait for memory
//! once; and who has several datagrams at hand can have the lines fetched before it looks:
//! [`FlowTable::places`]. Open addressing, one place after the other, at most half of them taken; what
//! follows a flow that goes moves up, so that nothing is left of it.
#![forbid(unsafe_code)]

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::flow::{Ends, FlowKey};

/// How many keys there are of each of the forms that [`FlowKey::candidates`] lists: forms that
/// nobody uses are not looked for.
type Forms = [usize; 4];

fn form(key: &FlowKey) -> usize {
    match (key.remote.is_some(), key.local.is_any_address()) {
        (true, false) => 0,
        (true, true) => 1,
        (false, false) => 2,
        (false, true) => 3,
    }
}

/// What a datagram with these ends is looked for by.
#[inline(always)]
fn in_form(ends: &Ends, form: usize) -> Ends {
    let to = if form & 1 == 0 { *ends } else { ends.to_any_address() };
    if form < 2 { to } else { to.from_anybody() }
}

/// Where a flow is, or may be.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Place<T>(Option<(Ends, T)>);

/// Is told of memory.
pub type Prepare = fn(*const (), usize);

/// Values by flow.
pub struct FlowTable<T> {
    /// A power of two.
    places: Vec<Place<T>>,
    forms: Forms,
    /// The first of the forms that are in use.
    first_form: usize,
    hasher: FixedState,
    prepare: Prepare,
}

const PLACES_MIN: usize = 16;
/// A flow is looked for from the first of so many on.
const TOGETHER: usize = 2;

impl<T: Copy> FlowTable<T> {
    /// An empty table. `seed` makes its order nobody else's business.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, |_, _| ())
    }

    /// The same; `prepare` is told of memory that it is about to use, by address and bytes.
    pub fn with(seed: u64, prepare: Prepare) -> Self {
        Self {
            places: vec![Place(None); PLACES_MIN],
            forms: Forms::default(),
            first_form: 0,
            hasher: FixedState::with_seed(seed),
            prepare,
        }
    }

    #[inline(always)]
    fn home(&self, ends: &Ends) -> usize {
        self.hasher.hash_one(ends) as usize & (self.places.len() - 1) & !(TOGETHER - 1)
    }

    /// The number of the place of a flow, or of the free one where it would be.
    #[inline(always)]
    fn search(&self, ends: &Ends) -> (usize, Option<T>) {
        let mut number = self.home(ends);
        loop {
            match &self.places[number].0 {
                Some((found, value)) if found == ends => return (number, Some(*value)),
                Some(_) => number = (number + 1) & (self.places.len() - 1),
                None => return (number, None),
            }
        }
    }

    fn grow(&mut self) {
        let count = self.places.len() * 2;
        let mut larger: Vec<Place<T>> = Vec::with_capacity(count);
        (self.prepare)(larger.as_ptr().cast(), count * size_of::<Place<T>>());
        larger.resize(count, Place(None));
        for place in std::mem::replace(&mut self.places, larger) {
            if let Some((ends, _)) = &place.0 {
                let (number, _) = self.search(ends);
                self.places[number] = place;
            }
        }
    }

    fn count_form(&mut self, form: usize, is_more: bool) {
        let count = &mut self.forms[form];
        *count = if is_more { *count + 1 } else { *count - 1 };
        self.first_form = self.forms.iter().position(|count| *count > 0).unwrap_or(0);
    }

    /// Enters a flow; `false`: it is there already, and stays as it is.
    pub fn insert(&mut self, key: &FlowKey, value: T) -> bool {
        if (self.len() + 1) * 2 > self.places.len() {
            self.grow();
        }
        let ends = key.ends();
        let (number, found) = self.search(&ends);
        if found.is_some() {
            return false;
        }
        self.places[number].0 = Some((ends, value));
        self.count_form(form(key), true);
        true
    }

    pub fn remove(&mut self, key: &FlowKey) -> Option<T> {
        let (mut free, found) = self.search(&key.ends());
        let value = found?;
        let last = self.places.len() - 1;
        let mut number = free;
        loop {
            number = (number + 1) & last;
            let Some((ends, _)) = &self.places[number].0 else { break };
            // One that is looked for from the free place or before it would not be found any more.
            let home = self.home(ends);
            if (number.wrapping_sub(home) & last) >= (number.wrapping_sub(free) & last) {
                self.places[free] = self.places[number];
                free = number;
            }
        }
        self.places[free].0 = None;
        self.count_form(form(key), false);
        Some(value)
    }

    pub fn get(&self, key: &FlowKey) -> Option<T> {
        self.search(&key.ends()).1
    }

    /// Where [`FlowTable::find`] looks first.
    #[inline]
    pub fn places(&self, ends: &Ends) -> &[Place<T>] {
        let home = self.home(&in_form(ends, self.first_form));
        &self.places[home..home + TOGETHER]
    }

    /// The flow of a datagram from `remote` to `local`: what [`FlowKey::candidates`] lists, without
    /// making the keys.
    #[inline]
    pub fn find(&self, ends: &Ends) -> Option<T> {
        let mut used = (self.first_form..self.forms.len()).filter(|&form| self.forms[form] > 0);
        used.find_map(|form| self.search(&in_form(ends, form)).1)
    }

    pub fn len(&self) -> usize {
        self.forms.iter().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
