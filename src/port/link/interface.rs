//! Interfaces and the addresses of the host.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    LinkXdp,
};

use super::{Extent, ask};
use crate::error::{Errno, Result};
use crate::sys::netlink::Socket;

/// A network interface, as it was when the kernel was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    pub hardware_address: [u8; 6],
    pub mtu_bytes: u32,
    /// It is switched on, and there is somebody at the other end.
    pub is_up: bool,
    pub is_loopback: bool,
    pub is_ethernet: bool,
    /// A pair of interfaces on this host, or one behind which is a program.
    pub is_virtual: bool,
    pub vlan: Option<Vlan>,
    /// Somebody's XDP program runs on it.
    pub has_program: bool,
}

/// An interface whose packets are those of another one that have this tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vlan {
    pub of_interface: u32,
    pub id: u16,
}

/// `IFNAMSIZ`, with the 0 at its end.
const NAME_BYTES_MAX: usize = 16;

pub fn interface_by_name(name: &str) -> Result<Interface> {
    if name.is_empty() || name.len() >= NAME_BYTES_MAX {
        return Err(Errno::ENODEV);
    }
    let mut question = LinkMessage::default();
    question.attributes.push(LinkAttribute::IfName(name.to_owned()));
    one_interface(question)
}

pub fn interface_by_index(index: u32) -> Result<Interface> {
    let mut question = LinkMessage::default();
    question.header.index = index;
    one_interface(question)
}

fn one_interface(question: LinkMessage) -> Result<Interface> {
    let socket = Socket::open(0)?;
    ask(&socket, RouteNetlinkMessage::GetLink(question), Extent::One)?
        .into_iter()
        .find_map(interface_of)
        .ok_or(Errno::ENODEV)
}

/// All of them.
pub fn interfaces() -> Result<Vec<Interface>> {
    let socket = Socket::open(0)?;
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    Ok(ask(&socket, question, Extent::All)?.into_iter().filter_map(interface_of).collect())
}

/// The index of the interface that has an address: `EADDRNOTAVAIL` if none has.
pub fn interface_with(address: IpAddr) -> Result<u32> {
    let socket = Socket::open(0)?;
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    for answer in ask(&socket, question, Extent::All)? {
        let RouteNetlinkMessage::NewAddress(message) = &answer else { continue };
        let index = message.header.index;
        if address_of(answer) == Some(address) {
            return Ok(index);
        }
    }
    Err(Errno::EADDRNOTAVAIL)
}

/// The VLANs in which the host is through an interface.
pub fn vlans(interface: u32) -> Result<Vec<Vlan>> {
    Ok(interfaces()?
        .into_iter()
        .filter_map(|found| found.vlan)
        .filter(|vlan| vlan.of_interface == interface)
        .collect())
}

/// The unicast addresses of the host, on whichever interface.
pub fn addresses() -> Result<Vec<IpAddr>> {
    let socket = Socket::open(0)?;
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    Ok(ask(&socket, question, Extent::All)?.into_iter().filter_map(address_of).collect())
}

/// `IFA_LOCAL` is ours where `IFA_ADDRESS` is the other end's. An address that may turn out to be
/// somebody else's is not ours yet.
fn address_of(message: RouteNetlinkMessage) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    if message.header.flags.contains(AddressHeaderFlags::Tentative) {
        return None;
    }
    let mut found = None;
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(address) => return Some(address),
            AddressAttribute::Address(address) => found = Some(address),
            _ => {}
        }
    }
    found
}

fn interface_of(message: RouteNetlinkMessage) -> Option<Interface> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let flags = message.header.flags;
    let mut interface = Interface {
        index: message.header.index,
        name: String::new(),
        hardware_address: [0; 6],
        mtu_bytes: 0,
        is_up: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        is_loopback: flags.contains(LinkFlags::Loopback),
        is_ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        is_virtual: false,
        vlan: None,
        has_program: false,
    };
    let (mut parent, mut id) = (None, None);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name,
            LinkAttribute::Mtu(bytes) => interface.mtu_bytes = bytes,
            LinkAttribute::Address(bytes) => {
                interface.hardware_address = bytes.try_into().unwrap_or_default();
            }
            LinkAttribute::Link(index) => parent = Some(index),
            LinkAttribute::Xdp(parts) => {
                interface.has_program =
                    parts.iter().any(|part| matches!(part, LinkXdp::ProgId(id) if *id != 0));
            }
            LinkAttribute::LinkInfo(parts) => {
                for part in parts {
                    match part {
                        LinkInfo::Kind(InfoKind::Veth | InfoKind::Tun) => {
                            interface.is_virtual = true;
                        }
                        LinkInfo::Data(InfoData::Vlan(parts)) => {
                            id = parts.iter().find_map(|part| match part {
                                InfoVlan::Id(id) => Some(*id),
                                _ => None,
                            });
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    interface.vlan = parent.zip(id).map(|(of_interface, id)| Vlan { of_interface, id });
    Some(interface)
}
