//! Programs that wait for edges, and take a piece that is shorter than what they asked for to mean that
//! nothing is left, as epoll(7) lets them: they would not be told of the rest. The kernel ends a piece
//! where what was passed on ends, though more may have come by TCP behind it. Here that is added.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, MSG_DONTWAIT, MSG_PEEK, POLLERR, POLLIN, SO_COOKIE,
    SOL_SOCKET, epoll_event, iovec, mmsghdr, size_t, socklen_t, ssize_t,
};

use super::passed::has_nothing_by_tcp;
use super::{Said, is_on, say, unread_by_tcp};
use crate::{memory, next};

/// Descriptors that are looked after.
const DESCRIPTORS: usize = 1 << 16;

/// What is known of descriptors for whose edges somebody has waited: nothing yet (UNKNOWN, and a ticket
/// in the low bits), that what they mean does not take part (ABSENT), or the number of the socket.
/// It is asked for once. What a number of a descriptor means changes by closing, in many ways; but
/// whoever waits for edges of something else has to say so.
static STATES: [AtomicU64; DESCRIPTORS] = [const { AtomicU64::new(NOBODY) }; DESCRIPTORS];
const NOBODY: u64 = 0;
/// Numbers of sockets are small, or small and negative.
const KIND: u64 = 3 << 62;
const UNKNOWN: u64 = 2 << 62;
const ABSENT: u64 = 1 << 62;

static TICKETS: AtomicU64 = AtomicU64::new(0);

/// A thread has its own descriptors: what they mean is not looked after any more.
static ARE_SEVERAL: AtomicBool = AtomicBool::new(false);

fn state(fd: c_int) -> Option<&'static AtomicU64> {
    if ARE_SEVERAL.load(Ordering::Relaxed) {
        return None;
    }
    STATES.get(usize::try_from(fd).ok()?)
}

/// # Safety
/// As unshare(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn unshare(flags: c_int) -> c_int {
    if is_on() && flags & libc::CLONE_FILES != 0 {
        ARE_SEVERAL.store(true, Ordering::Relaxed);
    }
    next::unshare(flags)
}

/// Of those that are not looked after it is not known.
fn has_edges(fd: c_int) -> bool {
    state(fd).is_none_or(|state| state.load(Ordering::Relaxed) != NOBODY)
}

/// A ticket that nobody has seen: who has begun to ask does not put in what was true before.
fn unknown() -> u64 {
    UNKNOWN | TICKETS.fetch_add(1, Ordering::Relaxed) & !KIND
}

/// The socket may become another connection's.
pub fn connects(fd: c_int) {
    if is_on()
        && let Some(state) = state(fd)
        && state.load(Ordering::Relaxed) != NOBODY
    {
        state.store(unknown(), Ordering::Relaxed);
    }
}

/// # Safety
/// As epoll_ctl(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_ctl(
    set: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    if is_on()
        && operation != EPOLL_CTL_DEL
        && let Some(state) = state(fd)
    {
        let is_known = state.load(Ordering::Relaxed) != NOBODY;
        // Before an edge of it can be seen. One that is known already may have got another meaning.
        let concerns_us = if is_known { operation == EPOLL_CTL_ADD } else { are_edges(event) };
        if concerns_us {
            state.store(unknown(), Ordering::Relaxed);
        }
    }
    next::epoll_ctl(set, operation, fd, event)
}

unsafe fn are_edges(event: *const epoll_event) -> bool {
    memory::can_read(event as usize, size_of::<epoll_event>())
        && (&raw const (*event).events).read_unaligned() & EPOLLET as u32 != 0
}

/// Whether somebody waits for edges, and something may have come by TCP.
fn may_have_by_tcp(fd: c_int) -> bool {
    let Some(state) = state(fd) else { return true };
    let mut known = state.load(Ordering::Relaxed);
    if known & KIND == UNKNOWN {
        known = learn(fd, state, known);
    }
    known != NOBODY && known != ABSENT && !has_nothing_by_tcp(known)
}

/// To be asked of a descriptor by which something has been received: what it is now it stays.
#[cold]
fn learn(fd: c_int, state: &AtomicU64, ticket: u64) -> u64 {
    let found = if say(fd, Said::HasJoined) { number(fd) } else { ABSENT };
    let is_number = matches!(found & KIND, 0 | KIND) && found != NOBODY;
    if found != ABSENT && !is_number {
        return ticket;
    }
    // Or somebody has entered something else meanwhile.
    let _ = state.compare_exchange(ticket, found, Ordering::Relaxed, Ordering::Relaxed);
    found
}

