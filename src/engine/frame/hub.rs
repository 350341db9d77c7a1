//! An interface that serves sockets of one area: its port, the flows that were claimed there, and
//! who has which frame. Whoever needs something from it polls it, for all.
//!
//! Invariants: a frame that the port fills is in `filling`; a frame with a packet on its way out
//! has a flight; both are referred to once from here. What comes for a flow goes into its outlet's
//! ring, in order, and its reader is told when it waits.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::claims::Claims;
use super::collect::{Known, Packet};
use super::door::{Door, Looker, Mailbox, News};
use super::filling::Filling;
use super::inlet::{Arrival, Gathered, Inlet};
use super::transmit::Flights;
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::net::flow::{Ends, FlowKey};
use crate::net::table::FlowTable;
use crate::port::ways::Ways;
use crate::port::{Facts, FrameType, Port};
use crate::region::{Account, Patron, Region};
use crate::sys::descriptor::{self, Counter, Descriptor};
use crate::sys::gate::Gate;
use crate::sys::memory::prefer_large_pages;
use crate::sys::relay::{Putter, relay};
use crate::sys::socket::identity;
use crate::sys::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sys::sync::{Mutex, MutexGuard, OnceLock};
use crate::sys::{fork, poll};

/// Names a flow of a hub: its place, and a number that no other flow ever gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutletKey {
    pub slot: usize,
    pub serial: u32,
}

/// Where a flow's datagrams are put, and who is told.
pub(super) struct Outlet {
    serial: u32,
    pub keys: Vec<FlowKey>,
    /// The socket, by descriptor and identity; closed ones are found out.
    socket: (RawFd, u64),
    is_closed: bool,
    pub putter: Putter<Arrival>,
    account: Arc<Account>,
    pub gate: Option<Arc<Gate>>,
    /// Packets that have come through the gate, whatever became of them: those that the reader can
    /// see, and those since then.
    received: Arc<AtomicU64>,
    received_unseen: u64,
    door: Option<Arc<Door>>,
    pub reader: Option<(Arc<Mailbox>, Key)>,
    /// It is told of all that arrives, not only when it waits.
    pub is_edge: bool,
    /// Numbers of sends that have ended since the reader was told last.
    pub completed: Vec<u64>,
    is_touched: bool,
}

/// What somebody changes who has the hub to itself.
pub(super) struct State {
    pub port: Box<dyn Port>,
    pub ways: Box<dyn Ways>,
    /// The flows of one key: several share a port, and each remote end has one of them.
    pub table: FlowTable<usize>,
    pub groups: Slab<Vec<usize>>,
    /// What was found in the table last: void when that changes.
    pub last_found: Option<(Ends, usize)>,
    /// The same, once there was another one after it. Not while somebody gets whole frames.
    pub known: Option<Known>,
    /// Who gets whole frames, and which.
    pub whole: Option<(usize, FrameType)>,
    pub outlets: Slab<Outlet>,
    next_serial: u32,
    pub touched: Vec<usize>,
    /// After the port: what it had is given back when it has gone.
    pub filling: Filling,
    pub flights: Flights,
    /// What the port has brought, and what that is: kept for their memory.
    pub segments: Vec<crate::port::Segment>,
    pub packets: Vec<Packet>,
    refreshed: Instant,
    /// The outlet that is looked at next.
    swept: usize,
    has_timer: bool,
    /// Somebody had no room.
    is_crowded: bool,
    /// Packets have come since the hub was serviced last.
    has_received: bool,
    /// Packets that no socket got: damaged, not understood, or without room.
    pub dropped: u64,
}

