//! Receiving for a socket that the program goes on to use as the kernel's: see shared.rs.
//!
//! A *gate* (sys/gate.rs) stands in front of the flow on each interface. While it is armed nothing of
//! the flow is in the area. The packet that finds it armed is the *token*: it goes to the kernel's
//! queue, whoever waits for the descriptor wakes up, and what follows is redirected. The token was
//! sent first, so it is received first; but while others wait in the area it is only looked at, and
//! stays in the queue as the *anchor* that keeps the descriptor readable. When nothing waits any
//! more, the gate is armed, and then the anchor is taken out.
//!
//! Invariants: while a gate redirects, its token is in the queue, or on its way there, or is the
//! anchor. A gate is armed only when all that it has redirected was received and handed out. So the
//! order of datagrams is that in which they came, and none is without something that tells of it.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::collect::add_span;
use super::door::Looker;
use super::hub::{Hub, OutletKey};
use super::inlet::{Arrival, Gathered, Inlet, Place, control};
use crate::error::{Errno, Result};
use crate::net::checksum::Sum;
use crate::net::flow::Endpoint;
use crate::net::parse::Heading;
use crate::sys::foreign::{self, Foreign, Room};
use crate::sys::gate::{Gate, Mark, Mode};
use crate::sys::internet::{self, ControlWishes};
use crate::sys::message::Address;
use crate::sys::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sys::{bpf, poll, wait};

/// A token that has not come by then may have been dropped by the kernel.
const TOKEN_PATIENCE: Duration = Duration::from_millis(10);
/// The same for a packet that was redirected: the interface may have had no room for it.
const PACKET_PATIENCE: Duration = Duration::from_millis(1);
/// So many datagrams are handed out before it is looked whether one waits that came otherwise.
const TURN: u32 = 64;

/// What has come in by one interface.
pub struct Entry {
    inlet: Inlet,
    gate: Arc<Gate>,
    /// Packets that the hub has seen. The gate counts those that it has sent on their way.
    received: Arc<AtomicU64>,
    /// Those that were lost on the way.
    lost: u64,
    /// Since when some are missing.
    missing: Option<(u64, Instant)>,
    /// How often the gate was armed: the number of the token that is awaited or has come.
    armed: u64,
    /// That token was handed out.
    is_handed_out: bool,
}

pub struct Receiver {
    fd: RawFd,
    domain: i32,
    wishes: ControlWishes,
    entries: Vec<Entry>,
    /// They take turns.
    next: usize,
    /// The bytes of the first datagram in the kernel's queue, if it is the anchor.
    anchor: Option<usize>,
    /// An error of the socket's that came while nobody had asked.
    error: Option<Errno>,
    handed_out: u32,
    is_dry: bool,
    /// The program was told that nothing is there, and a token is on its way, or was lost.
    awaits_token: bool,
    has_left: bool,
    /// The program has got something from the area, and may find more there.
    is_busy: Arc<AtomicBool>,
}

impl Entry {
    pub fn new(inlet: Inlet, gate: Arc<Gate>, received: Arc<AtomicU64>) -> Self {
        Self { inlet, gate, received, lost: 0, missing: None, armed: 1, is_handed_out: false }
    }

    /// From now on packets come.
    pub fn open(&self) {
        self.gate.open();
    }

    pub fn leg(&self) -> (Arc<Hub>, OutletKey) {
        (self.inlet.hub.clone(), self.inlet.outlet)
    }

    fn redirects(&self) -> bool {
        self.gate.look().0 == Mode::Redirects
    }

    /// Whether it has sent packets on their way that the hub has not seen.
    fn expects(&self) -> bool {
        let received = self.received.load(Ordering::SeqCst) + self.lost;
        let (mode, count) = self.gate.look();
        mode == Mode::Redirects && count > received
    }

    fn next_bytes(&self) -> usize {
        self.inlet.taker.peek().map_or(0, |arrival| arrival.bytes())
    }

    /// How many packets the gate has sent on their way, if none of them is missing.
    fn complete(&mut self) -> Option<u64> {
        // In this order: what is counted here is in the ring, or was.
        let received = self.received.load(Ordering::SeqCst) + self.lost;
        let (_, count) = self.gate.look();
        if received >= count {
            self.missing = None;
            return Some(count);
        }
        let now = Instant::now();
        match self.missing {
            Some((known, since)) if known == received => {
                if now.duration_since(since) >= PACKET_PATIENCE {
                    self.give_up_on_the_missing(count);
                }
            }
            _ => self.missing = Some((received, now)),
        }
        None
    }

