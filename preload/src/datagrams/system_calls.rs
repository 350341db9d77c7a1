//! System calls that a program makes by syscall(2), as libuv closes descriptors. Those that move data
//! are not looked at, because the library makes its own in that way.

use std::ffi::{c_int, c_long, c_uint, c_void};

use super::descriptors::{becomes, close_all};
use super::{execute, forget, is_on, leave};
use crate::next;

extern "C" fn before(
    number: c_long,
    first: c_long,
    second: c_long,
    flags: c_long,
) -> *const c_void {
    if is_on() {
        look(number, first as c_int, second as c_int, flags);
    }
    next::variadic(3)
}

fn look(number: c_long, first: c_int, second: c_int, flags: c_long) {
    match number {
        libc::SYS_close => forget(first),
        libc::SYS_close_range => close_all(first as c_uint, second as c_uint, flags as c_int),
        libc::SYS_dup3 => becomes(first, second),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_dup2 => becomes(first, second),
        libc::SYS_dup => leave(first, super::descriptors::WHY),
        libc::SYS_recvmmsg => leave(first, "a system call of the program's own"),
        libc::SYS_execve | libc::SYS_execveat => execute::prepare(),
        libc::SYS_exit_group if execute::is_own_process() => execute::at_exit(),
        _ => {}
    }
}

passed_on!(syscall, before);
