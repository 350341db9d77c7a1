//! Sending by a socket that interfaces serve, and handing sockets to other processes.

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

use libc::{ENOENT, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::{JOINED, KIND, leave, library, state};

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
/// As sendmsg(2).
#[inline]
pub unsafe fn rights(message: *const msghdr) {
    if !super::is_on() || message.is_null() {
        return;
    }
    let header = message.read_unaligned();
    if header.msg_control.is_null() || header.msg_controllen < size_of::<libc::cmsghdr>() as _ {
        return;
    }
    let mut control = libc::CMSG_FIRSTHDR(&header);
    while !control.is_null() {
        let part = control.read_unaligned();
        if part.cmsg_level == libc::SOL_SOCKET && part.cmsg_type == libc::SCM_RIGHTS {
            let data = libc::CMSG_DATA(control).cast::<c_int>();
            let bytes = (part.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            let end = header.msg_control as usize + header.msg_controllen;
            let count = bytes.min(end.saturating_sub(data as usize)) / size_of::<c_int>();
            // The kernel refuses more, and what lies there need not be readable.
            if count <= DESCRIPTORS_MAX {
                (0..count).for_each(|at| leave(data.add(at).read_unaligned(), "SCM_RIGHTS"));
            }
        }
        if (part.cmsg_len as usize) < size_of::<libc::cmsghdr>() {
            return;
        }
        control = libc::CMSG_NXTHDR(&header, control);
    }
}
