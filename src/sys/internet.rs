//! Sockets of the Internet protocols: their addresses, and what they do to packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};

use super::check;
use super::descriptor::own;
use super::message::Address;
use crate::error::{Errno, Result};

/// Bytes of `sockaddr_in` that mean something, and of `sockaddr_in6`. ip(7), ipv6(7).
const IPV4_BYTES: usize = 16;
const IPV6_BYTES: usize = 28;

impl Address {
    /// The address as one of the Internet protocols, if it is one. One of IPv4 that an IPv6 socket
    /// writes in its own way is still one of IPv4.
    pub fn to_internet(&self) -> Option<SocketAddr> {
        let bytes = self.bytes();
        let family = i32::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
        match family {
            libc::AF_INET => {
                let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
                Some(SocketAddr::new(Ipv4Addr::from(octets).into(), port))
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
                Some(SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), port))
            }
            _ => None,
        }
    }

    /// An address as a socket of the family tells it: an IPv6 socket writes those of IPv4 in its
    /// own way. `interface` is that of an address that means something on one link only.
    pub fn of_internet(domain: i32, address: IpAddr, port: u16, interface: u32) -> Self {
        let mut bytes = [0; IPV6_BYTES];
        bytes[..2].copy_from_slice(&(domain as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        let length = match address {
            IpAddr::V4(address) if domain == libc::AF_INET => {
                bytes[4..8].copy_from_slice(&address.octets());
                IPV4_BYTES
            }
            address => {
                let address = as_ipv6(address);
                bytes[8..24].copy_from_slice(&address.octets());
                if address.is_unicast_link_local() {
                    bytes[24..28].copy_from_slice(&interface.to_ne_bytes());
                }
                IPV6_BYTES
            }
        };
        Self::new(&bytes[..length]).unwrap_or_else(|_| Self::room())
    }
}

fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn internet(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(found) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::new(found.ip(), found.port())));
    }
    let found = address.as_sockaddr_in6()?;
    let whole = SocketAddrV6::new(found.ip(), found.port(), 0, found.scope_id());
    match found.ip().to_canonical() {
        IpAddr::V4(address) => Some(SocketAddr::new(address.into(), found.port())),
        IpAddr::V6(_) => Some(SocketAddr::V6(whole)),
    }
}

/// The address that the socket is bound to; the port is 0 while it is to none.
pub fn local_address(fd: RawFd) -> Result<SocketAddr> {
    internet(&getsockname::<SockaddrStorage>(fd)?).ok_or(Errno::EAFNOSUPPORT)
}

/// The address that the socket is connected to, if it is.
pub fn peer_address(fd: RawFd) -> Option<SocketAddr> {
    internet(&getpeername::<SockaddrStorage>(fd).ok()?).filter(|peer| peer.port() != 0)
}

fn option(fd: RawFd, level: i32, name: i32) -> Result<i32> {
    let mut value = 0i32;
    let mut length = 4 as libc::socklen_t;
    // SAFETY: four bytes of room, as the length says.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}

pub(super) fn is_set(fd: RawFd, level: i32, name: i32) -> bool {
    option(fd, level, name).is_ok_and(|value| value != 0)
}

/// Whether it is a socket for UDP over one of the Internet protocols.
pub fn is_udp(fd: RawFd) -> bool {
    let is = |name, value| option(fd, libc::SOL_SOCKET, name) == Ok(value);
    is(libc::SO_PROTOCOL, libc::IPPROTO_UDP)
        && (is(libc::SO_DOMAIN, libc::AF_INET) || is(libc::SO_DOMAIN, libc::AF_INET6))
}

/// Whether an IPv6 socket takes no datagrams of IPv4.
pub fn is_ipv6_only(fd: RawFd) -> bool {
    is_set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)
}

