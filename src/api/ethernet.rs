//! Descriptors for whole frames: `sio_open_ethernet`, and `open_ethernet_device` of the sketch.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{IntoRawFd, RawFd};
use std::time::Instant;

use crate::error::{Errno, Result};
use crate::port::link::{self, Interface, Routes};
use crate::sys::packet::{self, EVERY_TYPE, TYPE_MIN};

/// Which frames a descriptor is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// `None`: of every type.
    pub kind: Option<u16>,
    pub promiscuous: bool,
    pub nonblocking: bool,
}

/// `sio_open_ethernet`.
pub fn open(name: &str, wanted: &Wanted) -> Result<RawFd> {
    if wanted.kind.is_some_and(|kind| kind < TYPE_MIN) {
        return Err(Errno::EINVAL);
    }
    open_on(&link::interface_by_name(name)?, wanted)
}

fn open_on(interface: &Interface, wanted: &Wanted) -> Result<RawFd> {
    if !interface.is_ethernet && !interface.is_loopback {
        return Err(Errno::EOPNOTSUPP);
    }
    let socket = packet::open(&packet::Wanted {
        interface: interface.index,
        kind: wanted.kind.unwrap_or(EVERY_TYPE),
        promiscuous: wanted.promiscuous,
        nonblocking: wanted.nonblocking,
    })?;
    Ok(socket.into_raw_fd())
}

/// `open_ethernet_device`: the interface that `SIO_ETHERNET` names, or the one that leads to the
/// rest of the world, or the only one that is up.
pub fn open_device() -> Result<RawFd> {
    let wanted = Wanted::default();
    if let Ok(name) = std::env::var("SIO_ETHERNET")
        && !name.is_empty()
    {
        return open(&name, &wanted);
    }
    let found = towards_the_world().or_else(|_| only_one())?;
    open_on(&found, &wanted)
}

fn towards_the_world() -> Result<Interface> {
    // Nobody is spoken to: only the way is asked for.
    const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    let mut routes = Routes::open()?;
    let index = routes.hop(SOMEBODY, None, 0, Instant::now())?.interface;
    let found = link::interface_by_index(index)?;
    if found.is_ethernet { Ok(found) } else { Err(Errno::ENODEV) }
}

fn only_one() -> Result<Interface> {
    let mut found = link::interfaces()?.into_iter().filter(|one| one.is_ethernet && one.is_up);
    let first = found.next().ok_or(Errno::ENODEV)?;
    if found.next().is_some() { Err(Errno::ENODEV) } else { Ok(first) }
}
