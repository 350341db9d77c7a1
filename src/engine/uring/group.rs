//! The part of an area that the kernel may fill: a ring of buffers that all sockets of a channel
//! with that area share, so that an idle connection holds none.
//!
//! Nothing is set aside before the first data arrive: an area whose sockets are silent is all the
//! program's. A buffer that came back half empty is cut to what it holds.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use super::supply::Supply;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::region::{Claim, Loan, Parts, Region};
use crate::sys::message::INCOMING_BYTES;
use crate::sys::ring::{BufferRing, Ring};

/// What is filled piece by piece can be larger than what most messages need.
const PARTS_BYTES_MAX: usize = 64 * 1024;
const ONCE_BYTES_MAX: usize = 16 * 1024;
const BUFFER_BYTES_MIN: usize = 2 * 1024;
/// A buffer for messages holds the longest datagram and what the kernel puts before it.
const MESSAGE_BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + INCOMING_BYTES;
/// An area in which fewer of those find room is better used by readiness.
const MESSAGE_BUFFERS_MIN: usize = 16;
/// Buffers that the kernel is given in advance take at most this part of the area, or this much.
const ADVANCE_DIVISOR: usize = 4;
const ADVANCE_BYTES_MAX: usize = 4 << 20;
/// The same of buffers that are filled piece by piece: no more than the caches keep.
const ADVANCE_PARTS_BYTES_MAX: usize = 1 << 20;
/// What it is given of them at least.
const PARTS_MIN: usize = 2;
const ONCE_MIN: usize = 4;

/// What a buffer is filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// A stretch of one stream.
    Once,
    /// Stretches of many streams, until it is full.
    Parts,
    /// A message and what came with it.
    Message,
}

pub struct Group {
    pub id: u16,
    pub area: u64,
    pub use_of_buffers: Use,
    region: Arc<Region>,
    ring: BufferRing,
    buffers: Vec<Option<Parts>>,
    free_ids: Vec<u16>,
    /// Sockets that receive into its buffers.
    pub users: usize,
    buffer_bytes: usize,
    /// Data have arrived: from now on the kernel is kept supplied.
    active: bool,
    supply: Supply,
    /// The kernel has used buffers up since it was supplied last.
    has_used: bool,
    /// Room in what the kernel has, and what a socket takes of it on average.
    left_bytes: usize,
    typical_bytes: usize,
    /// What sockets were told, this time, that there is for them.
    promised_bytes: usize,
    /// Sockets that found no buffer, in the order in which they came.
    starved: VecDeque<Key>,
    /// Those of them for whose next message, as long as it is, there was no room either.
    hungry: VecDeque<Key>,
    /// There was no room for a single buffer.
    lacks_room: bool,
    /// Others were asked for what they keep, when so much had come back of itself.
    has_begged: Option<u32>,
}

impl Group {
    pub fn new(ring: &Ring, id: u16, region: &Arc<Region>, use_of_buffers: Use) -> Result<Self> {
        let area_bytes = region.mapping().len();
        let of_area = (area_bytes / 64).next_power_of_two();
        let buffer_bytes = match use_of_buffers {
            Use::Once => of_area.clamp(BUFFER_BYTES_MIN, ONCE_BYTES_MAX),
            Use::Parts => of_area.clamp(BUFFER_BYTES_MIN, PARTS_BYTES_MAX),
            Use::Message => MESSAGE_BUFFER_BYTES,
        };
        let for_messages = use_of_buffers == Use::Message;
        if for_messages && area_bytes / buffer_bytes < MESSAGE_BUFFERS_MIN {
            return Err(Errno::ENOBUFS);
        }
        let max_bytes = match use_of_buffers {
            Use::Parts => ADVANCE_PARTS_BYTES_MAX,
            Use::Once | Use::Message => ADVANCE_BYTES_MAX,
        };
        let advance_bytes = (area_bytes / ADVANCE_DIVISOR).min(max_bytes);
        let count = (advance_bytes / buffer_bytes).max(1).next_power_of_two();
        let min = match use_of_buffers {
            Use::Once => ONCE_MIN,
            Use::Parts => PARTS_MIN,
            // What finds no buffer may be lost.
            Use::Message => count,
        };
        let count = count as u16;
        region.keep_size(buffer_bytes);
        Ok(Self {
            id,
            area: region.handle(),
            use_of_buffers,
            region: region.clone(),
            ring: ring.buffer_ring(id, count, use_of_buffers == Use::Parts)?,
            buffers: (0..count).map(|_| None).collect(),
            free_ids: (0..count).collect(),
            users: 0,
            buffer_bytes,
            active: false,
            supply: Supply::new(min, count.into()),
            has_used: false,
            left_bytes: 0,
            typical_bytes: buffer_bytes,
            promised_bytes: 0,
            starved: VecDeque::new(),
            hungry: VecDeque::new(),
            lacks_room: false,
            has_begged: None,
        })
    }

    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// What a stretch of a stream is long on average, if that is known.
    pub fn usual_bytes(&self) -> Option<usize> {
        (self.active && self.use_of_buffers == Use::Parts).then_some(self.typical_bytes)
    }

    /// How many buffers the kernel has.
    fn count(&self) -> usize {
        self.buffers.len() - self.free_ids.len()
    }

    /// Whether the kernel has a buffer.
    pub fn has_buffers(&self) -> bool {
        self.count() > 0
    }

    /// A socket has found no buffer.
    pub fn add_starved(&mut self, key: Key) {
        self.starved.push_back(key);
    }

    pub fn has_starved(&self) -> bool {
        !self.starved.is_empty() || !self.hungry.is_empty()
    }

    /// There was no room for its next message: it waits for more.
    pub fn add_hungry(&mut self, key: Key) {
        self.hungry.push_back(key);
    }

