//! The frame engine: turns any port into UDP sockets. One for all ports; what is special about
//! one is behind [`crate::port::Port`].
//!
//! A *hub* is an interface that serves sockets of one area (`hub.rs`). It belongs to no channel:
//! whoever needs something from it polls it, and what is for others goes into their rings
//! (`inlet.rs`) and mailboxes (`door.rs`). A *flow* is what one socket has of hubs (`flow.rs`). The
//! engine of a channel is what follows here. The kernel's socket stays open beside: what came before
//! the flow was claimed, and what the port leaves to the kernel, is received from there.
#![forbid(unsafe_code)]

mod claims;
mod collect;
mod door;
mod filling;
mod flow;
mod gated;
mod hub;
mod inlet;
mod keeping;
mod open;
mod outgoing;
mod patience;
mod sender;
mod shared;
mod transmit;

use std::sync::Arc;

pub use door::{Looker, Sleeper};
pub use flow::{Flow, NAP, Sent as DirectlySent};
pub use hub::{FRAMES_MIN, Hub};
pub use inlet::{Brief, Source};
pub use open::{open_copied_frames, open_flow, open_frames, open_hubs, open_shared};
pub use outgoing::Alarm;
pub use shared::Shared;

use super::connections::Connections;
use super::ready::Ready;
use super::{
    Ask, Engine, Key, Notice, Outbox, PollSet, Readiness, Received, Request, Socket, direct,
};
use crate::error::{Errno, Result};
use crate::sys::poll;
use crate::sys::wait::Sleep;
use door::{Mailbox, News};
use sender::Session;
use transmit::Sending;

/// Places of the engine's own descriptors in the poll set.
const MAILBOX: usize = 0;
const FIRST_HUB: usize = 1;

#[derive(Default)]
pub struct Frames {
    /// The only thread that uses the channel, if it is for one.
    owner: Option<u64>,
    connections: Connections<Box<Connection>>,
    /// Hubs of the channel's sockets, and of how many each.
    hubs: Vec<Option<(Arc<Hub>, usize)>>,
    mailbox: Option<Arc<Mailbox>>,
    news: Vec<News>,
    /// Sockets with requests that have not been tried yet, or not been taken.
    dirty: Vec<Key>,
    /// Sockets that had no room to receive into.
    starved: Vec<Key>,
    /// Sends may be on their way.
    has_flights: bool,
}

struct Connection {
    socket: Arc<Socket>,
    flow: Arc<Flow>,
    /// What the kernel has for the socket.
    ready: Ready,
    outbox: Outbox,
    is_dirty: bool,
    /// The kernel's buffer is full: wait until it is not.
    is_full: bool,
}

impl Connection {
    /// Hands over as much as is taken; `true`: a port was full, and it is to be tried again.
    fn flush(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<bool> {
        self.is_full = false;
        let is_zero_copy = self.flow.is_zero_copy();
        let mut alone = self.flow.lock_sender();
        let mut session = Session::new(self.flow.legs(), &mut alone.sender);
        let mut again = false;
        loop {
            let number = self.outbox.next_number();
            let Some(entry) = self.outbox.first_unsent_mut() else { break };
            match session.send(&mut entry.request, number, false) {
                Sending::Begun { copied, .. } => self.outbox.launch(copied, !is_zero_copy),
                Sending::Full | Sending::Starved if !again => {
                    again = true;
                    session.ring_doorbell();
                    session.complete();
                }
                Sending::Full | Sending::Starved => break,
                Sending::Refused => {
                    // In order: what the port has goes out first.
                    session.ring_doorbell();
                    match direct::send(&self.socket, &entry.request, entry.sent) {
                        Ok(bytes) => drop(self.outbox.advance(bytes, true)),
                        Err(Errno::EINTR) => {}
                        Err(Errno::EAGAIN) => {
                            self.is_full = true;
                            break;
                        }
                        Err(errno) => self.outbox.fail(errno),
                    }
                }
            }
        }
        session.ring_doorbell();
        drop(session);
        drop(alone);
        self.outbox.tell(key, &self.socket, notices);
        self.ready.want_output(self.is_full, poll)?;
        Ok(self.outbox.has_unsent() && !self.is_full)
    }

    fn readiness(&self) -> Readiness {
        let arrived = self.flow.lock_inlets().readiness();
        if arrived.is_some() { arrived } else { self.ready.waiting() }
    }
}

impl Frames {
    /// `owner` is the mark of the only thread that uses the channel, if it is for one.
    pub fn new(owner: Option<u64>) -> Self {
        Self { owner, ..Self::default() }
    }

    fn mailbox(&mut self, poll: &mut PollSet) -> Result<Arc<Mailbox>> {
        if let Some(mailbox) = &self.mailbox {
            return Ok(mailbox.clone());
        }
        let mailbox = Mailbox::new(self.owner.is_some())?;
        poll.add_engine(mailbox.fd(), MAILBOX)?;
        Ok(self.mailbox.insert(mailbox).clone())
    }

