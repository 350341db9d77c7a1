//! Receiving with flags that the kernel does not look at where TCP is bypassed: MSG_WAITALL is
//! done by receiving again, MSG_TRUNC by receiving all there is into a place that nobody reads. Urgent data is
//! not to be had before the data in front of it has been read.

use std::ffi::{c_int, c_void};

use libc::{
    MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, msghdr, size_t, sockaddr, socklen_t,
    ssize_t,
};

use super::edges::{filled, filled_places};
use super::interrupted::again;
use super::{Said, is_on, say};
use crate::datagrams::{self, received};
use crate::{memory, next};

const OURS: c_int = MSG_WAITALL | MSG_TRUNC | MSG_OOB;
const SCRATCH_BYTES: usize = 16 * 1024;
/// The sender's name is not wanted.
const NOBODY: (*mut sockaddr, *mut socklen_t) = (std::ptr::null_mut(), std::ptr::null_mut());

/// Whether these flags have to be seen to by us.
fn concerns_us(fd: c_int, flags: c_int) -> bool {
    is_on() && flags & OURS != 0 && say(fd, Said::HasJoined)
}

/// One piece of a stream, or several until `length` bytes have come.
///
/// # Safety
/// There is room for `length` bytes, unless they are thrown away.
unsafe fn stream(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    flags: c_int,
    (from, from_length): (*mut sockaddr, *mut socklen_t),
) -> ssize_t {
    // A stream tells no address, but the kernel says so where the program asks.
    let receive = |place, room, flags| next::recvfrom(fd, place, room, flags, from, from_length);
    if flags & MSG_OOB != 0 {
        return urgent(fd, || receive(bytes, length, flags | MSG_DONTWAIT));
    }
    let mut once = flags & !OURS;
    let is_thrown_away = flags & MSG_TRUNC != 0;
    let mut scratch = [0u8; SCRATCH_BYTES];
    let mut done = 0;
    loop {
        let (place, room) = if is_thrown_away {
            (scratch.as_mut_ptr().cast(), (length - done).min(SCRATCH_BYTES))
        } else {
            (bytes.cast::<u8>().add(done).cast(), length - done)
        };
        let count = again(fd, once, || receive(place, room, once));
        if count <= 0 {
            return if done > 0 { done as ssize_t } else { count };
        }
        done += count as usize;
        // What is only looked at would be found again.
        if done >= length || flags & MSG_PEEK != 0 {
            return done as ssize_t;
        }
        if flags & MSG_WAITALL == 0 {
            // The rest of what is there.
            once |= MSG_DONTWAIT;
        }
    }
}

/// Urgent data has come by TCP, and the kernel has it.
///
/// # Safety
/// `call` sets errno if it answers less than 0.
unsafe fn urgent(fd: c_int, call: impl FnOnce() -> ssize_t) -> ssize_t {
    if say(fd, Said::HasRead) {
        let count = call();
        if count >= 0 || *libc::__errno_location() != libc::EAGAIN {
            return count;
        }
    }
    let mut look = libc::pollfd { fd, events: libc::POLLPRI, revents: 0 };
    let is_announced = libc::poll(&mut look, 1, 0) > 0 && look.revents & libc::POLLPRI != 0;
    // As where it has been announced and has not come.
    *libc::__errno_location() = if is_announced { libc::EAGAIN } else { libc::EINVAL };
    -1
}

/// A call for no bytes waits until there are some, and leaves them; where TCP is bypassed the kernel
/// does not wait.
unsafe fn nothing(fd: c_int, length: size_t, flags: c_int) -> Option<ssize_t> {
    if length > 0 || !is_on() || flags & !(MSG_DONTWAIT | MSG_PEEK) != 0 {
        return None;
    }
    if !say(fd, Said::HasJoined) {
        return None;
    }
    let byte = std::cell::Cell::new(0u8);
    let look = || next::recv(fd, byte.as_ptr().cast(), 1, flags | MSG_PEEK);
    Some(again(fd, flags, look).min(0))
}

/// # Safety
/// As read(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn read(fd: c_int, bytes: *mut c_void, length: size_t) -> ssize_t {
    if let Some(answer) = datagrams::bytes(fd, bytes, length) {
        return answer;
    }
    let count = again(fd, 0, || next::read(fd, bytes, length));
    received(fd, filled(fd, count, (bytes, length), 0))
}

/// # Safety
/// As read(2), in a program that was built with _FORTIFY_SOURCE.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __read_chk(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    room: size_t,
) -> ssize_t {
    if length <= room
        && let Some(answer) = datagrams::bytes(fd, bytes, length)
    {
        return answer;
    }
    let count = again(fd, 0, || next::__read_chk(fd, bytes, length, room));
    received(fd, filled(fd, count, (bytes, length), 0))
}

/// # Safety
/// As readv(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn readv(fd: c_int, pieces: *const libc::iovec, count: c_int) -> ssize_t {
    if let Some(answer) = datagrams::pieces(fd, pieces, count) {
        return answer;
    }
    let answer = again(fd, 0, || next::readv(fd, pieces, count));
    received(fd, filled_places(fd, answer, (pieces, count.max(0) as size_t), 0))
}

