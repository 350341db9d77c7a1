//! Urgent data goes by TCP, and so does all that follows it.

use std::ffi::{c_int, c_void};

use libc::{MSG_OOB, msghdr, size_t, sockaddr, socklen_t, ssize_t};

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
    next::send(fd, bytes, length, flags)
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
    next::sendto(fd, bytes, length, flags, to, to_length)
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
    next::sendmsg(fd, message, flags)
}
