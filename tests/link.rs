//! What the library knows about interfaces, routes and neighbours is what the kernel knows, and it
//! hears of what changes.

mod common;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use common::network::{FAR, FAR6, NEAR, NEAR6, Network, ip};
use common::{output, skip};
use sio::error::Errno;
use sio::port::link::{self, Changes, Hop, Routes};
use sio::sys::interface::receive_queues;

const LONG: Duration = Duration::from_secs(10);

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn network(what: &str, queues: u32) -> Option<Network> {
    Network::new(queues).map_err(|reason| skip(what, &reason)).ok()
}

/// The hardware address of an interface, as sysfs(5) would tell it.
fn hardware_address(space: &str, interface: &str) -> [u8; 6] {
    let mut command = Network::command(space, "cat");
    let text = output(command.arg(format!("/sys/class/net/{interface}/address"))).expect("cat");
    let bytes: Vec<u8> = text
        .trim()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect();
    bytes.try_into().expect("six bytes")
}

#[test]
fn interfaces_are_described() {
    let Some(network) = network("facts of interfaces", 3) else { return };
    Network::inside(&network.near, || {
        let found = link::interface_by_name("near0").expect("an interface");
        assert_eq!(found, link::interface_by_index(found.index).expect("the same"));
        assert_eq!(found.name, "near0");
        assert_eq!(found.mtu_bytes, 1500);
        assert_eq!(found.hardware_address, hardware_address(&network.near, "near0"));
        assert!(found.is_up && found.is_ethernet && found.is_virtual);
        assert!(!found.is_loopback && !found.has_program && found.vlan.is_none());
        assert_eq!(receive_queues("near0"), Ok(3));
        let loopback = link::interface_by_name("lo").expect("the loopback interface");
        assert!(loopback.is_loopback && !loopback.is_ethernet);
        assert_eq!(receive_queues("lo"), Ok(1));
        assert_eq!(link::interface_by_name("none"), Err(Errno::ENODEV));
        assert_eq!(link::interface_by_index(4321), Err(Errno::ENODEV));
        assert_eq!(receive_queues("none"), Err(Errno::ENODEV));
        assert_eq!(receive_queues("a-name-that-is-too-long"), Err(Errno::ENODEV));
        let addresses = link::addresses().expect("addresses");
        for own in [NEAR, NEAR6, "127.0.0.1", "::1"] {
            assert!(addresses.contains(&address(own)), "{own} is not in {addresses:?}");
        }
        assert!(!addresses.contains(&address(FAR)));

        assert_eq!(link::vlans(found.index), Ok(vec![]));
        let add = format!("-n {} link add link near0 name near0.7 type vlan id 7", network.near);
        if let Err(reason) = ip(&add) {
            return skip("VLANs of an interface", &reason);
        }
        let vlans = link::vlans(found.index).expect("VLANs");
        assert_eq!(vlans.iter().map(|vlan| vlan.id).collect::<Vec<_>>(), [7]);
        let tagged = link::interface_by_name("near0.7").expect("an interface");
        assert_eq!(tagged.vlan, Some(vlans[0]));
    });
}

