//! Programs that wait for edges, and take a piece that is shorter than what they asked for to mean that
//! nothing is left, as epoll(7) lets them: they would not be told of the rest. The kernel ends a piece
//! where what was passed on ends, though more may have come by TCP behind it. Here that is added.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{
    EPOLL_CTL_DEL, EPOLLET, MSG_DONTWAIT, MSG_PEEK, POLLERR, POLLIN, epoll_event, iovec, mmsghdr,
    size_t, ssize_t,
};

use super::{is_on, unread_by_tcp};
use crate::{memory, next};

/// Descriptors that are looked after.
const DESCRIPTORS: usize = 1 << 16;

/// Whether somebody has waited for edges of what had the number. A look too many does no harm.
static HAS_EDGES: [AtomicBool; DESCRIPTORS] = [const { AtomicBool::new(false) }; DESCRIPTORS];

fn has_edges(fd: c_int) -> bool {
    // Of those that are not looked after it is not known.
    let state = usize::try_from(fd).ok().and_then(|fd| HAS_EDGES.get(fd));
    state.is_none_or(|state| state.load(Ordering::Relaxed))
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
        && memory::can_read(event as usize, size_of::<epoll_event>())
        && (&raw const (*event).events).read_unaligned() & EPOLLET as u32 != 0
        && let Some(state) = usize::try_from(fd).ok().and_then(|fd| HAS_EDGES.get(fd))
    {
        state.store(true, Ordering::Relaxed);
    }
    next::epoll_ctl(set, operation, fd, event)
}

/// Whether a piece of `count` bytes may be followed by what came by TCP, and who has got it would not
/// look.
fn may_go_on(fd: c_int, count: ssize_t, length: size_t, flags: c_int) -> bool {
    count > 0
        && (count as size_t) < length
        && is_on()
        && flags & MSG_PEEK == 0
        && has_edges(fd)
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
