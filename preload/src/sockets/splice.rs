//! splice(2) out of a socket: the kernel looks only at what has come by TCP. So what is there is
//! looked at, written to the pipe as far as it has room, and then received.

use std::ffi::{c_int, c_uint, c_void};

use libc::{
    MSG_DONTWAIT, MSG_PEEK, SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, loff_t,
    size_t, ssize_t,
};

use super::interrupted::again;
use super::{Said, is_on, say};
use crate::next;

/// As much as a pipe holds that nobody has made larger.
const PIECE_BYTES: usize = 64 * 1024;
/// Others the kernel refuses.
const FLAGS: c_uint = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

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
    let is_ours = is_on() && length > 0 && !has_offset && flags & !FLAGS == 0;
    if !is_ours || !say(from, Said::HasJoined) || !is_pipe_to_write(to) {
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
        let look = MSG_PEEK | wait;
        let room = (length - done).min(PIECE_BYTES);
        let found = again(from, look, || next::recv(from, place, room, look));
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

/// Whether the kernel would take it as the other end. What it would not take it refuses before it looks
/// at the socket, and by errors after which programs copy by other calls. errno stays as it was.
fn is_pipe_to_write(to: c_int) -> bool {
    // SAFETY: errno is this thread's; the descriptor is only asked.
    unsafe {
        let before = *libc::__errno_location();
        let is_pipe = libc::fcntl(to, libc::F_GETPIPE_SZ) >= 0;
        let mode = libc::fcntl(to, libc::F_GETFL);
        *libc::__errno_location() = before;
        is_pipe && mode >= 0 && mode & libc::O_ACCMODE != libc::O_RDONLY
    }
}

/// Writes what there is room for, and waits for room if there is none at all.
///
/// # Safety
/// There are so many bytes.
unsafe fn write(to: c_int, bytes: *mut c_void, length: usize, is_nonblocking: bool) -> ssize_t {
    let piece = libc::iovec { iov_base: bytes, iov_len: length };
    let errno = libc::__errno_location();
    loop {
        let mut written = libc::pwritev2(to, &piece, 1, -1, libc::RWF_NOWAIT);
        if written < 0 && *errno == libc::EOPNOTSUPP {
            written = write_where_room(to, bytes, length);
        }
        let has_room = written >= 0 || *errno != libc::EAGAIN;
        if has_room || is_nonblocking || libc::fcntl(to, libc::F_GETFL) & libc::O_NONBLOCK != 0 {
            return written;
        }
        let mut room = libc::pollfd { fd: to, events: libc::POLLOUT, revents: 0 };
        if libc::poll(&mut room, 1, -1) < 0 {
            return -1;
        }
    }
}

/// Of a pipe that has a name the kernel does not take it that a call must not wait. Where there is any
/// room, there is room for so much.
///
/// # Safety
/// There are so many bytes.
unsafe fn write_where_room(to: c_int, bytes: *const c_void, length: usize) -> ssize_t {
    let mut room = libc::pollfd { fd: to, events: libc::POLLOUT, revents: 0 };
    match libc::poll(&mut room, 1, 0) {
        0 => {
            *libc::__errno_location() = libc::EAGAIN;
            -1
        }
        1 => next::write(to, bytes, length.min(libc::PIPE_BUF)),
        _ => -1,
    }
}