/// The number that a socket has for as long as the system runs, or 0. errno stays as it was.
fn number(fd: c_int) -> u64 {
    let mut number = 0u64;
    let mut size = size_of_val(&number) as socklen_t;
    let place = (&raw mut number).cast::<c_void>();
    // SAFETY: errno is this thread's; the kernel writes one number.
    unsafe {
        let before = *libc::__errno_location();
        let answer = libc::getsockopt(fd, SOL_SOCKET, SO_COOKIE, place, &mut size);
        *libc::__errno_location() = before;
        if answer == 0 { number } else { 0 }
    }
}

/// Whether a piece of `count` bytes may be followed by what came by TCP, and who has got it would not
/// look.
fn may_go_on(fd: c_int, count: ssize_t, length: size_t, flags: c_int) -> bool {
    count > 0
        && (count as size_t) < length
        && is_on()
        && flags & MSG_PEEK == 0
        && may_have_by_tcp(fd)
        // Costs less, and ends most questions.
        && is_sound(fd)
        && unread_by_tcp(fd).is_some_and(|unread| unread > 0)
}

/// Whether there is anything at all. An error is left for the next call, which tells it.
fn is_sound(fd: c_int) -> bool {
    let mut look = libc::pollfd { fd, events: POLLIN, revents: 0 };
    // SAFETY: errno is this thread's; the descriptor's state is written here.
    unsafe {
        let before = *libc::__errno_location();
        let answer = libc::poll(&mut look, 1, 0);
        *libc::__errno_location() = before;
        answer > 0 && look.revents & (POLLIN | POLLERR) == POLLIN
    }
}

/// What follows at once, if anything does. errno stays as it was.
unsafe fn rest(fd: c_int, place: *mut c_void, room: size_t) -> size_t {
    let before = *libc::__errno_location();
    let count = next::recv(fd, place, room, MSG_DONTWAIT);
    *libc::__errno_location() = before;
    count.max(0) as size_t
}

/// A piece of `count` bytes, and what else belongs to it.
///
/// # Safety
/// There is room for `length` bytes.
pub unsafe fn filled(
    fd: c_int,
    count: ssize_t,
    (bytes, length): (*mut c_void, size_t),
    flags: c_int,
) -> ssize_t {
    if !may_go_on(fd, count, length, flags) {
        return count;
    }
    let done = count as size_t;
    count + rest(fd, bytes.cast::<u8>().add(done).cast(), length - done) as ssize_t
}

/// A piece of `count` bytes in several places, and what else belongs to it.
///
/// # Safety
/// The kernel has taken the places.
pub unsafe fn filled_places(
    fd: c_int,
    count: ssize_t,
    (places, number): (*const iovec, size_t),
    flags: c_int,
) -> ssize_t {
    if count <= 0 || !is_on() || !has_edges(fd) {
        return count;
    }
    let places = (0..number).map(|at| places.add(at).read_unaligned());
    let length = places.clone().fold(0, |sum: usize, place| sum.saturating_add(place.iov_len));
    if !may_go_on(fd, count, length, flags) {
        return count;
    }
    let mut done = count as size_t;
    let mut before = 0;
    for place in places {
        let filled = done.saturating_sub(before).min(place.iov_len);
        let room = place.iov_len - filled;
        if room > 0 {
            let more = rest(fd, place.iov_base.cast::<u8>().add(filled).cast(), room);
            done += more;
            if more < room {
                break;
            }
        }
        before += place.iov_len;
    }
    done as ssize_t
}

/// So many messages, and what belongs to the last of them: behind the others the kernel has looked.
///
/// # Safety
/// The kernel has taken the messages, if there are any.
pub unsafe fn filled_messages(
    fd: c_int,
    count: c_int,
    messages: *mut mmsghdr,
    flags: c_int,
) -> c_int {
    if count > 0 && is_on() && has_edges(fd) {
        let place = messages.add(count as usize - 1);
        let mut last = place.read_unaligned();
        let pieces = (last.msg_hdr.msg_iov.cast_const(), last.msg_hdr.msg_iovlen);
        last.msg_len = filled_places(fd, last.msg_len as ssize_t, pieces, flags) as c_uint;
        (&raw mut (*place).msg_len).write_unaligned(last.msg_len);
    }
    count
}
