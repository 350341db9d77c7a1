//! The io_uring engine: one ring per channel.
//!
//! Sockets of the Internet families receive by one multishot operation each into buffers of their
//! area, streams on a ring of several threads on call (`call.rs`); other sockets, and kernels without
//! it, by readiness (`ready.rs`). Sends are operations, batched into one system call, zero-copy where
//! size and path make it pay (`send.rs`).
//! Every send but the plainest (`plain.rs`) has an entry in `operations` that owns what the kernel may
//! still touch, until its final completion has come.
#![forbid(unsafe_code)]

mod call;
mod exact;
mod gong;
mod group;
mod hangup;
mod intake;
mod kept;
mod news;
mod plain;
mod plan;
mod receive;
mod registered;
mod send;
mod supply;
mod turn;
mod vigil;
mod watch;

use std::os::fd::RawFd;
use std::sync::Arc;

use io_uring::opcode;
use slab::Slab;
use smallvec::SmallVec;

use self::call::Places;
use self::gong::Gong;
use self::group::Group;
use self::intake::Intake;
pub use self::news::{News, Value};
use self::registered::Registered;
use self::send::SendOperation;
use self::watch::Watched;
use super::connections::Connections;
use super::inbox::{CONNECT_EVENTS, Inbox};
use super::path::Path;
use super::ready::Ready;
use super::table::Kind;
use super::{
    Ask, Engine, Key, Notice, Outbox, PollSet, Readiness, Received, Request, Socket, Taker, Watch,
};
use crate::error::{Errno, Result};
use crate::sys::counters::Counters;
use crate::sys::log::{self, Level};
use crate::sys::message::Incoming;
use crate::sys::own::RingName;
use crate::sys::ring::{Features, Ring};
use crate::sys::stat::{Tally, layout::engine as count};
use crate::sys::trace::{self, Fallback};
use crate::sys::wait::Sleep;

const SUBMISSIONS: u32 = 256;
/// The completion that says that the poll set has something.
const POLL: u64 = u64::MAX;
/// The completion of a cancellation: the cancelled operation has one of its own.
const CANCEL: u64 = u64::MAX - 1;
/// The completion that says that the token of the poll set has been raised.
const TOKEN_WATCH: u64 = u64::MAX - 2;
/// How long a cancelled operation may take, in steps of ten milliseconds.
const CANCEL_STEPS_MAX: usize = 500;

pub struct Uring {
    ring: Ring,
    counts: Arc<Tally>,
    /// Completions that were reaped so far.
    completed: u64,
    /// System calls that sent something past the ring.
    calls_beside: u64,
    /// Bytes that streams have received in this turn.
    taken_in_bytes: usize,
    messages: Intake,
    features: Features,
    /// Of a ring that one thread uses: the kernel brings forth completions when it enters.
    gong: Option<Gong>,
    /// Sends, and how many there are besides.
    operations: Slab<SendOperation>,
    plain_sends: usize,
    connections: Connections<Box<Connection>>,
    groups: Vec<Group>,
    places: Places,
    registered: Registered,
    /// What is watched for sources, and what of it is to be armed.
    watches: Connections<Watched>,
    /// The watch that is being given up at this moment.
    leaving: Option<Key>,
    to_watch: Vec<Key>,
    /// What they have told and nobody has taken.
    told: Vec<(Key, u64)>,
    counters: Option<Counters>,
    /// Sockets with requests to start, to arm, and without room to receive into.
    to_send: Vec<Key>,
    to_arm: Vec<Key>,
    starved: Vec<Key>,
    /// Sockets whose messages are taken one by one, where buffers find no room.
    to_take: Vec<Key>,
    /// A group has found no room, while others may have some that they do not use.
    needs_room: bool,
    completions: Vec<(u64, i32, u32)>,
    /// What receives of messages point to.
    incoming: Box<Incoming>,
}

struct Connection {
    key: Key,
    socket: Arc<Socket>,
    receiving: Receiving,
    outbox: Outbox,
    /// Send operations whose result has not come.
    sending: SmallVec<[usize; 1]>,
    path: Path,
    is_sending_plain: bool,
    is_leaving: bool,
    is_to_send: bool,
}

enum Receiving {
    /// By operations, into buffers of a group.
    Ring(Inbox, u16),
    /// By readiness.
    Ready(Ready),
}