/// Waits for a hop that is as it should be, as packets would.
fn await_hop(routes: &mut Routes, to: &str, wanted: impl Fn(&Hop) -> bool) -> Hop {
    let end = Instant::now() + LONG;
    loop {
        routes.refresh();
        let hop = routes.hop(address(to), None, 0, Instant::now()).expect("a way").clone();
        if wanted(&hop) {
            return hop;
        }
        assert!(Instant::now() < end, "{hop:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_next_hop_is_found_and_followed() {
    let Some(network) = network("next hops", 1) else { return };
    let (near, far) = (&network.near, &network.far);
    let far_hardware = hardware_address(far, "far0");
    Network::inside(near, || {
        let mut routes = Routes::open().expect("a socket");
        let interface = link::interface_by_name("near0").expect("an interface").index;
        for (to, from) in [(FAR, NEAR), (FAR6, NEAR6)] {
            // Nobody has spoken to it: the question itself has the kernel find out.
            let hop = await_hop(&mut routes, to, |hop| hop.hardware_address.is_some());
            assert_eq!(hop.hardware_address, Some(far_hardware));
            assert_eq!((hop.interface, hop.neighbour), (interface, address(to)));
            assert_eq!(hop.source, Some(address(from)));
            assert!(hop.is_unicast);
        }

        let now = Instant::now();
        assert_eq!(routes.hop(address("192.0.2.1"), None, 0, now), Err(Errno::ENETUNREACH));
        assert!(!routes.hop(address(NEAR), None, 0, now).expect("a way").is_unicast);
        assert!(!routes.hop(address("10.9.0.255"), None, 0, now).expect("a way").is_unicast);
        assert!(!routes.hop(address("224.0.0.9"), None, interface, now).expect("a way").is_unicast);

        // Through a gateway, with packets of another size.
        ip(&format!("-n {near} route add 192.0.2.0/24 via {FAR} mtu 1400")).expect("a route");
        let hop = await_hop(&mut routes, "192.0.2.1", |hop| hop.hardware_address.is_some());
        assert_eq!((hop.neighbour, hop.mtu_bytes), (address(FAR), Some(1400)));
        ip(&format!("-n {near} route del 192.0.2.0/24")).expect("no route");
        assert!(routes.refresh().routes);
        let gone = routes.hop(address("192.0.2.1"), None, 0, Instant::now()).cloned();
        assert_eq!(gone, Err(Errno::ENETUNREACH));

        // The neighbour gets another hardware address, and says so.
        let moved = [2, 0, 0, 0, 9, 9];
        ip(&format!("-n {near} neigh replace {FAR} lladdr 02:00:00:00:09:09 dev near0"))
            .expect("another neighbour");
        await_hop(&mut routes, FAR, |hop| hop.hardware_address == Some(moved));
        ip(&format!("-n {near} neigh del {FAR} dev near0")).expect("no neighbour");
        await_hop(&mut routes, FAR, |hop| hop.hardware_address == Some(far_hardware));
    });
}

#[test]
fn changes_are_told() {
    let Some(network) = network("changes of interfaces", 1) else { return };
    let near = &network.near;
    Network::inside(near, || {
        let mut routes = Routes::open().expect("a socket");
        while routes.refresh() != Changes::default() {}
        ip(&format!("-n {near} addr add 10.9.1.1/24 dev near0")).expect("an address");
        assert!(routes.refresh().addresses);
        assert!(link::addresses().expect("addresses").contains(&address("10.9.1.1")));
        ip(&format!("-n {near} link set near0 mtu 1400")).expect("another size");
        assert!(routes.refresh().links);
        assert_eq!(link::interface_by_name("near0").expect("an interface").mtu_bytes, 1400);
        ip(&format!("-n {near} link set near0 down")).expect("down");
        assert!(routes.refresh().links);
        assert!(!link::interface_by_name("near0").expect("an interface").is_up);
    });
}

#[test]
fn more_changes_than_there_is_room_for_are_not_overlooked() {
    let Some(network) = network("lost news of changes", 1) else { return };
    let near = &network.near;
    Network::inside(near, || {
        let mut routes = Routes::open().expect("a socket");
        let batch: String = (0..8000)
            .map(|n| format!("route add 198.18.{}.{}/32 via {FAR}\n", n / 250, n % 250))
            .collect();
        let file = common::scratch("link").join("routes");
        std::fs::write(&file, batch).expect("a file");
        ip(&format!("-n {near} -batch {}", file.display())).expect("routes");
        assert!(routes.refresh().routes);
        // It listens again.
        while routes.refresh() != Changes::default() {}
        ip(&format!("-n {near} addr add 10.9.1.1/24 dev near0")).expect("an address");
        assert!(routes.refresh().addresses);
    });
}
