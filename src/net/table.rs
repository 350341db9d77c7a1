//! Which flow a datagram belongs to: one hash table for all kinds of flows, whose cost does not
//! depend on how many there are.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::flow::{Endpoint, FlowKey};

/// A key as plain words: quick to hash and to compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Packed([u64; 5]);

impl Packed {
    fn new(key: &FlowKey) -> Self {
        let (family, local) = words(key.local.address);
        let (remote, port) = match key.remote {
            Some(remote) => (words(remote.address).1, remote_port(remote)),
            None => ([0, 0], 0),
        };
        let ports = u64::from(key.local.port) | port | family;
        Self([local[0], local[1], remote[0], remote[1], ports])
    }
}

fn remote_port(remote: Endpoint) -> u64 {
    u64::from(remote.port) << 16 | 1 << 40
}

fn words(address: IpAddr) -> (u64, [u64; 2]) {
    match address {
        IpAddr::V4(address) => (1 << 32, [0, u64::from(address.to_bits())]),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (2 << 32, [(bits >> 64) as u64, bits as u64])
        }
    }
}

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

/// Values by flow.
pub struct FlowTable<T> {
    flows: HashMap<Packed, T, FixedState>,
    forms: Forms,
}

impl<T: Copy> FlowTable<T> {
    /// An empty table. `seed` makes its order nobody else's business.
    pub fn new(seed: u64) -> Self {
        Self { flows: HashMap::with_hasher(FixedState::with_seed(seed)), forms: Forms::default() }
    }

    /// Enters a flow; `false`: it is there already, and stays as it is.
    pub fn insert(&mut self, key: &FlowKey, value: T) -> bool {
        let Entry::Vacant(place) = self.flows.entry(Packed::new(key)) else { return false };
        place.insert(value);
        self.forms[form(key)] += 1;
        true
    }

    pub fn remove(&mut self, key: &FlowKey) -> Option<T> {
        let value = self.flows.remove(&Packed::new(key))?;
        self.forms[form(key)] -= 1;
        Some(value)
    }

    pub fn get(&self, key: &FlowKey) -> Option<T> {
        self.flows.get(&Packed::new(key)).copied()
    }

    /// The flow of a datagram from `remote` to `local`: what [`FlowKey::candidates`] lists, without
    /// making the keys.
    pub fn find(&self, local: Endpoint, remote: Endpoint) -> Option<T> {
        let ((family, here), (_, there)) = (words(local.address), words(remote.address));
        let own_port = u64::from(local.port) | family;
        for (form, _) in self.forms.iter().enumerate().filter(|(_, count)| **count > 0) {
            let here = if form & 1 == 0 { here } else { [0, 0] };
            let (there, port) = if form < 2 { (there, remote_port(remote)) } else { ([0, 0], 0) };
            let key = Packed([here[0], here[1], there[0], there[1], own_port | port]);
            if let Some(found) = self.flows.get(&key) {
                return Some(*found);
            }
        }
        None
    }

    pub fn len(&self) -> usize {
        self.flows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}
