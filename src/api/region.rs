//! DMA areas and blocks: `dma_alloc dma_free dma_base sio_reserve sio_release`.
#![forbid(unsafe_code)]

use super::context::context;
use crate::engine::table::{self, Frames};
use crate::error::{Errno, Result};
use crate::limits::FRAME_BYTES;
use crate::region::Region;
use crate::region::map::Pages;
use crate::sys::own::{Own, own};

/// `dma_alloc`: the handle of a new area. `insist` has the bits of the engines that it is for.
pub fn alloc(size: usize, pages: Pages, insist: u32) -> Result<u64> {
    let choice = table::choose(insist)?;
    let frames = table::frames(insist);
    let frame_bytes = (frames != Frames::No).then_some(FRAME_BYTES);
    let region = context().add_region(|handle| {
        let region = Region::new(handle, size, pages, insist, frame_bytes)?;
        if frames == Frames::Required {
            region.insist_on_frames();
        }
        match region.mapping().unlocked() {
            Some(errno) if table::is_required() => Err(errno),
            _ => Ok(region),
        }
    })?;
    drop(choice);
    Ok(region.handle())
}

/// `dma_free`: `size` as it was asked for; `EBUSY` while anybody uses the area.
pub fn free(handle: u64, size: usize) -> Result<()> {
    let region = context().region(handle)?;
    if region.asked_bytes() != size {
        return Err(Errno::EINVAL);
    }
    context().remove_region(&region)?;
    region.retire();
    Ok(())
}

/// `dma_base`: where the area is mapped, and how long it is.
pub fn base(handle: u64) -> Result<(*mut u8, usize)> {
    let region = context().region(handle)?;
    Ok((region.mapping().base(), region.mapping().len()))
}

/// `sio_reserve`: the address of a fresh block.
pub fn reserve(handle: u64, size: usize) -> Result<usize> {
    context().region(handle)?.reserve(size)
}

/// The same where an area of frames has a free one. `None`: it has to go the whole way.
#[inline(always)]
pub fn reserve_in_passing(own: &Own, handle: u64, size: usize) -> Option<usize> {
    context().glance_at_region(own, handle)?.reserve_quickly(size)
}

/// `sio_release`: a block comes back.
pub fn release(handle: u64, address: usize, size: usize) -> Result<()> {
    let quickly = own(|own| {
        let region = context().glance_at_region(own, handle)?;
        Some(region.release(address, size))
    });
    quickly.unwrap_or_else(|| context().region(handle)?.release(address, size))
}

/// The same for a frame that nobody else refers to. `None`: it has to go the whole way. `true`: it is
/// done, and [`announce_space`] is to follow.
#[inline(always)]
pub fn release_in_passing(own: &Own, handle: u64, address: usize, size: usize) -> Option<bool> {
    context().glance_at_region(own, handle)?.release_plainly(address, size)
}

/// Tells those who wait for room in an area.
pub fn announce_space(handle: u64) {
    // If it is gone by now, nobody waits.
    if let Ok(region) = context().region(handle) {
        region.announce_space();
    }
}
