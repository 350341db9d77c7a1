//! What is checked of any packet: by a fuzzer (`fuzz/`), and with the same inputs every time by
//! `cargo test`. The classifier's source is told here once more, byte by byte.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sio::net::UDP_BYTES;
use sio::net::checksum::Sum;
use sio::net::familiar::{Familiar, Next, PAYLOAD_FROM};
use sio::net::flow::{Endpoint, FlowKey};
use sio::net::parse::{Datagram, HEAD_BYTES, Head, Refused, heading, heading_bytes, parse};
use sio::net::table::FlowTable;

/// What was claimed, and what the host is called.
pub struct Claims {
    pub flows: Vec<FlowKey>,
    pub addresses: Vec<IpAddr>,
    pub vlans: Vec<u16>,
    /// The engine's table of the same flows.
    table: FlowTable<FlowKey>,
    /// A good packet, and what the engine knows others of its flow by.
    model: Datagram,
    familiar: Familiar,
}

/// What a packet begins with; the rest is nothing.
fn head(packet: &[u8]) -> Head {
    let mut head = [0; HEAD_BYTES];
    let count = packet.len().min(HEAD_BYTES);
    head[..count].copy_from_slice(&packet[..count]);
    head
}

pub fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 9, 0, last).into()
}

pub fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()
}

/// A flow of each kind, of both families.
pub fn claims() -> Claims {
    let of = |local: IpAddr, remote: IpAddr| {
        let (near, far) = (|port| Endpoint::new(local, port), |port| Endpoint::new(remote, port));
        [
            FlowKey::connected(near(53), far(4000)),
            FlowKey::connected(near(54).of_any_address(), far(4000)),
            FlowKey::open(near(55)),
            FlowKey::open(near(56).of_any_address()),
        ]
    };
    let flows = [of(v4(1), v4(2)), of(v6(1), v6(2))].concat();
    let mut table = FlowTable::new(1);
    flows.iter().for_each(|key| assert!(table.insert(key, *key)));
    let packet = frame(true, None, 53);
    Claims {
        flows,
        table,
        model: parse(&packet).expect("a datagram"),
        familiar: Familiar::new(&head(&packet), packet.len()).expect("a datagram"),
        addresses: vec![v4(1), v6(1)],
        vlans: vec![0, 7],
    }
}

fn word(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}

impl Claims {
    /// Whether the socket of a claimed flow gets the packet, and not the kernel.
    pub fn has(&self, packet: &[u8]) -> bool {
        self.ends(packet).is_some_and(|(local, remote)| self.flow(local, remote).is_some())
    }

    /// Whether the packet is of the flow of the model, and taken for that without being parsed.
    pub fn knows(&self, packet: &[u8]) -> bool {
        self.familiar.read(&head(packet), packet.len()).is_some()
    }

    /// Both ends of what may belong to a flow at all.
    fn ends(&self, packet: &[u8]) -> Option<(Endpoint, Endpoint)> {
        if packet.first()? & 1 != 0 {
            return None;
        }
        let (mut kind, mut at) = (word(packet, 12)?, 14);
        if kind == 0x8100 {
            let id = word(packet, 14)? & 0xfff;
            kind = word(packet, 16)?;
            at = 18;
            if id != 0 && !self.vlans.contains(&id) {
                return None;
            }
        }
        let (addresses, udp): ([IpAddr; 2], usize) = match kind {
            0x0800 => {
                let header = packet.get(at..at + 20)?;
                let is_whole = u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
                if header[0] != 0x45 || header[9] != 17 || !is_whole {
                    return None;
                }
                let address = |from: usize| -> Option<IpAddr> {
                    Some(Ipv4Addr::from(<[u8; 4]>::try_from(&header[from..from + 4]).ok()?).into())
                };
                ([address(16)?, address(12)?], at + 20)
            }
            0x86dd => {
                let header = packet.get(at..at + 40)?;
                if header[0] >> 4 != 6 || header[6] != 17 {
                    return None;
                }
                let address = |from: usize| -> Option<IpAddr> {
                    Some(
                        Ipv6Addr::from(<[u8; 16]>::try_from(&header[from..from + 16]).ok()?).into(),
                    )
                };
                ([address(24)?, address(8)?], at + 40)
            }
            _ => return None,
        };
        packet.get(udp..udp + 8)?;
        let remote = Endpoint { address: addresses[1], port: word(packet, udp)? };
        Some((Endpoint { address: addresses[0], port: word(packet, udp + 2)? }, remote))
    }

    fn flow(&self, local: Endpoint, remote: Endpoint) -> Option<FlowKey> {
        FlowKey::candidates(local, remote).into_iter().find(|key| {
            let is_here = !key.local.is_any_address() || self.addresses.contains(&local.address);
            is_here && self.flows.contains(key)
        })
    }
}

/// What is known without the parser is what the parser finds.
fn check_familiar(claims: &Claims, packet: &[u8]) {
    let (head, bytes) = (head(packet), packet.len());
    let numbers = |found: Datagram| {
        assert_eq!(found.payload_from, PAYLOAD_FROM);
        Next { payload_bytes: found.payload_bytes, checksum: found.checksum }
    };
    if let Some(next) = claims.familiar.read(&head, bytes) {
        let found = parse(packet).expect("a datagram");
        assert_eq!((next, found.ends), (numbers(found), claims.model.ends));
    }
    if let Some(next) = claims.familiar.read_again(&head, bytes) {
        assert_eq!(claims.familiar.read(&head, bytes), Some(next));
        assert_eq!(next, claims.familiar.last());
    }
    if let Some(own) = Familiar::new(&head, bytes) {
        let found = parse(packet).expect("a datagram");
        let next = numbers(found);
        assert_eq!((own.read(&head, bytes), own.last()), (Some(next), next));
        check_sums(&own, &next, &found);
        check_next(&own, packet, &next);
        let mut other = claims.familiar;
        if other.read(&head, bytes).is_some() {
            other.remember(&head, &next);
            check_next(&other, packet, &next);
        }
    }
}

