//! The name of a flow: which datagrams belong to which socket.
#![forbid(unsafe_code)]

use std::hash::{Hash, Hasher};
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

/// The two ends of a datagram as plain words: quick to read from its headers, to compare and to hash.
/// Addresses, then both ports, the family, and whether there is a remote end: a flow that is not
/// connected has none.
#[derive(Clone, Copy, Eq, Debug)]
pub struct Ends([u64; 5]);

impl PartialEq for Ends {
    /// Without a branch for each word.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d, e], [f, g, h, i, j]) = (self.0, other.0);
        (a ^ f) | (b ^ g) | (c ^ h) | (d ^ i) | (e ^ j) == 0
    }
}

impl Hash for Ends {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.into_iter().for_each(|word| state.write_u64(word));
    }
}

const REMOTE_PORT_SHIFT: u32 = 16;
const IS_IPV4: u64 = 1 << 32;
const IS_IPV6: u64 = 1 << 33;
const HAS_REMOTE: u64 = 1 << 40;

impl Ends {
    #[inline(always)]
    pub fn of_ipv4(local: (u32, u16), remote: (u32, u16)) -> Self {
        let ports = ports(local.1, remote.1) | IS_IPV4;
        Self([0, u64::from(local.0), 0, u64::from(remote.0), ports])
    }

    #[inline(always)]
    pub fn of_ipv6(local: (u128, u16), remote: (u128, u16)) -> Self {
        let ports = ports(local.1, remote.1) | IS_IPV6;
        let halves = |address: u128| [(address >> 64) as u64, address as u64];
        let ([here, here_low], [there, there_low]) = (halves(local.0), halves(remote.0));
        Self([here, here_low, there, there_low, ports])
    }

    /// Both are of the family of the first.
    pub fn new(local: Endpoint, remote: Endpoint) -> Self {
        match (local.address, remote.address) {
            (IpAddr::V4(here), IpAddr::V4(there)) => {
                Self::of_ipv4((here.to_bits(), local.port), (there.to_bits(), remote.port))
            }
            (here, there) => Self::of_ipv6((bits(here), local.port), (bits(there), remote.port)),
        }
    }

    #[inline(always)]
    pub fn is_ipv4(&self) -> bool {
        self.0[4] & IS_IPV4 != 0
    }

    /// The same in fewer words, which are all that ends of IPv4 differ in.
    #[inline(always)]
    pub fn words_of_ipv4(&self) -> [u64; 2] {
        [self.0[1] << 32 | self.0[3], self.0[4]]
    }

    fn endpoint(&self, high: u64, low: u64, port: u64) -> Endpoint {
        let address = if self.is_ipv4() {
            Ipv4Addr::from_bits(low as u32).into()
        } else {
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
        };
        Endpoint { address, port: port as u16 }
    }

    pub fn local(&self) -> Endpoint {
        self.endpoint(self.0[0], self.0[1], self.0[4])
    }

    pub fn remote(&self) -> Endpoint {
        self.endpoint(self.0[2], self.0[3], self.0[4] >> REMOTE_PORT_SHIFT)
    }

    /// The same, but to any local address.
    #[inline(always)]
    pub fn to_any_address(self) -> Self {
        let [_, _, there, there_low, ports] = self.0;
        Self([0, 0, there, there_low, ports])
    }

    /// The same, but from anybody.
    #[inline(always)]
    pub fn from_anybody(self) -> Self {
        let [here, here_low, _, _, ports] = self.0;
        let remote = HAS_REMOTE | u64::from(u16::MAX) << REMOTE_PORT_SHIFT;
        Self([here, here_low, 0, 0, ports & !remote])
    }
}

#[inline(always)]
fn ports(local: u16, remote: u16) -> u64 {
    u64::from(local) | u64::from(remote) << REMOTE_PORT_SHIFT | HAS_REMOTE
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
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

    /// Its ends as words: a datagram has the same, or others that are made of its own.
    pub fn ends(&self) -> Ends {
        match self.remote {
            Some(remote) => Ends::new(self.local, remote),
            None => Ends::new(self.local, self.local).from_anybody(),
        }
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
    fn words_are_those_of_the_key_that_is_closest() {
        let pairs = [
            [Ipv4Addr::new(10, 0, 0, 1).into(), IpAddr::from(Ipv4Addr::new(10, 0, 0, 2))],
            [Ipv6Addr::LOCALHOST.into(), Ipv6Addr::new(1, 2, 3, 4, 5, 6, 7, 8).into()],
        ];
        for [here, there] in pairs {
            let (local, remote) = (Endpoint::new(here, 53), Endpoint::new(there, 4000));
            let ends = Ends::new(local, remote);
            assert_eq!((ends.local(), ends.remote()), (local, remote));
            assert_eq!(ends.is_ipv4(), here.is_ipv4());
            let of_keys = FlowKey::candidates(local, remote).map(|key| key.ends());
            let any = ends.to_any_address();
            assert_eq!(of_keys, [ends, any, ends.from_anybody(), any.from_anybody()]);
        }
    }

    #[test]
    fn any_address_keeps_the_family() {
        let local = Endpoint::new(Ipv6Addr::LOCALHOST, 7);
        let any = local.of_any_address();
        assert_eq!(any, Endpoint::new(Ipv6Addr::UNSPECIFIED, 7));
        assert!(!FlowKey::open(any).is_ipv4());
    }
}