impl Uring {
    /// A ring for a channel of `capacity` events; `single`: one thread only will use it.
    pub fn new(
        features: Features,
        capacity: u32,
        single: bool,
        counts: Arc<Tally>,
    ) -> Result<Self> {
        let single = single && features.defer_taskrun;
        let mut ring = Ring::new(SUBMISSIONS, capacity.max(SUBMISSIONS) * 2, single)?;
        ring.rely_on(&features);
        Ok(Self {
            gong: if single { Some(Gong::new(&ring)?) } else { None },
            ring,
            counts,
            completed: 0,
            calls_beside: 0,
            taken_in_bytes: 0,
            messages: Intake::default(),
            features,
            operations: Slab::new(),
            plain_sends: 0,
            connections: Connections::default(),
            groups: Vec::new(),
            places: Places::default(),
            registered: Registered::default(),
            watches: Connections::default(),
            leaving: None,
            to_watch: Vec::new(),
            told: Vec::new(),
            counters: None,
            to_send: Vec::new(),
            to_arm: Vec::new(),
            starved: Vec::new(),
            to_take: Vec::new(),
            needs_room: false,
            completions: Vec::new(),
            incoming: Incoming::new(),
        })
    }

    /// What is readable when there is something to reap.
    pub fn fds(&self) -> Vec<RawFd> {
        [self.ring.fd()].into_iter().chain(self.gong.as_ref().map(Gong::fd)).collect()
    }

    fn connection(&self, key: Key) -> Option<&Connection> {
        self.connections.get(key).map(|found| &**found)
    }

    fn connection_mut(&mut self, key: Key) -> Option<&mut Connection> {
        self.connections.get_mut(key).map(|found| &mut **found)
    }

    /// Nothing is to be handed in, nothing has come back, and no socket waits for buffers.
    fn has_nothing_to_do(&mut self) -> bool {
        !self.has_sockets() && !self.has_work() && self.ring.is_idle()
    }

    /// There are sockets that receive through the ring, or would.
    #[inline(always)]
    fn has_sockets(&self) -> bool {
        !self.groups.is_empty() || !self.starved.is_empty()
    }

    /// Something is to be handed in.
    #[inline(always)]
    fn has_work(&self) -> bool {
        let has_some = !self.to_watch.is_empty() || !self.to_arm.is_empty();
        let has_more = !self.to_take.is_empty() || self.needs_room;
        has_some || has_more || !self.to_send.is_empty()
    }

    /// Shows what the ring has counted.
    #[inline]
    fn count(&self) {
        self.counts.set(count::SYSTEM_CALLS, self.ring.calls() + self.calls_beside);
        self.counts.set(count::OPERATIONS, self.ring.submitted());
        self.counts.set(count::COMPLETIONS, self.completed);
    }

    fn complete(
        &mut self,
        data: u64,
        result: i32,
        flags: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) {
        match data {
            POLL => poll.end_watch(),
            TOKEN_WATCH => poll.end_token_watch(),
            CANCEL => {}
            data if watch::is_user_data(data) => {
                self.watch_completed(watch::key(data), result, flags, notices);
            }
            data if receive::is_user_data(data) => {
                self.received(data, result, flags, poll, notices);
            }
            data if plain::is_user_data(data) => self.plain_sent(data as Key, result, notices),
            data if hangup::is_user_data(data) => {
                self.hung_up(data as Key, result, flags, notices);
            }
            index if self.operations.contains(index as usize) => {
                self.sent(index as usize, result, flags, notices);
            }
            _ => log::write(Level::Error, format_args!("a completion of nothing: {data}")),
        }
    }

    fn cancel(&mut self, user_data: u64) -> Result<()> {
        let entry = opcode::AsyncCancel::new(user_data).build().user_data(CANCEL);
        self.ring.push(&entry)
    }
}