/// The same datagram again, with another identification, is known, unless it is damaged.
fn check_next(own: &Familiar, packet: &[u8], next: &Next) {
    const IDENTIFICATION: usize = 18;
    const NETWORK_SUM: usize = 24;
    let numbers = [packet[IDENTIFICATION], packet[IDENTIFICATION + 1]];
    let mut again = head(packet);
    for change in [0, 1, 0x1234, 0xffff] {
        let number = u16::from_be_bytes(numbers).wrapping_add(change);
        again[IDENTIFICATION..][..2].copy_from_slice(&number.to_be_bytes());
        again[NETWORK_SUM..][..2].fill(0);
        let mut sum = Sum::default();
        sum.add(&again[14..34]);
        again[NETWORK_SUM..][..2].copy_from_slice(&sum.checksum().to_be_bytes());
        assert_eq!(own.read(&again, packet.len()), Some(*next));
        // Zero is written in two ways, and who is not sure reads closely.
        let is_sure = number != 0 && number != 0xffff;
        assert!(!is_sure || own.read_again(&again, packet.len()) == Some(*next));
        again[IDENTIFICATION] ^= 4;
        assert_eq!(own.read_again(&again, packet.len()), None);
    }
    for at in (0..PAYLOAD_FROM).filter(|at| !(IDENTIFICATION..NETWORK_SUM + 2).contains(at)) {
        let mut other = head(packet);
        other[at] ^= 1;
        assert_eq!(own.read_again(&other, packet.len()), None);
    }
    assert_eq!(own.read_again(&head(packet), PAYLOAD_FROM + next.payload_bytes - 1), None);
}

/// The same of the sums that the checksum is compared with.
fn check_sums(own: &Familiar, next: &Next, found: &Datagram) {
    let (source, destination) = (found.ends.remote().address, found.ends.local().address);
    let udp_bytes = UDP_BYTES + found.payload_bytes;
    let pseudo = Sum::of_pseudo_header(source, destination, udp_bytes);
    assert_eq!(own.unfinished(next), pseudo.unfinished());
    let headers = Sum::of_headers(&found.ends, found.payload_bytes, found.checksum);
    assert_eq!(own.headers(next).checksum(), headers.checksum());
}

/// Asserts everything that holds for any packet.
pub fn check(claims: &Claims, packet: &[u8]) {
    check_familiar(claims, packet);
    let is_claimed = claims.has(packet);
    match parse(packet) {
        Ok(datagram) => {
            let end = datagram.payload_from + datagram.payload_bytes;
            assert!(end <= packet.len(), "a payload behind the end: {datagram:?}");
            let is_ipv4 = datagram.ends.is_ipv4();
            let headers = &packet[datagram.payload_from - heading_bytes(is_ipv4)..];
            assert_eq!(heading(headers, is_ipv4), datagram.heading());
            // The engine's table finds what the list has.
            let listed = FlowKey::candidates(datagram.destination(), datagram.source())
                .into_iter()
                .find(|key| claims.flows.contains(key));
            assert_eq!(claims.table.find(&datagram.ends), listed);
            assert!(listed.is_some() || !is_claimed, "the engine would not know whose it is");
        }
        Err(refused) => {
            // What the classifier takes away from the kernel is broken, or nobody's business else.
            let is_broken =
                matches!(refused, Refused::Truncated | Refused::Malformed | Refused::Checksum);
            assert!(is_broken || !is_claimed, "{refused:?} is for the kernel");
        }
    }
}

/// A datagram in its frame.
fn frame(is_ipv4: bool, tag: Option<u16>, port: u16) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if let Some(tag) = tag {
        bytes.extend(0x8100u16.to_be_bytes());
        bytes.extend(tag.to_be_bytes());
    }
    if is_ipv4 {
        bytes.extend(0x0800u16.to_be_bytes());
        let mut header =
            vec![0x45, 0, 0, 36, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1];
        let words = header.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1]));
        let sum: u32 = words.sum();
        let folded = !(((sum & 0xffff) + (sum >> 16)) as u16);
        header[10..12].copy_from_slice(&folded.to_be_bytes());
        bytes.extend(header);
    } else {
        bytes.extend(0x86ddu16.to_be_bytes());
        bytes.extend([0x60, 0, 0, 0, 0, 16, 17, 64]);
        for last in [2, 1] {
            bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
    }
    bytes.extend(4000u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend([0, 16, 0, if is_ipv4 { 0 } else { 9 }]);
    bytes.extend(*b"payload!");
    bytes
}

/// Makes a packet of any input: a good one of a kind that the first byte says, with bytes of it
/// changed and its end cut as the others say; or the input itself.
pub fn packet(input: &[u8]) -> Vec<u8> {
    let Some((kind, rest)) = input.split_first() else { return Vec::new() };
    if kind & 0x80 != 0 {
        return rest.to_vec();
    }
    let tag = [None, Some(0), Some(7), Some(9)][usize::from(kind >> 1 & 3)];
    let mut packet = frame(kind & 1 == 0, tag, 53 + u16::from(kind >> 3 & 7));
    for change in rest.chunks_exact(2) {
        let at = usize::from(change[0]);
        if at < packet.len() {
            packet[at] = change[1];
        } else {
            packet.truncate(packet.len() - at % packet.len());
        }
    }
    packet
}
