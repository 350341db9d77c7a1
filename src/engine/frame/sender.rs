//! How one socket's datagrams go out: by which interface, with which headers, or by the kernel.
#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hub::{Hub, OutletKey, State};
use super::transmit::{Parcel, Sending};
use crate::engine::Request;
use crate::net::build::{Path, Template};
use crate::net::flow::Endpoint;
use crate::net::{ETHERNET_BYTES, payload_bytes_max};
use crate::port::ways::Way;
use crate::region::Frame;
use crate::sys::internet::{self, PacketFacts};
use crate::sys::message::Address;
use crate::sys::socket::{DONTWAIT, MORE, NOSIGNAL};
use crate::sys::sync::MutexGuard;

/// A socket's part of each hub, in the order of its inlets.
pub type Legs = [(Arc<Hub>, OutletKey)];

pub enum Sender {
    Datagrams(Box<Datagrams>),
    /// Whole frames: what is sent says itself where it goes.
    Frames,
}

/// By which way a socket's datagrams go.
pub struct Datagrams {
    fd: RawFd,
    local: SocketAddr,
    remote: Option<Endpoint>,
    /// The interface that the socket is bound to, or 0.
    interface: u32,
    ipv4: PacketFacts,
    ipv6: PacketFacts,
    last: Option<Route>,
    /// The kernel has a part of a datagram (`MSG_MORE`): it gets the rest too.
    is_corked: bool,
}

/// The way that the last datagram went, and its headers.
struct Route {
    to: Endpoint,
    leg: usize,
    template: Template,
    payload_bytes_max: usize,
    generation: u64,
    until: Instant,
}

/// For how long a way is not asked for again: the kernel learns of smaller packets on the way
/// (path MTU) without telling.
const FRESH: Duration = Duration::from_secs(1);

impl Sender {
    pub fn new(fd: RawFd, local: SocketAddr, remote: Option<SocketAddr>) -> Self {
        Self::Datagrams(Box::new(Datagrams {
            fd,
            local,
            remote: remote.map(endpoint),
            interface: internet::bound_interface(fd),
            ipv4: internet::packet_facts(fd, true),
            ipv6: internet::packet_facts(fd, false),
            last: None,
            is_corked: false,
        }))
    }

    /// Whether nothing about a message stands in the way of the port having it.
    pub fn is_plain(&mut self, flags: i32, has_control: bool) -> bool {
        let Self::Datagrams(datagrams) = self else { return false };
        let is_whole = !std::mem::replace(&mut datagrams.is_corked, flags & MORE != 0);
        is_whole && flags & !(NOSIGNAL | DONTWAIT) == 0 && !has_control
    }

    /// The kernel has a part of a datagram, and is to have the rest.
    pub fn is_corked(&self) -> bool {
        matches!(self, Self::Datagrams(datagrams) if datagrams.is_corked)
    }

    pub fn destination(&mut self, name: Option<&Address>) -> Option<Endpoint> {
        let Self::Datagrams(datagrams) = self else { return None };
        datagrams.destination(name)
    }
}

impl Datagrams {
    /// Whether the port can have the request at all.
    fn is_ours(&mut self, request: &Request) -> bool {
        let is_plain = request.control.is_none() && request.flags == 0 && !self.is_corked;
        self.is_corked = request.flags & MORE != 0;
        is_plain
    }

    fn destination(&mut self, name: Option<&Address>) -> Option<Endpoint> {
        let to = match name {
            Some(name) => endpoint(name.to_internet()?),
            None => {
                if self.remote.is_none() {
                    // It may have been connected meanwhile.
                    self.remote = internet::peer_address(self.fd).map(endpoint);
                    self.local = internet::local_address(self.fd).unwrap_or(self.local);
                }
                self.remote?
            }
        };
        // What the kernel says of port 0, it says itself.
        (to.port != 0).then_some(to)
    }

    #[inline]
    fn route(
        &mut self,
        legs: &Legs,
        state: &mut State,
        to: Endpoint,
        now: Instant,
    ) -> Option<&mut Route> {
        let generation = legs.iter().map(|(hub, _)| hub.generation()).sum();
        let is_current =
            |route: &Route| route.to == to && route.generation == generation && now < route.until;
        if !self.last.as_ref().is_some_and(is_current) {
            self.last = self.find_route(legs, state, to, (now, generation));
        }
        self.last.as_mut()
    }

    fn find_route(
        &self,
        legs: &Legs,
        state: &mut State,
        to: Endpoint,
        (now, generation): (Instant, u64),
    ) -> Option<Route> {
        let own = Some(self.local.ip()).filter(|address| !address.is_unspecified());
        let way = state.ways.way(to.address, own, self.interface, now)?;
        let leg = legs.iter().position(|(hub, _)| hub.interface() == way.interface)?;
        let facts = legs[leg].0.facts();
        let source = own.or(way.source)?;
        if source.is_ipv4() != to.address.is_ipv4() {
            return None;
        }
        let mtu_bytes = way.mtu_bytes.unwrap_or(facts.mtu_bytes).min(facts.mtu_bytes) as usize;
        Some(Route {
            to,
            leg,
            template: Template::new(&self.path(source, to, &way, facts.hardware_address)),
            payload_bytes_max: payload_bytes_max(source.is_ipv4(), mtu_bytes),
            generation,
            until: now + FRESH,
        })
    }

