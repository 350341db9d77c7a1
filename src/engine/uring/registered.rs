//! Areas in the ring's table of registered buffers: what is sent from there without a copy need not
//! be looked up and pinned each time.
#![forbid(unsafe_code)]

use super::Uring;
use crate::error::{Errno, Result};
use crate::limits::REGISTERED_BUFFER_BYTES_MAX;
use crate::region::Region;
use crate::sys::ring::Ring;
use crate::sys::span::Span;

/// Slots of the table.
const SLOTS: usize = 64;

#[derive(Default)]
pub(super) struct Registered {
    has_table: bool,
    /// The area and its base offset, by slot.
    slots: Vec<Option<(u64, Span)>>,
}

impl Registered {
    pub fn has(&self, area: u64) -> bool {
        self.slots.iter().flatten().any(|(owner, _)| *owner == area)
    }

    fn add(&mut self, region: &Region, ring: &Ring) -> Result<()> {
        if !self.has_table {
            ring.register_buffer_table(SLOTS as u32)?;
            self.has_table = true;
            self.slots.resize(SLOTS, None);
        }
        let mapping = region.mapping();
        let mut offset = 0;
        while offset < mapping.len() {
            let bytes = (mapping.len() - offset).min(REGISTERED_BUFFER_BYTES_MAX);
            let span = mapping.span(offset, bytes);
            let slot = self.slots.iter().position(Option::is_none).ok_or(Errno::ENOBUFS)?;
            ring.register_buffer(slot as u32, Some(span))?;
            self.slots[slot] = Some((region.handle(), span));
            offset += bytes;
        }
        Ok(())
    }

    pub fn remove(&mut self, area: u64, ring: &Ring) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.is_some_and(|(owner, _)| owner == area) {
                let _ = ring.register_buffer(index as u32, None);
                *slot = None;
            }
        }
    }

    /// The slot that holds all of `span`.
    pub fn slot_of(&self, span: Span) -> Option<u16> {
        let start = span.address() as usize;
        let index = self.slots.iter().position(|slot| {
            slot.is_some_and(|(_, whole)| {
                let base = whole.address() as usize;
                start >= base && start + span.len() <= base + whole.len()
            })
        })?;
        u16::try_from(index).ok()
    }
}

impl Uring {
    /// Registers an area for zero copy; without it sends still work, only slower.
    pub(super) fn register(&mut self, region: &Region) {
        let wanted = self.features.send_zero_copy && self.features.sparse_buffers;
        if wanted && !self.registered.has(region.handle()) {
            let added = self.registered.add(region, &self.ring);
            if added.is_err() {
                self.registered.remove(region.handle(), &self.ring);
            }
        }
    }
}