    /// Of the first `count` packets those are lost that are not there when no processor is at it any
    /// more.
    fn give_up_on_the_missing(&mut self, count: u64) {
        bpf::wait_for_programs();
        self.inlet.hub.poll(Looker::Nobody);
        let received = self.received.load(Ordering::SeqCst) + self.lost;
        self.lost += count.saturating_sub(received);
    }

    /// Arms the gate if nothing is left of what it has redirected, and nothing on its way.
    fn arm(&mut self) -> bool {
        let Some(count) = self.complete() else { return false };
        if !self.inlet.taker.is_empty() || !self.gate.arm(count) {
            return false;
        }
        self.armed += 1;
        self.is_handed_out = false;
        true
    }

    /// The number of the last token is there once the token can be looked up.
    fn has_token(&self) -> bool {
        self.redirects() && self.gate.tokens() >= self.armed
    }

    fn token_age(&self) -> Duration {
        let now = wait::monotonic_nanoseconds();
        Duration::from_nanos(now.saturating_sub(self.gate.token_time()))
    }
}

impl Hub {
    /// Lets a datagram that has arrived go on to the kernel's socket.
    fn pass_on(&self, arrival: &Arrival) -> Result<()> {
        const UDP_BYTES: usize = 8;
        let Place::Frame(given) = arrival.place() else { return Err(Errno::EOPNOTSUPP) };
        let heading = arrival.heading(self, &given);
        let base = self.region().frame_offset(given.frame);
        let mapping = self.region().mapping();
        let datagram = mapping.span(base + given.from - UDP_BYTES, given.bytes + UDP_BYTES);
        // One from this host may have none that is finished.
        let (source, local) = (heading.source.address, heading.destination);
        let mut sum = Sum::of_pseudo_header(source, local, datagram.len());
        let checksum = datagram.skip(UDP_BYTES - 2).first(2);
        checksum.fill_from(&[0; 2]);
        add_span(&mut sum, datagram);
        checksum.fill_from(&sum.udp_checksum().to_be_bytes());
        let from = self.facts().headroom_bytes as usize;
        let packet = mapping.span(base + from, given.from + given.bytes - from);
        let answer = self.lock().port.pass_on(packet);
        arrival.drop_place(self);
        answer
    }
}

impl Receiver {
    pub fn new(fd: RawFd, domain: i32, entries: Vec<Entry>, is_busy: Arc<AtomicBool>) -> Self {
        Self {
            fd,
            domain,
            wishes: internet::control_wishes(fd),
            entries,
            next: 0,
            anchor: None,
            error: None,
            handed_out: 0,
            is_dry: false,
            awaits_token: false,
            has_left: false,
            is_busy,
        }
    }

    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// Whether the last look found nothing in the area.
    pub fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// Whether nobody may hear of what comes next, if the token was lost.
    pub fn awaits_token(&self) -> bool {
        self.awaits_token
    }

    /// How many bytes the next datagram has. `None`: nobody here knows.
    pub fn next_bytes(&mut self) -> Option<usize> {
        self.anchor?;
        self.find().map(|number| self.entries[number].next_bytes())
    }

    /// Looks whether a token was lost, and sees to it; `true`: it is to be looked at again.
    pub fn look_after_tokens(&mut self) -> bool {
        self.awaits_token = false;
        if self.has_left {
            return false;
        }
        self.check_tokens();
        self.entries.iter().any(|entry| entry.redirects() && !entry.is_handed_out)
    }

    /// What arrives from now on is nobody's.
    pub fn close(&mut self) {
        self.has_left = true;
    }

    /// An entry of which something can be handed out.
    fn find(&mut self) -> Option<usize> {
        let count = self.entries.len();
        let mut order = (self.next..count).chain(0..self.next);
        let entries = &mut self.entries;
        order.find(|&number| {
            let entry = &mut entries[number];
            entry.is_handed_out && !entry.inlet.taker.is_empty()
        })
    }

    /// Looks at the interfaces from which something comes.
    fn poll(&self) {
        for entry in self.entries.iter().filter(|entry| entry.expects()) {
            entry.inlet.hub.poll(Looker::Nobody);
        }
    }

