//! Urgent data goes by TCP, and so does all that follows it. Bytes that cannot be read are `EFAULT`.

use std::ffi::{c_int, c_void};

use libc::{EFAULT, MSG_OOB, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::{Said, is_on, say};
use crate::{datagrams, next};

/// How long the receiver is waited for: what it has not read of what came before, it would take for
/// the urgent byte.
const ROUNDS_MAX: usize = 100;
static ROUND: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

fn prepare(fd: c_int, flags: c_int) {
    if !is_on() || flags & MSG_OOB == 0 || !say(fd, Said::HasJoined) {
        return;
    }
    say(fd, Said::SendByTcp);
    for _ in 0..ROUNDS_MAX {
        if say(fd, Said::OtherHasRead) {
            return;
        }
        // SAFETY: a system call, by a way that is no cancellation point.
        unsafe {
            let before = *libc::__errno_location();
            libc::syscall(
                libc::SYS_nanosleep,
                &raw const ROUND,
                std::ptr::null_mut::<libc::timespec>(),
            );
            *libc::__errno_location() = before;
        }
    }
}

/// What has been sent. Where TCP is bypassed, the kernel says 0 of bytes that it cannot read.
///
/// # Safety
/// `bytes` tells how many there were, where the kernel has found no fault with them.
#[inline]
pub unsafe fn sent(fd: c_int, answer: ssize_t, bytes: impl FnOnce() -> size_t) -> ssize_t {
    if answer != 0 || !is_on() || bytes() == 0 || !say(fd, Said::HasJoined) {
        return answer;
    }
    *libc::__errno_location() = EFAULT;
    -1
}

/// How many bytes there are in so many pieces.
///
/// # Safety
/// The pieces can be read.
pub unsafe fn sum(pieces: *const iovec, count: size_t) -> size_t {
    (0..count).fold(0, |sum: usize, at| sum.saturating_add(pieces.add(at).read_unaligned().iov_len))
}

/// # Safety
/// As send(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn send(
    fd: c_int,
    bytes: *const c_void,
    length: size_t,
    flags: c_int,
) -> ssize_t {
    if let Some(answer) = datagrams::sent_data(fd, (bytes, length), flags, (std::ptr::null(), 0)) {
        return answer;
    }
    prepare(fd, flags);
    sent(fd, next::send(fd, bytes, length, flags), || length)
}

/// # Safety
/// As sendto(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sendto(
    fd: c_int,
    bytes: *const c_void,
    length: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_length: socklen_t,
) -> ssize_t {
    if let Some(answer) = datagrams::sent_data(fd, (bytes, length), flags, (to, to_length)) {
        return answer;
    }
    prepare(fd, flags);
    sent(fd, next::sendto(fd, bytes, length, flags, to, to_length), || length)
}

/// # Safety
/// As sendmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    if let Some(answer) = datagrams::sent_message(fd, message, flags) {
        return answer;
    }
    datagrams::rights(message);
    prepare(fd, flags);
    sent(fd, next::sendmsg(fd, message, flags), || {
        let header = message.read_unaligned();
        sum(header.msg_iov, header.msg_iovlen)
    })
}
