//! What most calls of `sio_send` and `sio_recv` are: one stretch of memory, a socket that is attached
//! to a channel, nothing to wait for. They go a short way, which counts no references, and in which
//! nothing can be cancelled. Whatever is different goes the long way (`blocking.rs`), and
//! errors are found there.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use super::blocking::check_current;
use super::context::{Attached, Quick, context};
use super::send::{FilePart, How, Part};
use crate::channel::State;
use crate::engine::frame::{Brief, DirectlySent, Flow, Source};
use crate::engine::{Ask, Form, Pieces, Received, Request, Socket};
use crate::error::{Errno, Result};
use crate::region::Region;
use crate::sys::cell::Entered;
use crate::sys::own::{Own, own};
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

/// Enters the channel that a socket is attached to, and ends the change; or does something `alone`, with
/// the flow of a socket that an interface serves and that is in no channel. `None`: the long way.
fn inside<R>(
    fd: RawFd,
    change: impl FnOnce(&Socket, &Attached, &mut Entered<'_, State>) -> Option<(End, Result<R>)>,
    alone: impl FnOnce(&Socket, &Flow) -> Option<Result<R>>,
) -> Option<Result<R>> {
    // As the steps of the long way: see guard.rs.
    let _uncancellable = Uncancellable::begin();
    let mut is_worth_it = false;
    let answer = context().with_socket(fd, |association| {
        let association = association?;
        let socket = &*association.socket;
        if socket.listening {
            return None;
        }
        association.with_attached(|attached| {
            let Some(attached) = attached else {
                return alone(socket, socket.flow()?);
            };
            let (mut state, has_answered) = attached.channel.enter_and_answer().ok()?;
            // Asked inside: a send that has begun before the socket came in has said so by then.
            if !state.has_socket(attached.key) || association.tail.is_busy() {
                return None;
            }
            let (end, answer) = change(socket, attached, &mut state)?;
            is_worth_it = socket.flow().is_none() && association.count_call();
            let is_alone = !has_answered && !state.is_anyone_waiting();
            if end == End::SettleForOthers && is_alone {
                return Some(answer);
            }
            let settled = attached.channel.settle(&mut state);
            Some(settled.and(answer))
        })
    });
    if is_worth_it {
        context().begin_quick(fd);
    }
    answer
}

impl How {
    fn is_simple(self, bytes: usize) -> bool {
        const KNOWN: i32 = system::DONTWAIT | system::NOSIGNAL | system::MORE;
        self.flags & !KNOWN == 0 && bytes > 0 && i32::try_from(bytes).is_ok()
    }

    /// The memory, and what becomes of it. `None`: it cannot be had like this. `ends_hold`: it is not the
    /// program's from now on.
    #[inline(always)]
    fn lend(
        self,
        region: &Arc<Region>,
        (address, bytes): Part,
        ends_hold: bool,
    ) -> Option<Request> {
        let piece = if ends_hold {
            region.lend_last(address, bytes)?
        } else {
            region.lend(address, bytes).ok()?
        };
        Some(Request {
            pieces: Pieces::from_buf([piece]),
            file: None,
            length: bytes,
            address,
            name: None,
            control: None,
            flags: self.flags & system::MORE,
            quiet: self.quiet,
        })
    }
}

/// `sio_send` on a socket that is used again and again, while nobody else uses its channel. `None`: it
/// has to go a longer way.
#[inline(always)]
pub fn send_in_passing(own: &Own, fd: RawFd, part: Part, how: How) -> Option<Result<usize>> {
    if !how.is_simple(part.1) {
        return None;
    }
    let quick = context().glance_at_socket(own, fd)?;
    let Attached { channel, key } = quick.attached.as_ref()?;
    let region = &quick.socket.region;
    let mut state = channel.try_enter(own)?;
    if state.is_anyone_waiting() {
        return None;
    }
    let sent = state.send_lent(*key, || how.lend(region, part, how.release))?;
    Some(sent.map(|()| part.1))
}

/// `sio_send`.
pub fn send(fd: RawFd, part: Part, how: How) -> Option<Result<usize>> {
    if !how.is_simple(part.1) {
        return None;
    }
    let change = |socket: &Socket, attached: &Attached, state: &mut Entered<'_, State>| {
        let lend = || how.lend(&socket.region, part, how.release);
        let sent = state.send_lent(attached.key, lend)?;
        Some((End::SettleForOthers, sent.map(|()| part.1)))
    };
    inside(fd, change, |socket, flow| send_alone(socket, flow, part, how))
}

/// The same in no channel, where nothing has to be waited for.
fn send_alone(socket: &Socket, flow: &Flow, part: Part, how: How) -> Option<Result<usize>> {
    if how.flags & system::MORE != 0 {
        return None;
    }
    if let Err(errno) = check_current(socket) {
        return Some(Err(errno));
    }
    let offset = socket.region.mapping().offset_of(part.0, part.1)?;
    let mut request = how.lend(&socket.region, part, false)?;
    match flow.send(socket, &mut request) {
        Ok(DirectlySent { copied }) => {
            socket.counters.count_sent_directly(part.1, copied);
            if how.release {
                socket.region.release_around(offset);
            }
            Some(Ok(part.1))
        }
        // It may have to wait.
        Err(Errno::EAGAIN | Errno::ENOBUFS) => None,
        Err(errno) => Some(Err(errno)),
    }
}

