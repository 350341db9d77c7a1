//! From an open file to a socket, without the program's memory in between.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::check;
use super::transfer::without_broken_pipe_signal;
use crate::error::{Errno, Result};

/// What is copied at a time, on the stack.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Whether bytes at an offset of the file can be read: none are. `EBADF`: it is not open for
/// reading; `ESPIPE`: it has no offsets; `EISDIR`.
pub fn check_readable(file: RawFd, offset: i64) -> Result<()> {
    // SAFETY: no bytes of room are offered, and none are written.
    check(unsafe { libc::syscall(libc::SYS_pread64, file, 0usize, 0usize, offset) }).map(drop)
}

/// sendfile(2), which never raises `SIGPIPE`; 0 is the end of the file. The socket must not block.
pub fn send(sock: RawFd, file: RawFd, offset: i64, bytes: usize) -> Result<usize> {
    let mut offset = offset;
    without_broken_pipe_signal(bytes, || {
        // SAFETY: eight bytes of a local.
        check(unsafe { libc::syscall(libc::SYS_sendfile, sock, file, &raw mut offset, bytes) })
    })
}

/// Reads and sends the first of these bytes, without waiting for the socket; 0 is the end of the
/// file. `EINVAL`: it would have to be waited for.
pub fn send_copy(sock: RawFd, file: RawFd, offset: i64, bytes: usize) -> Result<usize> {
    let mut room = MaybeUninit::<[u8; COPIED_BYTES_MAX]>::uninit();
    let bytes = bytes.min(COPIED_BYTES_MAX);
    // SAFETY: a local with at least so many bytes.
    let read = match check(unsafe {
        libc::syscall(libc::SYS_pread64, file, room.as_mut_ptr(), bytes, offset)
    }) {
        Err(Errno::EAGAIN) => return Err(Errno::EINVAL),
        read => read?,
    };
    if read == 0 {
        return Ok(0);
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: so many bytes of it have been written.
    check(unsafe {
        libc::syscall(libc::SYS_sendto, sock, room.as_ptr(), read, flags, 0usize, 0usize)
    })
}
