//! What a received packet says, where it is a UDP datagram that a socket can have as it is.
//!
//! The fields stand at fixed places: fragments, options and extension headers are the kernel's.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::flow::Endpoint;
use super::{
    ETHERNET_BYTES, HEADER_BYTES_MAX, HardwareAddress, IPV4_BYTES, IPV6_BYTES, PROTOCOL_UDP,
    TYPE_IPV4, TYPE_IPV6, TYPE_VLAN, UDP_BYTES, VLAN_BYTES,
};

/// As many bytes of a packet are looked at, if it has them.
pub const HEAD_BYTES: usize = HEADER_BYTES_MAX;

/// A datagram, and where its payload lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    pub source: Endpoint,
    pub destination: Endpoint,
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

/// Big-endian fields of what is known to be long enough.
fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[at..at + N]);
    found
}

/// The network layer, as far as both protocols have it.
struct Network {
    source: IpAddr,
    destination: IpAddr,
    header_bytes: usize,
    /// What follows the header.
    transport_bytes: usize,
    traffic_class: u8,
    hop_limit: u8,
}

/// Reads the headers at the start of a packet. `head` has the first [`HEAD_BYTES`] of its
/// `packet_bytes`, or all of them.
pub fn parse(head: &[u8], packet_bytes: usize) -> Result<Datagram, Refused> {
    debug_assert!(head.len() == packet_bytes.min(HEAD_BYTES) || head.len() > HEAD_BYTES);
    if head.len() < ETHERNET_BYTES {
        return Err(Refused::Truncated);
    }
    let mut from = ETHERNET_BYTES;
    let mut kind = word(head, 12);
    let mut vlan = None;
    if kind == TYPE_VLAN {
        if head.len() < ETHERNET_BYTES + VLAN_BYTES {
            return Err(Refused::Truncated);
        }
        vlan = Some(word(head, 14) & 0x0fff);
        kind = word(head, 16);
        from += VLAN_BYTES;
    }
    let left = packet_bytes - from;
    let network = match kind {
        TYPE_IPV4 => ipv4(&head[from..], left)?,
        TYPE_IPV6 => ipv6(&head[from..], left)?,
        _ => return Err(Refused::NotInternet),
    };
    from += network.header_bytes;
    if network.transport_bytes < UDP_BYTES {
        return Err(Refused::Truncated);
    }
    let udp = &head[from..];
    let udp_bytes = usize::from(word(udp, 4));
    if udp_bytes < UDP_BYTES || udp_bytes > network.transport_bytes {
        return Err(Refused::Malformed);
    }
    let checksum = word(udp, 6);
    if checksum == 0 && network.source.is_ipv6() {
        return Err(Refused::Checksum);
    }
    Ok(Datagram {
        source: Endpoint { address: network.source, port: word(udp, 0) },
        destination: Endpoint { address: network.destination, port: word(udp, 2) },
        payload_from: from + UDP_BYTES,
        payload_bytes: udp_bytes - UDP_BYTES,
        checksum,
        station: array(head, 6),
        vlan,
        traffic_class: network.traffic_class,
        hop_limit: network.hop_limit,
    })
}

fn ipv4(header: &[u8], left: usize) -> Result<Network, Refused> {
    if header.len() < IPV4_BYTES {
        return Err(Refused::Truncated);
    }
    match header[0] {
        0x45 => {}
        first if first >> 4 == 4 && first & 0x0f > 5 => return Err(Refused::Options),
        _ => return Err(Refused::Malformed),
    }
    let total_bytes = usize::from(word(header, 2));
    if total_bytes > left {
        return Err(Refused::Truncated);
    }
    if total_bytes < IPV4_BYTES {
        return Err(Refused::Malformed);
    }
    let mut sum = Sum::default();
    sum.add(&header[..IPV4_BYTES]);
    if !sum.is_right() {
        return Err(Refused::Checksum);
    }
    // More fragments follow, or some came before.
    if word(header, 6) & 0x3fff != 0 {
        return Err(Refused::Fragment);
    }
    if header[9] != PROTOCOL_UDP {
        return Err(Refused::NotUdp);
    }
    Ok(Network {
        source: Ipv4Addr::from(array::<4>(header, 12)).into(),
        destination: Ipv4Addr::from(array::<4>(header, 16)).into(),
        header_bytes: IPV4_BYTES,
        transport_bytes: total_bytes - IPV4_BYTES,
        traffic_class: header[1],
        hop_limit: header[8],
    })
}

fn ipv6(header: &[u8], left: usize) -> Result<Network, Refused> {
    if header.len() < IPV6_BYTES {
        return Err(Refused::Truncated);
    }
    if header[0] >> 4 != 6 {
        return Err(Refused::Malformed);
    }
    let transport_bytes = usize::from(word(header, 4));
    if IPV6_BYTES + transport_bytes > left {
        return Err(Refused::Truncated);
    }
    if header[6] != PROTOCOL_UDP {
        return Err(Refused::NotUdp);
    }
    Ok(Network {
        source: Ipv6Addr::from(array::<16>(header, 8)).into(),
        destination: Ipv6Addr::from(array::<16>(header, 24)).into(),
        header_bytes: IPV6_BYTES,
        transport_bytes,
        traffic_class: (word(header, 0) >> 4) as u8,
        hop_limit: header[7],
    })
}

impl Datagram {
    /// The sum of everything that the datagram's checksum is over, but for the payload.
    pub fn sum(&self) -> Sum {
        let bytes = UDP_BYTES + self.payload_bytes;
        let mut sum = Sum::of_pseudo_header(self.source.address, self.destination.address, bytes);
        sum.add(&self.source.port.to_be_bytes());
        sum.add(&self.destination.port.to_be_bytes());
        sum.add(&(bytes as u16).to_be_bytes());
        sum.add(&self.checksum.to_be_bytes());
        sum
    }
}
