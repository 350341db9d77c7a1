//! What changes a socket: its addresses and its options. It is given back before, and may come again
//! once it has received enough.

use std::ffi::{c_int, c_ulong, c_void};
use std::sync::atomic::Ordering;

use libc::{sockaddr, socklen_t};

use super::{
    BLOCKS, CANDIDATE, JOINED, KERNEL, KIND, NEVER_BLOCKS, bound, enlist, give_back, leave,
    library, quietly, state,
};
use crate::next;

/// # Safety
/// There are `length` bytes at the address, if it is not null.
unsafe fn family(address: *const sockaddr, length: socklen_t) -> c_int {
    if address.is_null() || (length as usize) < size_of::<libc::sa_family_t>() {
        return libc::AF_UNSPEC;
    }
    c_int::from((&raw const (*address).sa_family).read_unaligned())
}

/// For a while: the socket may come again.
fn step_out(fd: c_int, why: &str) {
    let Some(state) = state(fd) else { return };
    let kind = state.load(Ordering::Acquire) & KIND;
    if kind == JOINED {
        give_back(fd, state, CANDIDATE, why);
    } else if kind == KERNEL {
        // What was in the way may be gone.
        state.store(CANDIDATE, Ordering::Relaxed);
    }
}

/// # Safety
/// As bind(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    let answer = next::bind(fd, address, length);
    if answer == 0 && state(fd).is_some() {
        let family = family(address, length);
        if family == libc::AF_INET || family == libc::AF_INET6 {
            // Both kinds of address have the port at the same place. One that is asked for by
            // number is a server's.
            let port = address.cast::<u16>().add(1).read_unaligned();
            quietly(|| bound(fd, port != 0));
        }
    }
    answer
}

/// Before connect(2), whatever comes of it.
pub fn connects(fd: c_int) {
    step_out(fd, "connect(2)");
}

/// After it.
pub fn connected(fd: c_int, answer: c_int) {
    if answer == 0 && state(fd).is_some() {
        quietly(|| enlist(fd, false));
    }
}

/// Options that nobody but the kernel looks at, or that are the same for both.
fn is_harmless(level: c_int, name: c_int) -> bool {
    level == libc::SOL_SOCKET
        && matches!(
            name,
            libc::SO_RCVTIMEO
                | libc::SO_SNDTIMEO
                | libc::SO_RCVBUF
                | libc::SO_SNDBUF
                | libc::SO_RCVBUFFORCE
                | libc::SO_SNDBUFFORCE
                | libc::SO_BROADCAST
                | libc::SO_REUSEADDR
                | libc::SO_KEEPALIVE
                | libc::SO_LINGER
                | libc::SO_RCVLOWAT
                | libc::SO_BUSY_POLL
        )
}

/// # Safety
/// As setsockopt(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    if state(fd).is_some() && !is_harmless(level, name) {
        step_out(fd, "setsockopt(2)");
    }
    next::setsockopt(fd, level, name, value, length)
}

/// # Safety
/// As shutdown(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn shutdown(fd: c_int, how: c_int) -> c_int {
    leave(fd, "shutdown(2)");
    next::shutdown(fd, how)
}

/// Whether it blocks may be another thing now.
pub fn flags_changed(fd: c_int) {
    if let Some(state) = state(fd)
        && state.load(Ordering::Relaxed) & KIND == JOINED
    {
        state.fetch_and(!(BLOCKS | NEVER_BLOCKS), Ordering::Relaxed);
    }
}

/// ioctl(2), before and after the kernel.
///
/// # Safety
/// As ioctl(2).
pub unsafe fn ioctl(
    fd: c_int,
    request: c_ulong,
    argument: *mut c_void,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let answer = call();
    if !super::has_joined(fd) || answer != 0 {
        return answer;
    }
    match request {
        libc::FIONREAD => {
            let bytes = quietly(|| library::next(fd));
            if bytes >= 0 {
                argument.cast::<c_int>().write_unaligned(bytes);
            }
        }
        libc::FIONBIO => flags_changed(fd),
        _ => {}
    }
    answer
}
