//! How much there is to read, and where urgent data stands in it. Where something was passed on, the
//! kernel counts that and forgets what came by TCP; of the mark it is the other way round.

use std::ffi::{c_int, c_ulong, c_void};

use libc::{FIONREAD, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC};

use super::{Said, is_on, say, unread_by_tcp};
use crate::{datagrams, next};

/// linux/sockios.h
const SIOCATMARK: c_ulong = 0x8905;

/// More than any socket holds.
const BYTES_MAX: usize = 1 << 30;

/// # Safety
/// As ioctl(2). The third argument is there for all requests that have one.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let answer = datagrams::ioctl(fd, request, argument, || next::ioctl(fd, request, argument));
    if !is_on() || answer != 0 {
        return answer;
    }
    let count = argument.cast::<c_int>();
    if request == SIOCATMARK {
        // The kernel takes any address.
        if count.read_unaligned() != 0 && has_unread(fd) {
            count.write_unaligned(0);
        }
        return answer;
    }
    if request == FIONREAD && count.read_unaligned() == 0 && say(fd, Said::HasJoined) {
        // Nothing was passed on, so this is about what came by TCP. With MSG_TRUNC nothing is copied.
        let before = *libc::__errno_location();
        let flags = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT;
        let found = next::recv(fd, std::ptr::null_mut(), BYTES_MAX, flags);
        *libc::__errno_location() = before;
        count.write_unaligned(found.max(0) as c_int);
    } else if request == FIONREAD
        && let Some(behind) = unread_by_tcp(fd)
    {
        count.write_unaligned(count.read_unaligned().saturating_add(behind));
    }
    answer
}

/// Whether something waits that was passed on: it came before the urgent data, which goes by TCP.
unsafe fn has_unread(fd: c_int) -> bool {
    let mut count: c_int = 0;
    say(fd, Said::HasJoined) && next::ioctl(fd, FIONREAD, (&raw mut count).cast()) == 0 && count > 0
}

/// The C library's own would not come by ioctl() above.
///
/// # Safety
/// As sockatmark(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sockatmark(fd: c_int) -> c_int {
    let mut answer: c_int = 0;
    if ioctl(fd, SIOCATMARK, (&raw mut answer).cast()) < 0 { -1 } else { answer }
}
