//! Areas that are made of frames: what the program reserves is one frame, with room for headers in
//! front, and what arrives is handed out where the driver has put it.
//!
//! The allocator works in whole chunks here. Single ones become frames and stay it, until somebody
//! needs several in a row.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Account;
use super::allocator::Chunk;
use super::area::Region;
use super::frames::{Frame, Frames, Freed, Hold};
use super::map::{MESSAGE_HEADER_BYTES, MSGHDR_BYTES, MessageParts};
use crate::error::{Errno, Result};
use crate::limits::FRAME_HEADROOM_BYTES;
use crate::sys::span::Span;
use crate::sys::stat::layout::area as count;
use crate::sys::sync::Mutex;
use crate::sys::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a reference to part of an area is to.
#[derive(Clone, Copy)]
pub enum Holder {
    Chunk(Chunk),
    Frame(Frame),
    /// It has become somebody else's.
    Nothing,
}

pub struct Framed {
    frames: Frames,
    /// Who has booked what is in a frame, where that is not the area itself.
    accounts: Mutex<HashMap<Frame, Arc<Account>>>,
    /// Frames are all that there is: nothing larger is given out.
    is_strict: AtomicBool,
    /// Ports that take frames to receive into.
    ports: AtomicUsize,
}

/// Where received data lies that the program is to have.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub frame: Frame,
    /// From the start of the frame.
    pub from: usize,
    pub bytes: usize,
}

/// Frames that the allocator is asked for together.
const ADOPTED_TOGETHER: usize = 64;
/// Control data is aligned as a `cmsghdr` is.
const CONTROL_ALIGNMENT: usize = 16;

impl Framed {
    pub fn new(area_bytes: usize, frame_bytes: usize) -> Self {
        Self {
            frames: Frames::new(area_bytes, frame_bytes),
            accounts: Mutex::default(),
            is_strict: AtomicBool::new(false),
            ports: AtomicUsize::new(0),
        }
    }

    pub fn is_any_held(&self) -> bool {
        self.frames.is_any_held()
    }

    /// The most that a block of one frame has.
    fn block_bytes_max(&self) -> usize {
        self.frames.chunk_bytes() - FRAME_HEADROOM_BYTES
    }

    fn hold(&self, given: Given, is_message: bool, account: Option<Arc<Account>>) {
        let is_booked = account.is_some();
        if let Some(account) = account {
            self.accounts.lock().insert(given.frame, account);
        }
        let Given { frame, from, bytes } = given;
        self.frames.hand_out(frame, &Hold { from, length: bytes, is_message, is_booked });
    }
}

impl Region {
    #[inline]
    fn framed(&self) -> &Framed {
        // Who asks knows: it has a frame in its hand, or has looked.
        self.framed.as_ref().unwrap_or_else(|| unreachable!("the area has no frames"))
    }

    /// The size of its frames, if it is made of any.
    pub fn frame_bytes(&self) -> Option<usize> {
        self.framed.as_ref().map(|framed| framed.frames.chunk_bytes())
    }

    /// Where a frame begins in the area.
    #[inline]
    pub fn frame_offset(&self, frame: Frame) -> usize {
        self.framed().frames.offset(frame)
    }

    /// The frame that an offset lies in.
    #[inline]
    pub fn frame_at(&self, offset: usize) -> Frame {
        self.framed().frames.at(offset)
    }

    /// How many frames the area has at most.
    pub fn frame_count(&self) -> usize {
        self.framed.as_ref().map_or(0, |framed| framed.frames.count())
    }

    /// From now on nothing is reserved that does not fit into a frame.
    pub fn insist_on_frames(&self) {
        if let Some(framed) = &self.framed {
            framed.is_strict.swap(true, Ordering::AcqRel);
        }
    }