    fn path(&self, source: IpAddr, to: Endpoint, way: &Way, own_station: [u8; 6]) -> Path {
        let facts = if source.is_ipv4() { self.ipv4 } else { self.ipv6 };
        Path {
            source: Endpoint { address: source, port: self.local.port() },
            destination: to,
            own_station,
            next_station: way.next_station,
            vlan: way.vlan,
            traffic_class: facts.traffic_class,
            hop_limit: facts.hop_limit,
        }
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { address: address.ip(), port: address.port() }
}

/// Sends several requests of one socket: each hub is locked for as long as they go there.
pub struct Session<'a> {
    sender: &'a mut Sender,
    hubs: Hubs<'a>,
}

/// Where they go.
struct Hubs<'a> {
    legs: &'a Legs,
    guard: Option<(usize, MutexGuard<'a, State>)>,
    now: Instant,
}

impl Hubs<'_> {
    /// What is to be changed of a hub, with its lock.
    #[inline]
    fn state(&mut self, leg: usize) -> &mut State {
        if self.guard.as_ref().is_none_or(|(held, _)| *held != leg) {
            self.enter(leg);
        }
        match &mut self.guard {
            Some((_, state)) => state,
            None => unreachable!("locked a moment ago"),
        }
    }

    #[inline(never)]
    fn enter(&mut self, leg: usize) {
        // Never two at once: others may want them the other way round.
        self.guard = None;
        let mut state = self.legs[leg].0.lock();
        state.refresh_if_due(&self.legs[leg].0, self.now);
        self.guard = Some((leg, state));
    }

    /// The way of a datagram of so many bytes. `None`: there is none.
    #[inline]
    fn way<'s>(
        &mut self,
        sender: &'s mut Sender,
        to: Endpoint,
        length: usize,
    ) -> Option<&'s mut Route> {
        let Sender::Datagrams(datagrams) = sender else { return None };
        let (legs, now) = (self.legs, self.now);
        let at = self.guard.as_ref().map_or(0, |(leg, _)| *leg);
        let route = datagrams.route(legs, self.state(at), to, now)?;
        (length <= route.payload_bytes_max).then_some(route)
    }
}

impl<'a> Session<'a> {
    pub fn new(legs: &'a Legs, sender: &'a mut Sender) -> Self {
        Self { sender, hubs: Hubs { legs, guard: None, now: Instant::now() } }
    }

    /// Gives a request to a port. `must_copy`: the memory is the program's again at once.
    pub fn send(&mut self, request: &mut Request, number: u64, must_copy: bool) -> Sending {
        let Sender::Datagrams(datagrams) = &mut *self.sender else {
            return self.send_frame(request, number, must_copy);
        };
        if !datagrams.is_ours(request) {
            return Sending::Refused;
        }
        let Some(to) = datagrams.destination(request.name.as_deref()) else {
            return Sending::Refused;
        };
        let Some(route) = self.hubs.way(self.sender, to, request.length) else {
            return Sending::Refused;
        };
        let (hub, outlet) = &self.hubs.legs[route.leg];
        let parcel = Parcel {
            pieces: &mut request.pieces,
            length: request.length,
            template: Some(&mut route.template),
            outlet: *outlet,
            number,
            must_copy,
        };
        self.hubs.state(route.leg).transmit(hub, parcel)
    }

    /// One that the kernel would refuse is given to the kernel.
    fn send_frame(&mut self, request: &mut Request, number: u64, must_copy: bool) -> Sending {
        let (hub, outlet) = &self.hubs.legs[0];
        let is_plain = request.control.is_none() && request.flags == 0;
        let to = request.name.as_ref().map(|name| name.to_interface());
        let is_here = to.is_none_or(|interface| interface == Some(hub.interface()));
        let lengths = ETHERNET_BYTES..=ETHERNET_BYTES + hub.facts().mtu_bytes as usize;
        if !is_plain || !is_here || !lengths.contains(&request.length) {
            return Sending::Refused;
        }
        let parcel = Parcel {
            pieces: &mut request.pieces,
            length: request.length,
            template: None,
            outlet: *outlet,
            number,
            must_copy,
        };
        match self.hubs.state(0).transmit(hub, parcel) {
            Sending::Begun { copied, first } => {
                Sending::Begun { copied: copied || hub.facts().copies, first }
            }
            other => other,
        }
    }

    /// Whether a datagram to there goes by one of the interfaces.
    pub fn reaches(&mut self, to: Endpoint, length: usize) -> bool {
        self.hubs.way(self.sender, to, length).is_some()
    }

    /// Gives the port a copy of a datagram.
    pub fn send_bytes(&mut self, to: Endpoint, bytes: &[u8], number: u64) -> Sending {
        let Some(route) = self.hubs.way(self.sender, to, bytes.len()) else {
            return Sending::Refused;
        };
        let (hub, outlet) = &self.hubs.legs[route.leg];
        let copy = (*outlet, number, bytes.len());
        let state = self.hubs.state(route.leg);
        state.transmit_bytes(hub, Some(&mut route.template), copy, &|room| room.fill_from(bytes))
    }

    /// Takes back what was sent, to make room.
    pub fn complete(&mut self) {
        if let Some((leg, state)) = &mut self.hubs.guard {
            state.complete(&self.hubs.legs[*leg].0);
        }
    }

    /// Whether a request of the socket's is still on its way from where it lies.
    pub fn is_in_flight(&self, first: Frame, number: u64) -> bool {
        self.hubs.guard.as_ref().is_some_and(|(leg, state)| {
            state.flights.is_in_flight(first, self.hubs.legs[*leg].1, number)
        })
    }

    /// Has the port begin.
    pub fn ring_doorbell(&mut self) {
        if let Some((_, state)) = &mut self.hubs.guard {
            // An interface that is down keeps what it has until it is up again.
            let _ = state.port.ring_doorbell();
        }
    }
}
