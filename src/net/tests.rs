//! Headers and sums against those of another implementation, and the parser against anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice, UdpHeader};
use proptest::prelude::*;

use super::build::{Path, Template, Transport};
use super::checksum::Sum;
use super::flow::{Endpoint, Ends, FlowKey};
use super::parse::{Datagram, Refused, parse};
use super::table::FlowTable;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const NEXT: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn endpoints() -> impl Strategy<Value = (Endpoint, Endpoint)> {
    let ports = any::<(u16, u16)>();
    prop_oneof![
        (any::<(u32, u32)>(), ports).prop_map(|((source, destination), ports)| (
            Endpoint::new(Ipv4Addr::from_bits(source), ports.0),
            Endpoint::new(Ipv4Addr::from_bits(destination), ports.1),
        )),
        (any::<(u128, u128)>(), ports).prop_map(|((source, destination), ports)| (
            Endpoint::new(Ipv6Addr::from_bits(source), ports.0),
            Endpoint::new(Ipv6Addr::from_bits(destination), ports.1),
        )),
    ]
}

prop_compose! {
    fn paths()(
        (source, destination) in endpoints(),
        vlan in proptest::option::of(0..4096u16),
        traffic_class in any::<u8>(),
        hop_limit in any::<u8>(),
    ) -> Path {
        Path {
            source, destination, own_station: OWN, next_station: NEXT, vlan, traffic_class, hop_limit,
        }
    }
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..80),
        1 => proptest::collection::vec(any::<u8>(), 0..9000),
    ]
}

fn sum_of(payload: &[u8]) -> Sum {
    let mut sum = Sum::default();
    sum.add(payload);
    sum
}

/// What [`Template`] makes of a datagram.
fn built(path: &Path, payload: &[u8]) -> Vec<u8> {
    let mut template = Template::new(path);
    let header = template.header(payload.len(), Transport::Payload(sum_of(payload)));
    let packet = [header, payload].concat();
    assert_eq!(packet.len(), template.header_bytes() + payload.len());
    packet
}

fn parsed(packet: &[u8]) -> Result<Datagram, Refused> {
    parse(packet)
}

/// The same datagram as the other implementation builds it.
fn expected(path: &Path, payload: &[u8]) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2(OWN, NEXT);
    let (source, destination) = (path.source, path.destination);
    let mut packet = Vec::new();
    let ip_headers = match (source.address, destination.address) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = etherparse::Ipv4Header::new(
                0,
                path.hop_limit,
                etherparse::IpNumber::UDP,
                from.octets(),
                to.octets(),
            )
            .expect("a header");
            header.dscp = etherparse::IpDscp::try_new(path.traffic_class >> 2).expect("six bits");
            header.ecn = etherparse::IpEcn::try_new(path.traffic_class & 3).expect("two bits");
            etherparse::IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => etherparse::IpHeaders::Ipv6(
            etherparse::Ipv6Header {
                traffic_class: path.traffic_class,
                flow_label: etherparse::Ipv6FlowLabel::ZERO,
                payload_length: 0,
                next_header: etherparse::IpNumber::UDP,
                hop_limit: path.hop_limit,
                source: from.octets(),
                destination: to.octets(),
            },
            etherparse::Ipv6Extensions::default(),
        ),
        _ => unreachable!("both ends are of one family"),
    };
    let written = match path.vlan {
        Some(vlan) => ethernet
            .single_vlan(etherparse::VlanId::try_new(vlan).expect("twelve bits"))
            .ip(ip_headers)
            .udp(source.port, destination.port)
            .write(&mut packet, payload),
        None => {
            ethernet.ip(ip_headers).udp(source.port, destination.port).write(&mut packet, payload)
        }
    };
    written.expect("a packet");
    packet
}

/// Whether the other implementation finds the UDP checksum right.
fn is_sum_right(packet: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ethernet(packet).expect("a packet");
    let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("no UDP") };
    let header: UdpHeader = udp.to_header();
    let sum = match sliced.net {
        Some(NetSlice::Ipv4(ip)) => header.calc_checksum_ipv4_raw(
            ip.header().source(),
            ip.header().destination(),
            udp.payload(),
        ),
        Some(NetSlice::Ipv6(ip)) => header.calc_checksum_ipv6_raw(
            ip.header().source(),
            ip.header().destination(),
            udp.payload(),
        ),
        _ => panic!("no network layer"),
    };
    sum == Ok(header.checksum)
}

