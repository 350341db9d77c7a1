//! The name of a flow: which datagrams belong to which socket.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One end of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    pub address: IpAddr,
    pub port: u16,
}

impl Endpoint {
    pub fn new(address: impl Into<IpAddr>, port: u16) -> Self {
        Self { address: address.into(), port }
    }

    /// The same port of any address of the same family.
    pub fn of_any_address(self) -> Self {
        Self { address: any_address(self.address), port: self.port }
    }

    pub fn is_any_address(&self) -> bool {
        self.address.is_unspecified()
    }
}

fn any_address(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// A socket's datagrams: those to its local end and, if it is connected, from its remote end.
///
/// The unspecified local address stands for every address of its family. An IPv6 socket that
/// takes IPv4 as well has two keys. Both ends are of one family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    pub local: Endpoint,
    pub remote: Option<Endpoint>,
}

impl FlowKey {
    /// A socket that takes datagrams from anybody.
    pub fn open(local: Endpoint) -> Self {
        Self { local, remote: None }
    }

    /// A socket that takes datagrams from one remote end only.
    pub fn connected(local: Endpoint, remote: Endpoint) -> Self {
        debug_assert_eq!(local.address.is_ipv4(), remote.address.is_ipv4());
        Self { local, remote: Some(remote) }
    }

    pub fn is_ipv4(&self) -> bool {
        self.local.address.is_ipv4()
    }

    /// The keys under which a datagram's socket may be found, in the order in which the kernel
    /// prefers them.
    pub fn candidates(local: Endpoint, remote: Endpoint) -> [Self; 4] {
        let any = local.of_any_address();
        [
            Self::connected(local, remote),
            Self::connected(any, remote),
            Self::open(local),
            Self::open(any),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_key_comes_first() {
        let local = Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 53);
        let remote = Endpoint::new(Ipv4Addr::new(10, 0, 0, 2), 4000);
        let [connected, connected_to_any, bound, any] = FlowKey::candidates(local, remote);
        assert_eq!(connected, FlowKey { local, remote: Some(remote) });
        assert_eq!(connected_to_any.remote, Some(remote));
        assert!(connected_to_any.local.is_any_address());
        assert_eq!(bound, FlowKey { local, remote: None });
        assert_eq!(any, FlowKey::open(Endpoint::new(Ipv4Addr::UNSPECIFIED, 53)));
        assert!(any.local.is_any_address() && any.is_ipv4());
    }

    #[test]
    fn any_address_keeps_the_family() {
        let local = Endpoint::new(Ipv6Addr::LOCALHOST, 7);
        let any = local.of_any_address();
        assert_eq!(any, Endpoint::new(Ipv6Addr::UNSPECIFIED, 7));
        assert!(!FlowKey::open(any).is_ipv4());
    }
}
