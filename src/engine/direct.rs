//! Plain system calls between a socket and its area: what the epoll engine, sockets in no
//! channel, and sockets whose kernel cannot do better are served by. Never blocks.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::outbox::Entry;
use super::{Ask, Form, Outbox, Received, Request, Socket};
use crate::error::{Errno, Result};
use crate::limits::{CONTROL_BYTES_MAX, DATAGRAM_BYTES_MAX, IOVECS_MAX, STREAM_PIECE_BYTES_MAX};
use crate::region::Message;
use crate::sys::message::{ADDRESS_BYTES_MAX, Address, Batch, Outgoing};
use crate::sys::{poll, segments, socket as system};

/// Streams are content with less than they asked for, down to this.
const STREAM_PIECE_BYTES_MIN: usize = 512;

/// Receives into a fresh block. `EAGAIN`: nothing has arrived; `ENOBUFS`: the area, or the
/// socket's share of it, has no room.
pub fn receive(socket: &Socket, ask: &Ask) -> Result<Received> {
    receive_if(socket, ask, || true).unwrap_or(Err(Errno::EAGAIN))
}

/// The same if `may_receive` says so when it is this thread's turn; otherwise `None`.
pub fn receive_if(
    socket: &Socket,
    ask: &Ask,
    may_receive: impl FnOnce() -> bool,
) -> Option<Result<Received>> {
    let _turn = match socket.enter_receives() {
        Ok(turn) => turn,
        Err(errno) => return Some(Err(errno)),
    };
    if !may_receive() {
        return None;
    }
    Some(match socket.receive_backlog(ask) {
        Some(answer) => answer,
        None if ask.form == Form::Message => receive_message(socket, ask),
        None => receive_data(socket, ask),
    })
}

fn receive_data(socket: &Socket, ask: &Ask) -> Result<Received> {
    let mut loan = room_for(socket, ask.size, |bytes| socket.region.take(bytes))?;
    let flags = if socket.is_stream() { 0 } else { system::TRUNC };
    let (count, name) = match ask.form {
        Form::Name => {
            let (count, name) = system::receive_from(socket.fd, loan.span(), flags)?;
            (count, Some(name).filter(|name: &Address| !name.bytes().is_empty()))
        }
        _ => (system::receive(socket.fd, loan.span(), flags)?, None),
    };
    let stored = count.min(loan.len()).min(ask.size);
    if count == 0 && is_end(socket) {
        return Ok(Received::End);
    }
    loan.trim(stored);
    socket.account.add(stored);
    socket.counters.count_received_directly(stored, true);
    let address = loan.hand_out(0, stored, socket.account.booked());
    let count = if ask.flags & system::TRUNC != 0 { count } else { stored };
    Ok(Received::Block { address, count, name: name.map(Box::new) })
}

fn receive_message(socket: &Socket, ask: &Ask) -> Result<Received> {
    let control = CONTROL_BYTES_MAX;
    let message = room_for(socket, usize::MAX, |bytes| {
        Message::room(&socket.region, bytes, ADDRESS_BYTES_MAX, control)
    })?;
    let mut flags = ask.flags & system::CMSG_CLOEXEC;
    if !socket.is_stream() {
        flags |= system::TRUNC;
    }
    let spans = message.spans();
    let mut facts = system::receive_message(socket.fd, &spans, flags)?;
    let stored = facts.bytes.min(spans.data.len());
    if facts.bytes == 0 && facts.control_length == 0 && is_end(socket) {
        return Ok(Received::End);
    }
    facts.flags &= !libc::MSG_CMSG_CLOEXEC;
    let count = if ask.flags & system::TRUNC != 0 { facts.bytes } else { stored };
    socket.counters.count_received_directly(stored, true);
    let address = message.hand_out(&facts, &socket.account);
    Ok(Received::Block { address, count, name: None })
}

/// Finds room for the next piece of a stream or for a whole message, but never more than `size`.
fn room_for<T>(
    socket: &Socket,
    size: usize,
    mut take: impl FnMut(usize) -> Option<T>,
) -> Result<T> {
    let left = socket.account.left_bytes();
    if socket.is_stream() {
        let mut bytes = size.min(STREAM_PIECE_BYTES_MAX).min(left);
        while bytes > 0 {
            if let Some(found) = take(bytes) {
                return Ok(found);
            }
            if bytes < STREAM_PIECE_BYTES_MIN {
                break;
            }
            bytes /= 2;
        }
        return Err(Errno::ENOBUFS);
    }
    // A message is never cut for want of room, only because the program asked for less.
    let usual = size.min(DATAGRAM_BYTES_MAX);
    if (size <= DATAGRAM_BYTES_MAX || socket.is_internet())
        && usual <= left
        && let Some(found) = take(usual)
    {
        return Ok(found);
    }
    let bytes = size.min(system::next_message_bytes(socket.fd)?).max(1);
    // One that is larger than the socket's whole share would stop it for ever: that is cut.
    let bytes = if bytes > socket.account.limit_bytes() { left } else { bytes };
    if bytes == 0 || bytes > left {
        return Err(Errno::ENOBUFS);
    }
    take(bytes).ok_or(Errno::ENOBUFS)
}

/// Whether nothing received means the end: always on streams, never on datagrams; a sequence of
/// packets has empty ones too, so its state is asked for.
fn is_end(socket: &Socket) -> bool {
    match socket.kind {
        libc::SOCK_STREAM => true,
        libc::SOCK_SEQPACKET => {
            poll::is_hung_up(socket.fd) && system::readable_bytes(socket.fd) == Ok(0)
        }
        _ => false,
    }
}