    /// Receives the next datagram without waiting: its bytes, and how many of them there was room for.
    pub fn receive(&mut self, message: &Foreign, flags: i32) -> Result<usize> {
        self.awaits_token = false;
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        if self.handed_out >= TURN
            && let Some(answer) = self.take_turns(message, flags)
        {
            return answer;
        }
        loop {
            let found = self.find().or_else(|| {
                self.poll();
                self.find()
            });
            self.is_dry = found.is_none();
            if let Some(number) = found {
                let answer = self.hand_out(number, message, flags);
                if self.find().is_none() {
                    // Before the program can look at the descriptor again.
                    self.poll();
                    if self.find().is_none() {
                        self.calm();
                    }
                }
                return answer;
            }
            self.calm();
            if !self.entries.iter().any(Entry::redirects) {
                return self.receive_plainly(message, flags);
            }
            let Some(bytes) = self.anchor else { break };
            if foreign::is_any_behind(self.fd, bytes) {
                self.drop_anchor();
                break;
            }
            // Something is on its way, and is here in a moment, or is given up on. A program that
            // waits for edges would not hear of it: the descriptor is readable already.
            std::thread::yield_now();
        }
        self.receive_token(message, flags)
    }

    /// What the kernel has. If a gate was found armed, that may be a token that has come since then:
    /// what follows it has nothing any more that tells of it.
    fn receive_plainly(&mut self, message: &Foreign, flags: i32) -> Result<usize> {
        let bytes = message.receive(self.fd, flags)?;
        for number in 0..self.entries.len() {
            let entry = &mut self.entries[number];
            if entry.has_token() && !entry.is_handed_out && !entry.arm() {
                let (start, is_cut) = (message.start(bytes), message.is_cut());
                if entry.gate.token().may_be(bytes, &start, is_cut) {
                    self.give_back(number, Gate::arm);
                }
            }
        }
        Ok(bytes)
    }

    /// A gate redirects, and what came before is in the kernel's queue.
    fn receive_token(&mut self, message: &Foreign, flags: i32) -> Result<usize> {
        let head = match foreign::head(self.fd) {
            Ok(head) => head,
            Err(Errno::EAGAIN) if self.check_tokens() => {
                self.awaits_token = true;
                return Err(Errno::EAGAIN);
            }
            Err(Errno::EAGAIN) => return self.receive_plainly(message, flags),
            Err(errno) => return Err(errno),
        };
        let is_token = |entry: &Entry| {
            let Some(source) = head.name.to_internet() else { return false };
            let mark = Mark::new(source, head.bytes, head.start());
            entry.has_token() && !entry.is_handed_out && entry.gate.token() == mark
        };
        let number = self.entries.iter().position(is_token);
        if number.is_none() && !self.needs_anchor() {
            return message.receive(self.fd, flags);
        }
        // Whatever it is, it keeps the descriptor readable if the one before it did.
        let answer = message.receive(self.fd, flags | libc::MSG_PEEK)?;
        if let Some(number) = number {
            self.entries[number].is_handed_out = true;
        }
        self.anchor = Some(head.bytes);
        Ok(answer)
    }

    /// After many from the area: whether one waits behind the anchor that came otherwise.
    fn take_turns(&mut self, message: &Foreign, flags: i32) -> Option<Result<usize>> {
        self.handed_out = 0;
        let bytes = self.anchor?;
        if !foreign::is_any_behind(self.fd, bytes) {
            return None;
        }
        self.drop_anchor();
        let head = foreign::head(self.fd).ok()?;
        if let Some(source) = head.name.to_internet() {
            let mark = Mark::new(source, head.bytes, head.start());
            for entry in &mut self.entries {
                if entry.has_token() && entry.gate.token() == mark {
                    entry.is_handed_out = true;
                }
            }
        }
        let answer = message.receive(self.fd, flags | libc::MSG_PEEK);
        if answer.is_ok() {
            self.anchor = Some(head.bytes);
        }
        Some(answer)
    }

