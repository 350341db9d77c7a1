//! Buffers of eight bytes into which a ring reads counters. eventfd(2), io_uring_enter(2).

use std::cell::UnsafeCell;

use super::ring::{BufferRing, Ring};
use super::span::Span;
use crate::error::Result;

/// As many counters as can be read between two looks at the ring; more wait their turn.
const ENTRIES: u16 = 512;

pub struct Counters {
    ring: BufferRing,
    /// The kernel writes here: nothing but take() reads it, through the cell.
    values: Box<[UnsafeCell<u64>]>,
}

// SAFETY: whoever has the value exclusively is the only one in this process that touches the cells.
unsafe impl Send for Counters {}

impl Counters {
    /// A group of buffers of the ring, which must not outlive it by an operation.
    pub fn new(ring: &Ring, group: u16) -> Result<Self> {
        let values = (0..ENTRIES).map(|_| UnsafeCell::new(0)).collect();
        let mut counters = Self { ring: ring.buffer_ring(group, ENTRIES, false)?, values };
        for id in 0..ENTRIES {
            counters.provide(id);
        }
        counters.publish();
        Ok(counters)
    }

    fn provide(&mut self, id: u16) {
        let value = self.values[usize::from(id)].get();
        // SAFETY: the cells live as long as this value, which the ring does not outlive by an
        // operation.
        let span = unsafe { Span::new(value.cast(), size_of::<u64>()) };
        self.ring.provide(span, id);
    }

    /// Lets the kernel have the buffers that were taken from.
    pub fn publish(&mut self) {
        self.ring.publish();
    }

    /// What was read into a buffer, which goes back to the kernel with [`Counters::publish`].
    pub fn take(&mut self, id: u16) -> u64 {
        let Some(cell) = self.values.get(usize::from(id)) else { return 0 };
        // SAFETY: the completion has handed the buffer over; the kernel writes no more to it
        // before it is provided again.
        let value = unsafe { cell.get().read_volatile() };
        self.provide(id);
        value
    }
}
