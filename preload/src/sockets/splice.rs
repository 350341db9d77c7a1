//! splice(2) out of a socket: the kernel looks only at what has come by TCP. So what is there is
//! looked at, written to the pipe as far as it has room, and then received.

use std::ffi::{c_int, c_uint, c_void};

use libc::{MSG_DONTWAIT, MSG_PEEK, SPLICE_F_NONBLOCK, loff_t, size_t, ssize_t};

use super::{Said, is_on, say};
use crate::next;

/// As much as a pipe holds that nobody has made larger.
const PIECE_BYTES: usize = 64 * 1024;

/// # Safety
/// As splice(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn splice(
    from: c_int,
    from_offset: *mut loff_t,
    to: c_int,
    to_offset: *mut loff_t,
    length: size_t,
    flags: c_uint,
) -> ssize_t {
    let has_offset = !from_offset.is_null() || !to_offset.is_null();
    if has_offset || length == 0 || !is_on() || !say(from, Said::HasJoined) {
        return next::splice(from, from_offset, to, to_offset, length, flags);
    }
    let mut bytes = [0u8; PIECE_BYTES];
    let place = bytes.as_mut_ptr().cast::<c_void>();
    let errno = libc::__errno_location();
    let before = *errno;
    let mut done = 0;
    // All there is, as far as there is room, but nobody waits twice.
    loop {
        let wait = if done > 0 { MSG_DONTWAIT } else { 0 };
        let found = next::recv(from, place, (length - done).min(PIECE_BYTES), MSG_PEEK | wait);
        let written = if found > 0 {
            write(to, place, found as usize, done > 0 || flags & SPLICE_F_NONBLOCK != 0)
        } else {
            found
        };
        if written <= 0 && done == 0 {
            return written;
        }
        if written > 0 {
            next::recv(from, place, written as usize, MSG_DONTWAIT);
            done += written as usize;
        }
        if written <= 0 || written < found || done == length {
            *errno = before;
            return done as ssize_t;
        }
    }
}

/// Writes what there is room for, and waits for room if there is none at all.
///
/// # Safety
/// There are so many bytes.
unsafe fn write(to: c_int, bytes: *mut c_void, length: usize, is_nonblocking: bool) -> ssize_t {
    let piece = libc::iovec { iov_base: bytes, iov_len: length };
    loop {
        let written = libc::pwritev2(to, &piece, 1, -1, libc::RWF_NOWAIT);
        let has_room = written >= 0 || *libc::__errno_location() != libc::EAGAIN;
        if has_room || is_nonblocking || libc::fcntl(to, libc::F_GETFL) & libc::O_NONBLOCK != 0 {
            return written;
        }
        let mut room = libc::pollfd { fd: to, events: libc::POLLOUT, revents: 0 };
        if libc::poll(&mut room, 1, -1) < 0 {
            return -1;
        }
    }
}