    /// Room has come back: whoever waits for some may look.
    pub fn space(&mut self) {
        self.starved.append(&mut self.hungry);
    }

    pub fn lacks_room(&self) -> bool {
        self.lacks_room && self.has_starved()
    }

    /// There was no room, for messages as long as they are neither, and nobody has been asked since
    /// something came back. From now on somebody has.
    pub fn begs(&mut self) -> bool {
        let is_for_messages = self.use_of_buffers == Use::Message;
        if !self.lacks_room() || is_for_messages && self.hungry.is_empty() {
            return false;
        }
        let announced = Some(self.region.announced());
        std::mem::replace(&mut self.has_begged, announced) != announced
    }

    /// The next of those who found no buffer, where free memory lies in pieces that are too small
    /// for one: their messages may fit. Each is told once.
    pub fn next_to_take(&mut self) -> Option<Key> {
        let is_meant = self.lacks_room && self.use_of_buffers == Use::Message;
        if is_meant { self.starved.pop_front() } else { None }
    }

    /// Has buffers for those who found none, if the area has room. Otherwise it is looked at once,
    /// and not for each of them: there may be thousands.
    /// At most `messages_max` buffers for messages are new: how many are.
    pub fn prepare_to_feed(&mut self, messages_max: usize) -> usize {
        self.promised_bytes = 0;
        let is_for_messages = self.use_of_buffers == Use::Message;
        let max = if is_for_messages { messages_max } else { usize::MAX };
        let before = self.count();
        self.active |= self.has_starved();
        self.refill(max);
        if self.has_starved() && !self.has_buffers() && max > 0 {
            // Said first, looked at again afterwards: nothing that comes back is missed.
            self.region.want_space();
            self.refill(max);
            self.lacks_room = true;
        }
        self.lacks_room &= !self.has_buffers();
        if is_for_messages { self.count() - before } else { 0 }
    }

    /// The next of those who found no buffer, if there is room for it when each takes as much as
    /// most do; with `all` only if there is any.
    pub fn next_to_feed(&mut self, all: bool) -> Option<Key> {
        if !self.has_buffers() || !(all || self.promised_bytes < self.left_bytes) {
            return None;
        }
        let key = self.starved.pop_front().or_else(|| self.hungry.pop_front())?;
        self.promised_bytes += self.typical_bytes;
        Some(key)
    }

    /// What the kernel has put into a buffer for stretches of streams: `bytes` of it; with `more` it
    /// goes on with the rest.
    pub fn take(&mut self, id: u16, bytes: usize, more: bool) -> Option<Loan> {
        let place = self.buffers.get_mut(usize::from(id))?;
        if self.use_of_buffers == Use::Parts {
            // With an end or an error it is not used up, whatever the kernel says of it.
            let buffer = place.as_mut().filter(|_| bytes > 0)?;
            self.typical_bytes = (self.typical_bytes * 7 + bytes).div_ceil(8);
            let loan = self.region.next_part(buffer, bytes);
            self.left_bytes -= bytes.min(self.left_bytes);
            if !more && let Some(buffer) = place.take() {
                self.region.end_parts(buffer);
                self.give_back(id);
            }
            return Some(loan);
        }
        let claim = self.take_whole(id, bytes)?;
        Some(self.region.lend_claim(claim))
    }

    /// A buffer that was used once, for `bytes`.
    #[inline]
    pub fn take_whole(&mut self, id: u16, bytes: usize) -> Option<Claim> {
        let mut claim = self.buffers.get_mut(usize::from(id))?.take()?.into_whole();
        self.left_bytes -= claim.len();
        self.give_back(id);
        self.region.cut(&mut claim, bytes);
        Some(claim)
    }

    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    fn give_back(&mut self, id: u16) {
        self.free_ids.push(id);
        self.has_used = true;
    }

    /// Supplies the kernel, as far as the area has room, with at most `max` more.
    fn refill(&mut self, max: usize) {
        if !self.active {
            return;
        }
        let count = self.count();
        if std::mem::take(&mut self.has_used) {
            self.supply.look(count);
        }
        let wanted = self.supply.wanted().saturating_sub(count).min(max);
        if wanted == 0 {
            return;
        }
        self.provide(self.buffer_bytes, wanted);
        // What room there is may lie in small pieces.
        let mut bytes = self.buffer_bytes / 2;
        while !self.has_buffers()
            && self.use_of_buffers != Use::Message
            && bytes >= BUFFER_BYTES_MIN
        {
            self.provide(bytes, wanted);
            bytes /= 2;
        }
        if self.count() > count {
            self.ring.publish();
        }
    }

    fn provide(&mut self, bytes: usize, wanted: usize) {
        let Self { region, ring, buffers, free_ids, left_bytes, .. } = self;
        region.claim_many(bytes, wanted.min(free_ids.len()), |claim| {
            // There are as many.
            let id = free_ids.pop().unwrap_or_default();
            ring.provide(region.claimed(&claim), id);
            *left_bytes += claim.len();
            buffers[usize::from(id)] = Some(Parts::new(claim));
        });
    }

    /// Supplies nothing until data arrives again.
    pub fn deactivate(&mut self) {
        self.active = false;
    }

    fn take_back(&mut self) {
        for buffer in self.buffers.iter_mut().filter_map(Option::take) {
            self.region.end_parts(buffer);
        }
    }

    /// The kernel has let go of the ring of buffers: a fresh one without any.
    pub fn start_over(&mut self, ring: &Ring) -> Result<()> {
        let count = self.buffers.len() as u16;
        self.take_back();
        self.free_ids = (0..count).collect();
        self.left_bytes = 0;
        self.has_used = false;
        self.ring = ring.buffer_ring(self.id, count, self.use_of_buffers == Use::Parts)?;
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.take_back();
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
