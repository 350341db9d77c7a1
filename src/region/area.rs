//! One DMA area: its mapping, its blocks, and those who want to know when there is room again.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

use super::blocks::Blocks;
use super::framed::{Framed, Holder};
use super::loan::Loan;
use super::map::{Mapping, Pages};
use super::places;
use crate::error::{Errno, Result};
use crate::limits::GRANULE_BYTES;
use crate::sys::futex;
use crate::sys::stat::{Tally, layout::Kind};
use crate::sys::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::sys::sync::{Mutex, MutexGuard};

/// Somebody who keeps parts of an area for receiving: a channel.
pub trait Patron: Send + Sync {
    /// Blocks have come back. Called with locks held: must not take any.
    fn space(&self);
    /// The program needs the room: give back what is kept and not in use. Called without locks.
    fn reclaim(&self, area: u64);
    /// Another patron, the channel of this number, needs the room. Called with the lock of that one
    /// held: must not wait for any.
    fn spare(&self, _area: u64, _asker: RawFd) {}
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
    /// How often they have been told that there is some.
    announced: AtomicU32,
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
            announced: AtomicU32::new(0),
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

    /// One more socket uses the area. `EINVAL`: it has been freed a moment ago.
    pub fn associate(&self) -> Result<()> {
        let blocks = self.blocks();
        if blocks.is_gone() {
            return Err(Errno::EINVAL);
        }
        self.associations.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    pub fn disassociate(&self) {
        self.associations.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether nothing speaks against freeing the area.
    pub fn is_idle(&self) -> bool {
        self.is_idle_now(&self.blocks())
    }

    fn is_idle_now(&self, blocks: &Blocks) -> bool {
        self.associations.load(Ordering::Acquire) == 0
            && !blocks.is_any_held()
            && !self.framed.as_ref().is_some_and(Framed::is_any_held)
    }

    /// Frees the area, for whoever is about to use it, too: from now on nothing is handed out.
    /// `EBUSY`: somebody uses it; `EINVAL`: another thread has freed it.
    pub fn end(&self) -> Result<()> {
        let mut blocks = self.blocks();
        if blocks.is_gone() {
            return Err(Errno::EINVAL);
        }
        if !self.is_idle_now(&blocks) {
            return Err(Errno::EBUSY);
        }
        blocks.end();
        Ok(())
    }

    /// `sio_reserve`: the address of a block that the program holds.
    pub fn reserve(&self, bytes: usize) -> Result<usize> {
        if bytes == 0 {
            return Err(Errno::EINVAL);
        }
        match self.try_to_reserve(bytes) {
            Err(Errno::ENOBUFS) if bytes <= self.mapping.len() => {
                self.reclaim();
                self.try_to_reserve(bytes)
            }
            answer => answer,
        }
    }

    /// Buffers that wait for data are room that others may have instead.
    pub fn reclaim(&self) {
        for patron in self.living_patrons() {
            patron.reclaim(self.handle);
        }
    }

    /// The same for a patron, which has the lock of the channel of this number.
    pub fn beg(&self, asker: RawFd) {
        for patron in self.living_patrons() {
            patron.spare(self.handle, asker);
        }
    }

    /// A number that is another one once room has come back for somebody who wanted it.
    pub fn announced(&self) -> u32 {
        self.announced.load(Ordering::Relaxed)
    }

    fn try_to_reserve(&self, bytes: usize) -> Result<usize> {
        if let Some(answer) = self.reserve_frame(bytes) {
            return answer;
        }
        let (chunk, offset) = self.take_chunk(bytes).ok_or(Errno::ENOBUFS)?;
        let mut blocks = self.blocks();
        let is_gone = blocks.is_gone();
        if !is_gone {
            blocks.hand_out(chunk, offset, bytes, None);
        }
        blocks.drop_reference(chunk);
        if is_gone {
            return Err(Errno::EINVAL);
        }
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

    /// The same for several offsets, of which some may lie in one block: that comes back once, and
    /// nobody else gets it in between.
    pub fn release_each_around(&self, offsets: &[usize]) {
        if let [offset] = offsets {
            return self.release_around(*offset);
        }
        let mut chunks = Vec::new();
        for (place, &offset) in offsets.iter().enumerate() {
            if !self.is_frame_of_one(offset, &offsets[..place])
                && !self.release_frame_around(offset)
            {
                chunks.push(offset);
            }
        }
        if chunks.is_empty() {
            return;
        }
        let mut blocks = self.blocks();
        for offset in chunks {
            blocks.release_around(offset);
        }
        drop(blocks);
        self.announce_space();
    }

    /// A reference to bytes of a block that the program holds, for as long as they are sent.
    pub fn lend(self: &Arc<Self>, address: usize, bytes: usize) -> Result<Loan> {
        let offset = self.mapping.offset_of(address, bytes).ok_or(Errno::EFAULT)?;
        let holder = match self.lend_frame(offset, bytes) {
            Some(frame) => Holder::Frame(frame?),
            None => Holder::Chunk(self.blocks().lend(offset, bytes)?),
        };
        Ok(Loan::new(self.clone(), holder, offset, bytes))
    }

    /// The same for the first bytes of such a block, which ends the program's hold on all of it.
    /// `None`: they are something else.
    pub fn lend_last(self: &Arc<Self>, address: usize, bytes: usize) -> Option<Loan> {
        let offset = self.mapping.offset_of(address, bytes)?;
        let holder = match &self.framed {
            Some(_) => Holder::Frame(self.lend_last_frame(offset, bytes)?),
            None => Holder::Chunk(self.blocks().lend_last(offset, bytes)?),
        };
        Some(Loan::new(self.clone(), holder, offset, bytes))
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
        Some(Loan::new(self.clone(), Holder::Chunk(chunk), offset, bytes))
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
            self.announced.fetch_add(1, Ordering::Relaxed);
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