pub struct Hub {
    region: Arc<Region>,
    facts: Facts,
    epoch: u32,
    /// Readable when there is something to do: made when it is first asked for, because it costs with
    /// each packet.
    set: OnceLock<Option<Descriptor>>,
    /// The same but for packets.
    _rest: Descriptor,
    /// The descriptors of the port, and that of the rest.
    watched: Vec<RawFd>,
    /// Raised when frames have come back while there were none to receive into.
    space: Counter,
    /// Expires when sends may have ended, which no driver tells.
    timer: Descriptor,
    state: Mutex<State>,
    /// Datagrams that came in several frames.
    gathered: Mutex<Slab<Gathered>>,
    /// Moves on when ways may have changed.
    generation: AtomicU64,
    /// The port lacks frames to receive into.
    is_short: AtomicBool,
    /// The port's descriptors are readable because of what has been received already.
    pub(super) is_kept_readable: AtomicBool,
    /// The last of it to go.
    pub presence: Arc<()>,
}

/// Frames of an area that are kept for receiving at most: a half.
pub const FILL_SHARE: usize = 2;
/// With fewer an area is too small.
pub const FRAMES_MIN: usize = 64;
/// Datagrams that wait for one socket at most.
const WAITING_MAX: usize = 4096;
/// The kernel is asked so often whether ways have changed.
const REFRESH_INTERVAL: Duration = Duration::from_millis(10);
/// When sends are looked at again that have not ended.
const COMPLETION_INTERVAL: Duration = Duration::from_micros(200);
/// Sockets that are looked at together, whether they are open.
const SWEPT_TOGETHER: usize = 16;
/// Key of everything in the hub's own set: what is ready is found out by looking.
const ANYTHING: u64 = 0;

impl Hub {
    /// `EINVAL` for an area that is not made of frames, `ENOBUFS` for one that is too small.
    pub fn new(
        region: &Arc<Region>,
        port: Box<dyn Port>,
        ways: Box<dyn Ways>,
    ) -> Result<Arc<Self>> {
        let facts = port.facts().clone();
        if region.frame_bytes() != Some(facts.chunk_bytes as usize) {
            return Err(Errno::EINVAL);
        }
        if region.frame_count() < FRAMES_MIN {
            return Err(Errno::ENOBUFS);
        }
        let space = Counter::new()?;
        let timer = descriptor::timer_create(libc::CLOCK_MONOTONIC)?;
        let rest = poll::create()?;
        for fd in ways.fd().into_iter().chain([space.fd(), timer.as_raw_fd()]) {
            poll::add(rest.as_raw_fd(), fd, poll::IN, ANYTHING)?;
        }
        let mut watched = port.descriptors().to_vec();
        watched.push(rest.as_raw_fd());
        let seed = u64::from(facts.interface_index) ^ std::process::id() as u64;
        let state = State {
            port,
            ways,
            table: FlowTable::with(seed, prefer_large_pages),
            groups: Slab::new(),
            last_found: None,
            known: None,
            whole: None,
            outlets: Slab::new(),
            next_serial: 0,
            touched: Vec::new(),
            filling: Filling::new(region, &facts),
            flights: Flights::new(region),
            segments: Vec::new(),
            packets: Vec::new(),
            refreshed: Instant::now(),
            swept: 0,
            has_timer: false,
            is_crowded: false,
            has_received: false,
            dropped: 0,
        };
        let hub = Arc::new(Self {
            region: region.clone(),
            facts,
            epoch: fork::epoch(),
            set: OnceLock::new(),
            _rest: rest,
            watched,
            space,
            timer,
            state: Mutex::new(state),
            gathered: Mutex::default(),
            generation: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
            is_kept_readable: AtomicBool::new(false),
            presence: Arc::default(),
        });
        let patron: Arc<dyn Patron> = hub.clone();
        region.add_patron(&patron);
        let mut guard = hub.state.lock();
        let state = &mut *guard;
        state.localize(&hub);
        state.filling.fill(&mut *state.port);
        hub.is_short.store(state.filling.is_short(), Ordering::Relaxed);
        state.port.ring_doorbell()?;
        drop(guard);
        Ok(hub)
    }

    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn interface(&self) -> u32 {
        self.facts.interface_index
    }

    /// Whether it belongs to this process and not to its parent.
    pub fn is_ours(&self) -> bool {
        self.epoch == fork::epoch()
    }

