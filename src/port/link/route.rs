//! Where a packet goes next: the kernel's routes and neighbours, remembered until they change.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Extent, ask, send, take_in};
use crate::error::{Errno, Result};
use crate::sys::netlink::{self, Socket};

/// The way to a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    pub interface: u32,
    /// The address that packets are to come from, unless the socket has one.
    pub source: Option<IpAddr>,
    /// Who gets the packet on this link: a gateway, or the destination itself.
    pub neighbour: IpAddr,
    /// `None`: not known yet. The kernel has been asked to find out.
    pub hardware_address: Option<[u8; 6]>,
    /// If the route has a smaller one than the interface.
    pub mtu_bytes: Option<u32>,
    /// An ordinary destination elsewhere: nothing local, no broadcast, no multicast.
    pub is_unicast: bool,
}

/// What has changed since it was asked last.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Changes {
    pub links: bool,
    pub addresses: bool,
    pub routes: bool,
}

/// The ways that were looked up.
pub struct Routes {
    questions: Socket,
    news: Socket,
    known: HashMap<(IpAddr, Option<IpAddr>, u32), Known>,
    buffer: Vec<u8>,
}

struct Known {
    hop: Hop,
    asked: Instant,
}

/// Ways that are remembered at most.
const KNOWN_MAX: usize = 1 << 16;
/// For how long. The kernel tells of changes, but not that a neighbour has not been heard of.
const FRESH: Duration = Duration::from_secs(5);
/// While a neighbour is looked for, the kernel tells; this is for when that got lost.
const FRESH_UNKNOWN: Duration = Duration::from_millis(100);

impl Routes {
    pub fn open() -> Result<Self> {
        let news = netlink::LINKS | netlink::NEIGHBOURS | netlink::ADDRESSES | netlink::ROUTES;
        Ok(Self {
            questions: Socket::open(0)?,
            news: Socket::open(news)?,
            known: HashMap::new(),
            buffer: Vec::new(),
        })
    }

    /// Readable when something has changed.
    pub fn fd(&self) -> RawFd {
        self.news.fd()
    }

    /// The way to `destination` from `source`, if the socket has an address. An `interface` other
    /// than 0 is the one of a socket that is bound to it, or of an address of a link's own.
    pub fn hop(
        &mut self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: u32,
        now: Instant,
    ) -> Result<&Hop> {
        let key = (destination, source, interface);
        let is_known = self.known.get(&key).is_some_and(|known| {
            let fresh = if known.hop.hardware_address.is_some() { FRESH } else { FRESH_UNKNOWN };
            now.saturating_duration_since(known.asked) < fresh
        });
        if !is_known {
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            let hop = self.look_up(destination, source, interface)?;
            self.known.insert(key, Known { hop, asked: now });
        }
        self.known.get(&key).map(|known| &known.hop).ok_or(Errno::EHOSTUNREACH)
    }

    fn look_up(&self, destination: IpAddr, source: Option<IpAddr>, interface: u32) -> Result<Hop> {
        let mut question = RouteMessage::default();
        let bits = if destination.is_ipv4() { 32 } else { 128 };
        question.header.address_family = family(destination);
        question.header.destination_prefix_length = bits;
        question.attributes.push(RouteAttribute::Destination(RouteAddress::from(destination)));
        if let Some(source) = source {
            question.header.source_prefix_length = bits;
            question.attributes.push(RouteAttribute::Source(RouteAddress::from(source)));
        }
        if interface != 0 {
            question.attributes.push(RouteAttribute::Oif(interface));
        }
        let mut hop = ask(&self.questions, RouteNetlinkMessage::GetRoute(question), Extent::One)?
            .into_iter()
            .find_map(|answer| hop_of(answer, destination))
            .ok_or(Errno::ENETUNREACH)?;
        if hop.is_unicast {
            self.find_neighbour(&mut hop)?;
        }
        Ok(hop)
    }

    fn find_neighbour(&self, hop: &mut Hop) -> Result<()> {
        let question = neighbour_message(hop);
        let state =
            match ask(&self.questions, RouteNetlinkMessage::GetNeighbour(question), Extent::One) {
                Ok(answers) => {
                    let found = answers.into_iter().find_map(neighbour_of);
                    hop.hardware_address = found.as_ref().and_then(|found| found.hardware_address);
                    found.map(|found| found.state)
                }
                Err(Errno::ENOENT) => None,
                Err(errno) => return Err(errno),
            };
        let is_settled = matches!(
            state,
            Some(
                NeighbourState::Reachable
                    | NeighbourState::Permanent
                    | NeighbourState::Noarp
                    | NeighbourState::Delay
                    | NeighbourState::Probe
                    | NeighbourState::Incomplete
            )
        );
        if !is_settled {
            self.provoke(hop);
        }
        Ok(())
    }

