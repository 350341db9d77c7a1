//! Urgent data goes by TCP, and so does all that follows it. Bytes that cannot be read are `EFAULT`.

use std::ffi::{c_int, c_uint, c_void};

use libc::{EFAULT, MSG_OOB, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t};

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

/// sendmmsg(2). Where TCP is bypassed, each message goes by a call of its own: those behind one that
/// cannot be read, or not to its end, must not go.
///
/// # Safety
/// As sendmmsg(2).
pub unsafe fn messages(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    prepare(fd, flags);
    if !is_on() || !say(fd, Said::HasJoined) {
        return next::sendmmsg(fd, messages, count, flags);
    }
    // As the kernel has it.
    const MESSAGES_MAX: c_uint = 1024;
    let errno = libc::__errno_location();
    let before = *errno;
    for at in 0..count.min(MESSAGES_MAX) {
        let place = messages.wrapping_add(at as usize);
        let answer = next::sendmmsg(fd, place, 1, flags);
        if answer <= 0 {
            return some(at, errno, before);
        }
        let message = place.read_unaligned();
        let bytes = sum(message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen);
        if message.msg_len == 0 && bytes > 0 {
            *errno = EFAULT;
            return some(at, errno, before);
        }
        if (message.msg_len as usize) < bytes {
            return at as c_int + 1;
        }
    }
    count.min(MESSAGES_MAX) as c_int
}

/// What a call answers that has done some of its work, and then could not go on.
///
/// # Safety
/// It is this thread's errno.
pub unsafe fn some(count: c_uint, errno: *mut c_int, before: c_int) -> c_int {
    if count == 0 {
        return -1;
    }
    *errno = before;
    count as c_int
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