/// The interface that the socket is bound to, or 0. `SO_BINDTOIFINDEX`.
pub fn bound_interface(fd: RawFd) -> u32 {
    const SO_BINDTOIFINDEX: i32 = 62;
    option(fd, libc::SOL_SOCKET, SO_BINDTOIFINDEX).map_or(0, |index| index as u32)
}

/// A number of the network namespace that the socket is in: interfaces of others have the same
/// indices. 0 before Linux 5.14.
pub fn namespace(fd: RawFd) -> u64 {
    const SO_NETNS_COOKIE: i32 = 71;
    let mut value = 0u64;
    let mut length = 8 as libc::socklen_t;
    // SAFETY: eight bytes of room, as the length says.
    let answer = unsafe {
        let room = (&raw mut value).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, SO_NETNS_COOKIE, room, &raw mut length)
    };
    if answer == 0 { value } else { 0 }
}

/// That of the calling thread.
pub fn own_namespace() -> u64 {
    // SAFETY: no pointers; the result is a descriptor that nobody else owns.
    let socket =
        check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) });
    socket.map_or(0, |fd| namespace(own(fd as RawFd).as_raw_fd()))
}

/// Whether the socket is one of those that are sent to by `SO_REUSEPORT`.
pub fn shares_port(fd: RawFd) -> bool {
    is_set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT)
}

/// Whether other sockets of the network namespace have the same port at one address, where this one
/// has it at any: what they are sent is theirs. `/proc/net/udp`, proc(5).
pub fn is_narrowed(local: SocketAddr) -> bool {
    let tables: &[&str] = if local.is_ipv4() { &["udp"] } else { &["udp", "udp6"] };
    let port = format!("{:04X}", local.port());
    let is_at_one_address = |line: &str| {
        let own = line.split_whitespace().nth(1).and_then(|own| own.split_once(':'));
        own.is_some_and(|(address, own)| own == port && address.bytes().any(|digit| digit != b'0'))
    };
    local.ip().is_unspecified()
        && tables.iter().any(|table| {
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{table}"));
            text.is_ok_and(|text| text.lines().any(is_at_one_address))
        })
}

/// What a socket has been told that only the kernel does.
pub fn hindrance(fd: RawFd) -> Option<&'static str> {
    const UDP_ENCAP: i32 = 100;
    const UDP_GRO: i32 = 104;
    const UDP_SEGMENT: i32 = 103;
    const SO_TXTIME: i32 = 61;
    const IP_RECVFRAGSIZE: i32 = 25;
    const IPV6_FLOWINFO: i32 = 11;
    let (socket, four, six) = (libc::SOL_SOCKET, libc::IPPROTO_IP, libc::IPPROTO_IPV6);
    let options = [
        (socket, libc::SO_REUSEPORT, "SO_REUSEPORT"),
        (socket, libc::SO_TIMESTAMP, "SO_TIMESTAMP"),
        (socket, libc::SO_TIMESTAMPNS, "SO_TIMESTAMPNS"),
        (socket, libc::SO_TIMESTAMPING, "SO_TIMESTAMPING"),
        (socket, libc::SO_RXQ_OVFL, "SO_RXQ_OVFL"),
        (socket, libc::SO_MARK, "SO_MARK"),
        (socket, libc::SO_DONTROUTE, "SO_DONTROUTE"),
        (socket, SO_TXTIME, "SO_TXTIME"),
        (libc::IPPROTO_UDP, libc::UDP_CORK, "UDP_CORK"),
        (libc::IPPROTO_UDP, UDP_ENCAP, "UDP_ENCAP"),
        (libc::IPPROTO_UDP, UDP_SEGMENT, "UDP_SEGMENT"),
        (libc::IPPROTO_UDP, UDP_GRO, "UDP_GRO"),
        (four, libc::IP_RECVERR, "IP_RECVERR"),
        (four, libc::IP_RECVOPTS, "IP_RECVOPTS"),
        (four, libc::IP_RETOPTS, "IP_RETOPTS"),
        (four, libc::IP_PASSSEC, "IP_PASSSEC"),
        (four, libc::IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR"),
        (four, libc::IP_CHECKSUM, "IP_CHECKSUM"),
        (four, IP_RECVFRAGSIZE, "IP_RECVFRAGSIZE"),
        (six, libc::IPV6_RECVERR, "IPV6_RECVERR"),
        (six, libc::IPV6_RECVRTHDR, "IPV6_RECVRTHDR"),
        (six, libc::IPV6_RECVHOPOPTS, "IPV6_RECVHOPOPTS"),
        (six, libc::IPV6_RECVDSTOPTS, "IPV6_RECVDSTOPTS"),
        (six, IPV6_FLOWINFO, "IPV6_FLOWINFO"),
    ];
    let found = options.into_iter().find(|(level, name, _)| is_set(fd, *level, *name));
    if let Some((.., name)) = found {
        return Some(name);
    }
    // Unlike the others it is -1 where it is off.
    let looks_behind = option(fd, socket, libc::SO_PEEK_OFF).is_ok_and(|offset| offset >= 0);
    looks_behind.then_some("SO_PEEK_OFF").or_else(|| has_filter(fd).then_some("a filter"))
}

