//! A channel's sockets: attached, received from, sent to, accepted, and let go.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::event::{self, Event};
use super::source::{self, Accept, Attachment, Heir, Kind as SourceKind, Source};
use super::state::State;
use crate::engine::table::{self, Choice, Kind};
use crate::engine::{Ask, Key, Received, Request, Sent, Socket};
use crate::error::{Errno, Result};
use crate::sys::stat::{Tally, layout::Kind as Counted};
use crate::sys::{poll, trace};

impl State {
    /// Attaches a socket. `insist` has the bits of the engines that its association asks for; `claim` is
    /// told the key before an engine knows of the socket, and may refuse.
    pub fn attach(
        &mut self,
        socket: &Arc<Socket>,
        edge: bool,
        cookie: u64,
        insist: u32,
        claim: impl FnOnce(Key) -> Result<()>,
    ) -> Result<Key> {
        let engine = self.engine_for(socket, insist)?;
        let attachment = Attachment { socket: socket.clone(), edge, engine };
        let id = self.sources.add(Source::new(cookie, SourceKind::Socket(attachment)))?;
        if let Err(errno) = claim(id) {
            self.sources.remove(id);
            return Err(errno);
        }
        // A thread that found the socket in no channel is to have what comes before that what the
        // engine receives.
        socket.wait_for_receives();
        let kind = match (socket.flow(), Some(engine)) {
            (Some(flow), _) => Kind::of_port(flow.port_name()),
            (None, epoll) if epoll == self.epoll => Kind::Epoll,
            _ => self.kind,
        };
        socket.counters.tally.set_engine(kind.code());
        socket.counters.tally.set_channel(self.queue.tally.channel());
        self.poll.let_spread(false);
        if let Err(errno) = self.engines[engine].attach(id, socket, edge, &mut self.poll) {
            self.sources.remove(id);
            return Err(errno);
        }
        if self.has_waiting(id, engine) {
            self.receivable(id);
        }
        Ok(id)
    }

    pub(super) fn has_waiting(&self, id: Key, engine: usize) -> bool {
        self.engines[engine].waiting(id).is_some()
    }

    fn engine_for(&mut self, socket: &Socket, insist: u32) -> Result<usize> {
        let (known, make) = if socket.flow().is_some() {
            (self.frames, true)
        } else if insist == 0 || insist == self.kind.bit() {
            return Ok(0);
        } else if insist == Kind::Epoll.bit() {
            (self.epoll, false)
        } else {
            return Err(Errno::EOPNOTSUPP);
        };
        if let Some(engine) = known {
            return Ok(engine);
        }
        let added = self.engines.len();
        if make {
            self.engines.push(table::build_frames(self.owner));
            self.frames = Some(added);
        } else {
            let choice = Choice { kind: Kind::Epoll, reason: String::new() };
            let counts = Arc::new(Tally::new(Counted::Engine));
            counts.set_channel(self.queue.tally.channel());
            self.engines.push(table::build(&choice, 0, false, counts)?.engine);
            self.epoll = Some(added);
        }
        Ok(added)
    }

    /// Lets the socket go; what it had not sent is told as cancelled. Its source stays.
    pub fn detach(&mut self, id: Key) -> Result<()> {
        let attachment = self.attachment(id)?;
        let (engine, socket) = (attachment.engine, attachment.socket.clone());
        self.engines[engine].detach(id, &mut self.poll, &mut self.notices);
        socket.counters.tally.set_channel(-1);
        self.take_notices();
        self.quiet(id);
        Ok(())
    }

    /// Takes a socket that was let go back, with what it has left.
    pub fn attach_again(&mut self, id: Key) -> Result<()> {
        let &mut Attachment { ref socket, edge, engine } = self.attachment(id)?;
        let socket = socket.clone();
        self.engines[engine].attach(id, &socket, edge, &mut self.poll)?;
        socket.counters.tally.set_channel(self.queue.tally.channel());
        if self.has_waiting(id, engine) {
            self.receivable(id);
        }
        Ok(())
    }

