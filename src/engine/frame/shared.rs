//! A socket that the program goes on to use as the kernel's, while most of its datagrams come through
//! the area. The program sees nothing of it but the speed: its descriptor is readable exactly while
//! a datagram waits, because one waits in the kernel's own queue all that time (gated.rs). What it
//! sends leaves as outgoing.rs tells.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use super::flow::keys;
use super::gated::{Entry, Receiver};
use super::hub::{Hub, OutletKey};
use super::outgoing::{Alarm, Outgoing};
use super::sender::Sender;
use crate::error::{Errno, Result};
use crate::region::{Account, Region};
use crate::sys::foreign::Foreign;
use crate::sys::internet;
use crate::sys::socket::{MORE, identity};
use crate::sys::sync::Mutex;
use crate::sys::sync::atomic::{AtomicBool, Ordering};

pub struct Shared {
    fd: RawFd,
    identity: u64,
    legs: Vec<(Arc<Hub>, OutletKey)>,
    receiver: Mutex<Receiver>,
    outgoing: Mutex<Outgoing>,
    /// The next send is not for the kernel alone.
    is_wanted: AtomicBool,
    /// Something is held back.
    is_holding: AtomicBool,
    /// The token is to be looked after.
    awaits_token: AtomicBool,
    keeps_order: bool,
    is_busy: Arc<AtomicBool>,
    alarm: Arc<Alarm>,
}

impl Shared {
    /// Moves the flows of a bound socket behind gates on those interfaces that do not refuse, and at
    /// least on one.
    pub fn open(
        fd: RawFd,
        domain: i32,
        hubs: &[Arc<Hub>],
        region: &Arc<Region>,
        alarm: &Arc<Alarm>,
    ) -> Result<Arc<Self>> {
        let local = internet::local_address(fd)?;
        let remote = internet::peer_address(fd);
        let keys = keys(domain, internet::is_ipv6_only(fd), local, remote);
        let account = Arc::new(Account::new(0, region.mapping().len()));
        let mut entries: Vec<Entry> = Vec::new();
        let mut refused = Errno::ENODEV;
        for hub in hubs {
            match hub.open_gated(fd, &keys, &account) {
                Ok((inlet, gate, received)) => entries.push(Entry::new(inlet, gate, received)),
                Err(errno) => refused = errno,
            }
        }
        if entries.is_empty() {
            return Err(refused);
        }
        entries.iter().for_each(Entry::open);
        let is_busy = Arc::new(AtomicBool::new(false));
        let legs: Vec<(Arc<Hub>, OutletKey)> = entries.iter().map(Entry::leg).collect();
        // What such a port is told to send has been sent when it was told.
        let keeps_order = legs.iter().all(|(hub, _)| !hub.facts().zero_copy);
        let sender = Sender::new(fd, local, remote);
        Ok(Arc::new(Self {
            fd,
            identity: identity(fd)?,
            outgoing: Mutex::new(Outgoing::new(fd, sender, &legs, keeps_order)),
            is_wanted: AtomicBool::new(false),
            is_holding: AtomicBool::new(false),
            awaits_token: AtomicBool::new(false),
            keeps_order,
            legs,
            receiver: Mutex::new(Receiver::new(fd, domain, entries, is_busy.clone())),
            is_busy,
            alarm: alarm.clone(),
        }))
    }

    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Whether the descriptor still means this socket.
    pub fn is_current(&self) -> bool {
        identity(self.fd) == Ok(self.identity)
    }

    pub fn hubs(&self) -> impl Iterator<Item = &Arc<Hub>> {
        self.legs.iter().map(|(hub, _)| hub)
    }

    /// The names of the interfaces.
    pub fn description(&self) -> String {
        let names: Vec<&str> = self.hubs().map(|hub| hub.facts().interface_name.as_str()).collect();
        names.join(", ")
    }