    /// Readable when there is something to do.
    pub fn fd(&self) -> Result<RawFd> {
        let make = || -> Result<Descriptor> {
            let set = poll::create()?;
            for fd in &self.watched {
                poll::add(set.as_raw_fd(), *fd, poll::IN, ANYTHING)?;
            }
            Ok(set)
        };
        let set = self.set.get_or_init(|| make().ok());
        set.as_ref().map(AsRawFd::as_raw_fd).ok_or(Errno::EMFILE)
    }

    /// What [`Hub::fd`] stands for, one by one: sets within sets cost with each packet.
    pub fn watched(&self) -> &[RawFd] {
        &self.watched
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn keep_gathered(&self, datagram: Gathered) -> usize {
        self.gathered.lock().insert(datagram)
    }

    pub fn take_gathered(&self, number: usize) -> Option<Gathered> {
        self.gathered.lock().try_remove(number)
    }

    /// Claims something for a socket.
    pub(super) fn open(
        self: &Arc<Self>,
        fd: RawFd,
        claims: &Claims<'_>,
        account: &Arc<Account>,
        door: &Arc<Door>,
    ) -> Result<Inlet> {
        self.open_outlet(fd, claims, account, Some(door)).map(|(inlet, _)| inlet)
    }

    /// Claims flows for a socket behind a gate, which passes until it is opened; with the number of
    /// packets that have come.
    pub fn open_gated(
        self: &Arc<Self>,
        fd: RawFd,
        keys: &[FlowKey],
        account: &Arc<Account>,
    ) -> Result<(Inlet, Arc<Gate>, Arc<AtomicU64>)> {
        let gate = Arc::new(self.lock().port.take_gate()?);
        let claims = Claims::Gated(keys, gate.clone());
        let (inlet, received) = self.open_outlet(fd, &claims, account, None)?;
        Ok((inlet, gate, received))
    }

    fn open_outlet(
        self: &Arc<Self>,
        fd: RawFd,
        claims: &Claims<'_>,
        account: &Arc<Account>,
        door: Option<&Arc<Door>>,
    ) -> Result<(Inlet, Arc<AtomicU64>)> {
        let received = Arc::new(AtomicU64::new(0));
        let capacity = (self.region.frame_count() / FILL_SHARE).min(WAITING_MAX);
        let (putter, taker) = relay(1 << capacity.ilog2());
        let socket = (fd, identity(fd)?);
        let mut state = self.lock();
        let serial = state.next_serial;
        state.next_serial = serial.wrapping_add(1);
        let slot = state.outlets.insert(Outlet {
            serial,
            keys: Vec::new(),
            socket,
            is_closed: false,
            putter,
            account: account.clone(),
            gate: if let Claims::Gated(_, gate) = claims { Some(gate.clone()) } else { None },
            received: received.clone(),
            received_unseen: 0,
            door: door.cloned(),
            reader: None,
            is_edge: false,
            completed: Vec::new(),
            is_touched: false,
        });
        if let Err(errno) = state.claim_all(claims, slot) {
            state.close(slot);
            return Err(errno);
        }
        state.keep_or_not(self);
        Ok((Inlet { hub: self.clone(), outlet: OutletKey { slot, serial }, taker }, received))
    }

    /// The flows are the kernel's again.
    pub fn close(&self, key: OutletKey) {
        let mut state = self.lock();
        if state.is_open(key) {
            state.disclaim(key.slot);
        }
    }

    /// Takes a [`Hub::close`] back.
    pub fn reopen(&self, key: OutletKey) {
        let mut state = self.lock();
        if state.is_open(key) {
            for flow in state.outlets[key.slot].keys.clone() {
                // A port that refuses leaves the flow to the kernel, which has it.
                let _ = state.port.claim(&flow);
            }
            if let Some(kind) = state.whole_frames_of(key.slot) {
                let _ = state.port.claim_frames(Some(kind));
            }
        }
    }

    /// Forgets the socket.
    pub fn forget(&self, key: OutletKey) {
        let mut state = self.lock();
        if state.is_open(key) {
            state.close(key.slot);
        }
    }

    /// Takes in what has arrived and what was sent, and tells those it is for, but for who looks.
    pub fn poll(&self, looker: Looker<'_>) {
        self.lock().poll(self, looker);
    }

    /// Has the port begin with what it was given to send.
    pub fn ring_doorbell(&self) {
        // An interface that is down keeps what it has until it is up again.
        let _ = self.lock().port.ring_doorbell();
    }

    /// Something besides packets may have made the descriptor readable: sees to that too.
    pub fn service(&self, looker: Looker<'_>) {
        let mut state = self.lock();
        state.poll(self, looker);
        // Whoever has looked before may have taken what made it readable.
        let is_explained = std::mem::take(&mut state.has_received) || self.is_kept_readable();
        // While packets come, the rest is seen to now and then.
        if is_explained && !state.is_due(Instant::now()) {
            return;
        }
        self.space.lower();
        if state.has_timer {
            // Nothing to read: it has not expired yet.
            state.has_timer = descriptor::counter_read_plain(self.timer.as_raw_fd()).is_err();
        }
        state.refresh(self);
        state.poll(self, looker);
    }

    /// Before a thread sleeps on the descriptor, or on one that this one is in: drivers that want
    /// to be told are, and sends that have not ended are looked at again.
    pub fn prepare_to_sleep(&self) {
        let mut state = self.lock();
        state.await_space();
        // The next look will show what came of it.
        let _ = state.port.ring_doorbell();
        state.watch_flights(self);
        if self.is_kept_readable() {
            state.keep_or_not(self);
        }
    }

    /// The caller has found nothing, and may wait elsewhere for the descriptor.
    pub fn await_space(&self) {
        // It is only another look that changes that.
        if self.is_short.load(Ordering::Acquire) {
            let mut state = self.lock();
            if state.await_space() {
                let _ = state.port.ring_doorbell();
            }
        }
    }

    /// Has sends looked at again that have not ended; whether there are any.
    pub fn watch_flights(&self) -> bool {
        let mut state = self.lock();
        state.watch_flights(self);
        let has_flights = !state.flights.is_empty();
        if has_flights {
            // What there was no room for goes on: the program may wait for the descriptor elsewhere.
            let _ = state.port.ring_doorbell();
        }
        has_flights
    }
}

impl Outlet {
    /// Puts something into the ring, if there is room there and in the socket's share of the area.
    #[inline(always)]
    pub fn put(&mut self, arrival: Arrival) -> bool {
        let bytes = arrival.bytes();
        let account = &self.account;
        let has_share = account.is_whole_area() || account.left_bytes() >= bytes;
        let is_put = has_share && self.putter.put(arrival);
        if is_put {
            account.add(bytes);
        }
        is_put
    }

