//! Datagrams of one size that go through the kernel as one, and are cut at the end of their way
//! through it, by the interface where that can. udp(7), `UDP_SEGMENT`.

use std::os::fd::RawFd;

use super::check;
use crate::error::Result;

/// The kernel cuts into no more of them. `UDP_MAX_SEGMENTS`; newer kernels take 128.
pub const COUNT_MAX: usize = 64;
/// What fits into one packet of IP beside the headers, and some options.
pub const BYTES_MAX: usize = 65_000;

const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();
/// Control data that asks for it: a header and two bytes, which are padded.
const CONTROL_BYTES: usize = HEADER_BYTES + size_of::<usize>();

/// Control data that asks for datagrams of so many bytes.
pub fn control(bytes: u16) -> [u8; CONTROL_BYTES] {
    let mut control = [0; CONTROL_BYTES];
    // SAFETY: a header of integers, which may be zero.
    let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
    header.cmsg_len = (HEADER_BYTES + size_of::<u16>()) as _;
    header.cmsg_level = libc::SOL_UDP;
    header.cmsg_type = libc::UDP_SEGMENT;
    // SAFETY: there is room for a header.
    unsafe { control.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header) };
    control[HEADER_BYTES..][..size_of::<u16>()].copy_from_slice(&bytes.to_ne_bytes());
    control
}

/// Whether nobody but us could tell the difference: the program neither collects what is to be one
/// datagram, nor has datagrams cut itself, nor counts them by time stamps.
pub fn is_unseen(fd: RawFd) -> bool {
    const OPTIONS: [(i32, i32); 3] = [
        (libc::SOL_UDP, libc::UDP_CORK),
        (libc::SOL_UDP, libc::UDP_SEGMENT),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPING),
    ];
    OPTIONS.into_iter().all(|(level, name)| option(fd, level, name) == Ok(0))
}

/// Whether the socket's protocol is UDP.
pub fn is_udp(fd: RawFd) -> bool {
    option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL) == Ok(libc::IPPROTO_UDP)
}

fn option(fd: RawFd, level: i32, name: i32) -> Result<i32> {
    let mut value = 0i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: room for an int, as the length says.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}