    fn begin(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()> {
        let flow = socket.flow().ok_or(Errno::EOPNOTSUPP)?.clone();
        let mailbox = self.mailbox(poll)?;
        let mut ready = Ready::new(socket, key, edge, poll)?;
        for (joined, (hub, _)) in flow.legs().iter().enumerate() {
            if let Err(errno) = self.join(hub, poll) {
                flow.legs()[..joined].iter().for_each(|(hub, _)| self.leave(hub, poll));
                ready.close(poll);
                return Err(errno);
            }
        }
        if let Err(errno) = flow.enter_channel(self.owner) {
            flow.legs().iter().for_each(|(hub, _)| self.leave(hub, poll));
            ready.close(poll);
            return Err(errno);
        }
        for (hub, outlet) in flow.legs() {
            hub.set_reader(*outlet, Some((mailbox.clone(), key)));
            hub.set_edge(*outlet, edge);
        }
        // What others get by that wakes this channel too: nobody collects it now.
        flow.lock_inlets().poll(Looker::Nobody);
        let connection = Connection {
            socket: socket.clone(),
            flow,
            ready,
            outbox: Outbox::default(),
            is_dirty: false,
            is_full: false,
        };
        self.connections.insert(key, Box::new(connection));
        Ok(())
    }

    /// One more socket of the channel uses a hub.
    fn join(&mut self, hub: &Arc<Hub>, poll: &mut PollSet) -> Result<()> {
        for (known, users) in self.hubs.iter_mut().flatten() {
            if Arc::ptr_eq(known, hub) {
                *users += 1;
                return Ok(());
            }
        }
        let place = self.hubs.iter().position(Option::is_none).unwrap_or(self.hubs.len());
        for (number, fd) in hub.watched().iter().enumerate() {
            if let Err(errno) = poll.add_engine(*fd, FIRST_HUB + place) {
                let added = &hub.watched()[..number];
                added.iter().for_each(|fd| poll.remove_engine(*fd, FIRST_HUB + place));
                return Err(errno);
            }
        }
        if place == self.hubs.len() {
            self.hubs.push(None);
        }
        self.hubs[place] = Some((hub.clone(), 1));
        Ok(())
    }

    fn leave(&mut self, hub: &Arc<Hub>, poll: &mut PollSet) {
        for (place, entry) in self.hubs.iter_mut().enumerate() {
            if let Some((known, users)) = entry
                && Arc::ptr_eq(known, hub)
            {
                *users -= 1;
                if *users == 0 {
                    let watched = hub.watched().iter();
                    watched.for_each(|fd| poll.remove_engine(*fd, FIRST_HUB + place));
                    *entry = None;
                }
                return;
            }
        }
    }

    /// Takes in what hubs have, for whomever.
    fn collect(&mut self, notices: &mut Vec<Notice>) {
        for (hub, _) in self.hubs.iter().flatten() {
            hub.poll(Looker::of_channel(self.mailbox.as_ref()));
        }
        self.read_mail(notices);
    }

    fn read_mail(&mut self, notices: &mut Vec<Notice>) {
        let Some(mailbox) = &self.mailbox else { return };
        let mut news = std::mem::take(&mut self.news);
        mailbox.collect(&mut news);
        for item in news.drain(..) {
            match item {
                News::Arrived(key) => {
                    if self.connections.get(key).is_some() {
                        notices.push(Notice::Receivable(key));
                    }
                }
                News::Sent(key, number) => {
                    let Some(connection) = self.connections.get_mut(key) else { continue };
                    if let Some(entry) = connection.outbox.get(number) {
                        entry.references = entry.references.saturating_sub(1);
                    }
                    connection.outbox.tell(key, &connection.socket, notices);
                }
            }
        }
        self.news = news;
    }

    fn flush(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        for key in std::mem::take(&mut self.dirty) {
            if let Some(connection) = self.connections.get_mut(key) {
                self.has_flights = true;
                connection.is_dirty = connection.flush(key, poll, notices)?;
                if connection.is_dirty {
                    self.dirty.push(key);
                }
            }
        }
        Ok(())
    }
}

impl Engine for Frames {
    fn name(&self) -> &'static str {
        "af_xdp"
    }

