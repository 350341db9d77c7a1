//! What a received packet says, where it is a UDP datagram that a socket can have as it is.
//!
//! The fields stand at fixed places: fragments, options and extension headers are the kernel's.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::flow::{Endpoint, Ends};
use super::{
    ETHERNET_BYTES, HardwareAddress, IPV4_BYTES, IPV6_BYTES, PROTOCOL_UDP, TYPE_IPV4, TYPE_IPV6,
    TYPE_VLAN, UDP_BYTES, VLAN_BYTES,
};

/// The start of a packet, or any stretch of one: as much as comes into the cache at once.
pub type Head = [u8; HEAD_BYTES];
pub const HEAD_BYTES: usize = 64;

/// A datagram, and where its payload lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// The destination is the local end.
    pub ends: Ends,
    pub payload_from: usize,
    pub payload_bytes: usize,
    /// As it stands there; 0 is none.
    pub checksum: u16,
    /// The station that has sent it, and the VLAN it came in.
    pub station: HardwareAddress,
    pub vlan: Option<u16>,
    /// What IPv4 calls type of service and time to live.
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// Why a packet is none that this module understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Shorter than its headers say.
    Truncated,
    /// Lengths that contradict each other, or a version that is not its type's.
    Malformed,
    /// The sum over the IPv4 header is wrong, or IPv6 without a sum over the datagram.
    Checksum,
    /// Neither of the Internet protocols.
    NotInternet,
    /// Another transport protocol, or an extension header before it.
    NotUdp,
    /// A part of a datagram.
    Fragment,
    /// IPv4 options.
    Options,
}

/// What a socket may want to know of a datagram that it has, besides the payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heading {
    pub source: Endpoint,
    pub destination: IpAddr,
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// Reads the headers of the network and of UDP once more, which [`parse`] has understood: the
/// [`heading_bytes`] in front of the payload.
pub fn heading(header: &[u8], is_ipv4: bool) -> Heading {
    let network_bytes = if is_ipv4 { IPV4_BYTES } else { IPV6_BYTES };
    let port = word(header, network_bytes);
    let (source, destination): (IpAddr, IpAddr) = if is_ipv4 {
        let [source, destination] = [12, 16].map(|at| Ipv4Addr::from(array::<4>(header, at)));
        (source.into(), destination.into())
    } else {
        let [source, destination] = [8, 24].map(|at| Ipv6Addr::from(array::<16>(header, at)));
        (source.into(), destination.into())
    };
    let (traffic_class, hop_limit) =
        if is_ipv4 { (header[1], header[8]) } else { ((word(header, 0) >> 4) as u8, header[7]) };
    Heading { source: Endpoint { address: source, port }, destination, traffic_class, hop_limit }
}

/// Bytes of the headers that [`heading`] reads.
pub fn heading_bytes(is_ipv4: bool) -> usize {
    UDP_BYTES + if is_ipv4 { IPV4_BYTES } else { IPV6_BYTES }
}

/// Big-endian fields of what is known to be long enough.
#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[inline(always)]
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[at..at + N]);
    found
}

/// Reads the headers at the start of a packet.
pub fn parse(packet: &[u8]) -> Result<Datagram, Refused> {
    let head_at = |from: usize| {
        let mut head = [0; HEAD_BYTES];
        let rest = packet.get(from..).unwrap_or_default();
        let count = rest.len().min(HEAD_BYTES);
        head[..count].copy_from_slice(&rest[..count]);
        head
    };
    parse_head(&head_at(0), packet.len(), || head_at(VLAN_BYTES))
}

/// The same for a packet of `packet_bytes` that begins like `head`; what is in there behind its end
/// can be anything. `behind_tag` is the same stretch, but from the fourth byte of the packet on.
#[inline(always)]
pub fn parse_head(
    head: &Head,
    packet_bytes: usize,
    behind_tag: impl FnOnce() -> Head,
) -> Result<Datagram, Refused> {
    if packet_bytes < ETHERNET_BYTES {
        return Err(Refused::Truncated);
    }
    let station = array(head, 6);
    let kind = word(head, 12);
    if kind != TYPE_VLAN {
        let found = network(head, kind, packet_bytes - ETHERNET_BYTES)?;
        return Ok(Datagram { station, ..found });
    }
    if packet_bytes < ETHERNET_BYTES + VLAN_BYTES {
        return Err(Refused::Truncated);
    }
    let vlan = Some(word(head, 14) & 0x0fff);
    let kind = word(head, 16);
    let found = network(&behind_tag(), kind, packet_bytes - ETHERNET_BYTES - VLAN_BYTES)?;
    let payload_from = found.payload_from + VLAN_BYTES;
    Ok(Datagram { station, vlan, payload_from, ..found })
}