    /// Receives the next datagram without waiting: its bytes, and how many of them there was room
    /// for. `None`: the socket has left.
    pub fn receive(&self, message: &Foreign, flags: i32) -> Option<Result<usize>> {
        let mut receiver = self.receiver.lock();
        if receiver.has_left() {
            return None;
        }
        let answer = receiver.receive(message, flags);
        let is_dry = receiver.is_dry();
        let awaits_token = receiver.awaits_token();
        drop(receiver);
        if awaits_token {
            self.awaits_token.swap(true, Ordering::SeqCst);
            self.alarm.wake();
        }
        if is_dry && self.is_wanted.load(Ordering::Relaxed) {
            let error = self.let_go();
            if let (Some(errno), Err(Errno::EAGAIN)) = (error, &answer) {
                return Some(Err(errno));
            }
        }
        Some(answer)
    }

    /// How many bytes the next datagram has. `None`: nobody here knows.
    pub fn next_bytes(&self) -> Option<usize> {
        self.receiver.lock().next_bytes()
    }

    /// Sends, or holds it back for a moment. `None`: that is the kernel's business. One datagram at a
    /// time is sent by the kernel for less; where it has copied what the interface was given before,
    /// that keeps the order.
    pub fn send(&self, message: &Foreign, flags: i32) -> Option<Result<usize>> {
        let is_busy = self.is_busy.load(Ordering::Relaxed);
        let is_wanted = self.is_wanted.load(Ordering::Relaxed) || flags & MORE != 0;
        if self.keeps_order && !is_busy && !is_wanted {
            return None;
        }
        let mut outgoing = self.outgoing.lock();
        let answer = outgoing.send(&self.legs, message, flags, is_busy);
        self.show(&outgoing);
        answer
    }

    /// What others need to know of it without its lock.
    fn show(&self, outgoing: &Outgoing) {
        let is_wanted = outgoing.is_wanted();
        if self.is_wanted.load(Ordering::Relaxed) != is_wanted {
            self.is_wanted.store(is_wanted, Ordering::Relaxed);
        }
        let is_holding = outgoing.is_holding();
        if self.is_holding.load(Ordering::Relaxed) != is_holding {
            self.is_holding.swap(is_holding, Ordering::SeqCst);
            if is_holding {
                self.alarm.wake();
            }
        }
    }

    /// What is held back leaves; what the socket had to say about that.
    fn let_go(&self) -> Option<Errno> {
        let mut outgoing = self.outgoing.lock();
        outgoing.let_go(&self.legs);
        let error = outgoing.take_error();
        self.show(&outgoing);
        error
    }

    /// Whether the program waits for something that a lost token would have told of.
    pub fn awaits_token(&self) -> bool {
        self.awaits_token.load(Ordering::SeqCst)
    }

    pub fn is_holding(&self) -> bool {
        self.is_holding.load(Ordering::SeqCst)
    }

    /// Lets go of what is held back; whether there was anything.
    pub fn release(&self) -> bool {
        if !self.is_holding() {
            return false;
        }
        let mut outgoing = self.outgoing.lock();
        outgoing.let_go(&self.legs);
        self.show(&outgoing);
        true
    }

    /// The kernel sends everything from now on.
    fn send_no_more(&self) {
        let mut outgoing = self.outgoing.lock();
        outgoing.leave(&self.legs);
        self.show(&outgoing);
    }

    /// Gives everything back to the kernel, what has arrived too, in its order. The socket is as if
    /// it never had been here.
    pub fn leave(&self) {
        self.send_no_more();
        self.receiver.lock().leave();
        for (hub, outlet) in &self.legs {
            hub.forget(*outlet);
        }
    }

    /// The socket is about to be closed: what has arrived is thrown away.
    pub fn close(&self) {
        self.send_no_more();
        let mut receiver = self.receiver.lock();
        receiver.close();
        for (hub, outlet) in &self.legs {
            hub.forget(*outlet);
        }
        receiver.abandon();
    }

    /// Looks whether a token was lost, and sees to it; `true`: it is to be looked at again.
    pub fn check_token(&self) -> bool {
        self.awaits_token.swap(false, Ordering::SeqCst);
        self.receiver.lock().look_after_tokens()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.send_no_more();
        for (hub, outlet) in &self.legs {
            hub.forget(*outlet);
        }
        self.receiver.lock().abandon();
    }
}
