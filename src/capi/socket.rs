//! Sockets that work in an area. Source: the talk, "Alternative Network AIO" and "New Network
//! AIO Interfaces".

use std::ffi::{c_char, c_int, c_uint, c_void};

use super::types::{
    SIO_INFO_LOCKED, SIO_INFO_REGISTERED, SIO_INFO_ZC_RECV, SIO_INFO_ZC_SEND, SIO_QUIET,
    SIO_RELEASE, dma_mem_t, sio_info as InfoRecord,
};
use super::{convert, guard};
use crate::api::blocking::Receive;
use crate::api::send::{FilePart, How, Outgoing, Send};
use crate::api::short::Passed;
use crate::api::{short, socket};
use crate::engine::frame::Brief;
use crate::engine::{Form, Received};
use crate::error::{Errno, Result};
use crate::sys::message::Address;
use crate::sys::own::Own;

/// Associates a socket with an area. See dma_assoc(3).
#[unsafe(no_mangle)]
pub extern "C" fn dma_assoc(sock: c_int, mem: dma_mem_t, size: usize, flags: c_uint) -> c_int {
    guard::making(|| socket::assoc(sock, mem, size, convert::association_flags(flags)?))
}

/// Undoes dma_assoc. See dma_disassoc(3).
#[unsafe(no_mangle)]
pub extern "C" fn dma_disassoc(sock: c_int, mem: dma_mem_t, size: usize) -> c_int {
    guard::nothing(|| socket::disassoc(sock, mem, size))
}

/// Cancels, disassociates and purges. See sio_detach(3).
#[unsafe(no_mangle)]
pub extern "C" fn sio_detach(sock: c_int) -> c_int {
    guard::nothing(|| socket::detach(sock))
}

#[inline(always)]
fn how(flags: c_int) -> How {
    How {
        flags: flags & !(SIO_RELEASE | SIO_QUIET),
        release: flags & SIO_RELEASE != 0,
        quiet: flags & SIO_QUIET != 0,
    }
}

fn outgoing(parts: &[(usize, usize)], how: How) -> Outgoing<'_> {
    Outgoing { parts, name: None, control: Vec::new(), how }
}

/// A number of bytes as the talk's prototypes return it.
fn count(bytes: usize) -> Result<c_int> {
    c_int::try_from(bytes).map_err(|_| Errno::EOVERFLOW)
}

/// Sends part of a block. See sio_send(3).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn sio_send(
    sock: c_int,
    buf: *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    let (part, how) = ((buf as usize, size), how(flags));
    match guard::in_passing(|own| short::send_in_passing(own, sock, part, how)) {
        // As many as it was asked for, which is a number of the right size.
        Ok(Some(Ok(bytes))) => bytes as c_int,
        Ok(None) => send_at_length(sock, part, how),
        Ok(Some(Err(reason))) | Err(reason) => guard::fail(reason),
    }
}

/// The same where it takes longer.
#[inline(never)]
fn send_at_length(sock: c_int, part: (usize, usize), how: How) -> c_int {
    guard::short(|| short::send(sock, part, how).transpose()?.map(count).transpose())
        .unwrap_or_else(|| guard::blocking(|| Send::new(sock, outgoing(&[part], how)), count))
}

/// Sends part of a block to an address. See sio_sendto(3).
///
/// `to` is null or points to `tolen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sio_sendto(
    sock: c_int,
    buf: *const c_void,
    size: usize,
    flags: c_int,
    to: *const libc::sockaddr,
    tolen: libc::socklen_t,
) -> c_int {
    let make = || {
        // SAFETY: by the contract of this function.
        let name = unsafe { convert::address(to, tolen) }?;
        Send::new(sock, Outgoing { name, ..outgoing(&[(buf as usize, size)], how(flags)) })
    };
    guard::blocking(make, count)
}

/// Sends part of a file. See sio_sendfile(3).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn sio_sendfile(
    sock: c_int,
    file: c_int,
    offset: libc::off_t,
    size: usize,
    flags: c_int,
) -> c_int {
    let (flags, quiet) = (flags & !SIO_QUIET, flags & SIO_QUIET != 0);
    let part = FilePart { file, offset, length: size, flags, quiet };
    guard::short(|| short::send_file(sock, part).transpose()?.map(count).transpose())
        .unwrap_or_else(|| guard::blocking(|| Send::of_file(sock, part), count))
}

/// Sends a message. See sio_sendmsg(3).
///
/// `buf` is null or points to a `struct msghdr` whose pointers are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sio_sendmsg(
    sock: c_int,
    buf: *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    let make = || {
        // SAFETY: by the contract of this function.
        let convert::Message { parts, name, control } = unsafe { convert::message(buf, size) }?;
        Send::new(sock, Outgoing { name, control, ..outgoing(&parts, how(flags)) })
    };
    guard::blocking(make, count)
}