    /// Has the kernel find out about a neighbour, or whether an old answer still holds. It does
    /// nothing for whoever lacks `CAP_NET_ADMIN`; then the next packet that the kernel sends does.
    fn provoke(&self, hop: &Hop) {
        let mut request = neighbour_message(hop);
        request.header.flags = NeighbourFlags::Use;
        let mut header = NetlinkHeader::default();
        // NLM_F_CREATE
        header.flags = NLM_F_REQUEST | 0x400;
        let _ = send(&self.questions, header, RouteNetlinkMessage::NewNeighbour(request));
        // An error is told as an answer, which must not be taken for that to the next question.
        let mut buffer = Vec::new();
        while self.questions.receive(&mut buffer).is_ok() {}
    }

    /// Takes in what the kernel has told since the last time, and forgets what does not hold any
    /// more.
    pub fn refresh(&mut self) -> Changes {
        let mut changes = Changes::default();
        let mut news = Vec::new();
        loop {
            match take_in(&self.news, &mut self.buffer, &mut news) {
                Ok(_) => {}
                Err(Errno::EAGAIN) => break,
                // Some were lost: everything may have changed.
                Err(Errno::ENOBUFS) => {
                    changes = Changes { links: true, addresses: true, routes: true };
                }
                Err(_) => break,
            }
        }
        for message in news {
            match message {
                RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_) => {
                    changes.links = true;
                }
                RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => {
                    changes.addresses = true;
                }
                RouteNetlinkMessage::NewNeighbour(_) | RouteNetlinkMessage::DelNeighbour(_) => {
                    self.renew(message);
                }
                _ => changes.routes = true,
            }
        }
        if changes != Changes::default() {
            self.known.clear();
        }
        changes
    }

    /// A neighbour has moved, has been found, or is gone.
    fn renew(&mut self, message: RouteNetlinkMessage) {
        let is_gone = matches!(message, RouteNetlinkMessage::DelNeighbour(_));
        let Some(neighbour) = neighbour_of(message) else { return };
        let hardware_address = neighbour.hardware_address.filter(|_| !is_gone);
        for known in self.known.values_mut() {
            if known.hop.neighbour == neighbour.address
                && known.hop.interface == neighbour.interface
            {
                known.hop.hardware_address = hardware_address;
            }
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn neighbour_message(hop: &Hop) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(hop.neighbour);
    message.header.ifindex = hop.interface;
    message.attributes.push(NeighbourAttribute::Destination(hop.neighbour.into()));
    message
}

fn hop_of(message: RouteNetlinkMessage, destination: IpAddr) -> Option<Hop> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let mut hop = Hop {
        interface: 0,
        source: None,
        neighbour: destination,
        hardware_address: None,
        mtu_bytes: None,
        is_unicast: message.header.kind == RouteType::Unicast && !destination.is_multicast(),
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => hop.interface = index,
            RouteAttribute::Gateway(RouteAddress::Inet(address))
            | RouteAttribute::Via(RouteVia::Inet(address)) => hop.neighbour = address.into(),
            RouteAttribute::Gateway(RouteAddress::Inet6(address))
            | RouteAttribute::Via(RouteVia::Inet6(address)) => hop.neighbour = address.into(),
            RouteAttribute::PrefSource(RouteAddress::Inet(address)) => {
                hop.source = Some(address.into());
            }
            RouteAttribute::PrefSource(RouteAddress::Inet6(address)) => {
                hop.source = Some(address.into());
            }
            RouteAttribute::Metrics(metrics) => {
                hop.mtu_bytes = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(bytes) if *bytes > 0 => Some(*bytes),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(hop)
}

struct Neighbour {
    interface: u32,
    address: IpAddr,
    /// If it can be relied on.
    hardware_address: Option<[u8; 6]>,
    state: NeighbourState,
}

fn neighbour_of(message: RouteNetlinkMessage) -> Option<Neighbour> {
    let (RouteNetlinkMessage::NewNeighbour(message) | RouteNetlinkMessage::DelNeighbour(message)) =
        message
    else {
        return None;
    };
    let state = message.header.state;
    let is_valid = matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp
    );
    let (mut address, mut hardware_address) = (None, None);
    for attribute in message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                address = Some(found.into());
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => {
                address = Some(found.into());
            }
            NeighbourAttribute::LinkLayerAddress(bytes) if is_valid => {
                hardware_address = bytes.try_into().ok();
            }
            _ => {}
        }
    }
    Some(Neighbour {
        interface: message.header.ifindex,
        address: address?,
        hardware_address,
        state,
    })
}
