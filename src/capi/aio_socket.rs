//! Asynchronous requests on sockets. Source: the talk, "Asynchronous Network I/O" and "New Network
//! AIO Interfaces": a control block with a message header, aio_send, aio_sendmsg "and so on".

use std::ffi::c_int;

use libc::{aiocb, sockaddr, socklen_t};

use super::convert::AioBlock;
use super::{aio, guard};
use crate::api::aio::Operation;
use crate::error::{Errno, Result};
use crate::sys::control::{Asked, Control};
use crate::sys::exchange::{self, Call};
use crate::sys::message::ADDRESS_BYTES_MAX;

const SEND_FLAGS: c_int = libc::MSG_CONFIRM
    | libc::MSG_DONTROUTE
    | libc::MSG_DONTWAIT
    | libc::MSG_EOR
    | libc::MSG_MORE
    | libc::MSG_NOSIGNAL
    | libc::MSG_OOB;
const RECEIVE_FLAGS: c_int = libc::MSG_CMSG_CLOEXEC
    | libc::MSG_DONTWAIT
    | libc::MSG_ERRQUEUE
    | libc::MSG_NOSIGNAL
    | libc::MSG_OOB
    | libc::MSG_PEEK
    | libc::MSG_TRUNC
    | libc::MSG_WAITALL;
const ACCEPT_FLAGS: c_int = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

fn check_flags(flags: c_int, known: c_int) -> Result<()> {
    if flags & !known == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// An address that is copied while the call is under way.
fn check_address(address: *const sockaddr, length: socklen_t) -> Result<()> {
    if address.is_null() {
        return Err(Errno::EFAULT);
    }
    if length as usize > ADDRESS_BYTES_MAX { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Room for an address: none is asked for, or its length says how much there is.
///
/// # Safety
/// `length` is null or valid.
unsafe fn check_room(address: *mut sockaddr, length: *mut socklen_t) -> Result<(usize, usize)> {
    if address.is_null() {
        return Ok((0, 0));
    }
    // SAFETY: by the contract of this function.
    let room = unsafe { length.as_ref() }.ok_or(Errno::EFAULT)?;
    if i32::try_from(*room).is_err() {
        return Err(Errno::EINVAL);
    }
    Ok((address.addr(), length.addr()))
}

/// # Safety
/// As aio_send, and as the call says.
unsafe fn begin(aiocbp: *mut AioBlock, make: impl FnOnce(Control) -> Result<Call>) -> c_int {
    guard::fast(|| {
        // SAFETY: by the contract of this function; the layouts agree by assertion.
        let control = unsafe { Control::new(aiocbp.cast::<aiocb>()) }?;
        let mut asked = control.asked();
        aio::check_priority(control, &asked)?;
        let call = make(control)?;
        let is_transfer = matches!(call, Call::Send { .. } | Call::Receive { .. });
        if !is_transfer {
            asked = Asked { address: 0, length: 0, ..asked };
        }
        asked.offset = 0;
        // SAFETY: by the contract of this function.
        let bytes = unsafe { exchange::bytes(call, asked.memory()) }?;
        aio::begin(control, &asked, bytes, Operation::Call(call)).map(|()| 0)
    })
}

/// Begins to send. See aio_send(3).
///
/// `aiocbp` points to a control block that stays valid, with its buffer, until the request has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_send(aiocbp: *mut AioBlock, flags: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_flags(flags, SEND_FLAGS)?;
            Ok(Call::Send { flags, to: 0, length: 0 })
        })
    }
}

/// Begins to send to an address. See aio_sendto(3).
///
/// `aiocbp` is as aio_send has it; `to` is null or points to `tolen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_sendto(
    aiocbp: *mut AioBlock,
    flags: c_int,
    to: *const sockaddr,
    tolen: socklen_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_flags(flags, SEND_FLAGS)?;
            if to.is_null() {
                return Ok(Call::Send { flags, to: 0, length: 0 });
            }
            check_address(to, tolen)?;
            Ok(Call::Send { flags, to: to.addr(), length: tolen })
        })
    }
}

/// Begins to send a message. See aio_sendmsg(3).
///
/// `aiocbp` is as aio_send has it; its msg_hdr points to a `struct msghdr` that stays valid as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_sendmsg(aiocbp: *mut AioBlock, flags: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |control| {
            check_flags(flags, SEND_FLAGS)?;
            let header = control.message();
            exchange::check_name(header)?;
            Ok(Call::SendMessage { flags, header })
        })
    }
}

/// Begins to receive. See aio_recv(3).
///
/// `aiocbp` is as aio_send has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_recv(aiocbp: *mut AioBlock, flags: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_flags(flags, RECEIVE_FLAGS)?;
            Ok(Call::Receive { flags, from: 0, length: 0 })
        })
    }
}

/// Begins to receive, with the sender's address. See aio_recvfrom(3).
///
/// `aiocbp` is as aio_send has it; `from` is null or has the room that `fromlen` points to, and both
/// stay valid as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_recvfrom(
    aiocbp: *mut AioBlock,
    flags: c_int,
    from: *mut sockaddr,
    fromlen: *mut socklen_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_flags(flags, RECEIVE_FLAGS)?;
            let (from, length) = check_room(from, fromlen)?;
            Ok(Call::Receive { flags, from, length })
        })
    }
}

/// Begins to receive a message. See aio_recvmsg(3).
///
/// `aiocbp` is as aio_sendmsg has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_recvmsg(aiocbp: *mut AioBlock, flags: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |control| {
            check_flags(flags, RECEIVE_FLAGS)?;
            Ok(Call::ReceiveMessage { flags, header: control.message() })
        })
    }
}

/// Begins to accept a connection: the result is its descriptor. See aio_accept(3).
///
/// `aiocbp` is as aio_send has it; `addr` and `addrlen` are as aio_recvfrom has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_accept(
    aiocbp: *mut AioBlock,
    flags: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_flags(flags, ACCEPT_FLAGS)?;
            let (address, length) = check_room(addr, addrlen)?;
            Ok(Call::Accept { flags, address, length })
        })
    }
}

/// Begins to connect. See aio_connect(3).
///
/// `aiocbp` is as aio_send has it; `addr` points to `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_connect(
    aiocbp: *mut AioBlock,
    addr: *const sockaddr,
    addrlen: socklen_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        begin(aiocbp, |_| {
            check_address(addr, addrlen)?;
            Ok(Call::Connect { address: addr.addr(), length: addrlen })
        })
    }
}