    fn hand_out(&mut self, number: usize, message: &Foreign, flags: i32) -> Result<usize> {
        self.next = number;
        self.handed_out += 1;
        self.is_busy.store(true, Ordering::Relaxed);
        let entry = &mut self.entries[number];
        let Some(arrival) = entry.inlet.taker.take() else { return Err(Errno::EAGAIN) };
        let hub = &entry.inlet.hub;
        let fill = |data, heading: &Heading| {
            let Endpoint { address, port } = heading.source;
            let name = Address::of_internet(self.domain, address, port, hub.interface());
            message.fill(data, name.bytes(), &control(&self.wishes, hub, heading))
        };
        let stored = match arrival.place() {
            Place::Frame(given) => {
                let region = hub.region();
                let offset = region.frame_offset(given.frame) + given.from;
                let data = region.mapping().span(offset, given.bytes);
                let stored = fill(data, &arrival.heading(hub, &given));
                region.drop_frame(given.frame);
                stored
            }
            Place::Gathered { number, .. } => {
                let Gathered { loan, heading } = hub.take_gathered(number).ok_or(Errno::EIO)?;
                // Behind a gate there are datagrams only.
                fill(loan.span(), &heading.ok_or(Errno::EIO)?)
            }
        };
        let is_whole = flags & libc::MSG_TRUNC != 0;
        Ok(if is_whole { arrival.bytes() } else { stored })
    }

    /// Whether something may be in the area that nothing but the anchor tells of.
    fn needs_anchor(&self) -> bool {
        self.entries.iter().any(|entry| entry.redirects() && entry.is_handed_out)
    }

    /// Arms the gates of which nothing is left, and takes the anchor out if it keeps nothing readable
    /// any more.
    fn calm(&mut self) {
        for entry in &mut self.entries {
            if entry.redirects() && (entry.is_handed_out || entry.has_token()) {
                entry.arm();
            }
        }
        if !self.needs_anchor() {
            self.is_busy.store(false, Ordering::Relaxed);
            self.drop_anchor();
        }
    }

    fn drop_anchor(&mut self) {
        if self.anchor.take().is_some()
            && let Err(errno) = foreign::drop_head(self.fd)
        {
            // What the socket had to say comes first, and is said once.
            self.error = Some(errno).filter(|errno| *errno != Errno::EAGAIN);
            let _ = foreign::drop_head(self.fd);
        }
    }

    /// Whether the kernel has nothing for the socket, and no processor is about to give it something.
    fn is_silent(&self) -> bool {
        let is_empty = || poll::now(self.fd, libc::POLLIN) == Ok(0);
        if !is_empty() {
            return false;
        }
        bpf::wait_for_programs();
        is_empty()
    }

    /// Gates whose token was lost give back what they have; whether one may still come.
    fn check_tokens(&mut self) -> bool {
        let mut is_early = false;
        for number in 0..self.entries.len() {
            let entry = &self.entries[number];
            if !entry.redirects() || (entry.is_handed_out && self.anchor.is_some()) {
                continue;
            }
            if entry.is_handed_out {
                // Nothing keeps the descriptor readable.
                self.give_back(number, Gate::arm);
                continue;
            }
            if !entry.has_token() || entry.token_age() < TOKEN_PATIENCE {
                is_early = true;
            } else if self.is_silent() {
                self.give_back(number, Gate::arm);
            }
        }
        is_early
    }

    /// Lets the kernel have what has come, until nothing is left and the gate can be changed.
    fn give_back(&mut self, number: usize, change: impl Fn(&Gate, u64) -> bool) {
        let entry = &mut self.entries[number];
        let _room = Room::make(self.fd);
        loop {
            entry.inlet.hub.poll(Looker::Nobody);
            while let Some(arrival) = entry.inlet.taker.take() {
                // One that the kernel does not take is lost as one in the network is.
                let _ = entry.inlet.hub.pass_on(&arrival);
            }
            // In this order: another socket's look at the interface may have brought the last ones.
            let complete = entry.complete().filter(|_| entry.inlet.taker.is_empty());
            if complete.is_some_and(|count| change(&entry.gate, count)) {
                entry.armed += 1;
                entry.is_handed_out = false;
                return;
            }
            std::thread::yield_now();
        }
    }

    pub fn leave(&mut self) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        for number in 0..self.entries.len() {
            self.give_back(number, Gate::close);
        }
        self.drop_anchor();
    }

    pub fn abandon(&mut self) {
        for entry in &mut self.entries {
            let hub = &entry.inlet.hub;
            while let Some(arrival) = entry.inlet.taker.take() {
                arrival.drop_place(hub);
            }
        }
    }
}
