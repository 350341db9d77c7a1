//! Arguments of C programs into what `api` takes: pointers are checked for null, flags for bits
//! that mean nothing.

use std::ffi::{c_int, c_void};
use std::time::Duration;

use super::types::*;
use crate::api::blocking::deadline;
use crate::api::send::Part;
use crate::channel::Event;
use crate::channel::state::Modify;
use crate::engine::table::Kind;
use crate::error::{Errno, Result};
use crate::region::map::Pages;
use crate::sys::message::{ADDRESS_BYTES_MAX, Address};
use crate::sys::wait::Terms;

/// `struct aio_cb`, whose members `sys::control` knows. The header has it written out: cbindgen.toml.
#[repr(C)]
pub struct AioBlock {
    block: libc::aiocb,
}

/// A C type and what the library calls it: same size, alignment and members, by assertion.
///
/// # Safety
/// `pointer` is null or points to room for `count` events that nobody else uses.
pub unsafe fn events<'a>(pointer: *mut event_data, count: c_int) -> Result<&'a mut [Event]> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    if pointer.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: by the contract of this function; any bytes are an event, and none is read before
    // it has been written.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), count) })
}

/// Where a result is to be written.
///
/// # Safety
/// `pointer` is null or valid for writing.
pub unsafe fn write<T>(pointer: *mut T, value: T) -> Result<()> {
    if pointer.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: by the contract of this function.
    unsafe { pointer.write(value) };
    Ok(())
}

pub fn not_null<T>(pointer: *const T) -> Result<()> {
    if pointer.is_null() { Err(Errno::EFAULT) } else { Ok(()) }
}

/// A time limit and a signal mask.
///
/// # Safety
/// The pointers are null or valid for reading.
pub unsafe fn terms(timeout: *const libc::timespec, mask: *const libc::sigset_t) -> Result<Terms> {
    // SAFETY: by the contract of this function; a set begins with the signals that the kernel has.
    let (limit, mask) = unsafe { (limit(timeout), mask.cast::<u64>().as_ref()) };
    Ok(Terms { deadline: deadline(limit?), mask: mask.copied() })
}

/// A time limit.
///
/// # Safety
/// The pointer is null or valid for reading.
pub unsafe fn limit(timeout: *const libc::timespec) -> Result<Option<Duration>> {
    // SAFETY: by the contract of this function.
    let Some(time) = (unsafe { timeout.as_ref() }) else { return Ok(None) };
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::EINVAL)?;
    let nanoseconds = u32::try_from(time.tv_nsec).map_err(|_| Errno::EINVAL)?;
    if nanoseconds >= 1_000_000_000 {
        return Err(Errno::EINVAL);
    }
    Ok(Some(Duration::new(seconds, nanoseconds)))
}

/// The channel and the cookie of a notification, if it asks for a channel. Of another one nothing
/// but its kind is looked at.
///
/// # Safety
/// `event` is null or points to a `struct sigevent`.
pub unsafe fn channel_of(event: *const libc::sigevent) -> Option<(ec_t, u64)> {
    let event = event.cast::<ChannelEvent>();
    // SAFETY: by the contract of this function; the layouts agree by assertion.
    unsafe {
        let is_channel = !event.is_null() && (*event).sigev_notify == SIGEV_EC;
        is_channel.then(|| ((*event).sigev_ec, (*event).sigev_value as u64))
    }
}

/// Where no flag has a meaning.
pub fn no_flags(flags: u32) -> Result<()> {
    if flags == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The flags of sources.
pub fn source_flags(flags: u32) -> Result<Modify> {
    if flags & !(EC_EDGE | EC_ONESHOT | EC_ATTACH | EC_NONBLOCK | EC_COUNTER) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Modify {
        edge: flags & EC_EDGE != 0,
        oneshot: flags & EC_ONESHOT != 0,
        attach: flags & EC_ATTACH != 0,
        nonblocking: flags & EC_NONBLOCK != 0,
        counter: flags & EC_COUNTER != 0,
    })
}