    /// Removes the source of a socket that was let go, but leaves what it has to tell.
    pub fn forget(&mut self, id: Key) {
        if self.sources.remove(id).is_some_and(|source| source.is_queued) {
            self.queue.orphan();
        }
    }

    /// Whether the socket of that source has not been taken out.
    pub fn has_socket(&mut self, id: Key) -> bool {
        self.attachment(id).is_ok()
    }

    pub(super) fn attachment(&mut self, id: Key) -> Result<&mut Attachment> {
        match self.sources.get(id).map(|source| &mut source.kind) {
            Some(SourceKind::Socket(attachment)) => Ok(attachment),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `sio_send`: accepted, with a slot for its event, or refused with `EAGAIN`.
    pub fn send(&mut self, id: Key, request: Request) -> Result<()> {
        let engine = self.attachment(id)?.engine;
        if let Err(errno) = self.queue.reserve() {
            self.attachment(id)?.socket.counters.count_refused();
            return Err(errno);
        }
        let bytes = request.length;
        if let Err(errno) = self.engines[engine].send(id, request) {
            self.queue.unreserve();
            return Err(errno);
        }
        let socket = &self.attachment(id)?.socket;
        trace::submit(socket.fd, bytes, socket.counters.tally.engine());
        if self.sleepers.is_anyone_waiting() {
            self.turn()?;
        }
        Ok(())
    }

    /// The same, if there is a slot: only then is the memory lent. `None`: there is none, or the
    /// memory cannot be had in this way.
    pub fn send_lent(
        &mut self,
        id: Key,
        lend: impl FnOnce() -> Option<Request>,
    ) -> Option<Result<()>> {
        if !self.queue.has_room() {
            return None;
        }
        self.attachment(id).ok()?;
        Some(self.send(id, lend()?))
    }

    /// The same of what has arrived already, while nobody waits; `true`: nothing has to be settled.
    /// `None`: it is not so, and nothing was taken.
    #[inline]
    pub fn receive_arrived(&mut self, id: Key, ask: &Ask) -> Option<(Received, bool)> {
        // What a look has found would be old then.
        let is_simple = self.stash.is_empty() && !self.is_anyone_waiting();
        let engine = self.engines.first_mut().filter(|_| is_simple)?;
        let (received, is_left) = engine.receive_arrived(id, ask)?;
        let is_settled = is_left || !self.quiet(id) || self.live() > 0 || self.is_settled();
        Some((received, is_settled))
    }

    /// `sio_recv`, without waiting.
    pub fn receive(&mut self, id: Key, ask: &Ask) -> Result<Received> {
        let &mut Attachment { engine, edge, .. } = self.attachment(id)?;
        if !edge {
            // What a look has found is old now: what is left of it is told again.
            self.stash.retain(|event| event.source != id || event.kind != event::RECV);
        }
        let mut answer = self.engines[engine].receive(id, ask, &mut self.poll);
        if matches!(answer, Err(Errno::EAGAIN)) && !self.engines[engine].is_polled(id) {
            self.engines[engine].look(&mut self.poll, &mut self.notices)?;
            self.take_notices();
            answer = self.engines[engine].receive(id, ask, &mut self.poll);
        }
        self.engines[engine].tell(&mut self.notices);
        self.take_notices();
        self.refresh(id);
        answer
    }

    /// A thread is about to wait for this socket alone: whether it may wait on the socket's descriptor
    /// itself.
    pub fn wait_alone(&mut self, id: Key) -> Result<bool> {
        let engine = self.attachment(id)?.engine;
        self.engines[engine].wait_alone(id, &mut self.poll)
    }

    /// Whether something has arrived and was not fetched: a detach would lose it.
    pub fn has_data(&mut self, id: Key) -> Result<bool> {
        let engine = self.attachment(id)?.engine;
        Ok(self.engines[engine].waiting(id).is_data())
    }

    /// Whether a receive would have something to tell, be it here or still the kernel's.
    pub fn has_arrived(&mut self, id: Key) -> Result<bool> {
        self.turn()?;
        let attachment = self.attachment(id)?;
        let (engine, fd) = (attachment.engine, attachment.socket.fd);
        Ok(self.has_waiting(id, engine)
            || self.engines[engine].is_polled(id)
                && poll::now(fd, libc::POLLIN | libc::POLLRDHUP)? != 0)
    }

    /// The socket has something new: its item belongs into the queue.
    pub(super) fn receivable(&mut self, id: Key) {
        self.stand(id);
        self.sleepers.wake_for_socket(id);
    }

    /// Brings an item in the queue in line with what the engine has.
    pub(super) fn refresh(&mut self, id: Key) {
        if let Ok(attachment) = self.attachment(id)
            && let engine = attachment.engine
            && !self.has_waiting(id, engine)
        {
            self.quiet(id);
        }
    }

    /// What a socket's item in the queue has come to.
    pub(super) fn fetch_receivable(&mut self, id: Key, again: &mut Vec<Key>) -> Option<Event> {
        let source = self.sources.get(id)?;
        let cookie = source.cookie;
        let SourceKind::Socket(attachment) = &mut source.kind else { return None };
        let (engine, edge, fd) = (attachment.engine, attachment.edge, attachment.socket.fd);
        let readiness = self.engines[engine].waiting(id);
        if !readiness.is_some() {
            return None;
        }
        if !edge {
            again.push(id);
        }
        Some(source::receive_event(readiness, fd, id, cookie))
    }

    /// A send has ended.
    pub(super) fn sent(&mut self, id: Key, sent: &Sent) {
        if sent.quiet && sent.outcome.is_ok() {
            self.queue.unreserve();
            return;
        }
        let found = self.sources.get(id).and_then(|source| match &source.kind {
            SourceKind::Socket(attachment) => Some((source.cookie, attachment.socket.fd)),
            _ => None,
        });
        let Some((cookie, fd)) = found else {
            self.queue.unreserve();
            return;
        };
        let mut event = Event::new(event::SENT, fd, id, cookie);
        event.pointer = sent.address;
        event.length = sent.length;
        if sent.copied {
            event.flags |= event::F_COPIED;
        }
        match sent.outcome {
            Ok(bytes) => event.result = bytes as i64,
            Err(errno) => {
                event.fail(errno);
                if matches!(errno, Errno::EPIPE | Errno::ECONNRESET) {
                    event.flags |= event::F_HUP;
                }
            }
        }
        self.queue.push_reserved(event);
    }

    /// A listening socket is ready: one connection, made what the listening socket is.
    pub(super) fn accepted(&mut self, id: Key) -> Option<Event> {
        let source = self.sources.get(id)?;
        let cookie = source.cookie;
        let SourceKind::Accept(accept) = &mut source.kind else { return None };
        let mut event = Event::new(event::ACCEPT, accept.fd, id, cookie);
        let fd = match accept.take()? {
            Ok(fd) => fd,
            Err(errno) => {
                event.fail(errno);
                return Some(event);
            }
        };
        event.result = i64::from(fd);
        if let Err(errno) = self.adopt_connection(id, fd, cookie) {
            event.errno = errno as i32;
        }
        Some(event)
    }

    fn adopt_connection(&mut self, id: Key, fd: i32, cookie: u64) -> Result<()> {
        let accept = self.accept(id)?;
        let attach = accept.attach;
        let Some(Heir { socket, replaced }) = (accept.inherit)(fd)? else {
            // The listening socket has been taken out of the library since.
            return if attach { Err(Errno::EINVAL) } else { Ok(()) };
        };
        if let Some(old) = replaced {
            // Before the number is used again: removing it later would hit the new socket.
            let _ = self.remove(old);
        }
        if attach {
            let key = self.attach(&socket, false, cookie, 0, |_| Ok(()))?;
            (self.accept(id)?.attached)(&socket, key);
        }
        Ok(())
    }

    fn accept(&mut self, id: Key) -> Result<&mut Accept> {
        match self.sources.get(id).map(|source| &mut source.kind) {
            Some(SourceKind::Accept(accept)) => Ok(accept),
            _ => Err(Errno::ENOENT),
        }
    }
}
