//! Headers of packets on their way out: made once for a destination, finished for each packet.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::checksum::Sum;
use super::flow::Endpoint;
use super::{
    HEADER_BYTES_MAX, HardwareAddress, IPV4_BYTES, IPV6_BYTES, PROTOCOL_UDP, TYPE_IPV4, TYPE_IPV6,
    TYPE_VLAN, UDP_BYTES, VLAN_BYTES, header_bytes,
};

/// Where a datagram goes, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    pub source: Endpoint,
    pub destination: Endpoint,
    /// The interface's own address, and that of the next hop.
    pub own_station: HardwareAddress,
    pub next_station: HardwareAddress,
    pub vlan: Option<u16>,
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// The headers of all datagrams of one path: those of the last one, of which the next one often differs
/// in its checksum alone.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
    is_ipv4: bool,
    /// Over the IPv4 header without its length; over the pseudo header and the ports.
    network_sum: Sum,
    ports_sum: Sum,
    /// They say that so many bytes follow.
    payload_bytes: usize,
    /// Over the pseudo header and that of UDP without its checksum.
    transport_sum: Sum,
}

/// What is done about the checksum of a datagram.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// It is made of this sum over the payload.
    Payload(Sum),
    /// Somebody behind us makes it.
    Later,
}

impl Template {
    pub fn new(path: &Path) -> Self {
        let is_ipv4 = path.destination.address.is_ipv4();
        let length = header_bytes(is_ipv4, path.vlan.is_some());
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[..6].copy_from_slice(&path.next_station);
        bytes[6..12].copy_from_slice(&path.own_station);
        let mut at = 12;
        if let Some(vlan) = path.vlan {
            bytes[at..at + 2].copy_from_slice(&TYPE_VLAN.to_be_bytes());
            bytes[at + 2..at + VLAN_BYTES].copy_from_slice(&vlan.to_be_bytes());
            at += VLAN_BYTES;
        }
        let kind = if is_ipv4 { TYPE_IPV4 } else { TYPE_IPV6 };
        bytes[at..at + 2].copy_from_slice(&kind.to_be_bytes());
        at += 2;
        let mut network_sum = Sum::default();
        let network = &mut bytes[at..];
        if is_ipv4 {
            network[0] = 0x45;
            network[1] = path.traffic_class;
            // Not to be fragmented: then the identification means nothing. RFC 6864.
            network[6] = 0x40;
            network[8] = path.hop_limit;
            network[9] = PROTOCOL_UDP;
            put_address(&mut network[12..], path.source.address);
            put_address(&mut network[16..], path.destination.address);
            network_sum.add(&network[..IPV4_BYTES]);
            at += IPV4_BYTES;
        } else {
            network[0] = 0x60 | path.traffic_class >> 4;
            network[1] = path.traffic_class << 4;
            network[6] = PROTOCOL_UDP;
            network[7] = path.hop_limit;
            put_address(&mut network[8..], path.source.address);
            put_address(&mut network[24..], path.destination.address);
            at += IPV6_BYTES;
        }
        let ports = &mut bytes[at..at + 4];
        ports[..2].copy_from_slice(&path.source.port.to_be_bytes());
        ports[2..].copy_from_slice(&path.destination.port.to_be_bytes());
        let mut ports_sum = Sum::of_pseudo_header(path.source.address, path.destination.address, 0);
        ports_sum.add(ports);
        let mut template = Self {
            bytes,
            length,
            is_ipv4,
            network_sum,
            ports_sum,
            payload_bytes: 0,
            transport_sum: ports_sum,
        };
        template.resize(0);
        template
    }

    /// Bytes of the headers.
    pub fn header_bytes(&self) -> usize {
        self.length
    }

    /// The headers of one datagram.
    #[inline]
    pub fn header(&mut self, payload_bytes: usize, transport: Transport) -> &[u8] {
        if payload_bytes != self.payload_bytes {
            self.resize(payload_bytes);
        }
        let checksum = match transport {
            Transport::Payload(payload) => {
                let mut sum = self.transport_sum;
                sum.join(payload);
                sum.udp_checksum()
            }
            Transport::Later => 0,
        };
        let header = &mut self.bytes[..self.length];
        if let Some(place) = header.last_chunk_mut() {
            *place = checksum.to_be_bytes();
        }
        header
    }

    /// From now on so many bytes follow.
    fn resize(&mut self, payload_bytes: usize) {
        let Self { bytes, length, .. } = self;
        let udp_number = (UDP_BYTES + payload_bytes) as u16;
        let udp_bytes = udp_number.to_be_bytes();
        let udp_from = *length - UDP_BYTES;
        if self.is_ipv4 {
            let network = &mut bytes[udp_from - IPV4_BYTES..udp_from];
            let total = (IPV4_BYTES + UDP_BYTES + payload_bytes) as u16;
            network[2..4].copy_from_slice(&total.to_be_bytes());
            let mut sum = self.network_sum;
            sum.add_number(total);
            network[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
        } else {
            bytes[udp_from - IPV6_BYTES + 4..udp_from - IPV6_BYTES + 6].copy_from_slice(&udp_bytes);
        }
        bytes[udp_from + 4..udp_from + 6].copy_from_slice(&udp_bytes);
        self.payload_bytes = payload_bytes;
        self.transport_sum = self.ports_sum;
        // Once in the pseudo header, once in the header.
        self.transport_sum.add_number(udp_number);
        self.transport_sum.add_number(udp_number);
    }
}

fn put_address(room: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(address) => room[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => room[..16].copy_from_slice(&address.octets()),
    }
}