/// What a receive has found in passing.
pub enum Passed {
    /// A frame of an interface's.
    Frame(Brief),
    /// What the kernel has put into the area. Unless it `is_settled`, [`settle`] has to follow.
    Block { received: Received, is_settled: bool },
}

/// `sio_recv` and `sio_recvfrom` where nobody but the caller need know: an interface serves the socket
/// and several datagrams wait, or something has arrived at a socket that is used again and again,
/// while nobody else uses its channel. `None`: it has to go a longer way. `source`: who has sent a frame,
/// if that was asked for.
#[inline(always)]
pub fn receive_in_passing(
    own: &Own,
    fd: RawFd,
    size: usize,
    flags: i32,
    form: Form,
    source: &mut Option<Source>,
) -> Option<Passed> {
    const KNOWN: i32 = system::DONTWAIT | system::TRUNC | system::CMSG_CLOEXEC | system::NOSIGNAL;
    if flags & !KNOWN != 0 || size == 0 || form == Form::Message {
        return None;
    }
    let ask = Ask { size, flags, form };
    let quick = context().glance_at_socket(own, fd)?;
    let Quick { socket, attached } = &*quick;
    match socket.flow() {
        Some(flow) => {
            let brief = flow.receive_in_passing(own, &quick, &ask, socket, source)?;
            Some(Passed::Frame(brief))
        }
        None => receive_arrived(own, socket, attached.as_ref()?, &ask),
    }
}

fn receive_arrived(own: &Own, socket: &Socket, at: &Attached, ask: &Ask) -> Option<Passed> {
    // Of a stream that is something else.
    if ask.flags & system::CMSG_CLOEXEC != 0 || ask.flags & system::TRUNC != 0 && socket.is_stream()
    {
        return None;
    }
    let mut state = at.channel.try_enter(own)?;
    let (received, is_settled) = state.receive_arrived(at.key, ask)?;
    Some(Passed::Block { received, is_settled })
}

/// What is left of a receive: nobody is to be told by the channel of what is not there any more.
pub fn settle(fd: RawFd) -> Result<()> {
    let settled = own(|own| {
        let quick = context().glance_at_socket(own, fd)?;
        let channel = &quick.attached.as_ref()?.channel;
        let mut state = channel.try_enter(own)?;
        channel.settle_in_passing(&mut state).ok().filter(|&is_settled| is_settled)
    });
    if settled.is_none()
        && let Some(attached) = context().socket(fd)?.attached()
    {
        let mut state = attached.channel.enter()?;
        attached.channel.settle(&mut state)?;
    }
    Ok(())
}

/// `sio_sendfile`.
pub fn send_file(fd: RawFd, part: FilePart) -> Option<Result<usize>> {
    let change = |socket: &Socket, attached: &Attached, state: &mut Entered<'_, State>| {
        let sent = state.send_lent(attached.key, || part.request(socket).ok())?;
        Some((End::SettleForOthers, sent.map(|()| part.length)))
    };
    inside(fd, change, |_, _| None)
}

/// `sio_recv` and `sio_recvfrom`. `EAGAIN` and `ENOBUFS` may be reasons to wait.
pub fn receive(fd: RawFd, size: usize, flags: i32, form: Form) -> Option<Result<Received>> {
    const KNOWN: i32 = system::DONTWAIT | system::NOSIGNAL | system::TRUNC;
    if flags & !KNOWN != 0 || form == Form::Message || size == 0 {
        return None;
    }
    let ask = Ask { size, flags, form };
    let change = |socket: &Socket, attached: &Attached, state: &mut Entered<'_, State>| {
        // Of a stream that is something else.
        if flags & system::TRUNC != 0 && socket.is_stream() {
            return None;
        }
        Some(match state.receive_arrived(attached.key, &ask) {
            Some((received, true)) => (End::SettleForOthers, Ok(received)),
            Some((received, false)) => (End::Settle, Ok(received)),
            None => (End::Settle, state.receive(attached.key, &ask)),
        })
    };
    inside(fd, change, |socket, flow| {
        let waits = flags & system::DONTWAIT == 0;
        (!waits).then(|| flow.receive(&ask, socket, false, || check_current(socket)))
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::super::{channel, region, socket, source};
    use super::*;
    use crate::region::map::Pages;

    #[test]
    fn nothing_is_cancelled_in_the_short_way() {
        let (ours, _theirs) = UnixStream::pair().expect("sockets");
        let fd = ours.as_raw_fd();
        let area = region::alloc(1 << 16, Pages::Normal, 0).expect("an area");
        socket::assoc(fd, area, 0, 0).expect("associated");
        let ec = channel::create(Default::default()).expect("a channel");
        source::add_socket(ec, fd, Default::default(), 0).expect("attached");
        let is_disabled = inside(
            fd,
            |_, _, _| Some((End::Settle, Ok(crate::sys::wait::is_uncancellable()))),
            |_, _| None,
        );
        assert_eq!(is_disabled, Some(Ok(true)));
        assert!(!crate::sys::wait::is_uncancellable());
        channel::destroy(ec).expect("destroyed");
        socket::detach(fd).expect("detached");
        region::free(area, 1 << 16).expect("freed");
    }
}
