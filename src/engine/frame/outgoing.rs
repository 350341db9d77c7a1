//! Datagrams on their way out of a socket that the program goes on to use as the kernel's.
//!
//! While the program is working through a burst its answers are held back for a moment, so that those
//! to one place leave together: through the kernel as one that is cut at the end of its way (udp(7),
//! `UDP_SEGMENT`), or by the interface with one doorbell. Nothing is held back for long: all of it
//! leaves with the answer to the last datagram of the burst, when the program asks for another one
//! and there is none, when there is enough, and before the socket is given back; and the thread of
//! api/datagrams.rs lets go of what is still here when it looks, each millisecond. It sleeps while
//! nothing is held back: see [`Alarm`].
//!
//! Invariants: for each destination there is one bundle at most, and what was given to the interface
//! leaves before anything is given to the kernel, so datagrams to one place keep their order.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::sender::{Legs, Sender, Session};
use super::transmit::Sending;
use crate::error::{Errno, Result};
use crate::net::flow::Endpoint;
use crate::net::payload_bytes_max;
use crate::sys::descriptor::Counter;
use crate::sys::foreign::{self, Foreign, Source};
use crate::sys::message::Address;
use crate::sys::segments;
use crate::sys::sync::atomic::{AtomicBool, Ordering};

/// Destinations at once.
const BUNDLES: usize = 16;
/// Fewer go by the interface for less.
const CUT_MIN: usize = 2;
/// When so many are held back, they leave.
const HELD_MAX: usize = 64;

/// Wakes the thread that lets go of what is held back.
pub struct Alarm {
    is_asleep: AtomicBool,
    counter: Counter,
}

impl Alarm {
    pub fn new() -> Result<Self> {
        Ok(Self { is_asleep: AtomicBool::new(false), counter: Counter::new()? })
    }

    /// Readable when the thread is to wake up.
    pub fn fd(&self) -> RawFd {
        self.counter.fd()
    }

    /// The thread is about to sleep: it looks once more whether something is held back, and then does.
    pub fn goes_to_sleep(&self) {
        self.is_asleep.swap(true, Ordering::SeqCst);
    }

    /// It has slept; `true`: somebody has woken it, or is about to.
    pub fn has_slept(&self) -> bool {
        let was_woken = !self.is_asleep.swap(false, Ordering::SeqCst);
        // Also if nobody has: whoever was late the last time may have raised it since then.
        self.counter.lower();
        was_woken
    }

    /// Something is held back that was shown to the thread before.
    pub fn wake(&self) {
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            self.counter.raise();
        }
    }
}

/// Datagrams to one place, all of one size but for the last one, which may be smaller.
struct Bundle {
    to: Endpoint,
    /// As the program has said it; `None`: where the socket is connected to.
    name: Option<Address>,
    /// The own address that they come from, where the program has said that.
    source: Source,
    size: usize,
    count: usize,
    bytes: Vec<u8>,
}

impl Bundle {
    fn is_between(&self, source: &Source, name: Option<&Address>) -> bool {
        self.source == *source && self.name.as_ref().map(Address::bytes) == name.map(Address::bytes)
    }

    fn has_room(&self, length: usize) -> bool {
        let is_even = self.bytes.len() == self.count * self.size;
        let fits = self.bytes.len() + length <= segments::BYTES_MAX;
        is_even && fits && length <= self.size && self.count < segments::COUNT_MAX
    }

    fn add(&mut self, message: &Foreign) {
        message.append_to(&mut self.bytes);
        self.count += 1;
    }
}

pub struct Outgoing {
    fd: RawFd,
    sender: Sender,
    /// The oldest one first.
    bundles: Vec<Bundle>,
    /// Memory of bundles that have left.
    spare: Vec<Vec<u8>>,
    /// Datagrams since all that was held back has left.
    held: usize,
    /// Given to the interface, which was not told.
    is_untold: bool,
    payload_bytes_max: [usize; 2],
    /// The kernel cuts datagrams of this socket.
    can_cut: bool,
    number: u64,
    /// What the socket had to say when nobody was there to hear it.
    error: Option<Errno>,
    has_left: bool,
}

impl Outgoing {
    /// `can_cut`: what the kernel sends and what the interface sends does not overtake each other.
    pub fn new(fd: RawFd, sender: Sender, legs: &Legs, can_cut: bool) -> Self {
        let mtu_bytes = legs.iter().map(|(hub, _)| hub.facts().mtu_bytes as usize).min();
        let bytes_max = |is_ipv4| payload_bytes_max(is_ipv4, mtu_bytes.unwrap_or(0));
        Self {
            fd,
            sender,
            bundles: Vec::with_capacity(BUNDLES),
            spare: Vec::new(),
            held: 0,
            is_untold: false,
            payload_bytes_max: [bytes_max(true), bytes_max(false)],
            can_cut,
            number: 0,
            error: None,
            has_left: false,
        }
    }

    /// Whether the next send has to come here, whoever will do it.
    pub fn is_wanted(&self) -> bool {
        self.is_holding() || self.sender.is_corked() || self.error.is_some()
    }

    pub fn is_holding(&self) -> bool {
        self.is_untold || !self.bundles.is_empty()
    }

