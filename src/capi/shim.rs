//! What the preloaded object of sio-run asks of the library. Not for programs, and in no header: it
//! changes with every version, and the two are installed together.
//!
//! cbindgen:ignore

use std::ffi::{c_char, c_int};

use super::guard;
use crate::api::datagrams;
use crate::error::{Errno, Result};
use crate::sys::foreign::Foreign;

/// Writes as much of a text as fits, always ended by a null byte.
///
/// # Safety
/// There is room for `size` bytes.
unsafe fn tell(text: &str, room: *mut c_char, size: usize) {
    if room.is_null() || size == 0 {
        return;
    }
    let count = text.len().min(size - 1);
    // SAFETY: less than the room, by the line above.
    unsafe {
        room.cast::<u8>().copy_from(text.as_ptr(), count);
        room.add(count).write(0);
    }
}

/// Has datagrams of a bound UDP socket come by the interface: 0 and the names of the interfaces, or
/// -1 and the reason.
///
/// `text` is null or points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_shim_udp_join(sock: c_int, text: *mut c_char, size: usize) -> c_int {
    guard::nothing(|| {
        let (words, answer) = match datagrams::join(sock) {
            Ok(names) => (names, Ok(())),
            Err(refusal) => (refusal.cause, Err(refusal.errno)),
        };
        // SAFETY: by the contract of this function.
        unsafe { tell(&words, text, size) };
        answer
    })
}

/// Opens the interfaces that will serve a bound UDP socket, which takes rights that a program may
/// give up later.
#[unsafe(no_mangle)]
pub extern "C" fn sio_shim_udp_prepare(sock: c_int) -> c_int {
    guard::nothing(|| datagrams::prepare(sock).map_err(|refusal| refusal.errno))
}

/// Gives such a socket back to the kernel, with what has arrived.
#[unsafe(no_mangle)]
pub extern "C" fn sio_shim_udp_leave(sock: c_int) -> c_int {
    guard::nothing(|| datagrams::leave(sock))
}

/// Such a socket is about to be closed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_shim_udp_close(sock: c_int) -> c_int {
    guard::nothing(|| datagrams::close(sock))
}

fn count(bytes: usize) -> Result<c_int> {
    c_int::try_from(bytes).map_err(|_| Errno::EOVERFLOW)
}

/// recvmsg(2) that does not wait. `ENOENT`: the socket is the kernel's.
///
/// `message` is as for recvmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_shim_udp_receive(
    sock: c_int,
    message: *mut libc::msghdr,
    flags: c_int,
) -> c_int {
    guard::fast(|| {
        // SAFETY: by the contract of this function.
        let message = unsafe { Foreign::new(message) };
        datagrams::receive(sock, &message, flags).and_then(count)
    })
}

/// sendmsg(2) by an interface. `ENOENT`: the kernel has to do it.
///
/// `message` is as for sendmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_shim_udp_send(
    sock: c_int,
    message: *const libc::msghdr,
    flags: c_int,
) -> c_int {
    guard::fast(|| {
        // SAFETY: by the contract of this function; nothing is written to it.
        let message = unsafe { Foreign::new(message.cast_mut()) };
        datagrams::send(sock, &message, flags).and_then(count)
    })
}

/// Whether something of such a socket's is held back: 1 or 0. Takes no lock.
#[unsafe(no_mangle)]
pub extern "C" fn sio_shim_udp_holds(sock: c_int) -> c_int {
    guard::fast(|| Ok(c_int::from(datagrams::holds(sock))))
}

/// FIONREAD. `ENOENT`: the kernel knows.
#[unsafe(no_mangle)]
pub extern "C" fn sio_shim_udp_next(sock: c_int) -> c_int {
    guard::fast(|| datagrams::next_bytes(sock).and_then(count))
}
