//! DMA areas and their blocks. Source: the talk, "Proposed Memory Interfaces" and "DMA Memory
//! Handling".

use std::ffi::{c_int, c_uint, c_void};

use super::types::dma_mem_t;
use super::{convert, guard};
use crate::api::region;
use crate::error::Errno;

/// Allocates an area. See dma_alloc(3).
///
/// `handlep` is null or points to room for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dma_alloc(handlep: *mut dma_mem_t, size: usize, flags: c_uint) -> c_int {
    guard::making(|| {
        convert::not_null(handlep)?;
        let (pages, engines) = convert::area_flags(flags)?;
        // SAFETY: by the contract of this function.
        unsafe { convert::write(handlep, region::alloc(size, pages, engines)?) }
    })
}

/// Frees an area. See dma_free(3).
#[unsafe(no_mangle)]
pub extern "C" fn dma_free(handle: dma_mem_t, size: usize) -> c_int {
    guard::nothing(|| region::free(handle, size))
}

/// Where an area is mapped. See dma_base(3).
///
/// `base` and `size` are null or point to room for what they are called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dma_base(
    mem: dma_mem_t,
    base: *mut *mut c_void,
    size: *mut usize,
) -> c_int {
    guard::nothing(|| {
        let (address, length) = region::base(mem)?;
        convert::not_null(base)?;
        convert::not_null(size)?;
        // SAFETY: by the contract of this function.
        unsafe {
            convert::write(base, address.cast())?;
            convert::write(size, length)
        }
    })
}

/// Claims a block. See sio_reserve(3).
///
/// `memp` is null or points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_reserve(dma: dma_mem_t, memp: *mut *mut c_void, size: usize) -> c_int {
    if memp.is_null() {
        return guard::fail(Errno::EFAULT);
    }
    let address = match guard::in_passing(|own| region::reserve_in_passing(own, dma, size)) {
        Ok(Some(address)) => address,
        // SAFETY: not null, so room for a pointer.
        Ok(None) => return unsafe { reserve_at_length(dma, memp, size) },
        Err(reason) => return guard::fail(reason),
    };
    // SAFETY: not null, so room for a pointer.
    unsafe { memp.write(address as *mut c_void) };
    0
}

/// # Safety
/// `memp` points to room for a pointer.
#[inline(never)]
unsafe fn reserve_at_length(dma: dma_mem_t, memp: *mut *mut c_void, size: usize) -> c_int {
    // SAFETY: by the contract of this function.
    guard::number(|| {
        unsafe { convert::write(memp, region::reserve(dma, size)? as *mut c_void) }.map(|()| 0)
    })
}

/// Gives a block back. See sio_release(3).
#[unsafe(no_mangle)]
pub extern "C" fn sio_release(dma: dma_mem_t, mem: *mut c_void, size: usize) -> c_int {
    match guard::in_passing(|own| region::release_in_passing(own, dma, mem as usize, size)) {
        Ok(Some(false)) => 0,
        Ok(Some(true)) => guard::number(|| {
            region::announce_space(dma);
            Ok(0)
        }),
        Ok(None) => release_at_length(dma, mem, size),
        Err(reason) => guard::fail(reason),
    }
}

#[inline(never)]
fn release_at_length(dma: dma_mem_t, mem: *mut c_void, size: usize) -> c_int {
    guard::number(|| region::release(dma, mem as usize, size).map(|()| 0))
}
