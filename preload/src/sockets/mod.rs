//! What a program that is run with --local-bypass does with its TCP sockets, as far as that needs us.
//!
//! The kernel passes on what is sent (bypass.c of sio-run). It asks to be told which sockets may take
//! part: those that are connected or that listen in a program that we are in, because a few things
//! would be different on them, and only we can put them right: a receiver that waits for all of its
//! bytes, or throws them away; urgent data; splice(2) out of a socket.
//!
//! Where --local-bypass was not given, each function here looks at one byte and calls the next one.

mod edges;
mod interrupted;
mod passed;
mod readable;
mod receive;
mod send;
mod splice;

pub use edges::filled_messages;
pub use send::{messages, sent, some, sum};

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{sockaddr, socklen_t};

use crate::{datagrams, memory, next};

static IS_ON: AtomicBool = AtomicBool::new(false);

/// From now on, and before the program begins. By this name there is a table to look at.
pub fn turn_on(table: &CStr) {
    passed::turn_on(table);
    IS_ON.store(true, Ordering::Relaxed);
}

fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// What is said to sio_option of bypass.c, about a socket.
#[derive(Clone, Copy)]
enum Said {
    MayJoin = 1,
    SendByTcp = 2,
    HasJoined = 3,
    OtherHasRead = 4,
    HasRead = 5,
    UnreadByTcp = 6,
}

/// The level of options by which it is said. Elsewhere there is none, and the answer is an error.
const LEVEL: c_int = 0x53494f;

/// Whether the kernel says yes. errno stays as it was.
fn say(fd: c_int, said: Said) -> bool {
    answer(fd, said) == 0
}

/// What the kernel answers. errno stays as it was.
fn answer(fd: c_int, said: Said) -> c_int {
    let value: c_int = 0;
    // SAFETY: errno is this thread's; the value is borrowed for the time of the call.
    unsafe {
        let before = *libc::__errno_location();
        let size = size_of_val(&value) as socklen_t;
        let value = (&raw const value).cast::<c_void>();
        let answer = libc::setsockopt(fd, LEVEL, said as c_int, value, size);
        *libc::__errno_location() = before;
        answer
    }
}

/// What has come by TCP and was not read, of a socket that takes part.
fn unread_by_tcp(fd: c_int) -> Option<c_int> {
    const LAST_ERROR: c_int = 4096;
    let answer = answer(fd, Said::UnreadByTcp);
    (answer <= -LAST_ERROR).then(|| -LAST_ERROR - answer)
}

/// # Safety
/// As connect(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn connect(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> c_int {
    const FAMILY_BYTES: usize = size_of::<libc::sa_family_t>();
    let is_long = length as usize >= FAMILY_BYTES;
    if is_on() && is_long && memory::can_read(address as usize, FAMILY_BYTES) {
        // The kernel takes any address.
        let family = c_int::from((&raw const (*address).sa_family).read_unaligned());
        if family == libc::AF_INET || family == libc::AF_INET6 {
            say(fd, Said::MayJoin);
        }
    }
    datagrams::connects(fd);
    edges::connects(fd);
    let answer = next::connect(fd, address, length);
    datagrams::connected(fd, answer);
    answer
}

/// # Safety
/// As listen(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn listen(fd: c_int, backlog: c_int) -> c_int {
    if is_on() {
        say(fd, Said::MayJoin);
    }
    next::listen(fd, backlog)
}