/// Whether a program of the kernel's looks at what arrives. `SO_ATTACH_FILTER`, socket(7).
pub(super) fn has_filter(fd: RawFd) -> bool {
    const SO_GET_FILTER: i32 = 26;
    let mut count = 0 as libc::socklen_t;
    // SAFETY: of no instructions only the number is told.
    let answer = unsafe {
        let nowhere = std::ptr::null_mut();
        libc::getsockopt(fd, libc::SOL_SOCKET, SO_GET_FILTER, nowhere, &raw mut count)
    };
    // One of the newer kind cannot be read: EACCES.
    answer < 0 && Errno::last() == Errno::EACCES || count > 0
}

/// What the socket's packets say besides addresses and data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketFacts {
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// As they are set now, for one of the two protocols.
pub fn packet_facts(fd: RawFd, is_ipv4: bool) -> PacketFacts {
    const USUAL_HOPS: i32 = 64;
    let (level, class, hops) = if is_ipv4 {
        (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::IPV6_UNICAST_HOPS)
    };
    PacketFacts {
        traffic_class: option(fd, level, class).unwrap_or(0) as u8,
        hop_limit: option(fd, level, hops).unwrap_or(USUAL_HOPS) as u8,
    }
}

/// Which control data a socket wants with what it receives.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ControlWishes {
    pub ipv4_destination: bool,
    pub ipv4_class: bool,
    pub ipv4_hops: bool,
    pub ipv6_destination: bool,
    pub ipv6_class: bool,
    pub ipv6_hops: bool,
}

pub fn control_wishes(fd: RawFd) -> ControlWishes {
    let (four, six) = (libc::IPPROTO_IP, libc::IPPROTO_IPV6);
    ControlWishes {
        ipv4_destination: is_set(fd, four, libc::IP_PKTINFO),
        ipv4_class: is_set(fd, four, libc::IP_RECVTOS),
        ipv4_hops: is_set(fd, four, libc::IP_RECVTTL),
        ipv6_destination: is_set(fd, six, libc::IPV6_RECVPKTINFO),
        ipv6_class: is_set(fd, six, libc::IPV6_RECVTCLASS),
        ipv6_hops: is_set(fd, six, libc::IPV6_RECVHOPLIMIT),
    }
}

/// What is told of a datagram by control data.
#[derive(Clone, Copy, Debug)]
pub struct ControlFacts {
    pub destination: IpAddr,
    pub interface: u32,
    pub traffic_class: u8,
    pub hop_limit: u8,
}

