//! What has arrived for one socket: rings that hubs fill, and how the program gets what is in them.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::door::Mailbox;
use super::hub::{Hub, OutletKey};
use crate::engine::{Ask, Form, Readiness, Received, Socket};
use crate::error::{Errno, Result};
use crate::net::HEADER_BYTES_MAX;
use crate::net::flow::Endpoint;
use crate::region::{Given, Message, Region};
use crate::sys::internet::{ControlFacts, ControlWishes, control_data};
use crate::sys::message::Address;
use crate::sys::relay::Taker;
use crate::sys::socket::TRUNC;

/// Where the payload of a datagram lies.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Where the driver has put it.
    Frame(Given),
    /// In a block of the hub's, because it came in several frames.
    Gathered { number: usize, bytes: usize },
}

impl Place {
    pub fn bytes(&self) -> usize {
        match *self {
            Self::Frame(given) => given.bytes,
            Self::Gathered { bytes, .. } => bytes,
        }
    }
}

/// A datagram that has arrived and was not fetched. Whoever takes it out of its ring has the only
/// reference to its place.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub place: Place,
    pub source: Endpoint,
    pub destination: IpAddr,
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// A socket's part of one hub.
pub struct Inlet {
    pub hub: Arc<Hub>,
    pub outlet: OutletKey,
    pub taker: Taker<Arrival>,
}

/// Where everything for one socket comes in: one inlet for each interface.
pub struct Inlets {
    inlets: Vec<Inlet>,
    /// They take turns.
    next: usize,
    wishes: ControlWishes,
}

impl Inlets {
    pub fn new(inlets: Vec<Inlet>, wishes: ControlWishes) -> Self {
        Self { inlets, next: 0, wishes }
    }

    /// Has the interfaces looked at.
    pub fn poll(&self, reader: Option<&Arc<Mailbox>>) {
        for inlet in &self.inlets {
            inlet.hub.poll(reader);
        }
    }

    pub fn readiness(&self) -> Readiness {
        match self.inlets.iter().find_map(|inlet| inlet.taker.peek()) {
            Some(arrival) => {
                let bytes = arrival.place.bytes();
                Readiness { bytes, message: true, ..Readiness::default() }
            }
            None => Readiness::default(),
        }
    }

    /// Asks to be told of what comes next; `false`: there is something by now.
    pub fn wait_for_more(&mut self) -> bool {
        for inlet in &self.inlets {
            inlet.hub.await_space();
        }
        // All of them have to be asked.
        self.inlets.iter_mut().fold(true, |is_empty, inlet| inlet.taker.wait_for_more() & is_empty)
    }

    /// Takes the next datagram out, with the number of its inlet.
    fn take(&mut self) -> Option<(usize, Arrival)> {
        for _ in 0..self.inlets.len() {
            let number = self.next;
            let inlet = &mut self.inlets[number];
            if let Some(arrival) = inlet.taker.take() {
                if inlet.taker.is_empty() {
                    // The program need not come back until it is told.
                    inlet.taker.wait_for_more();
                    self.next = (number + 1) % self.inlets.len();
                }
                return Some((number, arrival));
            }
            self.next = (number + 1) % self.inlets.len();
        }
        None
    }

    /// Makes the program the holder of the next datagram. `None`: there is none.
    pub fn receive(&mut self, ask: &Ask, socket: &Socket) -> Option<Result<Received>> {
        let (number, arrival) = self.take()?;
        Some(self.give(&self.inlets[number].hub, &arrival, ask, socket))
    }

    fn give(&self, hub: &Hub, arrival: &Arrival, ask: &Ask, socket: &Socket) -> Result<Received> {
        let bytes = arrival.place.bytes();
        let stored = if ask.form == Form::Message { bytes } else { ask.size.min(bytes) };
        let account = &socket.account;
        // The rest of a datagram that the program wanted less of is lost, as with recv(2).
        account.subtract(bytes - stored);
        socket.counters.received.fetch_add(stored as u64, Ordering::Relaxed);
        let name = || {
            let Endpoint { address, port } = arrival.source;
            Address::of_internet(socket.domain, address, port, hub.interface())
        };
        let address = match (arrival.place, ask.form) {
            (Place::Frame(given), Form::Message) => {
                let control = self.control(hub, arrival);
                let name = name();
                let parts = (name.bytes(), &control[..], 0);
                hub.region().give_frame_message(given, HEADER_BYTES_MAX, parts, account.booked())
            }
            (Place::Frame(given), _) => {
                hub.region().give_frame(Given { bytes: stored, ..given }, account.booked())
            }
            (Place::Gathered { number, .. }, form) => {
                let loan = hub.take_gathered(number).ok_or(Errno::EIO)?;
                socket.counters.received_copied.fetch_add(stored as u64, Ordering::Relaxed);
                if form == Form::Message {
                    let control = self.control(hub, arrival);
                    Message::wrap_with(&loan, stored, name().bytes(), &control, account)
                        .ok_or(Errno::ENOBUFS)?
                } else {
                    loan.hand_out(0, stored, account.booked())
                }
            }
        };
        let count = if ask.flags & TRUNC != 0 { bytes } else { stored };
        let name = (ask.form == Form::Name).then(|| Box::new(name()));
        Ok(Received::Block { address, count, name })
    }

    fn control(&self, hub: &Hub, arrival: &Arrival) -> Vec<u8> {
        let facts = ControlFacts {
            destination: arrival.destination,
            interface: hub.interface(),
            traffic_class: arrival.traffic_class,
            hop_limit: arrival.hop_limit,
        };
        control_data(&self.wishes, &facts)
    }

    /// Throws away what has not been fetched, without an account: its socket is gone.
    pub fn abandon(&mut self) {
        while let Some((number, arrival)) = self.take() {
            let hub = &self.inlets[number].hub;
            drop_place(hub, hub.region(), arrival.place);
        }
    }

    /// Throws away what has not been fetched.
    pub fn discard(&mut self, socket: &Socket) {
        while let Some((number, arrival)) = self.take() {
            socket.account.subtract(arrival.place.bytes());
            let hub = &self.inlets[number].hub;
            drop_place(hub, hub.region(), arrival.place);
        }
    }
}

/// Gives back the memory of a datagram that nobody will have.
pub fn drop_place(hub: &Hub, region: &Region, place: Place) {
    match place {
        Place::Frame(given) => region.drop_frame(given.frame),
        Place::Gathered { number, .. } => drop(hub.take_gathered(number)),
    }
}
