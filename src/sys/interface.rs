//! What only ioctl(2) tells about a network interface: netdevice(7).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

use super::check;
use super::descriptor::own;
use crate::error::{Errno, Result};

const SIOCETHTOOL: libc::Ioctl = 0x8946 as libc::Ioctl;
/// linux/ethtool.h, `ETHTOOL_GCHANNELS`.
const GET_CHANNELS: u32 = 0x3c;

/// struct ethtool_channels
#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    receive_max: u32,
    send_max: u32,
    other_max: u32,
    combined_max: u32,
    receive: u32,
    send: u32,
    other: u32,
    combined: u32,
}

/// The queues into which the interface receives now. One, if the driver cannot tell.
pub fn receive_queues(name: &str) -> Result<u32> {
    // SAFETY: no pointers.
    let fd =
        check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    let socket = own(fd as RawFd);
    let mut channels = Channels { command: GET_CHANNELS, ..Channels::default() };
    // SAFETY: a request of zeroes is a valid one.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    // One byte stays 0.
    if name.len() >= request.ifr_name.len() {
        return Err(Errno::ENODEV);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut channels).cast();
    // SAFETY: the request points to the structure that belongs to the command.
    let answer = check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) });
    match answer {
        Ok(_) => Ok((channels.receive + channels.combined).max(1)),
        Err(Errno::ENODEV) => Err(Errno::ENODEV),
        Err(_) => Ok(1),
    }
}