/// What the three receive calls have in common.
///
/// # Safety
/// `buf` is null or points to room for a pointer.
#[inline(always)]
unsafe fn receive(
    sock: c_int,
    buf: *mut *mut c_void,
    size: usize,
    flags: c_int,
    form: Form,
    name: impl Fn(&Address),
) -> c_int {
    if buf.is_null() {
        return guard::fail(Errno::EFAULT);
    }
    let mut source = None;
    let receive = |own: &Own| short::receive_in_passing(own, sock, size, flags, form, &mut source);
    match guard::in_passing(receive) {
        Ok(Some(Passed::Frame(Brief { address, count }))) => {
            if let Some(source) = source {
                name(&source.name());
            }
            // SAFETY: not null, by the check above.
            unsafe { buf.write(address.get() as *mut c_void) };
            // At most what one datagram has.
            count as c_int
        }
        Ok(Some(Passed::Block { received, is_settled })) => {
            if !is_settled {
                guard::fast(|| {
                    // What was received is not lost because something else went wrong.
                    let _ = short::settle(sock);
                    Ok(0)
                });
            }
            // SAFETY: by the contract of this function, and not null.
            unsafe { hand_out(received, buf, name) }.unwrap_or_else(guard::fail)
        }
        // SAFETY: by the contract of this function, and not null.
        Ok(None) => unsafe { receive_at_length(sock, buf, size, flags, form, name) },
        Err(reason) => guard::fail(reason),
    }
}

/// The same where it takes longer.
///
/// # Safety
/// `buf` points to room for a pointer.
#[inline(never)]
unsafe fn receive_at_length(
    sock: c_int,
    buf: *mut *mut c_void,
    size: usize,
    flags: c_int,
    form: Form,
    name: impl Fn(&Address),
) -> c_int {
    let mut looked = None;
    let short = || match short::receive(sock, size, flags, form) {
        Some(found) if !short::may_wait(&found, flags) => {
            // SAFETY: by the contract of this function.
            unsafe { hand_out(found?, buf, &name) }.map(Some)
        }
        found => {
            looked = found;
            Ok(None)
        }
    };
    if let Some(answer) = guard::short(short) {
        return answer;
    }
    let make = || Receive::new(sock, size, flags, form).map(|call| call.after(looked));
    guard::blocking(make, |received| {
        // SAFETY: by the contract of this function.
        unsafe { hand_out(received, buf, &name) }
    })
}

/// Passes on what was received.
///
/// # Safety
/// `buf` points to room for a pointer.
unsafe fn hand_out(
    received: Received,
    buf: *mut *mut c_void,
    name: impl FnOnce(&Address),
) -> Result<c_int> {
    let (address, bytes) = match received {
        Received::End => (0, 0),
        Received::Block { address, count, name: from } => {
            if let Some(from) = from {
                name(&from);
            }
            (address, count)
        }
    };
    // SAFETY: by the contract of this function.
    unsafe { buf.write(address as *mut c_void) };
    count(bytes)
}

/// Receives a block. See sio_recv(3).
///
/// `buf` is null or points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sio_recv(
    sock: c_int,
    buf: *mut *mut c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { receive(sock, buf, size, flags, Form::Data, |_| ()) }
}

/// Receives a block and the address of its sender. See sio_recvfrom(3).
///
/// `buf` is null or points to room for a pointer, `to` is null or points to `tolen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sio_recvfrom(
    sock: c_int,
    buf: *mut *const c_void,
    size: usize,
    flags: c_int,
    to: *mut libc::sockaddr,
    tolen: libc::socklen_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        receive(sock, buf.cast(), size, flags, Form::Name, |address| {
            convert::write_address(address, to, tolen);
        })
    }
}

/// Receives a message with its header. See sio_recvmsg(3).
///
/// `buf` is null or points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sio_recvmsg(
    sock: c_int,
    buf: *mut *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    let size = if size == size_of::<libc::msghdr>() { size } else { 0 };
    // SAFETY: by the contract of this function.
    unsafe { receive(sock, buf.cast(), size, flags, Form::Message, |_| ()) }
}

/// What the socket really uses. See sio_info(3).
///
/// `info` is null or points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_info(sock: c_int, info: *mut InfoRecord, size: usize) -> c_int {
    guard::nothing(|| {
        convert::not_null(info)?;
        if size < 2 * size_of::<u32>() {
            return Err(Errno::EINVAL);
        }
        let found = socket::info(sock)?;
        let filled = size.min(size_of::<InfoRecord>());
        let flag = |yes, flag| if yes { flag } else { 0 };
        let record = InfoRecord {
            si_size: filled as u32,
            si_flags: flag(found.zero_copy_send, SIO_INFO_ZC_SEND)
                | flag(found.zero_copy_receive, SIO_INFO_ZC_RECV)
                | flag(found.locked, SIO_INFO_LOCKED)
                | flag(found.registered, SIO_INFO_REGISTERED),
            si_engine: text(found.engine),
            si_reason: text(&found.reason),
            si_sent_bytes: found.sent,
            si_received_bytes: found.received,
            si_sent_copied_bytes: found.sent_copied,
            si_received_copied_bytes: found.received_copied,
            si_sends: found.sends,
            si_receives: found.receives,
            si_refused_sends: found.refused,
            si_failed_sends: found.failed,
        };
        // SAFETY: the record has at least `filled` bytes, and so has the program's room.
        unsafe {
            info.cast::<u8>().copy_from_nonoverlapping((&raw const record).cast(), filled);
        }
        Ok(())
    })
}

/// As much of a text as fits, always ended by a null byte.
fn text<const N: usize>(from: &str) -> [c_char; N] {
    let mut to = [0; N];
    for (place, byte) in to[..N - 1].iter_mut().zip(from.bytes()) {
        *place = byte as c_char;
    }
    to
}
