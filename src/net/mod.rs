//! What stands in packets: pure functions over bytes, and tables of flows.
//!
//! No system calls, no clock, no randomness: whatever is needed of those is an argument.
#![forbid(unsafe_code)]

pub mod build;
pub mod checksum;
pub mod familiar;
pub mod flow;
pub mod frame;
pub mod parse;
pub mod table;

#[cfg(test)]
mod tests;

/// The largest header that is built or understood: Ethernet, one VLAN tag, IPv6, UDP.
pub const HEADER_BYTES_MAX: usize = ETHERNET_BYTES + VLAN_BYTES + IPV6_BYTES + UDP_BYTES;

pub const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
pub const UDP_BYTES: usize = 8;

/// IEEE 802.3 types.
const TYPE_IPV4: u16 = 0x0800;
const TYPE_ARP: u16 = 0x0806;
const TYPE_IPV6: u16 = 0x86dd;
const TYPE_VLAN: u16 = 0x8100;
/// The number of UDP in both Internet protocols.
const PROTOCOL_UDP: u8 = 17;

/// What Ethernet calls a station.
pub type HardwareAddress = [u8; 6];

/// Bytes of the headers before the payload of a datagram.
pub fn header_bytes(is_ipv4: bool, is_tagged: bool) -> usize {
    let tag = if is_tagged { VLAN_BYTES } else { 0 };
    ETHERNET_BYTES + tag + if is_ipv4 { IPV4_BYTES } else { IPV6_BYTES } + UDP_BYTES
}

/// The longest payload that fits into a network packet of `mtu_bytes`.
pub fn payload_bytes_max(is_ipv4: bool, mtu_bytes: usize) -> usize {
    mtu_bytes.saturating_sub(header_bytes(is_ipv4, false) - ETHERNET_BYTES)
}
