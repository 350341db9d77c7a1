//! Which flow a datagram belongs to: hash tables for all kinds of flows, whose cost does not depend
//! on how many there are.
//!
//! Each family of addresses has one, since what is named by shorter addresses is found in less memory:
//! two flows of IPv4 share a line of the cache, key and value together, and seldom is more than one
//! line looked at. So to find one among a million is to wait for memory once; and who has several
//! datagrams at hand can have the lines fetched before it looks: [`FlowTable::place`]. Open
//! addressing, one place after the other, at most half of them taken; what follows a flow that goes
//! moves up, so that nothing is left of it.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hash};

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

/// What tells the ends of one family apart.
trait Name: Copy + Eq + Hash {
    fn of(ends: &Ends) -> Self;
}

impl Name for Ends {
    #[inline(always)]
    fn of(ends: &Ends) -> Self {
        *ends
    }
}

impl Name for [u64; 2] {
    #[inline(always)]
    fn of(ends: &Ends) -> Self {
        ends.words_of_ipv4()
    }
}

/// Is told of memory.
pub type Prepare = fn(*const (), usize);

/// A flow is looked for from the first of so many places on.
const TOGETHER: usize = 2;

/// Places, where flows are or may be.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<N, T>([Option<(N, T)>; TOGETHER]);

impl<N: Name, T: Copy> Line<N, T> {
    const EMPTY: Self = Self([None; TOGETHER]);
}

/// Values by flow, of one family.
struct Family<N, T> {
    /// A power of two.
    lines: Vec<Line<N, T>>,
    forms: Forms,
    /// The first of the forms that are in use.
    first_form: usize,
    hasher: FixedState,
    prepare: Prepare,
}

const LINES_MIN: usize = 8;

impl<N: Name, T: Copy> Family<N, T> {
    fn new(seed: u64, prepare: Prepare) -> Self {
        Self {
            lines: vec![Line::EMPTY; LINES_MIN],
            forms: Forms::default(),
            first_form: 0,
            hasher: FixedState::with_seed(seed),
            prepare,
        }
    }

    #[inline(always)]
    fn line(&self, name: &N) -> usize {
        self.hasher.hash_one(name) as usize & (self.lines.len() - 1)
    }

    fn last(&self) -> usize {
        self.lines.len() * TOGETHER - 1
    }

    #[inline(always)]
    fn at(&self, number: usize) -> &Option<(N, T)> {
        &self.lines[number / TOGETHER].0[number % TOGETHER]
    }

    fn put(&mut self, number: usize, flow: Option<(N, T)>) {
        self.lines[number / TOGETHER].0[number % TOGETHER] = flow;
    }

    /// The number of the place of a flow, or of the free one where it would be.
    #[inline(always)]
    fn search(&self, name: &N) -> (usize, Option<T>) {
        let mut number = self.line(name) * TOGETHER;
        loop {
            match self.at(number) {
                Some((found, value)) if found == name => return (number, Some(*value)),
                Some(_) => number = (number + 1) & self.last(),
                None => return (number, None),
            }
        }
    }

    fn grow(&mut self) {
        let count = self.lines.len() * 2;
        let mut larger: Vec<Line<N, T>> = Vec::with_capacity(count);
        (self.prepare)(larger.as_ptr().cast(), count * size_of::<Line<N, T>>());
        larger.resize(count, Line::EMPTY);
        let smaller = std::mem::replace(&mut self.lines, larger);
        for (name, value) in smaller.iter().flat_map(|line| line.0.iter().flatten()) {
            let (number, _) = self.search(name);
            self.put(number, Some((*name, *value)));
        }
    }

    fn count_form(&mut self, form: usize, is_more: bool) {
        let count = &mut self.forms[form];
        *count = if is_more { *count + 1 } else { *count - 1 };
        self.first_form = self.forms.iter().position(|count| *count > 0).unwrap_or(0);
    }

    fn insert(&mut self, key: &FlowKey, value: T) -> bool {
        if (self.len() + 1) * 2 > self.last() + 1 {
            self.grow();
        }
        let name = N::of(&key.ends());
        let (number, found) = self.search(&name);
        if found.is_some() {
            return false;
        }
        self.put(number, Some((name, value)));
        self.count_form(form(key), true);
        true
    }

    fn remove(&mut self, key: &FlowKey) -> Option<T> {
        let (mut free, found) = self.search(&N::of(&key.ends()));
        let value = found?;
        let last = self.last();
        let mut number = free;
        loop {
            number = (number + 1) & last;
            let Some((name, other)) = *self.at(number) else { break };
            // One that is looked for from the free place or before it would not be found any more.
            let home = self.line(&name) * TOGETHER;
            if (number.wrapping_sub(home) & last) >= (number.wrapping_sub(free) & last) {
                self.put(free, Some((name, other)));
                free = number;
            }
        }
        self.put(free, None);
        self.count_form(form(key), false);
        Some(value)
    }

    fn get(&self, key: &FlowKey) -> Option<T> {
        self.search(&N::of(&key.ends())).1
    }

    #[inline(always)]
    fn place(&self, ends: &Ends) -> *const () {
        let line = self.line(&N::of(&in_form(ends, self.first_form)));
        (&raw const self.lines[line]).cast()
    }

    #[inline(always)]
    fn find(&self, ends: &Ends) -> Option<T> {
        let mut used = (self.first_form..self.forms.len()).filter(|&form| self.forms[form] > 0);
        used.find_map(|form| self.search(&N::of(&in_form(ends, form))).1)
    }

    fn len(&self) -> usize {
        self.forms.iter().sum()
    }
}

/// Values by flow.
pub struct FlowTable<T> {
    ipv4: Family<[u64; 2], T>,
    ipv6: Family<Ends, T>,
}

impl<T: Copy> FlowTable<T> {
    /// An empty table. `seed` makes its order nobody else's business.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, |_, _| ())
    }

    /// The same; `prepare` is told of memory that it is about to use, by address and bytes.
    pub fn with(seed: u64, prepare: Prepare) -> Self {
        Self { ipv4: Family::new(seed, prepare), ipv6: Family::new(seed, prepare) }
    }

    /// Enters a flow; `false`: it is there already, and stays as it is.
    pub fn insert(&mut self, key: &FlowKey, value: T) -> bool {
        if key.is_ipv4() { self.ipv4.insert(key, value) } else { self.ipv6.insert(key, value) }
    }

    pub fn remove(&mut self, key: &FlowKey) -> Option<T> {
        if key.is_ipv4() { self.ipv4.remove(key) } else { self.ipv6.remove(key) }
    }

    pub fn get(&self, key: &FlowKey) -> Option<T> {
        if key.is_ipv4() { self.ipv4.get(key) } else { self.ipv6.get(key) }
    }

    /// Where [`FlowTable::find`] looks first.
    #[inline]
    pub fn place(&self, ends: &Ends) -> *const () {
        if ends.is_ipv4() { self.ipv4.place(ends) } else { self.ipv6.place(ends) }
    }

    /// The flow of a datagram from `remote` to `local`: what [`FlowKey::candidates`] lists, without
    /// making the keys.
    #[inline]
    pub fn find(&self, ends: &Ends) -> Option<T> {
        if ends.is_ipv4() { self.ipv4.find(ends) } else { self.ipv6.find(ends) }
    }

    pub fn len(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
