//! Sending by a socket that interfaces serve, and handing sockets to other processes.

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

use libc::{ENOENT, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::{JOINED, KIND, leave, library, state};
use crate::memory;

/// sendmsg(2). `None`: the kernel is to do it.
///
/// # Safety
/// As sendmsg(2).
#[inline]
pub unsafe fn message(fd: c_int, message: *const msghdr, flags: c_int) -> Option<ssize_t> {
    let state = state(fd)?;
    if state.load(Ordering::Acquire) & KIND != JOINED || message.is_null() {
        return None;
    }
    let errno = libc::__errno_location();
    let before = *errno;
    let answer = library::send(fd, message.cast_mut(), flags);
    if answer >= 0 {
        return Some(answer as ssize_t);
    }
    if *errno == ENOENT {
        *errno = before;
        return None;
    }
    Some(-1)
}

/// send(2), sendto(2), write(2) and writev(2).
///
/// # Safety
/// As sendto(2).
#[inline]
pub unsafe fn data(
    fd: c_int,
    (bytes, length): (*const c_void, size_t),
    flags: c_int,
    (to, to_length): (*const sockaddr, socklen_t),
) -> Option<ssize_t> {
    let state = state(fd)?;
    if state.load(Ordering::Acquire) & KIND != JOINED {
        return None;
    }
    let mut piece = iovec { iov_base: bytes.cast_mut(), iov_len: length };
    let mut header: msghdr = std::mem::zeroed();
    header.msg_iov = &mut piece;
    header.msg_iovlen = 1;
    header.msg_name = to.cast_mut().cast();
    header.msg_namelen = if to.is_null() { 0 } else { to_length };
    message(fd, &header, flags)
}

/// Descriptors in one message. unix(7)
const DESCRIPTORS_MAX: usize = 253;

/// Sockets that are about to be handed to another process are given back to the kernel.
///
/// # Safety
/// The memory does not go away; what is not there is the kernel's affair.
#[inline]
pub unsafe fn rights(message: *const msghdr) {
    if super::looks_after_any() && memory::can_read(message as usize, size_of::<msghdr>()) {
        let header = message.read_unaligned();
        if !header.msg_control.is_null() {
            all_rights(header.msg_control as usize, header.msg_controllen);
        }
    }
}

/// What the kernel would refuse ends it.
unsafe fn all_rights(mut at: usize, mut left: usize) {
    const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();
    const NUMBER_BYTES: usize = size_of::<c_int>();
    while left >= HEADER_BYTES && memory::can_read(at, HEADER_BYTES) {
        let part = (at as *const libc::cmsghdr).read_unaligned();
        let length: usize = part.cmsg_len as _;
        if length < HEADER_BYTES || length > left {
            return;
        }
        let count = (length - HEADER_BYTES) / NUMBER_BYTES;
        let numbers = at + HEADER_BYTES;
        if part.cmsg_level == libc::SOL_SOCKET
            && part.cmsg_type == libc::SCM_RIGHTS
            && count <= DESCRIPTORS_MAX
            && memory::can_read(numbers, count * NUMBER_BYTES)
        {
            let numbers = numbers as *const c_int;
            (0..count).for_each(|at| leave(numbers.add(at).read_unaligned(), "SCM_RIGHTS"));
        }
        let step = length.checked_next_multiple_of(size_of::<usize>());
        let Some(next) = step.and_then(|step| at.checked_add(step)) else { return };
        left = left.saturating_sub(next - at);
        at = next;
    }
}