proptest! {
    #[test]
    fn headers_are_those_of_another_implementation(path in paths(), payload in payloads()) {
        let packet = built(&path, &payload);
        prop_assert_eq!(&packet, &expected(&path, &payload));
        prop_assert!(is_sum_right(&packet));
    }

    #[test]
    fn what_is_built_is_understood(path in paths(), payload in payloads(), padding in 0..20usize) {
        let mut packet = built(&path, &payload);
        packet.resize(packet.len() + padding, 0xa5);
        let datagram = parsed(&packet).expect("a datagram");
        prop_assert_eq!((datagram.source(), datagram.destination()), (path.source, path.destination));
        prop_assert_eq!((datagram.station, datagram.vlan), (OWN, path.vlan));
        prop_assert_eq!(datagram.traffic_class, path.traffic_class);
        prop_assert_eq!(datagram.hop_limit, path.hop_limit);
        let from = datagram.payload_from;
        prop_assert_eq!(&packet[from..from + datagram.payload_bytes], &payload[..]);
        let mut sum = Sum::of_headers(&datagram.ends, datagram.payload_bytes, datagram.checksum);
        sum.join(sum_of(&payload));
        prop_assert!(sum.is_right());
    }

    #[test]
    fn one_wrong_bit_is_noticed(path in paths(), payload in payloads(), at in any::<prop::sample::Index>()) {
        let mut packet = built(&path, &payload);
        // The hardware addresses and the tag have no sum of ours, nor has most of IPv6's header. And
        // a length that leaves out bytes can be made up for by those.
        let before = packet.len() - payload.len() - 8;
        let bytes: Vec<usize> = (0..4).chain(6..packet.len() - before).collect();
        let byte = before + bytes[at.index(bytes.len())];
        packet[byte] ^= 1 << (at.index(8 * bytes.len()) % 8);
        let is_wrong = match parsed(&packet) {
            Err(_) => true,
            Ok(datagram) => {
                let mut sum = Sum::of_headers(&datagram.ends, datagram.payload_bytes, datagram.checksum);
                let from = datagram.payload_from;
                sum.join(sum_of(&packet[from..from + datagram.payload_bytes]));
                !sum.is_right()
            }
        };
        prop_assert!(is_wrong);
    }

    #[test]
    fn sums_do_not_depend_on_how_they_are_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut sum = Sum::default();
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            sum.add(&bytes[from..to]);
            from = to;
        }
        let plain = bytes.chunks(2).fold(0u32, |sum, pair| {
            let word = u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]);
            let sum = sum + u32::from(word);
            (sum & 0xffff) + (sum >> 16)
        });
        prop_assert_eq!(sum.checksum(), !(plain as u16));
    }

    /// Never a panic, and what is understood lies inside.
    #[test]
    fn anything_can_be_looked_at(
        path in paths(),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packet = built(&path, &payload);
        for (at, byte) in damage {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        packet.truncate(cut.index(packet.len() + 1));
        if let Ok(datagram) = parsed(&packet) {
            prop_assert!(datagram.payload_from + datagram.payload_bytes <= packet.len());
            prop_assert!(SlicedPacket::from_ethernet(&packet).is_ok());
        }
    }

    #[test]
    fn noise_is_refused_or_understood(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(datagram) = parsed(&packet) {
            prop_assert!(datagram.payload_from + datagram.payload_bytes <= packet.len());
        }
    }
}

#[test]
fn what_is_the_kernels_is_refused() {
    let path = Path {
        source: Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 1000),
        destination: Endpoint::new(Ipv4Addr::new(10, 0, 0, 2), 53),
        own_station: OWN,
        next_station: NEXT,
        vlan: None,
        traffic_class: 0,
        hop_limit: 64,
    };
    // A changed header, with its sum put right.
    let changed = |at: usize, byte: u8| {
        let mut packet = built(&path, b"query");
        packet[14 + at] = byte;
        packet[24..26].fill(0);
        let sum = sum_of(&packet[14..34]).checksum();
        packet[24..26].copy_from_slice(&sum.to_be_bytes());
        parsed(&packet)
    };
    assert!(changed(1, 0).is_ok());
    assert_eq!(changed(0, 0x46), Err(Refused::Options));
    assert_eq!(changed(0, 0x44), Err(Refused::Malformed));
    assert_eq!(changed(0, 0x65), Err(Refused::Malformed));
    assert_eq!(changed(6, 0x20), Err(Refused::Fragment));
    assert_eq!(changed(7, 1), Err(Refused::Fragment));
    assert_eq!(changed(9, 6), Err(Refused::NotUdp));
    let mut packet = built(&path, b"query");
    packet[25] ^= 1;
    assert_eq!(parsed(&packet), Err(Refused::Checksum));
    packet[12] = 0x88;
    assert_eq!(parsed(&packet), Err(Refused::NotInternet));
    for length in 0..built(&path, b"query").len() {
        let packet = &built(&path, b"query")[..length];
        assert_eq!(parsed(packet), Err(Refused::Truncated), "{length} bytes");
    }
    let remote = Endpoint::new(Ipv6Addr::LOCALHOST, 1);
    let mut packet = built(&Path { source: remote, destination: remote, ..path }, b"query");
    packet[60..62].fill(0);
    assert_eq!(parsed(&packet), Err(Refused::Checksum), "IPv6 needs one");
    packet[20] = 44;
    assert_eq!(parsed(&packet), Err(Refused::NotUdp), "a fragment header comes first");
}

