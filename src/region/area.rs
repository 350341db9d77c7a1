//! One DMA area: its mapping, its blocks, and those who want to know when there is room again.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};

use super::account::Account;
use super::allocator::Chunk;
use super::blocks::Blocks;
use super::claim::Claim;
use super::framed::{Framed, Holder};
use super::frames::Frame;
use super::map::{MESSAGE_HEADER_BYTES, MSGHDR_BYTES, Mapping, MessageParts, Pages};
use super::places;
use crate::error::{Errno, Result};
use crate::limits::GRANULE_BYTES;
use crate::sys::futex;
use crate::sys::socket::{MessageFacts, MessageRoom};
use crate::sys::span::Span;
use crate::sys::stat::{Tally, layout::Kind};
use crate::sys::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::sys::sync::{Mutex, MutexGuard};

/// Somebody who keeps parts of an area for receiving: a channel.
pub trait Patron: Send + Sync {
    /// Blocks have come back. Called with locks held: must not take any.
    fn space(&self);
    /// The program needs the room: give back what is kept and not in use. Called without locks.
    fn reclaim(&self, area: u64);
    /// The area is about to go: give back everything. Called without locks.
    fn retire(&self, area: u64);
}

pub struct Region {
    handle: u64,
    asked_bytes: usize,
    engines: u32,
    mapping: Mapping,
    blocks: Mutex<Blocks>,
    /// Where chunks are frames.
    pub(super) framed: Option<Framed>,
    associations: AtomicUsize,
    patrons: Mutex<Vec<Weak<dyn Patron>>>,
    /// Somebody waits for room.
    hungry: AtomicBool,
    /// When something was taken last, room was short.
    is_tight: AtomicBool,
    /// Moved on whenever room may have become free while `sleepers` is not zero.
    freed: Arc<AtomicU32>,
    sleepers: AtomicUsize,
    pub(super) tally: Tally,
}

impl Region {
    /// `engines`: which engines the area insists on, as `dma_alloc`'s flags say. With
    /// `frame_bytes` it is made of frames of that size.
    pub fn new(
        handle: u64,
        size: usize,
        pages: Pages,
        engines: u32,
        frame_bytes: Option<usize>,
    ) -> Result<Arc<Self>> {
        if size == 0 {
            return Err(Errno::EINVAL);
        }
        let mapping = Mapping::new(size, pages)?;
        let granule_bytes = frame_bytes.unwrap_or(GRANULE_BYTES);
        let blocks = Mutex::new(Blocks::new(mapping.len(), granule_bytes)?);
        let framed = frame_bytes.map(|bytes| Framed::new(mapping.len(), bytes));
        let tally = Tally::new(Kind::Area);
        tally.set_area(handle);
        tally.set_size(mapping.len() as u64);
        if let Some(errno) = mapping.unlocked() {
            tally.set_reason(&format!("not locked: {errno:?}"));
        }
        places::add(mapping.span(0, 0).address() as usize, mapping.len());
        Ok(Arc::new(Self {
            handle,
            asked_bytes: size,
            engines,
            mapping,
            blocks,
            framed,
            associations: AtomicUsize::new(0),
            patrons: Mutex::new(Vec::new()),
            hungry: AtomicBool::new(false),
            is_tight: AtomicBool::new(false),
            freed: Arc::new(AtomicU32::new(0)),
            sleepers: AtomicUsize::new(0),
            tally,
        }))
    }

    pub fn handle(&self) -> u64 {
        self.handle
    }

    pub fn asked_bytes(&self) -> usize {
        self.asked_bytes
    }

    pub fn engines(&self) -> u32 {
        self.engines
    }

