//! What most calls of `sio_send` and `sio_recv` are: one stretch of memory, a socket that is attached
//! to a channel, nothing to wait for. They go a short way, which counts no references, and in which
//! nothing can be cancelled. Whatever is different goes the long way (`blocking.rs`), and
//! errors are found there.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::context::{Association, Attached, context};
use super::send::Part;
use crate::channel::State;
use crate::engine::frame::Brief;
use crate::engine::{Ask, File, Form, Pieces, Received, Request, Socket};
use crate::error::{Errno, Result};
use crate::sys::cell::Entered;
use crate::sys::own::Own;
use crate::sys::socket as system;
use crate::sys::wait::Uncancellable;

/// What a change leaves to be done at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Settle,
    /// Nothing, if nobody waits: what is accepted for later is no news, and neither is what has been
    /// received of more.
    SettleForOthers,
}

/// Enters the channel that a socket is attached to, and ends the change. `None`: the long way.
/// `asks_network`: it may have to be asked what has become of the network.
fn inside<R>(
    fd: RawFd,
    asks_network: bool,
    change: impl FnOnce(&Socket, &Attached, &mut Entered<'_, State>) -> Option<(End, Result<R>)>,
) -> Option<Result<R>> {
    context().with_socket(fd, |association| {
        let association = association?;
        let socket = &*association.socket;
        if socket.listening || association.tail.is_busy() {
            return None;
        }
        // What an interface needs to be told of the network is asked with such calls.
        let is_of_interface = socket.flow().is_some();
        let _uncancellable = (is_of_interface && asks_network).then(Uncancellable::begin);
        association.attachment.with(|attached| {
            let attached = attached?;
            let (mut state, has_answered) = attached.channel.enter_and_answer().ok()?;
            let (end, answer) = change(socket, attached, &mut state)?;
            let is_alone = !has_answered && !state.is_anyone_waiting();
            if end == End::SettleForOthers && is_alone {
                return Some(answer);
            }
            let _uncancellable = (is_of_interface && !asks_network).then(Uncancellable::begin);
            let settled = attached.channel.settle(&mut state);
            Some(settled.and(answer))
        })
    })
}

/// `sio_send`; `release` and `quiet` as the flags say.
pub fn send(
    fd: RawFd,
    (address, bytes): Part,
    flags: i32,
    release: bool,
    quiet: bool,
) -> Option<Result<usize>> {
    const KNOWN: i32 = system::DONTWAIT | system::NOSIGNAL | system::MORE;
    if flags & !KNOWN != 0 || bytes == 0 || i32::try_from(bytes).is_err() {
        return None;
    }
    inside(fd, false, |socket, attached, state| {
        let is_framed = socket.region.frame_bytes().is_some();
        let offset = socket.region.mapping().offset_of(address, bytes)?;
        let lend = || {
            let piece = if release && !is_framed {
                socket.region.lend_last(address, bytes)?
            } else {
                socket.region.lend(address, bytes).ok()?
            };
            Some(Request {
                pieces: Pieces::from_buf([piece]),
                file: None,
                length: bytes,
                address,
                name: None,
                control: Vec::new(),
                flags: flags & system::MORE,
                quiet,
            })
        };
        let sent = state.send_lent(attached.key, lend)?;
        if release && is_framed && sent.is_ok() {
            socket.region.release_around(offset);
        }
        Some((End::SettleForOthers, sent.map(|()| bytes)))
    })
}

/// `sio_recv` and `sio_recvfrom` where an interface serves the socket and several datagrams wait:
/// nobody but the caller need know. `None`: it has to go the whole way.
#[inline(always)]
pub fn receive_in_passing(
    own: &Own,
    fd: RawFd,
    size: usize,
    flags: i32,
    form: Form,
) -> Option<Brief> {
    const KNOWN: i32 = system::DONTWAIT | system::TRUNC | system::CMSG_CLOEXEC | system::NOSIGNAL;
    if flags & !KNOWN != 0 || size == 0 || form == Form::Message {
        return None;
    }
    let ask = Ask { size, flags, form };
    let look = |association: &Association| {
        let socket = &association.socket;
        socket.flow()?.receive_in_passing(own, &ask, socket)
    };
    context().glance_at_socket(own, fd, look)?
}

/// `sio_sendfile`.
pub fn send_file(
    fd: RawFd,
    (file, offset, bytes): (RawFd, i64, usize),
    flags: i32,
    quiet: bool,
) -> Option<Result<usize>> {
    let is_known = flags & !(system::DONTWAIT | system::NOSIGNAL) == 0;
    if !is_known || bytes == 0 || i32::try_from(bytes).is_err() || offset < 0 {
        return None;
    }
    offset.checked_add(bytes as i64)?;
    inside(fd, false, |socket, attached, state| {
        if !socket.is_stream() {
            return None;
        }
        let make = || Some(Request::of_file(File::new(file, offset).ok()?, bytes, quiet));
        let sent = state.send_lent(attached.key, make)?;
        Some((End::SettleForOthers, sent.map(|()| bytes)))
    })
}

/// `sio_recv` and `sio_recvfrom`. `EAGAIN` and `ENOBUFS` may be reasons to wait.
pub fn receive(fd: RawFd, size: usize, flags: i32, form: Form) -> Option<Result<Received>> {
    const KNOWN: i32 = system::DONTWAIT | system::NOSIGNAL | system::TRUNC;
    if flags & !KNOWN != 0 || form == Form::Message || size == 0 {
        return None;
    }
    let ask = Ask { size, flags, form };
    inside(fd, true, |socket, attached, state| {
        // Of a stream that is something else.
        if flags & system::TRUNC != 0 && socket.is_stream() {
            return None;
        }
        Some(match state.receive_of_many(attached.key, &ask) {
            Some(received) => (End::SettleForOthers, Ok(received)),
            None => (End::Settle, state.receive(attached.key, &ask)),
        })
    })
}

/// Whether a receive with such flags that has come to this may have to wait.
pub fn may_wait(answer: &Result<Received>, flags: i32) -> bool {
    match answer {
        Err(Errno::EAGAIN) => flags & system::DONTWAIT == 0,
        Err(Errno::ENOBUFS) => true,
        _ => false,
    }
}
