//! A thread that waits for data and is interrupted by a signal: where TCP is bypassed, the kernel says
//! EAGAIN of a socket that blocks. What the program is to see is EINTR, or nothing at all.

use std::ffi::{c_int, c_void};

use libc::{
    EAGAIN, EINTR, MSG_DONTWAIT, MSG_ERRQUEUE, O_NONBLOCK, SA_RESTART, socklen_t, ssize_t,
    timespec, timeval,
};

use super::{Said, is_on, say};

const SIGNALS: c_int = 64;
/// The clock that is looked at is late by as much as a tick, twice.
const LATE_MICROSECONDS: i64 = 20_000;

fn now_microseconds() -> i64 {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time; no system call on most machines.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// Receives by `call`, again if it was only interrupted.
///
/// # Safety
/// `call` sets errno if it answers less than 0.
pub unsafe fn again(fd: c_int, flags: c_int, call: impl Fn() -> ssize_t) -> ssize_t {
    // The queue of errors is never waited for.
    if !is_on() || flags & (MSG_DONTWAIT | MSG_ERRQUEUE) != 0 {
        return call();
    }
    let start = now_microseconds();
    loop {
        let answer = call();
        if answer >= 0 || *libc::__errno_location() != EAGAIN {
            return answer;
        }
        match interruption(fd, start) {
            Interruption::None => *libc::__errno_location() = EAGAIN,
            Interruption::Told => *libc::__errno_location() = EINTR,
            Interruption::Restarts => continue,
        }
        return answer;
    }
}

enum Interruption {
    /// It does not block, or has waited long enough.
    None,
    Told,
    Restarts,
}

unsafe fn interruption(fd: c_int, start: i64) -> Interruption {
    let flags = libc::fcntl(fd, libc::F_GETFL);
    if flags < 0 || flags & O_NONBLOCK != 0 || !say(fd, Said::HasJoined) {
        return Interruption::None;
    }
    let mut limit = timeval { tv_sec: 0, tv_usec: 0 };
    let mut size = size_of_val(&limit) as socklen_t;
    let place = (&raw mut limit).cast::<c_void>();
    if libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, place, &mut size) != 0 {
        return Interruption::None;
    }
    let limit = limit.tv_sec * 1_000_000 + limit.tv_usec;
    if limit > 0 {
        // With a time limit nothing is restarted.
        let is_over = now_microseconds() - start + LATE_MICROSECONDS >= limit;
        return if is_over { Interruption::None } else { Interruption::Told };
    }
    if may_be_told() { Interruption::Told } else { Interruption::Restarts }
}

/// Whether the program has a handler that interrupts calls. Which signal it was is not known; a
/// program with such a handler has to be ready for EINTR.
unsafe fn may_be_told() -> bool {
    (1..=SIGNALS).any(|signal| {
        let mut action: libc::sigaction = std::mem::zeroed();
        let is_known = libc::sigaction(signal, std::ptr::null(), &mut action) == 0;
        let has_handler =
            action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN;
        is_known && has_handler && action.sa_flags & SA_RESTART == 0
    })
}
