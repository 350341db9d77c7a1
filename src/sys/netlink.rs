//! A socket to the part of the kernel that knows interfaces, addresses, routes and neighbours.
//! Read first: netlink(7), rtnetlink(7).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

use super::check;
use super::descriptor::{Descriptor, own};
use crate::error::Result;

/// What a socket may be told of without asking: bits of `nl_groups`.
pub const LINKS: u32 = 1 << (libc::RTNLGRP_LINK - 1);
pub const NEIGHBOURS: u32 = 1 << (libc::RTNLGRP_NEIGH - 1);
pub const ADDRESSES: u32 =
    1 << (libc::RTNLGRP_IPV4_IFADDR - 1) | 1 << (libc::RTNLGRP_IPV6_IFADDR - 1);
pub const ROUTES: u32 = 1 << (libc::RTNLGRP_IPV4_ROUTE - 1)
    | 1 << (libc::RTNLGRP_IPV6_ROUTE - 1)
    | 1 << (libc::RTNLGRP_IPV4_RULE - 1)
    | 1 << (libc::RTNLGRP_IPV6_RULE - 1);

/// No message of the kernel's is longer, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

pub struct Socket(Descriptor);

impl Socket {
    /// One that is told of changes in `groups`.
    pub fn open(groups: u32) -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        let socket = Self(own(fd as RawFd));
        // SAFETY: an address of zeroes is a valid one.
        let mut address: libc::sockaddr_nl = unsafe { MaybeUninit::zeroed().assume_init() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        // SAFETY: an address of the length that is told.
        check(unsafe {
            libc::bind(
                socket.fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        })?;
        Ok(socket)
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Asks the kernel, which has answered when this returns.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        // SAFETY: a valid slice; without an address it goes to the kernel.
        check(unsafe {
            libc::syscall(
                libc::SYS_sendto,
                self.fd(),
                message.as_ptr(),
                message.len(),
                0,
                0usize,
                0usize,
            )
        })
        .map(drop)
    }

    /// Reads one datagram: one or more messages. `EAGAIN`: there is none; `ENOBUFS`: some were
    /// lost, because they were not read in time.
    pub fn receive(&self, into: &mut Vec<u8>) -> Result<()> {
        into.resize(MESSAGE_BYTES_MAX, 0);
        // SAFETY: as much room as is told.
        let bytes = check(unsafe {
            libc::syscall(
                libc::SYS_recvfrom,
                self.fd(),
                into.as_mut_ptr(),
                into.len(),
                libc::MSG_DONTWAIT,
                0usize,
                0usize,
            )
        })?;
        into.truncate(bytes);
        Ok(())
    }
}
