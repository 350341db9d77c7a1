//! Sockets for whole frames. Read first: packet(7).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::check;
use super::descriptor::own;
use crate::error::Result;

const PACKET_IGNORE_OUTGOING: i32 = 23;
/// linux/if_ether.h, `ETH_P_ALL`.
pub const EVERY_TYPE: u16 = 3;

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
pub fn open(wanted: &Wanted) -> Result<OwnedFd> {
    let nonblocking = if wanted.nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | nonblocking;
    // Without a type it gets nothing before it is bound.
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    let socket = own(fd as RawFd);
    set_option(&socket, PACKET_IGNORE_OUTGOING, &1i32)?;
    if wanted.promiscuous {
        let membership = libc::packet_mreq {
            mr_ifindex: wanted.interface as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set_option(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    }
    // SAFETY: an address of zeroes is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = wanted.kind.to_be();
    address.sll_ifindex = wanted.interface as i32;
    // SAFETY: an address of the length that is told.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    })?;
    Ok(socket)
}

fn set_option<T>(socket: &OwnedFd, name: i32, value: &T) -> Result<()> {
    // SAFETY: a value of the length that is told.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}
