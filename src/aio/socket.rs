//! Calls on sockets: aio_send(3) and its relatives.
//!
//! They wait in the lanes of their socket, as reads and writes of it do. What can be done at once
//! is. The ring makes the call itself, and so never waits with the books locked; where it says
//! `EAGAIN` nevertheless, as some kernels do for descriptors that do not block, and where there is
//! no ring, the socket is waited for and the call made then.

use super::backend::Means;
use super::inline::Outcome;
use super::lanes::Key;
use super::queue;
use super::request::{Entry, Phase, Request, Rest, Route, Stream};
use super::state::State;
use super::uncopied;
use crate::error::{Errno, Result};
use crate::sys::exchange::{self, Call};
use crate::sys::transfer;

/// Does what can be done at once. `Err` is the result of the request.
pub fn attempt(request: &Request, call: Call) -> Result<Outcome> {
    let Request { fd, memory, .. } = *request;
    if call.is_aside() {
        return call.now(fd, memory).map(|count| Outcome::Done(Ok(count)));
    }
    let is_first = queue::is_idle() || !queue::is_occupied(Some(lane(request, call)?));
    if !is_first {
        return if call.is_impatient() { Err(Errno::EAGAIN) } else { later(request, call, 0) };
    }
    if matches!(call, Call::Accept { .. } | Call::Connect { .. }) {
        return later(request, call, 0);
    }
    if call.is_send() && uncopied::is_worth_trying(request, call) {
        return later(request, call, 0);
    }
    match call.now(fd, memory) {
        Ok(count) if is_short(request, call, count) && !call.is_impatient() => {
            later(request, call, count)
        }
        Ok(count) => Ok(Outcome::Done(Ok(count))),
        Err(Errno::EAGAIN | Errno::EINTR) if !call.is_impatient() => later(request, call, 0),
        Err(errno) => Err(errno),
    }
}

fn lane(request: &Request, call: Call) -> Result<Key> {
    let identity = transfer::identity(request.fd)?;
    if identity.kind() != libc::S_IFSOCK {
        return Err(Errno::ENOTSOCK);
    }
    Ok(Key::new(request.fd, &identity, call.is_write()))
}

fn later(request: &Request, call: Call, done: usize) -> Result<Outcome> {
    let lane = Some(lane(request, call)?);
    Ok(Outcome::Rest(Rest { route: Route::Stream { stream: Stream::Socket, lane }, done }))
}

/// Whether the rest has to follow; the end of a stream is an end.
fn is_short(request: &Request, call: Call, count: usize) -> bool {
    let has_rest = call.wants_all() && count > 0 && count < request.bytes;
    has_rest && exchange::is_stream(request.fd)
}

impl Entry {
    /// The call, with what was copied for it.
    pub fn call(&mut self) -> Option<Call> {
        let call = self.request.operation.call()?;
        Some(self.envelope.as_mut().map_or(call, |envelope| envelope.call()))
    }
}

impl State {
    /// How a call is made now. `None`: it has been, as far as that goes.
    pub fn call_means(&mut self, index: u32, call: Call) -> Option<Means> {
        let is_self_driven = self.backend.is_self_driven();
        let entry = &mut self.entries[index as usize];
        if entry.is_unaskable {
            return Some(Means::Call(call));
        }
        if entry.is_futile {
            return Some(Means::Pause);
        }
        // The ring tries once, waits, and tries again. By then the kernel may have taken the bytes of
        // a message from the program and dropped them: the second attempt would send an empty one.
        let is_message = call.is_send() && !entry.takes_all;
        let is_begun = entry.is_connecting || !call.is_connect();
        if is_begun && (is_self_driven || entry.is_connecting || entry.is_refused || is_message) {
            return Some(Means::Await { is_write: call.is_write() });
        }
        if !is_self_driven && self.sends_uncopied(index, call) {
            self.entries[index as usize].is_uncopied = true;
            return Some(Means::Uncopied(call));
        }
        if !is_self_driven {
            return Some(Means::Call(call));
        }
        self.go_on_with_call(index, call);
        None
    }

    /// The socket is ready, or it is time to try again.
    fn go_on_with_call(&mut self, index: u32, call: Call) {
        let is_self_driven = self.backend.is_self_driven();
        let fd = self.descriptor(&self.entries[index as usize]);
        let entry = &mut self.entries[index as usize];
        if std::mem::take(&mut entry.is_futile) && call.is_connect() && !is_self_driven {
            return self.start(index);
        }
        let answer =
            if entry.is_connecting { exchange::connected(fd) } else { call.now(fd, entry.rest()) };
        match answer {
            Err(Errno::EOPNOTSUPP) if matches!(call, Call::Accept { .. }) => {
                entry.is_unaskable = true;
                self.start(index);
            }
            Err(Errno::EAGAIN) if call.is_send() => {
                // It was ready, so the one who has no room is its peer.
                entry.is_futile = exchange::is_unix(fd) && !entry.takes_all;
                self.start(index);
            }
            answer => self.called(index, call, answer),
        }
    }

    /// A call has been made, by the ring, by a thread, or here.
    pub fn called(&mut self, index: u32, call: Call, answer: Result<usize>) {
        if std::mem::take(&mut self.entries[index as usize].is_uncopied) {
            // Not every socket can, and pinned memory is limited: then it is sent like others.
            let has_failed = matches!(answer, Err(Errno::EOPNOTSUPP | Errno::ENOMEM));
            self.learn(index, has_failed);
            if has_failed {
                return self.start(index);
            }
        }
        let fd = self.descriptor(&self.entries[index as usize]);
        let entry = &mut self.entries[index as usize];
        match answer {
            // What has ended was to wait.
            Ok(_) | Err(Errno::ETIME) if entry.phase == Phase::Polled => {
                entry.phase = Phase::Started;
                self.go_on_with_call(index, call);
            }
            Ok(count) => {
                let is_short = entry.done.saturating_add(count) < entry.request.bytes;
                if is_short && count > 0 && entry.takes_all && !entry.is_cancelled {
                    entry.skip(count);
                    self.start(index);
                } else {
                    let done = entry.done + count;
                    self.end(index, Ok(done));
                }
            }
            Err(Errno::EINPROGRESS) if call.is_connect() => {
                entry.is_connecting = true;
                self.start(index);
            }
            // Not our doing: the thread that submitted it has ended. A connection may be on its way.
            Err(Errno::ECANCELED | Errno::EINTR) if !entry.is_cancelled => {
                entry.is_connecting |= call.is_connect() && entry.phase != Phase::Polled;
                self.start(index);
            }
            Err(Errno::EAGAIN) if entry.is_connecting => {
                entry.is_connecting = false;
                self.start(index);
            }
            Err(Errno::EAGAIN) if call.is_connect() && exchange::is_unix(entry.request.fd) => {
                entry.is_futile = true;
                self.start(index);
            }
            // Older kernels take no control data from the ring.
            Err(Errno::EINVAL) if call.has_header() && !entry.is_refused => {
                entry.is_refused = true;
                self.start(index);
            }
            Err(Errno::EAGAIN) if call.is_receive() && exchange::is_shut_down(fd) => {
                self.end(index, Ok(0));
            }
            Err(Errno::EAGAIN) if !call.is_connect() && !call.is_impatient() => {
                entry.is_refused = true;
                self.start(index);
            }
            Err(_) if entry.done > 0 => {
                let done = entry.done;
                self.end(index, Ok(done));
            }
            Err(Errno::EINTR) => self.end(index, Err(Errno::ECANCELED)),
            Err(errno) => self.end(index, Err(errno)),
        }
    }
}
