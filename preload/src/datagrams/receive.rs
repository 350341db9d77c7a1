//! Receiving from a socket that interfaces serve.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{
    EAGAIN, EBADF, ENOENT, ENOTSOCK, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, MSG_TRUNC,
    iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t,
};

use super::{
    BLOCKS, CANDIDATE, DESCRIPTORS, JOINED, KIND, NEVER_BLOCKS, count as counted, forget, leave,
    library, state,
};
use crate::next;

/// Threads that wait for each socket.
static WAITING: [AtomicU32; DESCRIPTORS] = [const { AtomicU32::new(0) }; DESCRIPTORS];

/// The kernel has received by the program's call: so many bytes, or less than 0.
#[inline]
pub fn count(fd: c_int, answer: ssize_t) -> ssize_t {
    if answer >= 0
        && let Some(state) = state(fd)
        && state.load(Ordering::Relaxed) & KIND == CANDIDATE
    {
        counted(fd, state);
    }
    answer
}

/// recvmsg(2). `None`: the kernel is to do it.
///
/// # Safety
/// As recvmsg(2).
#[inline]
pub unsafe fn message(fd: c_int, message: *mut msghdr, flags: c_int) -> Option<ssize_t> {
    let state = state(fd)?;
    if state.load(Ordering::Acquire) & KIND != JOINED {
        return None;
    }
    receive(fd, state, message, flags)
}

/// recv(2) and recvfrom(2).
///
/// # Safety
/// As recvfrom(2).
#[inline]
pub unsafe fn data(
    fd: c_int,
    (bytes, length): (*mut c_void, size_t),
    flags: c_int,
    (from, from_length): (*mut sockaddr, *mut socklen_t),
) -> Option<ssize_t> {
    let state = state(fd)?;
    if state.load(Ordering::Acquire) & KIND != JOINED {
        return None;
    }
    let mut piece = iovec { iov_base: bytes, iov_len: length };
    let mut header: msghdr = std::mem::zeroed();
    header.msg_iov = &mut piece;
    header.msg_iovlen = 1;
    if !from.is_null() && !from_length.is_null() {
        header.msg_name = from.cast();
        header.msg_namelen = from_length.read_unaligned();
        if header.msg_namelen as i32 <= 0 {
            // The kernel says what it thinks of less than nothing.
            if (header.msg_namelen as i32) < 0 {
                return None;
            }
        }
    }
    let answer = receive(fd, state, &mut header, flags)?;
    if answer >= 0 && !from.is_null() && !from_length.is_null() {
        from_length.write_unaligned(header.msg_namelen);
    }
    Some(answer)
}

/// read(2). Of no bytes it leaves a datagram where it is: the kernel says so.
///
/// # Safety
/// As read(2).
#[inline]
pub unsafe fn bytes(fd: c_int, bytes: *mut c_void, length: size_t) -> Option<ssize_t> {
    if length == 0 {
        return None;
    }
    data(fd, (bytes, length), 0, (std::ptr::null_mut(), std::ptr::null_mut()))
}

/// readv(2), which leaves a datagram where it is if there is no room at all.
///
/// # Safety
/// As readv(2).
#[inline]
pub unsafe fn pieces(fd: c_int, pieces: *const iovec, count: c_int) -> Option<ssize_t> {
    let state = state(fd)?;
    if state.load(Ordering::Acquire) & KIND != JOINED || !has_room(pieces, count) {
        return None;
    }
    let mut header: msghdr = std::mem::zeroed();
    header.msg_iov = pieces.cast_mut();
    header.msg_iovlen = count as size_t;
    receive(fd, state, &mut header, 0)
}

/// Whether there is a byte in these pieces, and not more of them than the kernel takes.
///
/// # Safety
/// As readv(2) and writev(2).
pub unsafe fn has_room(pieces: *const iovec, count: c_int) -> bool {
    (0..=1024).contains(&count)
        && (0..count as usize).any(|at| pieces.add(at).read_unaligned().iov_len > 0)
}

unsafe fn receive(
    fd: c_int,
    state: &AtomicU32,
    message: *mut msghdr,
    flags: c_int,
) -> Option<ssize_t> {
    if flags & MSG_PEEK != 0 {
        leave(fd, "MSG_PEEK");
        return None;
    }
    if flags & (MSG_ERRQUEUE | MSG_OOB) != 0 || message.is_null() {
        return None;
    }
    let errno = libc::__errno_location();
    let before = *errno;
    loop {
        let answer = library::receive(fd, message, flags & !MSG_DONTWAIT);
        if answer >= 0 {
            *errno = before;
            return Some(answer as ssize_t);
        }
        match *errno {
            EAGAIN if flags & MSG_DONTWAIT != 0 || !blocks(fd, state) => return Some(-1),
            EAGAIN => {}
            ENOENT => {
                *errno = before;
                return None;
            }
            EBADF | ENOTSOCK => {
                // The number means another file by now.
                *errno = before;
                forget(fd);
                return None;
            }
            _ => return Some(-1),
        }
        let place = &WAITING[fd as usize];
        if place.fetch_add(1, Ordering::AcqRel) > 0 {
            // A datagram for which the kernel wakes nobody must not wait while one of them sleeps.
            leave(fd, "several threads wait in a call");
        }
        // The kernel waits as long as it would: signals, time limits, errors of the socket.
        let guard = Waiting(place);
        let answer = next::recv(fd, std::ptr::null_mut(), 0, MSG_PEEK | MSG_TRUNC);
        drop(guard);
        if answer < 0 {
            return Some(-1);
        }
    }
}

/// A thread that waits; it may be cancelled there.
struct Waiting(&'static AtomicU32);

impl Drop for Waiting {
    fn drop(&mut self) {
        // Of a child that was made in a signal handler, while this waited, nobody waits any more.
        let less = |waiting: u32| waiting.checked_sub(1);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
    }
}

/// In a child, which has none of the threads that waited.
pub fn nobody_waits() {
    for waiting in &WAITING {
        // What is only read goes on being the parent's memory as well.
        if waiting.load(Ordering::Relaxed) != 0 {
            waiting.store(0, Ordering::Relaxed);
        }
    }
}

/// Whether a call on the socket waits. What changes that comes by here (options.rs).
unsafe fn blocks(fd: c_int, state: &AtomicU32) -> bool {
    let known = state.load(Ordering::Relaxed);
    if known & (BLOCKS | NEVER_BLOCKS) != 0 {
        return known & BLOCKS != 0;
    }
    let errno = libc::__errno_location();
    let before = *errno;
    let flags = next::fcntl(fd, libc::F_GETFL, std::ptr::null_mut());
    *errno = before;
    let blocks = flags >= 0 && flags & libc::O_NONBLOCK == 0;
    if known & KIND == JOINED {
        let flag = if blocks { BLOCKS } else { NEVER_BLOCKS };
        let _ = state.compare_exchange(known, known | flag, Ordering::Relaxed, Ordering::Relaxed);
    }
    blocks
}