/// The control data that recvmsg(2) would give. Layout: cmsg(3).
pub fn control_data(wishes: &ControlWishes, facts: &ControlFacts) -> Vec<u8> {
    let mut data = Vec::new();
    if *wishes == ControlWishes::default() {
        return data;
    }
    let interface = facts.interface.to_ne_bytes();
    let hops = i32::from(facts.hop_limit).to_ne_bytes();
    let class = i32::from(facts.traffic_class).to_ne_bytes();
    if let IpAddr::V4(destination) = facts.destination {
        if wishes.ipv4_destination {
            let octets = destination.octets();
            let info = [&interface[..], &octets, &octets].concat();
            put_control(&mut data, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        if wishes.ipv4_hops {
            put_control(&mut data, libc::IPPROTO_IP, libc::IP_TTL, &hops);
        }
        if wishes.ipv4_class {
            put_control(&mut data, libc::IPPROTO_IP, libc::IP_TOS, &[facts.traffic_class]);
        }
    }
    if wishes.ipv6_destination {
        let info = [&as_ipv6(facts.destination).octets()[..], &interface].concat();
        put_control(&mut data, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
    }
    if facts.destination.is_ipv6() {
        if wishes.ipv6_hops {
            put_control(&mut data, libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &hops);
        }
        if wishes.ipv6_class {
            put_control(&mut data, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &class);
        }
    }
    data
}

fn put_control(data: &mut Vec<u8>, level: i32, kind: i32, bytes: &[u8]) {
    const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();
    let length = HEADER_BYTES + bytes.len();
    data.extend((length as libc::size_t).to_ne_bytes());
    data.extend(level.to_ne_bytes());
    data.extend(kind.to_ne_bytes());
    data.extend(bytes);
    data.resize(data.len().next_multiple_of(size_of::<libc::size_t>()), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_and_read() {
        let four = IpAddr::from([10, 1, 2, 3]);
        let six = IpAddr::from([0xfe80, 0, 0, 0, 1, 2, 3, 4]);
        for (domain, address, bytes) in
            [(libc::AF_INET, four, 16), (libc::AF_INET6, four, 28), (libc::AF_INET6, six, 28)]
        {
            let written = Address::of_internet(domain, address, 53, 7);
            assert_eq!(written.bytes().len(), bytes);
            assert_eq!(written.to_internet(), Some(SocketAddr::new(address, 53)));
        }
        let scope = &Address::of_internet(libc::AF_INET6, six, 53, 7).bytes()[24..].to_vec();
        assert_eq!(scope[..], 7u32.to_ne_bytes());
        assert_eq!(Address::room().to_internet(), None);
    }

    #[test]
    fn sockets_tell_what_they_do() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        assert_eq!(local_address(fd), Ok(socket.local_addr().expect("bound")));
        assert_eq!(peer_address(fd), None);
        socket.set_ttl(17).expect("a ttl");
        assert_eq!(packet_facts(fd, true), PacketFacts { traffic_class: 0, hop_limit: 17 });
        assert_eq!(control_wishes(fd), ControlWishes::default());
        socket.connect(socket.local_addr().expect("bound")).expect("connected");
        assert_eq!(peer_address(fd), socket.local_addr().ok());
    }

    #[test]
    fn control_data_is_a_list_of_headers() {
        let wishes =
            ControlWishes { ipv4_destination: true, ipv4_class: true, ..ControlWishes::default() };
        let destination = IpAddr::from([10, 0, 0, 1]);
        let facts = ControlFacts { destination, interface: 3, traffic_class: 9, hop_limit: 64 };
        let data = control_data(&wishes, &facts);
        assert_eq!(data.len(), 32 + 24);
        assert_eq!(data[..8], 28u64.to_ne_bytes());
        assert_eq!(data[16..24], [3, 0, 0, 0, 10, 0, 0, 1]);
        assert_eq!(data[32..40], 17u64.to_ne_bytes());
        assert_eq!(data[48], 9);
        assert!(control_data(&ControlWishes::default(), &facts).is_empty());
    }
}
