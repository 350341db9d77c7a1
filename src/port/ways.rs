//! Where packets go next, as the engine asks for it: the kernel's tables behind a trait, so that
//! tests can have a table of their own.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::Instant;

pub use super::link::Changes;

/// The way to a destination that is reached through an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// The interface with the port: of a VLAN, the one that it is on.
    pub interface: u32,
    pub vlan: Option<u16>,
    /// The address that packets come from, unless the socket has one.
    pub source: Option<IpAddr>,
    pub next_station: [u8; 6],
    pub mtu_bytes: Option<u32>,
}

pub trait Ways: Send {
    /// The way to `destination` from `source`, if the socket has an address, out of `interface`,
    /// if that is not 0. `None`: not known yet, or one that only the kernel can go.
    fn way(
        &mut self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: u32,
        now: Instant,
    ) -> Option<Way>;

    /// Takes in what has changed; never blocks.
    fn refresh(&mut self) -> Changes;

    /// Readable when something has changed.
    fn fd(&self) -> Option<RawFd>;

    /// The host's unicast addresses, and the VLANs in which it is through `interface`.
    fn names(&mut self, interface: u32) -> (Vec<IpAddr>, Vec<u16>);
}