/// What follows the header of Ethernet, in `left` bytes.
#[inline(always)]
fn network(head: &Head, kind: u16, left: usize) -> Result<Datagram, Refused> {
    match kind {
        TYPE_IPV4 => ipv4(head, left),
        TYPE_IPV6 => ipv6(head, left),
        _ => Err(Refused::NotInternet),
    }
}

#[inline(always)]
fn ipv4(head: &Head, left: usize) -> Result<Datagram, Refused> {
    const AT: usize = ETHERNET_BYTES;
    if left < IPV4_BYTES {
        return Err(Refused::Truncated);
    }
    match head[AT] {
        0x45 => {}
        first if first >> 4 == 4 && first & 0x0f > 5 => return Err(Refused::Options),
        _ => return Err(Refused::Malformed),
    }
    let total_bytes = usize::from(word(head, AT + 2));
    if total_bytes > left {
        return Err(Refused::Truncated);
    }
    if total_bytes < IPV4_BYTES {
        return Err(Refused::Malformed);
    }
    if !Sum::of_words(&array::<IPV4_BYTES>(head, AT)).is_right() {
        return Err(Refused::Checksum);
    }
    // More fragments follow, or some came before.
    if word(head, AT + 6) & 0x3fff != 0 {
        return Err(Refused::Fragment);
    }
    if head[AT + 9] != PROTOCOL_UDP {
        return Err(Refused::NotUdp);
    }
    let udp = udp(head, AT + IPV4_BYTES, total_bytes - IPV4_BYTES)?;
    let address = |at| u32::from_be_bytes(array(head, AT + at));
    Ok(Datagram {
        ends: Ends::of_ipv4((address(16), udp.destination), (address(12), udp.source)),
        payload_from: AT + IPV4_BYTES + UDP_BYTES,
        payload_bytes: udp.payload_bytes,
        checksum: udp.checksum,
        station: [0; 6],
        vlan: None,
        traffic_class: head[AT + 1],
        hop_limit: head[AT + 8],
    })
}

#[inline(always)]
fn ipv6(head: &Head, left: usize) -> Result<Datagram, Refused> {
    const AT: usize = ETHERNET_BYTES;
    if left < IPV6_BYTES {
        return Err(Refused::Truncated);
    }
    if head[AT] >> 4 != 6 {
        return Err(Refused::Malformed);
    }
    let transport_bytes = usize::from(word(head, AT + 4));
    if IPV6_BYTES + transport_bytes > left {
        return Err(Refused::Truncated);
    }
    if head[AT + 6] != PROTOCOL_UDP {
        return Err(Refused::NotUdp);
    }
    let udp = udp(head, AT + IPV6_BYTES, transport_bytes)?;
    if udp.checksum == 0 {
        return Err(Refused::Checksum);
    }
    let address = |at| u128::from_be_bytes(array(head, AT + at));
    Ok(Datagram {
        ends: Ends::of_ipv6((address(24), udp.destination), (address(8), udp.source)),
        payload_from: AT + IPV6_BYTES + UDP_BYTES,
        payload_bytes: udp.payload_bytes,
        checksum: udp.checksum,
        station: [0; 6],
        vlan: None,
        traffic_class: (word(head, AT) >> 4) as u8,
        hop_limit: head[AT + 7],
    })
}

struct Udp {
    source: u16,
    destination: u16,
    payload_bytes: usize,
    checksum: u16,
}

/// The header at `at`, in what the network calls so many bytes.
#[inline(always)]
fn udp(head: &Head, at: usize, transport_bytes: usize) -> Result<Udp, Refused> {
    if transport_bytes < UDP_BYTES {
        return Err(Refused::Truncated);
    }
    let udp_bytes = usize::from(word(head, at + 4));
    if udp_bytes < UDP_BYTES || udp_bytes > transport_bytes {
        return Err(Refused::Malformed);
    }
    Ok(Udp {
        source: word(head, at),
        destination: word(head, at + 2),
        payload_bytes: udp_bytes - UDP_BYTES,
        checksum: word(head, at + 6),
    })
}

impl Datagram {
    pub fn source(&self) -> Endpoint {
        self.ends.remote()
    }

    pub fn destination(&self) -> Endpoint {
        self.ends.local()
    }

    pub fn heading(&self) -> Heading {
        Heading {
            source: self.source(),
            destination: self.destination().address,
            traffic_class: self.traffic_class,
            hop_limit: self.hop_limit,
        }
    }
}
