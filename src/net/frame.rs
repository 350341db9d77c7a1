//! What stands at the start of every frame.
#![forbid(unsafe_code)]

use super::{ETHERNET_BYTES, HardwareAddress, TYPE_ARP, TYPE_IPV4, TYPE_IPV6, TYPE_VLAN};

/// Who has sent a frame, to whom, and what it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeading {
    pub destination: HardwareAddress,
    pub source: HardwareAddress,
    /// Below 0x600 it is a length: IEEE 802.3, section 3.2.6.
    pub kind: u16,
}

impl FrameHeading {
    pub fn new(bytes: &[u8; ETHERNET_BYTES]) -> Self {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, k0, k1] = *bytes;
        Self {
            destination: [d0, d1, d2, d3, d4, d5],
            source: [s0, s1, s2, s3, s4, s5],
            kind: u16::from_be_bytes([k0, k1]),
        }
    }
}

/// Whether a host is cut off from its networks that does not get frames of this type.
pub fn is_of_networks(kind: u16) -> bool {
    /// IEEE 802.1ad.
    const TYPE_SERVICE_VLAN: u16 = 0x88a8;
    matches!(kind, TYPE_IPV4 | TYPE_ARP | TYPE_IPV6 | TYPE_VLAN | TYPE_SERVICE_VLAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_stand_where_they_should() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x88, 0xb5];
        let heading = FrameHeading::new(&bytes);
        assert_eq!(heading.destination, [1, 2, 3, 4, 5, 6]);
        assert_eq!((heading.source, heading.kind), ([7, 8, 9, 10, 11, 12], 0x88b5));
        assert!(!is_of_networks(heading.kind) && is_of_networks(0x0806));
    }
}