    /// How often there was no room, so far.
    #[cfg(test)]
    pub fn refused(&self) -> u64 {
        self.tally.get(crate::sys::stat::layout::area::REFUSED)
    }

    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// A panic while the lock was held left the state whole: every change is made in one step.
    pub(super) fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock()
    }

    #[inline]
    pub(super) fn try_blocks(&self) -> Option<MutexGuard<'_, Blocks>> {
        self.blocks.try_lock_sound()
    }

    /// One more socket uses the area.
    pub fn associate(&self) {
        self.associations.fetch_add(1, Ordering::AcqRel);
    }

    pub fn disassociate(&self) {
        self.associations.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether nothing speaks against freeing the area.
    pub fn is_idle(&self) -> bool {
        self.associations.load(Ordering::Acquire) == 0
            && !self.blocks().is_any_held()
            && !self.framed.as_ref().is_some_and(Framed::is_any_held)
    }

    /// `sio_reserve`: the address of a block that the program holds.
    pub fn reserve(&self, bytes: usize) -> Result<usize> {
        if bytes == 0 {
            return Err(Errno::EINVAL);
        }
        match self.try_to_reserve(bytes) {
            Err(Errno::ENOBUFS) if bytes <= self.mapping.len() => {
                // Buffers that wait for data are room that the program may have instead.
                for patron in self.living_patrons() {
                    patron.reclaim(self.handle);
                }
                self.try_to_reserve(bytes)
            }
            answer => answer,
        }
    }

    fn try_to_reserve(&self, bytes: usize) -> Result<usize> {
        if let Some(answer) = self.reserve_frame(bytes) {
            return answer;
        }
        let (chunk, offset) = self.take_chunk(bytes).ok_or(Errno::ENOBUFS)?;
        let mut blocks = self.blocks();
        blocks.hand_out(chunk, offset, bytes, None);
        blocks.drop_reference(chunk);
        Ok(self.mapping.span(offset, bytes).address() as usize)
    }

    /// `sio_release`: exactly what was handed out comes back.
    pub fn release(&self, address: usize, bytes: usize) -> Result<()> {
        let offset = self.mapping.offset_of(address, bytes).ok_or(Errno::EINVAL)?;
        if self.release_frame(offset, bytes)? {
            return Ok(());
        }
        self.blocks().release(offset, bytes)?;
        self.announce_space();
        Ok(())
    }

    /// The whole block around an offset comes back (`SIO_RELEASE`).
    pub fn release_around(&self, offset: usize) {
        if self.release_frame_around(offset) {
            return;
        }
        self.blocks().release_around(offset);
        self.announce_space();
    }

    /// A reference to bytes of a block that the program holds, for as long as they are sent.
    pub fn lend(self: &Arc<Self>, address: usize, bytes: usize) -> Result<Loan> {
        let offset = self.mapping.offset_of(address, bytes).ok_or(Errno::EFAULT)?;
        let holder = match self.lend_frame(offset, bytes) {
            Some(frame) => Holder::Frame(frame?),
            None => Holder::Chunk(self.blocks().lend(offset, bytes)?),
        };
        Ok(Loan { region: self.clone(), holder, offset, length: bytes })
    }

    /// The same for the first bytes of such a block, which ends the program's hold on all of it.
    /// `None`: they are something else.
    pub fn lend_last(self: &Arc<Self>, address: usize, bytes: usize) -> Option<Loan> {
        let offset = self.mapping.offset_of(address, bytes)?;
        let holder = match &self.framed {
            Some(_) => Holder::Frame(self.lend_last_frame(offset, bytes)?),
            None => Holder::Chunk(self.blocks().lend_last(offset, bytes)?),
        };
        Some(Loan { region: self.clone(), holder, offset, length: bytes })
    }

    /// Whether room was short when something was taken last.
    pub(super) fn is_tight(&self) -> bool {
        self.is_tight.load(Ordering::Relaxed)
    }

    /// Room was taken: it may be short now. What comes back meanwhile is seen with the next look.
    pub(super) fn look_at_room(&self, blocks: &Blocks) {
        let is_tight = blocks.is_tight();
        if self.is_tight() != is_tight {
            self.is_tight.swap(is_tight, Ordering::Relaxed);
        }
    }

    /// A fresh chunk to receive into.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Loan> {
        let (chunk, offset) = self.take_chunk(bytes)?;
        Some(Loan { region: self.clone(), holder: Holder::Chunk(chunk), offset, length: bytes })
    }

    /// `patron` keeps parts of this area, and is told when it goes.
    pub fn add_patron(&self, patron: &Arc<dyn Patron>) {
        let mut patrons = self.patrons();
        patrons.retain(|known| known.strong_count() > 0);
        if !patrons.iter().any(|known| known.ptr_eq(&Arc::downgrade(patron))) {
            patrons.push(Arc::downgrade(patron));
        }
    }

    /// The patrons want to hear of the next block that comes back.
    pub fn want_space(&self) {
        self.hungry.swap(true, Ordering::SeqCst);
    }

    /// Tells every patron that the area goes.
    pub fn retire(&self) {
        for patron in self.living_patrons() {
            patron.retire(self.handle);
        }
    }

    fn living_patrons(&self) -> Vec<Arc<dyn Patron>> {
        self.patrons().iter().filter_map(Weak::upgrade).collect()
    }

    fn patrons(&self) -> MutexGuard<'_, Vec<Weak<dyn Patron>>> {
        self.patrons.lock()
    }

    /// Whether somebody has to be told that room has become free.
    #[inline(always)]
    pub(super) fn is_space_wanted(&self) -> bool {
        self.hungry.load(Ordering::SeqCst) || self.sleepers.load(Ordering::SeqCst) > 0
    }

    /// Room has become free.
    pub fn announce_space(&self) {
        // Looked at first: most of the time nobody wants to know, and a locked operation is not
        // cheap.
        if self.hungry.load(Ordering::SeqCst) && self.hungry.swap(false, Ordering::SeqCst) {
            // Not under the lock: a patron that goes meanwhile gives back blocks of its own.
            for patron in self.living_patrons() {
                patron.space();
            }
        }
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.freed.fetch_add(1, Ordering::SeqCst);
            futex::wake(&self.freed, i32::MAX);
        }
    }

    /// A word that changes when room may have become free, for a thread that looks again and
    /// then sleeps on it. Stays registered until the ticket is dropped.
    pub fn await_space(self: &Arc<Self>) -> SpaceTicket {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let seen = self.freed.load(Ordering::SeqCst);
        SpaceTicket { region: self.clone(), word: self.freed.clone(), seen }
    }
}