    /// One more port takes frames to receive into.
    pub fn add_port(&self) {
        if let Some(framed) = &self.framed {
            framed.ports.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub fn remove_port(&self) {
        if let Some(framed) = &self.framed {
            framed.ports.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// How many share the area.
    pub fn port_count(&self) -> usize {
        self.framed.as_ref().map_or(0, |framed| framed.ports.load(Ordering::Acquire))
    }

    /// Claims a chunk from the allocator; free frames become its chunks again where it needs them.
    pub(super) fn take_chunk(&self, bytes: usize) -> Option<(Chunk, usize)> {
        let mut blocks = self.blocks();
        let mut taken = blocks.take(bytes);
        if taken.is_none()
            && let Some(framed) = &self.framed
        {
            while let Some(chunk) = framed.frames.disown() {
                blocks.drop_reference(chunk);
            }
            taken = blocks.take(bytes);
        }
        // The lock of the blocks is held: nobody else counts here.
        self.tally.add(if taken.is_some() { count::TAKEN } else { count::REFUSED }, 1);
        self.look_at_room(&blocks);
        taken
    }

    /// A frame that nobody has; the caller has the only reference.
    pub fn take_frame(&self) -> Option<Frame> {
        let frames = &self.framed.as_ref()?.frames;
        if let Some(frame) = frames.take() {
            return Some(frame);
        }
        {
            let mut blocks = self.blocks();
            for _ in 0..ADOPTED_TOGETHER {
                let Some((chunk, offset)) = blocks.take(frames.chunk_bytes()) else { break };
                frames.adopt(offset, chunk);
            }
        }
        frames.take()
    }

    /// Appends up to `count` frames that nobody has: how many. The caller has the only reference to
    /// each.
    pub fn take_frames(&self, count: usize, into: &mut Vec<Frame>) -> usize {
        let Some(framed) = &self.framed else { return 0 };
        let mut taken = 0;
        while taken < count {
            let got = framed.frames.take_many(count - taken, into);
            taken += got;
            if got == 0 {
                // More of the allocator's chunks become frames, if it has some.
                let Some(frame) = self.take_frame() else { break };
                into.push(frame);
                taken += 1;
            }
        }
        taken
    }

    pub fn add_frame_reference(&self, frame: Frame) {
        self.framed().frames.add_reference(frame);
    }

    /// Drops one reference to a frame.
    pub fn drop_frame(&self, frame: Frame) {
        let freed = self.framed().frames.drop_reference(frame);
        self.freed(freed);
    }

    fn freed(&self, freed: Option<Freed>) {
        let Some(Freed { frame, booked_bytes }) = freed else { return };
        if let Some(bytes) = booked_bytes
            && let Some(account) = self.framed().accounts.lock().remove(&frame)
        {
            account.subtract(bytes);
        }
        self.announce_space();
    }

    /// Reserves a frame for the program. `None`: the area has none, or may give something larger.
    pub(super) fn reserve_frame(&self, bytes: usize) -> Option<Result<usize>> {
        let framed = self.framed.as_ref()?;
        if bytes > framed.block_bytes_max() {
            let is_strict = framed.is_strict.load(Ordering::Acquire);
            return is_strict.then_some(Err(Errno::EMSGSIZE));
        }
        let Some(frame) = self.take_frame() else { return Some(Err(Errno::ENOBUFS)) };
        let given = Given { frame, from: FRAME_HEADROOM_BYTES, bytes };
        framed.hold(given, false, None);
        // Held first, looked at then: who frees the area does it the other way round.
        if self.blocks().is_gone() {
            framed.frames.release_all(frame);
            return Some(Err(Errno::EINVAL));
        }
        Some(Ok(self.given_span(given).address() as usize))
    }

    /// The same where that takes a few instructions: one frame that is free. In a look, which whoever
    /// frees the area waits for.
    pub fn reserve_quickly(&self, bytes: usize) -> Option<usize> {
        let framed = self.framed.as_ref()?;
        if bytes == 0 || bytes > framed.block_bytes_max() {
            return None;
        }
        let frame = framed.frames.take()?;
        let given = Given { frame, from: FRAME_HEADROOM_BYTES, bytes };
        framed.hold(given, false, None);
        Some(self.given_span(given).address() as usize)
    }

    #[inline(always)]
    fn given_span(&self, given: Given) -> Span {
        self.mapping().span(self.frame_offset(given.frame) + given.from, given.bytes)
    }

    /// Makes the program the holder of what has arrived in a frame, in place of the caller: its
    /// address. The account, if there is one, knows of the bytes.
    pub fn give_frame(&self, given: Given, account: Option<Arc<Account>>) -> usize {
        let address = self.given_span(given).address() as usize;
        if given.bytes == 0 {
            // Nothing is held, but something may be given back.
            self.blocks().hand_out(0, 0, 0, None);
            self.drop_frame(given.frame);
        } else {
            self.framed().hold(given, false, account);
        }
        address
    }

    /// The same for bytes that nobody has booked.
    #[inline(always)]
    pub fn give_frame_plainly(&self, given: Given) -> usize {
        match &self.framed {
            Some(framed) if given.bytes > 0 => {
                framed.frames.hand_out_plainly(given.frame, given.from, given.bytes);
                self.given_span(given).address() as usize
            }
            _ => self.give_frame(given, None),
        }
    }

    /// The same as a message: its header, the sender's name and the control data are put into the
    /// frame, in front of `given.from` less `kept_bytes`. What does not fit is cut.
    pub fn give_frame_message(
        &self,
        given: Given,
        kept_bytes: usize,
        parts: (&[u8], &[u8], i32),
        account: Option<Arc<Account>>,
    ) -> usize {
        let (name, control, mut flags) = parts;
        let base = self.frame_offset(given.frame);
        let room = given.from - kept_bytes;
        let name_from = base + MESSAGE_HEADER_BYTES;
        let control_from = (MESSAGE_HEADER_BYTES + name.len()).next_multiple_of(CONTROL_ALIGNMENT);
        let control = if control_from + control.len() <= room {
            control
        } else {
            flags |= libc::MSG_CTRUNC;
            &[]
        };
        let name_room = self.mapping().span(name_from, name.len());
        let control_room = self.mapping().span(base + control_from.min(room), control.len());
        name_room.fill_from(name);
        control_room.fill_from(control);
        self.mapping().write_header(
            base,
            &MessageParts {
                data: self.given_span(given),
                name: name_room,
                name_length: name.len(),
                control: control_room,
                flags,
            },
        );
        self.framed().hold(given, true, account);
        self.mapping().span(base, MSGHDR_BYTES).address() as usize
    }

    /// Most blocks come back like this: see [`Frames::release_plainly`]. `None`: this one does not.
    /// `true`: somebody waits for room, and [`Region::announce_space`] is to follow.
    #[inline(always)]
    pub fn release_plainly(&self, address: usize, bytes: usize) -> Option<bool> {
        let offset = self.mapping().offset_of(address, bytes)?;
        let is_back = match &self.framed {
            Some(framed) => framed.frames.release_plainly(offset, bytes),
            // The block that was handed out last, unless another thread has the lock.
            None => self.try_blocks()?.release_fresh(offset, bytes),
        };
        is_back.then(|| self.is_space_wanted())
    }

    /// `false`: what lies there is no frame.
    pub(super) fn release_frame(&self, offset: usize, bytes: usize) -> Result<bool> {
        let Some(framed) = self.framed.as_ref().filter(|_| bytes > 0) else { return Ok(false) };
        if framed.frames.find(offset).is_none() {
            return Ok(false);
        }
        let freed = framed.frames.release(offset, bytes, MSGHDR_BYTES)?;
        self.freed(freed);
        Ok(true)
    }

    /// Whether it lies in a frame that one of the others lies in as well.
    pub(super) fn is_frame_of_one(&self, offset: usize, others: &[usize]) -> bool {
        let Some(framed) = &self.framed else { return false };
        let Some(frame) = framed.frames.find(offset) else { return false };
        others.iter().any(|&other| framed.frames.find(other) == Some(frame))
    }

    /// The same, for whatever the program holds there.
    pub(super) fn release_frame_around(&self, offset: usize) -> bool {
        let Some(framed) = &self.framed else { return false };
        let Some(frame) = framed.frames.find(offset) else { return false };
        let freed = framed.frames.release_all(frame);
        self.freed(freed);
        true
    }

    /// `None`: what lies there is no frame.
    pub(super) fn lend_frame(&self, offset: usize, bytes: usize) -> Option<Result<Frame>> {
        let frames = &self.framed.as_ref()?.frames;
        frames.find(offset)?;
        Some(frames.lend(offset, bytes))
    }

    /// The same, which ends what the program holds of the frame. `None`: it cannot be had like this.
    pub(super) fn lend_last_frame(&self, offset: usize, bytes: usize) -> Option<Frame> {
        let frames = &self.framed.as_ref()?.frames;
        frames.find(offset)?;
        frames.lend_last(offset, bytes).ok()
    }

    /// Whether there is room for headers directly in front of a block that lies in a frame, and nobody
    /// uses it: then it is the caller's, who has a reference, until [`Region::end_lead`], or until
    /// [`Region::retract`] together with the reference. `offset` is where the block begins.
    pub fn lead(&self, offset: usize, header_bytes: usize) -> bool {
        self.framed().frames.lead(offset, header_bytes)
    }

    pub fn end_lead(&self, frame: Frame) {
        self.framed().frames.end_lead(frame);
    }

    pub fn retract(&self, frame: Frame) {
        let freed = self.framed().frames.retract(frame);
        self.freed(freed);
    }
}

#[cfg(test)]
#[path = "framed_tests.rs"]
mod tests;