impl Engine for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn attach(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()> {
        self.register(&socket.region);
        let receiving = match self.join_group(socket) {
            Ok(group) => Receiving::Ring(self.begin_to_receive(key, socket, poll), group),
            Err(_) => {
                if socket.is_internet() && !socket.listening {
                    self.counts.add(count::FALLBACKS, 1);
                    trace::fallback(socket.fd, Kind::Uring.code(), Fallback::Readiness);
                }
                Receiving::Ready(Ready::new(socket, key, edge, poll)?)
            }
        };
        let registered = self.registered.has(socket.region.handle());
        socket.counters.registered.swap(registered, std::sync::atomic::Ordering::Relaxed);
        let connection = Connection {
            key,
            socket: socket.clone(),
            receiving,
            outbox: Outbox::default(),
            sending: SmallVec::new(),
            path: Path::default(),
            is_sending_plain: false,
            is_leaving: false,
            is_to_send: false,
        };
        self.connections.insert(key, Box::new(connection));
        Ok(())
    }

    fn detach(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let Some(connection) = self.connection_mut(key) else { return };
        connection.is_leaving = true;
        match &mut connection.receiving {
            Receiving::Ready(ready) => ready.close(poll),
            Receiving::Ring(inbox, _) => {
                if std::mem::take(&mut inbox.watched) {
                    poll.remove(connection.socket.fd, key as u64);
                }
            }
        }
        // What was accepted is given to the kernel first: short sends end by themselves.
        let mut asked = false;
        for step in 0..CANCEL_STEPS_MAX {
            if self.round(poll, notices, None).is_err() || self.busy(key).is_empty() {
                break;
            }
            if !asked || step % 50 == 49 {
                asked = self.busy(key).into_iter().all(|data| self.cancel(data).is_ok());
            } else if self.ring.wait_briefly(10).is_err() {
                break;
            }
        }
        self.end_calls(key, poll);
        let Some(connection) = self.connections.remove(key) else { return };
        let Connection { socket, mut receiving, outbox, .. } = *connection;
        if let Receiving::Ring(inbox, group) = &mut receiving {
            socket.leave_backlog(std::mem::take(inbox));
            self.leave_group(*group, poll, notices);
        }
        let kept = outbox.cancel(key, &socket, notices);
        self.adopt(key, kept);
    }

    fn set_edge(&mut self, key: Key, edge: bool, poll: &mut PollSet) -> Result<()> {
        match &mut self.connection_mut(key).ok_or(Errno::ENOENT)?.receiving {
            Receiving::Ready(ready) => ready.set_edge(edge, poll),
            Receiving::Ring(..) => Ok(()),
        }
    }

    #[inline]
    fn send(&mut self, key: Key, request: Request) -> Result<()> {
        if request.file.is_some() {
            return self.send_file(key, request);
        }
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        connection.outbox.push(request);
        connection.line_up(&mut self.to_send);
        Ok(())
    }

    fn receive(&mut self, key: Key, ask: &Ask, poll: &mut PollSet) -> Result<Received> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        let Connection { socket, receiving, .. } = &mut **connection;
        match receiving {
            Receiving::Ring(inbox, _) if socket.is_stream() && inbox.is_left_to_kernel() => {
                self.calls_beside += 1;
                let answer = call::receive(inbox, socket, ask);
                if matches!(answer, Err(Errno::ENOBUFS)) {
                    // Received as soon as there is room.
                    self.to_arm.push(key);
                }
                answer
            }
            Receiving::Ring(inbox, _) => {
                let answer = inbox.receive(ask, socket);
                if !socket.is_stream() && answer.is_ok() {
                    self.messages.fetched(key, inbox.message_count());
                }
                let has_failed = !matches!(answer, Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS));
                if has_failed && !socket.is_stream() {
                    // The error has been told: a datagram socket goes on receiving.
                    self.to_arm.push(key);
                }
                answer
            }
            Receiving::Ready(ready) => {
                let answer = ready.receive(ask, poll);
                if matches!(answer, Err(Errno::ENOBUFS)) {
                    self.starved.push(key);
                }
                answer
            }
        }
    }

    #[inline]
    fn receive_arrived(&mut self, key: Key, ask: &Ask) -> Option<(Received, bool)> {
        let Connection { socket, receiving, .. } = &mut **self.connections.get_mut(key)?;
        let Receiving::Ring(inbox, _) = receiving else { return None };
        let received = inbox.receive_arrived(ask, socket)?;
        if !socket.is_stream() {
            self.messages.fetched(key, inbox.message_count());
        }
        Some((received, inbox.has_something()))
    }

    fn waiting(&self, key: Key) -> Readiness {
        let Some(connection) = self.connection(key) else { return Readiness::default() };
        match &connection.receiving {
            Receiving::Ring(inbox, _) => inbox.readiness(),
            Receiving::Ready(ready) => ready.waiting(),
        }
    }

    fn is_polled(&self, key: Key) -> bool {
        match self.connection(key).map(|connection| &connection.receiving) {
            Some(Receiving::Ready(_)) => true,
            Some(Receiving::Ring(inbox, _)) => inbox.is_on_call && !inbox.armed,
            None => false,
        }
    }

    fn wait_alone(&mut self, key: Key, poll: &mut PollSet) -> Result<bool> {
        self.wait_for_data(key, poll)?;
        Ok(self.is_polled(key))
    }

    fn ready(
        &mut self,
        key: Key,
        events: u32,
        poll: &mut PollSet,
        _notices: &mut Vec<Notice>,
    ) -> Option<Readiness> {
        let connection = self.connection_mut(key)?;
        match &mut connection.receiving {
            Receiving::Ready(ready) => ready.readiness(events, poll),
            Receiving::Ring(inbox, _) => {
                // It may be connected now: the receive that was refused is tried again.
                if (inbox.is_on_call || inbox.watched) && !inbox.armed {
                    self.to_arm.push(key);
                }
                None
            }
        }
    }

    fn answer_calls(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.receive_from_callers(poll, notices)
    }

    fn watch(&mut self, key: Key, watch: Watch) -> Result<()> {
        self.start_watch(key, watch)
    }

    fn unwatch(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<bool> {
        self.end_watch(key, poll, notices)
    }

    fn take_watched(&mut self, news: &mut Vec<(Key, u64)>) {
        std::mem::swap(&mut self.told, news);
    }

    fn turn(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.go_round(poll, notices, None)
    }

    fn turn_for(
        &mut self,
        taker: &mut dyn Taker,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        self.go_round(poll, notices, Some(taker))
    }

    fn turn_in_passing(
        &mut self,
        taker: &mut dyn Taker,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<bool> {
        let is_inside = self.gong.as_ref().is_some_and(Gong::is_muted);
        if !is_inside || self.has_work() || self.has_sockets() || self.is_sending() {
            return Ok(false);
        }
        if !self.ring.settle_quickly()? {
            return Ok(false);
        }
        self.reap(poll, notices, Some(taker));
        self.count();
        Ok(true)
    }

    fn is_idle(&mut self) -> bool {
        self.has_nothing_to_do()
    }

    fn is_settled(&mut self, stays: bool) -> bool {
        let is_held = self.ring.is_held();
        let is_right = match &self.gong {
            Some(gong) if is_held => stays && gong.is_muted(),
            Some(gong) => gong.is_at_rest(),
            None => !is_held,
        };
        is_right && !self.has_work()
    }

    fn look(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.come_in();
        // Somebody has found nothing.
        let was_limited = self.messages.is_limited();
        self.messages.end_limit();
        self.ring.run_deferred()?;
        if self.reap(poll, notices, None) > 0 || was_limited {
            self.count();
            self.feed();
        }
        Ok(())
    }

    fn replenish(&mut self, poll: &mut PollSet) {
        self.messages.end_limit();
        for key in self.starved.clone() {
            if let Some(connection) = self.connection_mut(key)
                && let Receiving::Ready(ready) = &mut connection.receiving
            {
                ready.replenish(poll);
                self.starved.retain(|&starved| starved != key);
            }
        }
        self.groups.iter_mut().for_each(Group::space);
        self.feed();
    }

    fn arm(&mut self) -> Result<()> {
        if !self.to_arm.is_empty() || !self.to_watch.is_empty() {
            self.start_watches()?;
            self.start_receives()?;
            self.ring.submit()?;
        }
        Ok(())
    }

    fn hold(&mut self, wanted: bool) -> bool {
        if !wanted {
            self.ring.let_go();
        }
        self.ring.is_held()
    }

    fn leave(&mut self, is_readable: bool) {
        self.go_out(is_readable);
    }

    fn stay(&mut self) -> bool {
        self.gong.is_some() && self.ring.is_held()
    }

    fn give_up_poll_set(&mut self, poll: &PollSet) -> Result<()> {
        self.unwatch_poll_set(poll)
    }

    fn rest(&mut self, give_up: bool, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.come_to_rest(give_up, poll, notices)
    }

    /// Nothing is under way on the ring, and a ring of one thread has nobody to begin something.
    fn is_in_poll_set(&mut self) -> bool {
        let has_none = !self.is_sending() && self.watches.is_empty();
        self.gong.is_some() && has_none && self.is_idle()
    }

    fn is_quiet(&mut self) -> bool {
        let is_under_way = self.is_sending() || self.has_work() || self.awaits_data();
        self.gong.is_none() && !is_under_way && self.ring.is_idle()
    }

    fn idle_ring(&self) -> Option<RingName> {
        self.ring.idle_name()
    }

    fn hand_in(&mut self, _poll: &mut PollSet) -> Result<()> {
        self.begin_all()?;
        self.ring.submit().map(drop)
    }

    fn sleep(&mut self, poll: &mut PollSet) -> Result<Sleep> {
        self.begin_all()?;
        if poll.is_wanted {
            self.watch_poll_set(poll)?;
        } else {
            self.watch_token(poll)?;
        }
        self.ring.submit()?;
        let complete = 1 + u32::from(self.ring.is_held());
        Ok(Sleep::Ring { fd: self.ring.fd(), complete })
    }

    fn reclaim(&mut self, area: u64, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let groups = self.groups.iter().filter(|group| group.area == area);
        for id in groups.map(|group| group.id).collect::<Vec<_>>() {
            self.take_back_buffers(id, poll, notices);
        }
    }

    fn retire(&mut self, area: u64) {
        self.retire_groups(area);
        self.registered.remove(area, &self.ring);
    }
}