#[test]
fn an_ipv4_datagram_may_have_no_sum() {
    let path = Path {
        source: Endpoint::new(Ipv4Addr::LOCALHOST, 1),
        destination: Endpoint::new(Ipv4Addr::LOCALHOST, 2),
        own_station: OWN,
        next_station: NEXT,
        vlan: None,
        traffic_class: 0,
        hop_limit: 1,
    };
    let mut template = Template::new(&path);
    let payload = [7; 3];
    template.header(payload.len(), Transport::Payload(sum_of(&payload)));
    let header = template.header(0, Transport::Later);
    assert_eq!(parsed(header).map(|datagram| datagram.checksum), Ok(0), "that of an earlier one");
}

#[test]
fn headers_are_made_for_one_datagram_after_the_other() {
    for (source, destination) in [
        (Endpoint::new([10, 0, 0, 1], 53), Endpoint::new([10, 0, 0, 2], 4000)),
        (Endpoint::new(Ipv6Addr::LOCALHOST, 53), Endpoint::new(Ipv6Addr::LOCALHOST, 4000)),
    ] {
        let path = Path {
            source,
            destination,
            own_station: OWN,
            next_station: NEXT,
            vlan: None,
            traffic_class: 0,
            hop_limit: 1,
        };
        let mut template = Template::new(&path);
        for payload in [&b"first"[..], b"other", b"", b"a longer one", b"last!"] {
            let transport = Transport::Payload(sum_of(payload));
            let packet = [template.header(payload.len(), transport), payload].concat();
            assert_eq!(packet, expected(&path, payload), "{payload:?}");
        }
    }
}

#[test]
fn the_table_prefers_as_the_kernel_does() {
    let local = Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 53);
    let remote = Endpoint::new(Ipv4Addr::new(10, 0, 0, 2), 4000);
    let stranger = Endpoint::new(Ipv4Addr::new(10, 0, 0, 3), 4000);
    let mut table = FlowTable::new(1);
    assert_eq!(table.find(&Ends::new(local, remote)), None);
    assert!(table.insert(&FlowKey::open(local.of_any_address()), 1));
    assert_eq!(table.find(&Ends::new(local, remote)), Some(1));
    assert!(table.insert(&FlowKey::open(local), 2));
    assert!(table.insert(&FlowKey::connected(local, remote), 3));
    assert!(!table.insert(&FlowKey::connected(local, remote), 4));
    assert_eq!(
        (table.find(&Ends::new(local, remote)), table.find(&Ends::new(local, stranger))),
        (Some(3), Some(2))
    );
    let elsewhere = Endpoint::new(Ipv4Addr::new(10, 0, 0, 9), 53);
    assert_eq!(table.find(&Ends::new(elsewhere, remote)), Some(1));
    let same_in_ipv6 = Endpoint::new(Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped(), 53);
    assert_eq!(table.find(&Ends::new(same_in_ipv6, same_in_ipv6)), None);
    assert_eq!(table.remove(&FlowKey::open(local)), Some(2));
    assert_eq!(table.find(&Ends::new(local, stranger)), Some(1));
    assert_eq!(table.len(), 2);
}

/// A table of many flows finds each of them, and nothing else.
#[test]
fn many_flows_are_kept_apart() {
    const FLOWS: u32 = 100_000;
    let mut table = FlowTable::new(7);
    let local = Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 53);
    let key = |number: u32| {
        let remote = Endpoint::new(Ipv4Addr::from_bits(0x0b00_0000 + number / 3), number as u16);
        FlowKey::connected(local, remote)
    };
    for number in 0..FLOWS {
        assert!(table.insert(&key(number), number));
    }
    for number in 0..FLOWS {
        assert_eq!(
            table.find(&Ends::new(local, key(number).remote.expect("a peer"))),
            Some(number)
        );
    }
    assert_eq!(table.find(&Ends::new(local, Endpoint::new(Ipv4Addr::new(12, 0, 0, 1), 1))), None);
    for number in 0..FLOWS {
        assert_eq!(table.remove(&key(number)), Some(number));
    }
    assert!(table.is_empty());
}

proptest! {
    /// Flows come and go in any order: the table has what a list of them has.
    #[test]
    fn the_table_keeps_those_that_have_not_gone(
        seed in any::<u64>(),
        steps in proptest::collection::vec((any::<bool>(), 0..48u16), 0..400),
    ) {
        let key = |port| match port % 2 {
            0 => FlowKey::open(Endpoint::new(Ipv4Addr::LOCALHOST, port)),
            _ => FlowKey::open(Endpoint::new(Ipv6Addr::LOCALHOST, port)),
        };
        let (mut table, mut listed) = (FlowTable::new(seed), std::collections::HashMap::new());
        for (number, (comes, port)) in steps.into_iter().enumerate() {
            if comes {
                let is_new = !listed.contains_key(&port);
                prop_assert_eq!(table.insert(&key(port), number), is_new);
                listed.entry(port).or_insert(number);
            } else {
                prop_assert_eq!(table.remove(&key(port)), listed.remove(&port));
            }
            prop_assert_eq!(table.len(), listed.len());
            for port in 0..48 {
                prop_assert_eq!(table.get(&key(port)), listed.get(&port).copied());
            }
        }
    }
}