    /// So many packets have come for it.
    #[inline(always)]
    pub fn count_received(&mut self, count: u64) {
        if self.gate.is_some() {
            self.received_unseen += count;
        }
    }
}

impl State {
    pub(super) fn is_open(&self, key: OutletKey) -> bool {
        self.outlets.get(key.slot).is_some_and(|outlet| outlet.serial == key.serial)
    }

    /// Puts what has come for a socket into its ring, if it is whole and there is room for it there
    /// and in its share of the area.
    #[inline]
    pub fn deliver(&mut self, hub: &Hub, slot: usize, arrival: Option<Arrival>) {
        let outlet = &mut self.outlets[slot];
        let is_gated = outlet.gate.is_some();
        outlet.count_received(1);
        let is_there = arrival.is_some_and(|arrival| outlet.put(arrival));
        if is_there || is_gated {
            self.touch(slot);
        }
        if !is_there {
            self.drop_arrival(hub, arrival);
        }
    }

    #[cold]
    fn drop_arrival(&mut self, hub: &Hub, arrival: Option<Arrival>) {
        self.dropped += 1;
        if let Some(arrival) = arrival {
            self.is_crowded = true;
            arrival.drop_place(hub);
        }
    }

    /// Whether somebody has been given more than it gets done with.
    pub fn is_crowded(&mut self) -> bool {
        let Self { touched, outlets, .. } = self;
        let is_crowded = touched.iter().any(|&slot| outlets[slot].putter.is_crowded());
        std::mem::take(&mut self.is_crowded) || is_crowded
    }

