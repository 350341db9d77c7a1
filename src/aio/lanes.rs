//! Order: requests to a pipe, a socket, a terminal, or to the end of a file are done one after
//! the other, as they were accepted. Reads and writes do not wait for each other.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use slab::Slab;

use super::request::Entry;
use crate::sys::descriptor::{self, Descriptor};
use crate::sys::transfer::{self, Identity};

/// One direction of one file under one descriptor: a number that is used again for another file
/// does not wait for requests of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    fd: RawFd,
    device: u64,
    inode: u64,
    is_write: bool,
}

impl Key {
    pub fn new(fd: RawFd, identity: &Identity, is_write: bool) -> Self {
        Self { fd, device: identity.device, inode: identity.inode, is_write }
    }

    /// Whether the descriptor still means the file.
    pub fn is_current(&self) -> bool {
        transfer::identity(self.fd)
            .is_ok_and(|now| (now.device, now.inode) == (self.device, self.inode))
    }
}

/// The first one is under way, the others wait.
struct Lane {
    first: u32,
    last: u32,
    /// By which the file is reached when the program may have closed it.
    kept: Option<Descriptor>,
}

#[derive(Default)]
pub struct Lanes(HashMap<Key, Lane>);

impl Lanes {
    /// Makes room, so that nothing is allocated later.
    pub fn reserve(&mut self) {
        self.0.reserve(1);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_occupied(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// Puts a request at the end of its lane: `true` if it is the first.
    pub fn enter(&mut self, key: Key, index: u32, entries: &mut Slab<Entry>) -> bool {
        let mut is_first = false;
        let lane = self.0.entry(key).or_insert_with(|| {
            is_first = true;
            Lane { first: index, last: index, kept: None }
        });
        if !is_first {
            entries[lane.last as usize].next = Some(index);
            lane.last = index;
        }
        is_first
    }

    /// A descriptor of our own for a lane. If there is none to be had, the program's has to do.
    pub fn keep(&mut self, key: &Key) {
        if let Some(lane) = self.0.get_mut(key)
            && lane.kept.is_none()
        {
            lane.kept = descriptor::duplicate(key.fd).ok();
        }
    }

    /// That descriptor.
    pub fn kept(&self, key: &Key) -> Option<RawFd> {
        self.0.get(key)?.kept.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Takes one out that has ended: the next one, if it may begin now.
    pub fn leave(&mut self, key: Key, index: u32, entries: &mut Slab<Entry>) -> Option<u32> {
        let next = entries[index as usize].next.take();
        let lane = self.0.get_mut(&key)?;
        if lane.first == index {
            match next {
                Some(next) => lane.first = next,
                None => drop(self.0.remove(&key)),
            }
            return next;
        }
        let mut before = lane.first;
        while entries[before as usize].next != Some(index) {
            before = entries[before as usize].next?;
        }
        entries[before as usize].next = next;
        if lane.last == index {
            lane.last = before;
        }
        None
    }
}