/// # Safety
/// As recv(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn recv(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    flags: c_int,
) -> ssize_t {
    if let Some(answer) = datagrams::data(fd, (bytes, length), flags, NOBODY) {
        return answer;
    }
    if let Some(answer) = nothing(fd, length, flags) {
        return answer;
    }
    if concerns_us(fd, flags) {
        return stream(fd, bytes, length, flags, NOBODY);
    }
    let count = again(fd, flags, || next::recv(fd, bytes, length, flags));
    received(fd, filled(fd, count, (bytes, length), flags))
}

/// # Safety
/// As recv(2), in a program that was built with _FORTIFY_SOURCE.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __recv_chk(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    room: size_t,
    flags: c_int,
) -> ssize_t {
    if length <= room
        && let Some(answer) = datagrams::data(fd, (bytes, length), flags, NOBODY)
    {
        return answer;
    }
    if length <= room && concerns_us(fd, flags) {
        return stream(fd, bytes, length, flags, NOBODY);
    }
    let count = again(fd, flags, || next::__recv_chk(fd, bytes, length, room, flags));
    received(fd, filled(fd, count, (bytes, length), flags))
}

/// # Safety
/// As recvfrom(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn recvfrom(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_length: *mut socklen_t,
) -> ssize_t {
    if let Some(answer) = datagrams::data(fd, (bytes, length), flags, (from, from_length)) {
        return answer;
    }
    if from.is_null()
        && let Some(answer) = nothing(fd, length, flags)
    {
        return answer;
    }
    if concerns_us(fd, flags) {
        return stream(fd, bytes, length, flags, (from, from_length));
    }
    let call = || next::recvfrom(fd, bytes, length, flags, from, from_length);
    received(fd, filled(fd, again(fd, flags, call), (bytes, length), flags))
}

/// # Safety
/// As recvfrom(2), in a program that was built with _FORTIFY_SOURCE.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __recvfrom_chk(
    fd: c_int,
    bytes: *mut c_void,
    length: size_t,
    room: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_length: *mut socklen_t,
) -> ssize_t {
    if length <= room
        && let Some(answer) = datagrams::data(fd, (bytes, length), flags, (from, from_length))
    {
        return answer;
    }
    if length <= room && concerns_us(fd, flags) {
        return stream(fd, bytes, length, flags, (from, from_length));
    }
    let call = || next::__recvfrom_chk(fd, bytes, length, room, flags, from, from_length);
    received(fd, filled(fd, again(fd, flags, call), (bytes, length), flags))
}

/// The header of a message, unless the kernel would refuse it or its pieces.
///
/// # Safety
/// The memory does not go away.
unsafe fn sound(message: *const msghdr) -> Option<msghdr> {
    const PIECES_MAX: size_t = 1024;
    if !memory::can_read(message as usize, size_of::<msghdr>()) {
        return None;
    }
    // The kernel takes any address.
    let header = message.read_unaligned();
    let count = header.msg_iovlen;
    let is_sound = (header.msg_name.is_null() || header.msg_namelen <= i32::MAX as socklen_t)
        && count <= PIECES_MAX
        && memory::can_read(header.msg_iov as usize, count * size_of::<libc::iovec>())
        && (0..count)
            .all(|at| header.msg_iov.add(at).read_unaligned().iov_len <= ssize_t::MAX as usize);
    is_sound.then_some(header)
}

/// # Safety
/// As recvmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    if let Some(answer) = datagrams::message(fd, message, flags) {
        return answer;
    }
    if !concerns_us(fd, flags) {
        let count = again(fd, flags, || next::recvmsg(fd, message, flags));
        if count <= 0 {
            return received(fd, count);
        }
        let header = message.read_unaligned();
        let places = (header.msg_iov.cast_const(), header.msg_iovlen);
        return received(fd, filled_places(fd, count, places, flags));
    }
    let Some(mut header) = sound(message) else { return next::recvmsg(fd, message, flags) };
    if flags & MSG_OOB != 0 {
        return urgent(fd, || next::recvmsg(fd, message, flags | MSG_DONTWAIT));
    }
    let pieces = || (0..header.msg_iovlen).map(|at| header.msg_iov.add(at).read_unaligned());
    if flags & MSG_TRUNC != 0 {
        let length = pieces().fold(0, |sum: usize, piece| sum.saturating_add(piece.iov_len));
        let count = stream(fd, std::ptr::null_mut(), length, flags, NOBODY);
        if count >= 0 {
            header.msg_namelen = 0;
            header.msg_controllen = 0;
            header.msg_flags = 0;
            message.write_unaligned(header);
        }
        return count;
    }
    let once = flags & !OURS;
    let first = again(fd, once, || next::recvmsg(fd, message, once));
    if first <= 0 || flags & MSG_PEEK != 0 {
        return first;
    }
    let mut done = first as usize;
    let mut before = 0;
    for piece in pieces() {
        let filled = done.saturating_sub(before).min(piece.iov_len);
        if filled < piece.iov_len {
            let place = piece.iov_base.cast::<u8>().add(filled).cast();
            let more = stream(fd, place, piece.iov_len - filled, flags, NOBODY);
            done += more.max(0) as usize;
            if more < (piece.iov_len - filled) as ssize_t {
                break;
            }
        }
        before += piece.iov_len;
    }
    done as ssize_t
}
