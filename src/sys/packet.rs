//! Sockets for whole frames. Read first: packet(7).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

use super::check;
use super::descriptor::{Descriptor, own};
use super::internet::is_set;
use super::message::Address;
use crate::error::{Errno, Result};

const PACKET_IGNORE_OUTGOING: i32 = 23;
/// linux/if_ether.h, `ETH_P_ALL`.
pub const EVERY_TYPE: u16 = 3;

/// Smaller numbers in the place of a frame's type are a length: IEEE 802.3, section 3.2.6.
pub const TYPE_MIN: u16 = 0x600;

/// What a socket for frames is to get.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub interface: u32,
    /// The type of the frames: [`EVERY_TYPE`] or that of a protocol.
    pub kind: u16,
    /// Frames to others too.
    pub promiscuous: bool,
    pub nonblocking: bool,
}

/// A socket that gets frames of an interface as they arrive, and none that are sent.
pub fn open(wanted: &Wanted) -> Result<Descriptor> {
    let socket = create(wanted.nonblocking)?;
    if wanted.promiscuous {
        let membership = libc::packet_mreq {
            mr_ifindex: wanted.interface as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set_option(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    }
    bind(socket.as_raw_fd(), wanted.interface, wanted.kind)?;
    Ok(socket)
}

/// A socket that gets nothing before it is bound, and none of what is sent after that.
pub fn create(nonblocking: bool) -> Result<Descriptor> {
    let nonblocking = if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | nonblocking;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    let socket = own(fd as RawFd);
    set_option(&socket, PACKET_IGNORE_OUTGOING, &1i32)?;
    Ok(socket)
}

/// From now on it gets the frames of that type of that interface.
pub fn bind(socket: RawFd, interface: u32, kind: u16) -> Result<()> {
    // SAFETY: an address of zeroes is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = kind.to_be();
    address.sll_ifindex = interface as i32;
    // SAFETY: an address of the length that is told.
    check(unsafe {
        libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    })
    .map(drop)
}

/// Which frames a socket gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// 0: all of them.
    pub interface: u32,
    /// [`EVERY_TYPE`], that of a protocol, or 0: none.
    pub kind: u16,
}

/// `EAFNOSUPPORT`: it is no socket for frames.
pub fn binding(fd: RawFd) -> Result<Binding> {
    // SAFETY: an address of zeroes is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: room for an address, as the length says.
    check(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) })?;
    if i32::from(address.sll_family) != libc::AF_PACKET {
        return Err(Errno::EAFNOSUPPORT);
    }
    let kind = u16::from_be(address.sll_protocol);
    Ok(Binding { interface: address.sll_ifindex as u32, kind })
}

/// Whether the frames of such a socket have their Ethernet header.
pub fn is_whole(fd: RawFd) -> bool {
    super::socket::kind(fd) == Ok(libc::SOCK_RAW)
}

/// What a socket for frames has been told that only the kernel does.
pub fn hindrance(fd: RawFd) -> Option<&'static str> {
    let (socket, packet) = (libc::SOL_SOCKET, libc::SOL_PACKET);
    let options = [
        (socket, libc::SO_TIMESTAMP, "SO_TIMESTAMP"),
        (socket, libc::SO_TIMESTAMPNS, "SO_TIMESTAMPNS"),
        (socket, libc::SO_TIMESTAMPING, "SO_TIMESTAMPING"),
        (socket, libc::SO_MARK, "SO_MARK"),
        (packet, libc::PACKET_AUXDATA, "PACKET_AUXDATA"),
        (packet, libc::PACKET_VNET_HDR, "PACKET_VNET_HDR"),
        (packet, libc::PACKET_FANOUT, "PACKET_FANOUT"),
    ];
    let found = options.into_iter().find(|(level, name, _)| is_set(fd, *level, *name));
    let found = found.map(|(.., name)| name);
    found.or_else(|| super::internet::has_filter(fd).then_some("a filter"))
}

/// Where `sll_ifindex` stands, and what is behind it.
const INTERFACE_AT: usize = 4;
const ADDRESS_AT: usize = 12;
const STATION_BYTES: usize = 6;
/// `sll_addr` has room for more than a station's address.
const BYTES: usize = size_of::<libc::sockaddr_ll>();
const _: () = assert!(std::mem::offset_of!(libc::sockaddr_ll, sll_ifindex) == INTERFACE_AT);
const _: () = assert!(std::mem::offset_of!(libc::sockaddr_ll, sll_addr) == ADDRESS_AT);

impl Address {
    /// Who has sent a frame, as packet(7) tells it. `own` is the interface's station.
    pub fn of_frame(
        interface: u32,
        kind: u16,
        source: [u8; 6],
        destination: [u8; 6],
        own: [u8; 6],
    ) -> Self {
        const ETHERNET: u16 = libc::ARPHRD_ETHER;
        let to = match destination {
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => libc::PACKET_BROADCAST,
            [first, ..] if first & 1 != 0 => libc::PACKET_MULTICAST,
            other if other == own => libc::PACKET_HOST,
            _ => libc::PACKET_OTHERHOST,
        };
        let mut bytes = [0; BYTES];
        bytes[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
        bytes[2..INTERFACE_AT].copy_from_slice(&kind.to_be_bytes());
        bytes[INTERFACE_AT..8].copy_from_slice(&interface.to_ne_bytes());
        bytes[8..10].copy_from_slice(&ETHERNET.to_ne_bytes());
        bytes[10] = to;
        bytes[11] = STATION_BYTES as u8;
        bytes[ADDRESS_AT..ADDRESS_AT + STATION_BYTES].copy_from_slice(&source);
        Self::new(&bytes).unwrap_or_else(|_| Self::room())
    }

    /// The interface that a frame is to leave by, if this is an address for frames.
    pub fn to_interface(&self) -> Option<u32> {
        let bytes = self.bytes();
        let family = i32::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let interface = bytes.get(INTERFACE_AT..8)?.try_into().ok()?;
        (family == libc::AF_PACKET).then(|| u32::from_ne_bytes(interface))
    }
}

pub(super) fn set_option<T>(socket: &Descriptor, name: i32, value: &T) -> Result<()> {
    super::socket::set_option(socket.as_raw_fd(), libc::SOL_PACKET, name, value)
}
