//! Several messages with one call, and the calls that move datagrams as if they were bytes of a file.

use std::ffi::{c_int, c_uint, c_void};

use libc::{MSG_DONTWAIT, MSG_WAITFORONE, iovec, mmsghdr, size_t, ssize_t, timespec};

use super::{has_joined, receive, send};
use crate::sockets::{sent, some, sum};
use crate::{next, sockets};

/// # Safety
/// As recvmmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    limit: *mut timespec,
) -> c_int {
    // The kernel looks at the time after each datagram only; nobody wants that done better.
    if !has_joined(fd) || !limit.is_null() {
        let answer = next::recvmmsg(fd, messages, count, flags, limit);
        receive::count(fd, answer as ssize_t);
        return sockets::filled_messages(fd, answer, messages, flags);
    }
    let errno = libc::__errno_location();
    let before = *errno;
    let mut wait = flags & !MSG_WAITFORONE;
    for at in 0..count {
        let place = messages.add(at as usize);
        let header = (&raw mut (*place).msg_hdr).cast();
        let received = match receive::message(fd, header, wait) {
            Some(received) => received,
            None => next::recvmsg(fd, header, wait),
        };
        if received < 0 {
            return some(at, errno, before);
        }
        (&raw mut (*place).msg_len).write_unaligned(received as c_uint);
        if flags & MSG_WAITFORONE != 0 {
            wait |= MSG_DONTWAIT;
        }
    }
    count as c_int
}

/// # Safety
/// As sendmmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    if !has_joined(fd) {
        // A message begins with its header.
        (0..count.min(1024))
            .for_each(|at| send::rights(messages.wrapping_add(at as usize).cast_const().cast()));
        return sockets::messages(fd, messages, count, flags);
    }
    let errno = libc::__errno_location();
    let before = *errno;
    for at in 0..count {
        let place = messages.add(at as usize);
        let header = (&raw const (*place).msg_hdr).cast();
        let sent = match send::message(fd, header, flags) {
            Some(sent) => sent,
            None => next::sendmsg(fd, header, flags),
        };
        if sent < 0 {
            return some(at, errno, before);
        }
        (&raw mut (*place).msg_len).write_unaligned(sent as c_uint);
    }
    count as c_int
}

/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn write(fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    let nobody = (std::ptr::null(), 0);
    match send::data(fd, (bytes, length), 0, nobody) {
        Some(sent) => sent,
        None => sent(fd, next::write(fd, bytes, length), || length),
    }
}

/// Of no bytes it sends nothing, other than write(2): the kernel's affair.
///
/// # Safety
/// As writev(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    if has_joined(fd) && receive::has_room(pieces, count) {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = pieces.cast_mut();
        header.msg_iovlen = count as size_t;
        if let Some(sent) = send::message(fd, &header, 0) {
            return sent;
        }
    }
    sent(fd, next::writev(fd, pieces, count), || sum(pieces, count as size_t))
}