/// See [`Region::await_space`].
pub struct SpaceTicket {
    region: Arc<Region>,
    pub word: Arc<AtomicU32>,
    pub seen: u32,
}

impl Drop for Region {
    fn drop(&mut self) {
        places::remove(self.mapping.span(0, 0).address() as usize);
    }
}

impl Drop for SpaceTicket {
    fn drop(&mut self) {
        self.region.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A reference to a chunk: the memory is not given to anybody else until it is dropped.
pub struct Loan {
    region: Arc<Region>,
    holder: Holder,
    offset: usize,
    length: usize,
}

impl Loan {
    pub(super) fn new(region: Arc<Region>, holder: Holder, offset: usize, length: usize) -> Self {
        Self { region, holder, offset, length }
    }

    /// The reference for the caller, if it is one to a chunk.
    pub fn into_claim(mut self) -> Option<Claim> {
        let Holder::Chunk(chunk) = self.holder else { return None };
        self.holder = Holder::Nothing;
        Some(Claim { chunk, offset: self.offset, length: self.length })
    }

    /// Takes over the bytes that follow in the same chunk; gives others back.
    pub fn join(&mut self, next: Loan) -> Option<Loan> {
        let is_next = match (self.holder, next.holder) {
            (Holder::Chunk(one), Holder::Chunk(other)) => one == other,
            _ => false,
        };
        if !is_next
            || self.offset + self.length != next.offset
            || !Arc::ptr_eq(&self.region, &next.region)
        {
            return Some(next);
        }
        self.length += next.length;
        None
    }

    pub fn span(&self) -> Span {
        self.region.mapping.span(self.offset, self.length)
    }

    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where the bytes lie in the area.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Keeps only the first `bytes`: the rest of the chunk is free at once.
    pub fn trim(&mut self, bytes: usize) {
        self.length = bytes;
        if let Holder::Chunk(chunk) = self.holder {
            self.region.blocks().trim(chunk, bytes);
        }
    }

    /// The chunk behind room to receive into: frames are never that, only lent.
    fn chunk(&self) -> Chunk {
        match self.holder {
            Holder::Chunk(chunk) => chunk,
            Holder::Frame(_) | Holder::Nothing => {
                unreachable!("a frame is handed out as a whole")
            }
        }
    }

    /// The frame that the bytes lie in, if they lie in one.
    pub fn frame(&self) -> Option<Frame> {
        match self.holder {
            Holder::Frame(frame) => Some(frame),
            Holder::Chunk(_) | Holder::Nothing => None,
        }
    }

    /// The reference is somebody else's from now on: that of headers in front of the bytes.
    pub fn leave_frame(&mut self) {
        debug_assert!(matches!(self.holder, Holder::Frame(_)));
        self.holder = Holder::Nothing;
    }

    /// Part of the bytes.
    pub fn part(&self, from: usize, bytes: usize) -> Span {
        self.span().skip(from).first(bytes)
    }

    /// Makes the program the holder of `bytes` of the chunk that begin at `from`, and returns
    /// their address. `account` already knows of them.
    pub fn hand_out(&self, from: usize, bytes: usize, account: Option<Arc<Account>>) -> usize {
        let span = self.region.mapping.span(self.offset + from, bytes);
        let mut blocks = self.region.blocks();
        blocks.hand_out(self.chunk(), self.offset + from, bytes, account);
        span.address() as usize
    }

    /// The same for the last of them: the reference becomes the program's.
    pub fn hand_over(mut self, from: usize, bytes: usize, account: Option<Arc<Account>>) -> usize {
        let span = self.region.mapping.span(self.offset + from, bytes);
        if bytes == 0 {
            return self.hand_out(from, bytes, account);
        }
        let chunk = self.chunk();
        self.region.blocks().hand_over(chunk, self.offset + from, bytes, account);
        self.holder = Holder::Nothing;
        span.address() as usize
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        match self.holder {
            Holder::Nothing => {}
            Holder::Frame(frame) => self.region.drop_frame(frame),
            Holder::Chunk(chunk) => {
                if self.region.blocks().drop_reference(chunk) {
                    self.region.announce_space();
                }
            }
        }
    }
}

/// What came with a message besides its data: where it lies in the buffer, and how long it is.
#[derive(Clone, Copy, Default)]
pub struct Extra {
    pub name: (u16, u16),
    pub control: (u16, u16),
    pub flags: i32,
}

/// Room for a message that is received with its header: one chunk for the header, the sender's
/// name and the control data, and one for the data.
pub struct Message {
    header: Loan,
    data: Loan,
    name_bytes: usize,
}

impl Message {
    /// `None` when the area has no room.
    pub fn room(
        region: &Arc<Region>,
        data_bytes: usize,
        name_bytes: usize,
        control_bytes: usize,
    ) -> Option<Self> {
        let header = region.take(MESSAGE_HEADER_BYTES + name_bytes + control_bytes)?;
        let data = region.take(data_bytes)?;
        Some(Self { header, data, name_bytes })
    }

    /// Where the kernel is to put what.
    pub fn spans(&self) -> MessageRoom {
        let rest = self.header.span().skip(MESSAGE_HEADER_BYTES);
        MessageRoom {
            data: self.data.span(),
            name: rest.first(self.name_bytes),
            control: rest.skip(self.name_bytes),
        }
    }

    /// A header, with name and control data, for the first `bytes` of a block that have arrived
    /// already. `None` when the area has no room. `account` knows of the bytes.
    pub fn wrap_with(
        data: &Loan,
        bytes: usize,
        name: &[u8],
        control: &[u8],
        account: &Arc<Account>,
    ) -> Option<usize> {
        let region = &data.region;
        let control_from = MESSAGE_HEADER_BYTES + name.len().next_multiple_of(16);
        let header = region.take(control_from + control.len())?;
        let (name_room, control_room) = (
            header.part(MESSAGE_HEADER_BYTES, name.len()),
            header.part(control_from, control.len()),
        );
        name_room.fill_from(name);
        control_room.fill_from(control);
        region.mapping.write_header(
            header.offset,
            &MessageParts {
                data: data.span().first(bytes),
                name: name_room,
                name_length: name.len(),
                control: control_room,
                flags: 0,
            },
        );
        region.blocks().hand_out_message(
            (header.chunk(), header.offset, MSGHDR_BYTES),
            (data.chunk(), data.offset, bytes),
            account.booked(),
        );
        Some(header.span().address() as usize)
    }

    /// A header for bytes that have arrived already. `None` when the area has no room. `account`
    /// knows of the bytes.
    pub fn wrap(
        data: &Loan,
        from: usize,
        bytes: usize,
        extra: &Extra,
        account: &Arc<Account>,
    ) -> Option<usize> {
        let region = &data.region;
        let (name_bytes, control_bytes) = (usize::from(extra.name.1), usize::from(extra.control.1));
        // Control data is aligned as a cmsghdr is.
        let control_from = MESSAGE_HEADER_BYTES + name_bytes.next_multiple_of(16);
        let header = region.take(control_from + control_bytes)?;
        let offset = data.offset + from;
        let name_from = header.offset + MESSAGE_HEADER_BYTES;
        region.mapping.copy_within(data.offset + usize::from(extra.name.0), name_from, name_bytes);
        let control_from = header.offset + control_from;
        region.mapping.copy_within(
            data.offset + usize::from(extra.control.0),
            control_from,
            control_bytes,
        );
        region.mapping.write_header(
            header.offset,
            &MessageParts {
                data: region.mapping.span(offset, bytes),
                name: region.mapping.span(name_from, name_bytes),
                name_length: name_bytes,
                control: region.mapping.span(control_from, control_bytes),
                flags: extra.flags,
            },
        );
        region.blocks().hand_out_message(
            (header.chunk(), header.offset, MSGHDR_BYTES),
            (data.chunk(), offset, bytes),
            account.booked(),
        );
        Some(header.span().address() as usize)
    }

    /// Writes the header and hands the message to the program: the header's address.
    pub fn hand_out(mut self, facts: &MessageFacts, account: &Arc<Account>) -> usize {
        let stored = facts.bytes.min(self.data.len());
        let MessageRoom { name, control, .. } = self.spans();
        self.data.trim(stored);
        let region = self.header.region.clone();
        region.mapping.write_header(
            self.header.offset,
            &MessageParts {
                data: self.data.span(),
                name: name.first(name.len().min(facts.name_length)),
                name_length: facts.name_length,
                control: control.first(facts.control_length.min(control.len())),
                flags: facts.flags,
            },
        );
        account.add(stored);
        region.blocks().hand_out_message(
            (self.header.chunk(), self.header.offset, MSGHDR_BYTES),
            (self.data.chunk(), self.data.offset, stored),
            account.booked(),
        );
        self.header.span().address() as usize
    }
}