/// Sends what is left of a request after `skip` bytes, or a first part of it.
pub fn send(socket: &Socket, request: &Request, skip: usize) -> Result<usize> {
    match request.pieces.as_slice() {
        [piece] if request.is_plain() => {
            system::send(socket.fd, piece.span().skip(skip), request.flags)
        }
        _ => system::send_message(socket.fd, &request.message(skip), request.flags),
    }
}

/// The same where more follows at once.
pub fn send_ahead(socket: &Socket, request: &Request, skip: usize) -> Result<usize> {
    let flags = request.flags | system::MORE;
    match request.pieces.as_slice() {
        [piece] => system::send(socket.fd, piece.span().skip(skip), flags),
        _ => system::send_message(socket.fd, &request.message(skip), flags),
    }
}

/// Sends the first unsent requests of a stream that can go together in one call.
pub fn send_gathered(socket: &Socket, outbox: &Outbox) -> Result<usize> {
    let mut flags = 0;
    let mut spans = Vec::new();
    for entry in outbox.gatherable().take(GATHERED_PIECES_MAX) {
        flags = entry.request.flags;
        spans.extend(entry.request.spans(entry.sent));
    }
    if outbox.goes_on_after_gatherable() {
        flags |= system::MORE;
    }
    let message = Outgoing::new(spans.into_iter().take(IOVECS_MAX), None, Vec::new());
    system::send_message(socket.fd, &message, flags)
}

/// Sends up to `most` of the first unsent messages, as far as their flags are the same: how many
/// were taken.
pub fn send_messages(socket: &Socket, outbox: &Outbox, most: usize) -> Result<usize> {
    let flags = outbox.unsent().next().map_or(0, |entry| entry.request.flags);
    let same = outbox.unsent().take(most).take_while(|entry| entry.request.flags == flags);
    let count = same.count();
    let runs = if flags & system::MORE == 0 { runs(socket, outbox, count) } else { Vec::new() };
    if let Some(first) = runs.first() {
        match send_runs(socket, outbox, &runs, flags) {
            // The path takes no datagrams of this size, or none that it has to cut.
            Err(Errno::EINVAL | Errno::EMSGSIZE) if first.is_cut() => {
                socket.refuse_segments(first.bytes);
            }
            Err(Errno::EIO | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT) if first.is_cut() => {
                socket.refuse_segments(0);
            }
            answer => return answer,
        }
    }
    let mut messages = Batch::with_capacity(count);
    for Entry { request, .. } in outbox.unsent().take(count) {
        messages.push(request.spans(0), request.name.as_deref(), request.control());
    }
    system::send_messages(socket.fd, messages, flags)
}

/// Messages, one after the other, that are one for the kernel.
struct Run {
    /// From which to which of the unsent messages.
    range: Range<usize>,
    /// The length of each of them but the last.
    bytes: usize,
}

impl Run {
    /// Whether it is to be cut into several.
    fn is_cut(&self) -> bool {
        self.range.len() > 1
    }
}

/// What of the first `count` messages can go together; nothing if they go one by one anyway.
fn runs(socket: &Socket, outbox: &Outbox, count: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    if count < RUN_MIN || !socket.is_udp() {
        return runs;
    }
    let (mut from, mut bytes_max) = (0, None);
    while from < count {
        let mut run = first_run(outbox, from, count);
        if run.range.len() < RUN_MIN
            || run.bytes > *bytes_max.get_or_insert_with(|| socket.segment_bytes_max())
        {
            run.range.end = from + 1;
        }
        from = run.range.end;
        runs.push(run);
    }
    if runs.len() == count { Vec::new() } else { runs }
}

/// The messages from one on that can go with it: to the same place, of the same length, and after
/// them one that is shorter.
fn first_run(outbox: &Outbox, from: usize, to: usize) -> Run {
    let mut entries = outbox.unsent().skip(from).take((to - from).min(segments::COUNT_MAX));
    let Some(Entry { request: first, .. }) = entries.next() else {
        return Run { range: from..from + 1, bytes: 0 };
    };
    let bytes = first.length;
    let (mut count, mut total, mut pieces) = (1, bytes, first.pieces.len());
    for Entry { request, .. } in entries {
        total += request.length;
        pieces += request.pieces.len();
        let fits = total <= segments::BYTES_MAX && pieces <= IOVECS_MAX;
        let can_go = first.control.is_none() && request.control.is_none() && request.length > 0;
        if !fits || !can_go || request.length > bytes || place(request) != place(first) {
            break;
        }
        count += 1;
        if request.length < bytes {
            break;
        }
    }
    Run { range: from..from + count, bytes }
}

fn place(request: &Request) -> Option<&[u8]> {
    request.name.as_ref().map(|name| name.bytes())
}

/// One system call for all runs; how many messages they have that were taken.
fn send_runs(socket: &Socket, outbox: &Outbox, runs: &[Run], flags: i32) -> Result<usize> {
    let controls: Vec<_> = runs.iter().map(|run| segments::control(run.bytes as u16)).collect();
    let mut messages = Batch::with_capacity(runs.len());
    for (run, control) in runs.iter().zip(&controls) {
        let entries = || outbox.unsent().skip(run.range.start).take(run.range.len());
        let Some(Entry { request: first, .. }) = entries().next() else { continue };
        let control = if run.is_cut() { control.as_slice() } else { first.control() };
        let spans = entries().flat_map(|entry| entry.request.spans(0));
        messages.push(spans, first.name.as_deref(), control);
    }
    let taken = system::send_messages(socket.fd, messages, flags)?;
    Ok(runs.iter().take(taken).map(|run| run.range.len()).sum())
}

/// Fewer messages are not worth the questions about the socket.
const RUN_MIN: usize = 4;
/// Requests that are worth gathering into one call.
const GATHERED_PIECES_MAX: usize = 64;
