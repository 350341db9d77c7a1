//! The part of an area that the kernel may fill: a ring of buffers that all sockets of a channel
//! with that area share, so that an idle connection holds none.
//!
//! Nothing is set aside before the first data arrive: an area whose sockets are silent is all the
//! program's. A buffer that came back half empty is cut to what it holds.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::error::{Errno, Result};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::region::{Loan, Region};
use crate::sys::message::INCOMING_BYTES;
use crate::sys::ring::{BufferRing, Ring};

const BUFFER_BYTES_MAX: usize = 16 * 1024;
const BUFFER_BYTES_MIN: usize = 2 * 1024;
/// A buffer for messages holds the longest datagram and what the kernel puts before it.
const MESSAGE_BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + INCOMING_BYTES;
/// An area in which fewer of those find room is better used by readiness.
const MESSAGE_BUFFERS_MIN: usize = 16;
/// Buffers that the kernel is given in advance take at most this part of the area, or this much.
const ADVANCE_DIVISOR: usize = 4;
const ADVANCE_BYTES_MAX: usize = 4 << 20;

pub struct Group {
    pub id: u16,
    pub area: u64,
    /// For datagrams, not for streams.
    pub for_messages: bool,
    region: Arc<Region>,
    ring: BufferRing,
    buffers: Vec<Option<Loan>>,
    free_ids: Vec<u16>,
    /// Sockets that receive into its buffers.
    pub users: usize,
    buffer_bytes: usize,
    /// Data have arrived: from now on the kernel is kept supplied.
    active: bool,
    /// Sockets that were told, this time, that there is a buffer for them.
    pub promised: usize,
}

impl Group {
    pub fn new(ring: &Ring, id: u16, region: &Arc<Region>, for_messages: bool) -> Result<Self> {
        let area_bytes = region.mapping().len();
        let buffer_bytes = if for_messages {
            MESSAGE_BUFFER_BYTES
        } else {
            (area_bytes / 64).next_power_of_two().clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX)
        };
        if for_messages && area_bytes / buffer_bytes < MESSAGE_BUFFERS_MIN {
            return Err(Errno::ENOBUFS);
        }
        let advance_bytes = (area_bytes / ADVANCE_DIVISOR).min(ADVANCE_BYTES_MAX);
        let count = (advance_bytes / buffer_bytes).max(1).next_power_of_two() as u16;
        Ok(Self {
            id,
            area: region.handle(),
            for_messages,
            region: region.clone(),
            ring: ring.buffer_ring(id, count)?,
            buffers: (0..count).map(|_| None).collect(),
            free_ids: (0..count).collect(),
            users: 0,
            buffer_bytes,
            active: false,
            promised: 0,
        })
    }

    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Whether the kernel has a buffer.
    pub fn has_buffers(&self) -> bool {
        self.free_ids.len() < self.buffers.len()
    }

    /// Whether one more socket finds a buffer, if each takes one.
    pub fn promise(&mut self) -> bool {
        let has_one = self.promised < self.buffers.len() - self.free_ids.len();
        self.promised += usize::from(has_one);
        has_one
    }

    /// The buffer that the kernel has filled.
    pub fn take(&mut self, id: u16) -> Option<Loan> {
        let loan = self.buffers.get_mut(usize::from(id))?.take()?;
        self.free_ids.push(id);
        Some(loan)
    }

    /// Supplies the kernel from now on, as far as the area has room.
    pub fn activate(&mut self) {
        self.active = true;
        self.refill();
    }

    pub fn refill(&mut self) {
        if !self.active || self.free_ids.is_empty() {
            return;
        }
        let Self { region, ring, buffers, free_ids, buffer_bytes, .. } = self;
        let wanted = free_ids.len();
        region.take_many(*buffer_bytes, wanted, |loan| {
            if let Some(id) = free_ids.pop() {
                ring.provide(loan.span(), id);
                buffers[usize::from(id)] = Some(loan);
            }
        });
        if free_ids.len() < wanted {
            ring.publish();
        }
    }

    /// Supplies nothing until data arrives again.
    pub fn deactivate(&mut self) {
        self.active = false;
    }

    /// The kernel has let go of the ring of buffers: a fresh one without any.
    pub fn start_over(&mut self, ring: &Ring) -> Result<()> {
        let count = self.buffers.len() as u16;
        self.ring = ring.buffer_ring(self.id, count)?;
        self.buffers = (0..count).map(|_| None).collect();
        self.free_ids = (0..count).collect();
        Ok(())
    }

    /// Asks to be told when the area has room again.
    pub fn want_space(&self) {
        self.region.want_space();
    }
}