    /// The socket has something to be told.
    #[inline]
    pub fn touch(&mut self, slot: usize) {
        let outlet = &mut self.outlets[slot];
        if !outlet.is_touched {
            outlet.is_touched = true;
            self.touched.push(slot);
        }
    }

    /// The outlet of a send that has ended, unless it is gone.
    pub fn outlet(&mut self, key: OutletKey) -> Option<&mut Outlet> {
        self.outlets.get_mut(key.slot).filter(|outlet| outlet.serial == key.serial)
    }

    fn poll(&mut self, hub: &Hub, looker: Looker<'_>) {
        self.complete(hub);
        if self.receive(hub) {
            self.has_received = true;
            hub.is_kept_readable.store(self.port.is_kept_readable(), Ordering::Relaxed);
        }
        self.filling.fill(&mut *self.port);
        hub.is_short.store(self.filling.is_short(), Ordering::Release);
        self.tell(looker);
    }

    fn tell(&mut self, looker: Looker<'_>) {
        for slot in std::mem::take(&mut self.touched) {
            let outlet = &mut self.outlets[slot];
            outlet.is_touched = false;
            let is_new = outlet.putter.is_unpublished();
            let has_arrived = is_new && outlet.putter.publish() | outlet.is_edge;
            // Only now: who reads the number finds in the ring what it counts.
            let unseen = std::mem::take(&mut outlet.received_unseen);
            outlet.received.fetch_add(unseen, Ordering::SeqCst);
            if let Some(door) = outlet.door.as_ref().filter(|_| has_arrived)
                && !looker.is_behind(door)
            {
                door.knock(false);
            }
            let Some((mailbox, key)) = &outlet.reader else {
                outlet.completed.clear();
                continue;
            };
            if has_arrived || !outlet.completed.is_empty() {
                let sent = outlet.completed.drain(..).map(|number| News::Sent(*key, number));
                let arrived = has_arrived.then_some(News::Arrived(*key));
                mailbox.post(sent.chain(arrived), looker);
            }
        }
    }

    /// Asks what has changed.
    fn refresh(&mut self, hub: &Hub) {
        self.refreshed = Instant::now();
        let changes = self.ways.refresh();
        self.sweep();
        hub.generation.fetch_add(1, Ordering::AcqRel);
        if changes.addresses || changes.links {
            self.localize(hub);
        }
    }

    /// The same, unless it was a moment ago.
    pub fn refresh_if_due(&mut self, hub: &Hub, now: Instant) {
        if self.is_due(now) {
            self.refresh(hub);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.refreshed) >= REFRESH_INTERVAL
    }

    /// Looks for sockets that were closed without a word: nobody gets what is sent to them, so that
    /// the kernel had better say so. A few at a time.
    fn sweep(&mut self) {
        for _ in 0..SWEPT_TOGETHER {
            let slot = self.swept;
            self.swept = if slot + 1 < self.outlets.capacity() { slot + 1 } else { 0 };
            let Some(outlet) = self.outlets.get_mut(slot) else { continue };
            let (fd, known) = outlet.socket;
            if !outlet.is_closed && identity(fd) != Ok(known) {
                outlet.is_closed = true;
                self.disclaim(slot);
            }
        }
    }

    fn watch_flights(&mut self, hub: &Hub) {
        if self.has_timer || self.flights.is_empty() {
            return;
        }
        let when = libc::timespec { tv_sec: 0, tv_nsec: COMPLETION_INTERVAL.subsec_nanos().into() };
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let once = libc::itimerspec { it_interval: never, it_value: when };
        self.has_timer = descriptor::timer_set(hub.timer.as_raw_fd(), 0, &once).is_ok();
    }
}

impl Patron for Hub {
    fn space(&self) {
        self.space.raise();
    }

    /// What the port has to receive into cannot be taken back.
    fn reclaim(&self, _area: u64) {}

    /// An area with sockets is not freed, and without sockets there is no hub.
    fn retire(&self, _area: u64) {}
}