    fn attach(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()> {
        let has_mailbox = self.mailbox.is_some();
        let begun = self.begin(key, socket, edge, poll);
        if begun.is_err()
            && !has_mailbox
            && let Some(mailbox) = self.mailbox.take()
        {
            poll.remove_engine(mailbox.fd(), MAILBOX);
        }
        begun
    }

    fn detach(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        connection.ready.close(poll);
        for (hub, outlet) in connection.flow.legs() {
            hub.set_reader(*outlet, None);
            hub.set_edge(*outlet, false);
            self.leave(hub, poll);
        }
        // What is on its way is held by the hub.
        drop(connection.outbox.cancel(key, &connection.socket, notices));
        connection.flow.leave_channel();
    }

    fn set_edge(&mut self, key: Key, edge: bool, poll: &mut PollSet) -> Result<()> {
        let connection = self.connections.get_mut(key).ok_or(Errno::ENOENT)?;
        connection.ready.set_edge(edge, poll)?;
        for (hub, outlet) in connection.flow.legs() {
            hub.set_edge(*outlet, edge);
        }
        if connection.readiness().is_some()
            && let Some(mailbox) = &self.mailbox
        {
            // What is ready now is told once more.
            mailbox.post(std::iter::once(News::Arrived(key)), Looker::Nobody);
        }
        Ok(())
    }

    fn send(&mut self, key: Key, request: Request) -> Result<()> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        connection.outbox.push(request);
        if !connection.is_dirty && !connection.is_full {
            connection.is_dirty = true;
            self.dirty.push(key);
        }
        Ok(())
    }

    fn receive(&mut self, key: Key, ask: &Ask, poll: &mut PollSet) -> Result<Received> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        let Connection { socket, flow, ready, .. } = &mut **connection;
        let mut inlets = flow.lock_inlets();
        // Somebody else may have been here meanwhile.
        inlets.favour(self.owner);
        let found = inlets.receive(ask, socket).or_else(|| {
            inlets.poll(Looker::of_channel(self.mailbox.as_ref()));
            inlets.receive(ask, socket)
        });
        if let Some(answer) = found {
            flow.tell_of_rest(&inlets);
            return answer;
        }
        let answer = inlets.receive_from_kernel(|| ready.receive(ask, poll));
        match answer {
            Err(Errno::ENOBUFS) => self.starved.push(key),
            Err(Errno::EAGAIN) if !inlets.wait_for_more() => {
                let answer = inlets.receive(ask, socket).unwrap_or(Err(Errno::EAGAIN));
                flow.tell_of_rest(&inlets);
                return answer;
            }
            _ => {}
        }
        answer
    }

    fn waiting(&self, key: Key) -> Readiness {
        self.connections.get(key).map_or(Readiness::default(), |found| found.readiness())
    }

    fn is_polled(&self, _key: Key) -> bool {
        true
    }

    fn ready(
        &mut self,
        key: Key,
        events: u32,
        poll: &mut PollSet,
        _notices: &mut Vec<Notice>,
    ) -> Option<Readiness> {
        let connection = self.connections.get_mut(key)?;
        connection.flow.lock_inlets().kernel_may_have();
        if events & (poll::OUT | poll::ERR | poll::HUP) != 0 && connection.is_full {
            connection.is_full = false;
            if !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push(key);
            }
            // It is tried with the next turn; until then it is no news any more.
            let _ = connection.ready.want_output(false, poll);
        }
        connection.ready.readiness(events, poll)
    }

    fn turn(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.flush(poll, notices)?;
        self.collect(notices);
        if !self.dirty.is_empty() {
            // Room may have come back with what was sent.
            self.flush(poll, notices)?;
        }
        Ok(())
    }

    fn look(&mut self, _poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.collect(notices);
        Ok(())
    }

    fn news(&mut self, place: usize, notices: &mut Vec<Notice>) {
        if place == MAILBOX {
            if let Some(mailbox) = &self.mailbox {
                mailbox.lower();
            }
        } else if let Some(Some((hub, _))) = self.hubs.get(place - FIRST_HUB) {
            hub.service(Looker::of_channel(self.mailbox.as_ref()));
        }
        self.read_mail(notices);
    }

    fn tell(&mut self, notices: &mut Vec<Notice>) {
        self.read_mail(notices);
    }

    fn replenish(&mut self, poll: &mut PollSet) {
        for key in std::mem::take(&mut self.starved) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.ready.replenish(poll);
            }
        }
    }

    fn arm(&mut self) -> Result<()> {
        if self.has_flights {
            let hubs = self.hubs.iter().flatten();
            self.has_flights = hubs.fold(false, |any, (hub, _)| hub.watch_flights() | any);
        }
        Ok(())
    }

    fn push_on(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        for (key, connection) in self.connections.iter_mut() {
            if connection.is_full && connection.flush(key, poll, notices)? && !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push(key);
            }
        }
        Ok(())
    }

    /// What an interface has brought is put down as received only when it has been fetched.
    fn hold(&mut self, wanted: bool) -> bool {
        let mut kept = self.hubs.iter().flatten().filter(|(hub, _)| hub.is_kept_readable());
        if wanted {
            return kept.next().is_some();
        }
        kept.for_each(|(hub, _)| hub.let_go());
        false
    }

    fn sleep(&mut self, poll: &mut PollSet) -> Result<Sleep> {
        for (hub, _) in self.hubs.iter().flatten() {
            hub.prepare_to_sleep();
        }
        Ok(Sleep::Poll { fd: poll.fd(), events: libc::POLLIN })
    }

    fn retire(&mut self, _area: u64) {}
}