    /// Sends, or holds back if that is allowed. `None`: that is the kernel's business, now.
    pub fn send(
        &mut self,
        legs: &Legs,
        message: &Foreign,
        flags: i32,
        may_hold: bool,
    ) -> Option<Result<usize>> {
        if self.has_left {
            return None;
        }
        if let Some(errno) = self.error.take() {
            return Some(Err(errno));
        }
        let source = message.source();
        let is_plain = self.sender.is_plain(flags, source.is_none());
        let source = source.filter(|_| is_plain);
        let answer = source.and_then(|source| self.send_plain(legs, message, source, may_hold));
        if answer.is_none() || !may_hold || self.held >= HELD_MAX {
            self.let_go(legs);
        }
        answer.map(Ok)
    }

    fn send_plain(
        &mut self,
        legs: &Legs,
        message: &Foreign,
        source: Source,
        may_hold: bool,
    ) -> Option<usize> {
        let (Ok(name), Ok(length)) = (message.name(), message.bytes()) else { return None };
        let to = self.sender.destination(name.as_ref())?;
        let at = self.bundles.iter().position(|bundle| bundle.to == to);
        if let Some(at) = at {
            let bundle = &mut self.bundles[at];
            if length > 0 && bundle.is_between(&source, name.as_ref()) && bundle.has_room(length) {
                bundle.add(message);
                self.held += 1;
                return Some(length);
            }
            self.let_go_of(legs, at);
        }
        if length == 0 || length > self.payload_bytes_max[usize::from(!to.address.is_ipv4())] {
            return None;
        }
        if !self.can_cut {
            if !source.is_empty() {
                return None;
            }
            return self.give_to_interface(legs, message, to, length);
        }
        // One datagram at a time is sent by the kernel for less.
        if !may_hold || !Session::new(legs, &mut self.sender).reaches(to, length) {
            return None;
        }
        if self.bundles.len() == BUNDLES {
            self.let_go_of(legs, 0);
        }
        let bytes = self.spare.pop().unwrap_or_default();
        let mut bundle = Bundle { to, name, source, size: length, count: 0, bytes };
        bundle.add(message);
        self.bundles.push(bundle);
        self.held += 1;
        Some(length)
    }

    /// At once, but for the doorbell.
    fn give_to_interface(
        &mut self,
        legs: &Legs,
        message: &Foreign,
        to: Endpoint,
        length: usize,
    ) -> Option<usize> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        message.append_to(&mut bytes);
        let is_sent = self.by_interface(legs, to, &bytes);
        self.recycle(bytes);
        is_sent.then(|| {
            self.held += 1;
            length
        })
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.spare.push(bytes);
    }

    /// All that is held back leaves.
    pub fn let_go(&mut self, legs: &Legs) {
        while !self.bundles.is_empty() {
            self.let_go_of(legs, 0);
        }
        self.ring_doorbell(legs);
        self.held = 0;
    }

    fn let_go_of(&mut self, legs: &Legs, at: usize) {
        let bundle = self.bundles.remove(at);
        if bundle.count < CUT_MIN || !self.can_cut || !self.cut(legs, &bundle) {
            for datagram in bundle.bytes.chunks(bundle.size) {
                // The interface's own way begins at the address that a route says.
                let is_usual = bundle.source.is_empty();
                if !is_usual || !self.by_interface(legs, bundle.to, datagram) {
                    self.ring_doorbell(legs);
                    // One that the kernel does not take now is lost as one in the network is.
                    let (name, source) = (bundle.name.as_ref(), &bundle.source);
                    let _ = foreign::send(self.fd, name, source, datagram, None);
                }
            }
        }
        self.recycle(bundle.bytes);
    }

    /// The kernel sends them as one and cuts that. `false`: it does not.
    fn cut(&mut self, legs: &Legs, bundle: &Bundle) -> bool {
        self.ring_doorbell(legs);
        let send = || {
            let (name, size) = (bundle.name.as_ref(), bundle.size as u16);
            foreign::send(self.fd, name, &bundle.source, &bundle.bytes, Some(size))
        };
        let mut answer = send();
        if let Err(errno @ (Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH)) =
            answer
        {
            // That is about an earlier one, and said once: the program hears of it in its next call.
            self.error = Some(errno);
            answer = send();
        }
        // Where the program has said the source, that may be what is wrong.
        if bundle.source.is_empty()
            && matches!(answer, Err(Errno::EINVAL | Errno::EIO | Errno::EOPNOTSUPP))
        {
            self.can_cut = false;
        }
        answer.is_ok()
    }

    fn by_interface(&mut self, legs: &Legs, to: Endpoint, datagram: &[u8]) -> bool {
        self.number += 1;
        let mut session = Session::new(legs, &mut self.sender);
        let mut sending = session.send_bytes(to, datagram, self.number);
        if sending.lacks_room() {
            session.ring_doorbell();
            session.complete();
            sending = session.send_bytes(to, datagram, self.number);
        }
        let is_begun = matches!(sending, Sending::Begun { .. });
        self.is_untold |= is_begun;
        is_begun
    }

    fn ring_doorbell(&mut self, legs: &Legs) {
        if std::mem::take(&mut self.is_untold) {
            legs.iter().for_each(|(hub, _)| hub.ring_doorbell());
        }
    }

    /// What the socket had to say.
    pub fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// From now on the kernel sends everything.
    pub fn leave(&mut self, legs: &Legs) {
        self.let_go(legs);
        self.has_left = true;
    }
}
