//! What a program that is run with --udp does with its UDP sockets.
//!
//! A socket stays with the kernel until it has shown that it is worth it: then its datagrams come by
//! the interface (engine/frame/shared.rs of the library). Its descriptor goes on to be the kernel's
//! socket, so that everything that waits for it needs no help. Only the calls that move datagrams
//! come here, and those after which a socket would be somebody else's too, or would need what only
//! the kernel does: before those, it is given back.
//!
//! Where --udp was not given, each function here looks at one byte and calls the next one.

#[macro_use]
mod variadic;
mod descriptors;
mod execute;
mod library;
mod messages;
mod options;
mod receive;
mod send;
mod shared;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod system_calls;

pub use options::{connected, connects, ioctl};
pub use receive::{bytes, count as received, data, message, pieces};
pub use send::{data as sent_data, message as sent_message, rights};

use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use crate::report;

static IS_ON: AtomicBool = AtomicBool::new(false);
/// Datagrams that a socket has to have received before it is moved.
static THRESHOLD: AtomicU32 = AtomicU32::new(64);

/// Descriptors that are looked after.
const DESCRIPTORS: usize = 1 << 16;

/// What is known of a descriptor: a kind, and above it a count or flags.
static STATES: [AtomicU32; DESCRIPTORS] = [const { AtomicU32::new(0) }; DESCRIPTORS];
const KIND: u32 = 3;
/// A UDP socket that is bound or connected; above that, what it has received.
const CANDIDATE: u32 = 1;
/// It is served by interfaces.
const JOINED: u32 = 2;
/// It stays with the kernel.
const KERNEL: u32 = 3;
const ONE: u32 = 4;
/// Of one that has joined: whether it blocks.
const BLOCKS: u32 = 4;
const NEVER_BLOCKS: u32 = 8;

/// From now on, and before the program begins.
pub fn turn_on(threshold: Option<u32>) {
    if !library::find_all() {
        return;
    }
    if let Some(threshold) = threshold {
        THRESHOLD.store(threshold, Ordering::Relaxed);
    }
    execute::begin();
    IS_ON.store(true, Ordering::Relaxed);
}

/// There has been a socket that may be moved.
static LOOKS_AFTER_ANY: AtomicBool = AtomicBool::new(false);

#[inline]
fn looks_after_any() -> bool {
    LOOKS_AFTER_ANY.load(Ordering::Relaxed)
}

#[inline]
fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

#[inline]
fn state(fd: c_int) -> Option<&'static AtomicU32> {
    if !is_on() || is_inside() {
        return None;
    }
    STATES.get(usize::try_from(fd).ok()?)
}

#[inline]
fn kind(fd: c_int) -> u32 {
    state(fd).map_or(0, |state| state.load(Ordering::Relaxed) & KIND)
}

/// Whether interfaces serve the socket.
#[inline]
pub fn has_joined(fd: c_int) -> bool {
    kind(fd) == JOINED
}

/// Keeps errno as it was.
fn quietly<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: errno is this thread's.
    unsafe {
        let before = *libc::__errno_location();
        let answer = body();
        *libc::__errno_location() = before;
        answer
    }
}

/// One at a time joins, and nobody while the process forks: the address of that thread's errno.
static CHANGING: AtomicPtr<c_int> = AtomicPtr::new(std::ptr::null_mut());

fn this_thread() -> *mut c_int {
    // SAFETY: each thread has its own.
    unsafe { libc::__errno_location() }
}

fn try_to_change() -> bool {
    let nobody = std::ptr::null_mut();
    let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
    CHANGING.compare_exchange(nobody, this_thread(), acquire, relaxed).is_ok()
}

fn changed() {
    CHANGING.store(std::ptr::null_mut(), Ordering::Release);
}

/// The library itself calls. What it opens may have a number that was a socket's, and that was closed
/// without our being told.
#[inline]
fn is_inside() -> bool {
    let changing = CHANGING.load(Ordering::Relaxed);
    !changing.is_null() && changing == this_thread()
}

/// A socket was bound: what the number meant before is closed, though nobody may have said so.
fn bound(fd: c_int, is_early: bool) {
    forget(fd);
    enlist(fd, is_early);
}

/// A socket that is bound or connected may be moved later.
fn enlist(fd: c_int, is_early: bool) {
    let Some(state) = state(fd) else { return };
    if state.load(Ordering::Relaxed) & KIND != 0 || !is_udp(fd) {
        return;
    }
    state.store(CANDIDATE, Ordering::Relaxed);
    LOOKS_AFTER_ANY.store(true, Ordering::Relaxed);
    if is_early && try_to_change() {
        library::prepare(fd);
        changed();
    }
}

fn is_udp(fd: c_int) -> bool {
    let option = |name| {
        let mut value: c_int = -1;
        let mut size = size_of_val(&value) as libc::socklen_t;
        // SAFETY: room for the value; errno is put back by the caller.
        unsafe {
            let place = (&raw mut value).cast();
            libc::getsockopt(fd, libc::SOL_SOCKET, name, place, &mut size);
        }
        value
    };
    let domain = option(libc::SO_DOMAIN);
    option(libc::SO_PROTOCOL) == libc::IPPROTO_UDP
        && (domain == libc::AF_INET || domain == libc::AF_INET6)
}

/// A candidate has received something: moves it if that is worth it.
#[cold]
fn count(fd: c_int, state: &AtomicU32) {
    let counted = state.fetch_add(ONE, Ordering::Relaxed) / ONE + 1;
    if counted < THRESHOLD.load(Ordering::Relaxed) || !try_to_change() {
        return;
    }
    quietly(|| {
        if state.load(Ordering::Relaxed) & KIND == CANDIDATE {
            if shared::is_elsewhere(fd) {
                // Later, perhaps.
                state.store(CANDIDATE, Ordering::Relaxed);
            } else {
                join(fd, state);
            }
        }
    });
    changed();
}

fn join(fd: c_int, state: &AtomicU32) {
    let mut text = [0 as c_char; report::TEXT_BYTES];
    if library::join(fd, &mut text) {
        state.store(JOINED, Ordering::Release);
        report::joined(&text);
    } else {
        state.store(KERNEL, Ordering::Relaxed);
        report::refused(&text);
    }
}

/// Gives the socket back to the kernel, for a reason, and for good.
fn leave(fd: c_int, why: &str) {
    let Some(state) = state(fd) else { return };
    match state.load(Ordering::Acquire) & KIND {
        JOINED => give_back(fd, state, KERNEL, why),
        CANDIDATE => state.store(KERNEL, Ordering::Relaxed),
        _ => {}
    }
}

/// What it is afterwards is seen only when the kernel has all of it: until then other threads ask the
/// library, which has them wait.
fn give_back(fd: c_int, state: &AtomicU32, afterwards: u32, why: &str) {
    quietly(|| library::leave(fd));
    if state.swap(afterwards, Ordering::AcqRel) & KIND == JOINED {
        report::left(why);
    }
}

/// The number means nothing any more.
fn forget(fd: c_int) {
    let Some(state) = state(fd) else { return };
    // A child that has our memory closes descriptors of its own. vfork(2)
    if state.load(Ordering::Relaxed) != 0
        && quietly(execute::is_own_process)
        && state.swap(0, Ordering::AcqRel) & KIND == JOINED
    {
        quietly(|| library::close(fd));
    }
}