/// The bits of engines that flags insist on.
fn engines(flags: u32) -> u32 {
    let bit = |flag, kind: Kind| if flags & flag != 0 { kind.bit() } else { 0 };
    bit(DMA_ENGINE_IO_URING, Kind::Uring)
        | bit(DMA_ENGINE_EPOLL, Kind::Epoll)
        | bit(DMA_ENGINE_AF_XDP, Kind::AfXdp)
}

const ENGINE_FLAGS: u32 = DMA_ENGINE_IO_URING | DMA_ENGINE_EPOLL | DMA_ENGINE_AF_XDP;

/// The flags of `dma_alloc`.
pub fn area_flags(flags: u32) -> Result<(Pages, u32)> {
    if flags & !(DMA_HUGE | DMA_HUGE_ONLY | ENGINE_FLAGS) != 0 {
        return Err(Errno::EINVAL);
    }
    let pages = if flags & DMA_HUGE_ONLY != 0 {
        Pages::OnlyHuge
    } else if flags & DMA_HUGE != 0 {
        Pages::PreferHuge
    } else {
        Pages::Normal
    };
    Ok((pages, engines(flags)))
}

/// The flags of `dma_assoc`.
pub fn association_flags(flags: u32) -> Result<u32> {
    if flags & !ENGINE_FLAGS != 0 { Err(Errno::EINVAL) } else { Ok(engines(flags)) }
}

/// A socket address of the program's; none if the pointer is null.
///
/// # Safety
/// `pointer` is null or points to `length` bytes.
pub unsafe fn address(
    pointer: *const libc::sockaddr,
    length: libc::socklen_t,
) -> Result<Option<Box<Address>>> {
    if pointer.is_null() || length == 0 {
        return Ok(None);
    }
    if length as usize > ADDRESS_BYTES_MAX {
        return Err(Errno::EINVAL);
    }
    // SAFETY: by the contract of this function.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast(), length as usize) };
    Address::new(bytes).map(|address| Some(Box::new(address)))
}

/// Writes an address as recvfrom(2) does: as much of it as there is room for.
///
/// # Safety
/// `pointer` is null or points to `room` bytes.
pub unsafe fn write_address(address: &Address, pointer: *mut libc::sockaddr, room: u32) {
    let bytes = address.bytes();
    let count = bytes.len().min(room as usize);
    if !pointer.is_null() {
        // SAFETY: by the contract of this function; the address is memory of ours.
        unsafe { pointer.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), count) };
    }
}

/// The pieces, name and control data of a message that the program wants to send.
pub struct Message {
    pub parts: Vec<Part>,
    pub name: Option<Box<Address>>,
    pub control: Vec<u8>,
}

/// # Safety
/// `pointer` is null or points to a `struct msghdr` whose pointers are valid for their lengths.
pub unsafe fn message(pointer: *const c_void, size: usize) -> Result<Message> {
    if size != size_of::<libc::msghdr>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: by the contract of this function.
    let header = unsafe { pointer.cast::<libc::msghdr>().as_ref() }.ok_or(Errno::EFAULT)?;
    if header.msg_iovlen > crate::limits::IOVECS_MAX {
        return Err(Errno::EMSGSIZE);
    }
    if header.msg_iov.is_null() && header.msg_iovlen > 0 {
        return Err(Errno::EFAULT);
    }
    if header.msg_controllen > crate::limits::SENT_CONTROL_BYTES_MAX {
        return Err(Errno::ENOBUFS);
    }
    let mut parts = Vec::with_capacity(header.msg_iovlen);
    for index in 0..header.msg_iovlen {
        // SAFETY: below the number of iovecs that the program says there are.
        let part = unsafe { *header.msg_iov.add(index) };
        parts.push((part.iov_base as usize, part.iov_len));
    }
    // SAFETY: by the contract of this function.
    let name = unsafe { address(header.msg_name.cast(), header.msg_namelen) }?;
    let control = if header.msg_controllen == 0 {
        Vec::new()
    } else if header.msg_control.is_null() {
        return Err(Errno::EFAULT);
    } else {
        // SAFETY: by the contract of this function.
        unsafe {
            std::slice::from_raw_parts(header.msg_control.cast::<u8>(), header.msg_controllen)
        }
        .to_vec()
    };
    Ok(Message { parts, name, control })
}
