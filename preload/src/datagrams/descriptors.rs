//! Descriptors that are closed, and those that come to mean the same socket as another.

use std::ffi::{c_int, c_uint, c_void};

use super::{DESCRIPTORS, forget, is_on, leave, options};
use crate::next;

pub const WHY: &str = "a second descriptor";

/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn close(fd: c_int) -> c_int {
    forget(fd);
    next::close(fd)
}

/// # Safety
/// As close_range(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    close_all(first, last, flags);
    next::close_range(first, last, flags)
}

/// Before close_range(2).
pub fn close_all(first: c_uint, last: c_uint, flags: c_int) {
    // CLOSE_RANGE_UNSHARE and CLOSE_RANGE_CLOEXEC leave them to this process, or for a while.
    if is_on() && flags == 0 {
        (first..=last.min(DESCRIPTORS as c_uint - 1)).for_each(|fd| forget(fd as c_int));
    }
}

/// # Safety
/// As closefrom(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn closefrom(first: c_int) {
    if is_on() {
        (first.max(0)..DESCRIPTORS as c_int).for_each(forget);
    }
    next::closefrom(first);
}

/// # Safety
/// As dup(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup(fd: c_int) -> c_int {
    leave(fd, WHY);
    next::dup(fd)
}

/// Before dup2(2) and dup3(2).
pub fn becomes(fd: c_int, other: c_int) {
    if fd != other {
        leave(fd, WHY);
        forget(other);
    }
}

/// # Safety
/// As dup2(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup2(fd: c_int, other: c_int) -> c_int {
    becomes(fd, other);
    next::dup2(fd, other)
}

/// # Safety
/// As dup3(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup3(fd: c_int, other: c_int, flags: c_int) -> c_int {
    becomes(fd, other);
    next::dup3(fd, other, flags)
}

unsafe fn control(
    fd: c_int,
    command: c_int,
    argument: *mut c_void,
    call: unsafe fn(c_int, c_int, *mut c_void) -> c_int,
) -> c_int {
    if !is_on() {
        return call(fd, command, argument);
    }
    if command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC {
        leave(fd, WHY);
    }
    let answer = call(fd, command, argument);
    if command == libc::F_SETFL {
        options::flags_changed(fd);
    }
    answer
}

/// # Safety
/// As fcntl(2). The third argument is there for all commands that have one.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    control(fd, command, argument, next::fcntl)
}

/// # Safety
/// As fcntl(2), in a program whose files may be large.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn fcntl64(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    control(fd, command, argument, next::fcntl64)
}
