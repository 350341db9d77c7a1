//! UDP sockets that AF_XDP serves, against sockets of the kernel at the other end of a pair of
//! interfaces, each test in namespaces of its own. Needs root.

mod common;
#[path = "af_xdp/node.rs"]
mod node;
#[path = "af_xdp/others.rs"]
mod others;
#[path = "af_xdp/readable.rs"]
mod readable;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::network::{FAR, FAR6, NEAR, NEAR6, Network, ip};
use common::skip;
use node::{AF_XDP, AREA_BYTES, Node, pattern};
use sio::api::ethernet::{self, Wanted};
use sio::api::{blocking, channel, notify, region, socket};
use sio::channel::event;
use sio::engine::Form;
use sio::error::Errno;
use sio::net::build::{Path as Way, Template, Transport};
use sio::net::checksum::Sum;
use sio::net::flow::Endpoint;
use sio::region::map::Pages;

/// Runs a body in the near namespace, with the network; skipped with the reason where there is none.
fn on_network(name: &str, queues: u32, body: impl FnOnce(&Network) + Send) {
    match Network::new(queues) {
        Ok(network) => Network::inside(&network.near, || body(&network)),
        Err(reason) => skip(name, &reason),
    }
}

/// A socket of the kernel in the far namespace.
fn far_socket(network: &Network, address: &str) -> UdpSocket {
    Network::inside(&network.far, || {
        let socket = UdpSocket::bind(format!("{address}:0")).expect("a far socket");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("SO_RCVTIMEO");
        socket
    })
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// Every length is sent there and back, and every byte looked at.
fn echo(far: &UdpSocket, node: &Node, to: SocketAddr, lengths: &[usize]) {
    let mut room = vec![0; 65_536];
    for &length in lengths {
        let sent = pattern(length, length);
        far.send_to(&sent, to).expect("sent");
        let got = node.receive_within(Duration::from_secs(5)).expect("a datagram");
        assert_eq!(got.from, Some(far.local_addr().expect("bound")), "{length} bytes");
        assert!(node.bytes(&got) == sent, "{length} bytes arrived");
        node.send_block(got.address, got.count, got.from).expect("sent back");
        let (count, from) = far.recv_from(&mut room).expect("an echo");
        assert!(room[..count] == sent, "{length} bytes came back");
        assert_eq!((from.ip(), from.port()), (to.ip(), to.port()));
        node.release(&got);
    }
}

#[test]
fn datagrams_go_both_ways_without_a_copy_of_ours() {
    for (near, far_address) in [(NEAR, FAR), (NEAR6, FAR6)] {
        on_network("datagrams_go_both_ways", 1, |network| {
            let near = if near == NEAR6 { format!("[{near}]") } else { near.to_owned() };
            let far_address = if far_address == FAR6 {
                format!("[{far_address}]")
            } else {
                far_address.to_owned()
            };
            let node = Node::new(&format!("{near}:0"));
            let far = far_socket(network, &far_address);
            // The first answer finds out who the neighbour is: the kernel sends it.
            echo(&far, &node, node.address(), &[1]);
            let before = node.info();
            assert_eq!((before.engine, before.reason.as_str()), ("af_xdp", ""));
            let lengths = [1, 2, 63, 64, 65, 500, 1000, 1452];
            echo(&far, &node, node.address(), &lengths);
            let info = node.info();
            let sum: usize = lengths.iter().sum();
            assert_eq!(info.received - before.received, sum as u64);
            assert_eq!(info.received_copied, before.received_copied);
            assert_eq!(info.sent - before.sent, sum as u64);
            assert_eq!(info.sent_copied, before.sent_copied, "sent from where it had arrived");
            assert!(!info.zero_copy_receive, "a pair of interfaces has the kernel copy");
        });
    }
}

#[test]
fn a_channel_serves_it_like_any_socket() {
    on_network("a_channel_serves_it", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let ec = node.attach();
        let far = far_socket(network, FAR);
        let mut room = [0; 2000];
        for number in 0..50usize {
            let sent = pattern(10 + number * 29, number);
            far.send_to(&sent, node.address()).expect("sent");
            let event = node::wait(ec, event::RECV);
            assert_eq!(event.result as usize, sent.len());
            let got = node.receive().expect("a datagram");
            assert!(node.bytes(&got) == sent);
            node.send_block(got.address, got.count, got.from).expect("accepted");
            let ended = node::wait(ec, event::SENT);
            assert_eq!((ended.pointer, ended.length), (got.address, got.count));
            assert_eq!(ended.result as usize, got.count);
            let count = far.recv(&mut room).expect("an echo");
            assert!(room[..count] == sent);
            node.release(&got);
        }
        assert_eq!(channel::next_events(ec, &mut [sio::channel::Event::EMPTY]), Err(Errno::EAGAIN));
        channel::destroy(ec).expect("ec_destroy");
        echo(&far, &node, node.address(), &[10]);
    });
}

#[test]
fn fragments_and_large_datagrams_are_the_kernels() {
    on_network("fragments", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        echo(&far, &node, node.address(), &[1473, 2000, 9000, 30_000]);
        let info = node.info();
        assert_eq!(info.received_copied, info.received, "by the kernel's socket");
    });
}

#[test]
fn any_address_and_connected_sockets_have_their_flows() {
    on_network("any_address", 2, |network| {
        let any = Node::new("[::]:0");
        let port = any.address().port();
        let far = far_socket(network, FAR);
        let far6 = far_socket(network, &format!("[{FAR6}]"));
        echo(&far, &any, at(NEAR, port), &[1, 100, 1400]);
        echo(&far6, &any, at(NEAR6, port), &[1, 100, 1400]);

        let own = UdpSocket::bind(format!("{NEAR}:0")).expect("a socket");
        own.connect(far.local_addr().expect("bound")).expect("connected");
        let connected = any.beside_with(own);
        let stranger = far_socket(network, FAR);
        stranger.send_to(b"from a stranger", connected.address()).expect("sent");
        echo(&far, &connected, connected.address(), &[1, 1400]);
        assert_eq!(connected.receive().map(drop), Err(Errno::EAGAIN), "the kernel filters too");
        connected.send(b"without an address", None).expect("sent");
        let mut room = [0; 100];
        assert_eq!(far.recv(&mut room).expect("it came"), 18);
    });
}

#[test]
fn what_came_before_the_flow_is_not_lost() {
    on_network("what_came_before", 1, |network| {
        let own = UdpSocket::bind(format!("{NEAR}:0")).expect("a socket");
        let to = own.local_addr().expect("bound");
        let far = far_socket(network, FAR);
        for number in 0..5u8 {
            far.send_to(&[number; 10], to).expect("sent");
        }
        let node = Node::with(own);
        for number in 5..10u8 {
            far.send_to(&[number; 10], to).expect("sent");
        }
        let mut found: Vec<u8> = (0..10)
            .map(|_| {
                let got = node.receive_within(Duration::from_secs(5)).expect("a datagram");
                let first = node.bytes(&got)[0];
                node.release(&got);
                first
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, (0..10).collect::<Vec<u8>>());
        // And back: the kernel's socket has what comes now.
        node.disassociate().expect("dma_disassoc");
        far.send_to(b"to the kernel", to).expect("sent");
        let mut room = [0; 100];
        node.kernel().set_read_timeout(Some(Duration::from_secs(5))).expect("SO_RCVTIMEO");
        assert_eq!(node.kernel().recv(&mut room).expect("by the kernel"), 13);
        assert!(!ip(&format!("-n {} link show near0", network.near)).expect("ip").contains("xdp"));
    });
}

#[test]
fn several_sockets_and_queues_share_an_interface() {
    on_network("several_sockets", 4, |network| {
        let first = Node::new(&format!("{NEAR}:0"));
        let others: Vec<Node> = (0..5).map(|_| first.beside(&format!("{NEAR}:0"))).collect();
        let kernel = UdpSocket::bind(format!("{NEAR}:0")).expect("the kernel's");
        kernel.set_read_timeout(Some(Duration::from_secs(5))).expect("SO_RCVTIMEO");
        let far = far_socket(network, FAR);
        for (number, node) in others.iter().chain([&first]).enumerate() {
            for _ in 0..3 {
                echo(&far, node, node.address(), &[1 + number * 7, 900]);
            }
            far.send_to(b"undisturbed", kernel.local_addr().expect("bound")).expect("sent");
            let mut room = [0; 100];
            assert_eq!(kernel.recv(&mut room).expect("by the kernel"), 11);
        }
        // Another area on the same interface is refused, and told why.
        let area = region::alloc(AREA_BYTES, Pages::Normal, AF_XDP).expect("an area");
        let own = UdpSocket::bind(format!("{NEAR}:0")).expect("a socket");
        assert_eq!(socket::assoc(own.as_raw_fd(), area, 0, AF_XDP), Err(Errno::EBUSY));
        region::free(area, AREA_BYTES).expect("dma_free");
    });
}

#[test]
fn a_vlan_is_served_by_the_interface_below() {
    on_network("a_vlan", 1, |network| {
        for (space, interface, number) in [(&network.near, "near0", 1), (&network.far, "far0", 2)] {
            let add = format!("-n {space} link add link {interface} name tag5 type vlan id 5");
            if let Err(reason) = ip(&add) {
                return skip("a_vlan", &reason);
            }
            ip(&format!("-n {space} addr add 10.10.0.{number}/24 dev tag5")).expect("ip");
            ip(&format!("-n {space} link set tag5 up")).expect("ip");
            // The tag stands in the packet only where no card takes it out.
            let features = ["rxvlan", "txvlan"].map(|name| [name, "off"]).concat();
            let mut command = Network::command(space, "ethtool");
            let done = common::finish(command.args(["-K", interface]).args(features));
            if let Err(reason) = done {
                return skip("a_vlan", &reason);
            }
        }
        let node = Node::new("10.10.0.1:0");
        let far = far_socket(network, "10.10.0.2");
        echo(&far, &node, node.address(), &[1, 100, 1400]);
        assert_eq!(node.info().engine, "af_xdp");
    });
}

#[test]
fn jumbo_frames_arrive_whole() {
    on_network("jumbo_frames", 1, |network| {
        for (space, interface) in [(&network.near, "near0"), (&network.far, "far0")] {
            ip(&format!("-n {space} link set {interface} mtu 9000")).expect("ip");
        }
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        echo(&far, &node, node.address(), &[1, 3000, 3700]);
        let before = node.info();
        echo(&far, &node, node.address(), &[5000, 8972]);
        let copied = node.info().received_copied - before.received_copied;
        assert_eq!(copied, 5000 + 8972, "gathered by a copy, which is counted");
    });
}

#[test]
fn an_area_that_the_program_holds_stops_only_itself() {
    on_network("an_area_that_is_held", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let kernel = UdpSocket::bind(format!("{NEAR}:0")).expect("the kernel's");
        kernel.set_read_timeout(Some(Duration::from_secs(5))).expect("SO_RCVTIMEO");
        let far = far_socket(network, FAR);
        let mut held = Vec::new();
        let mut number = 0usize;
        let mut silent = 0;
        while silent < 50 {
            far.send_to(&pattern(64, number), node.address()).expect("sent");
            match node.receive_within(Duration::from_millis(20)) {
                Ok(got) => {
                    silent = 0;
                    held.push((got, number));
                }
                Err(_) => silent += 1,
            }
            number += 1;
            assert!(held.len() <= AREA_BYTES / 4096);
        }
        assert!(held.len() > AREA_BYTES / 4096 / 2, "only {} frames could be held", held.len());
        far.send_to(b"undisturbed", kernel.local_addr().expect("bound")).expect("sent");
        assert_eq!(kernel.recv(&mut [0; 100]).expect("by the kernel"), 11);
        for (got, number) in &held {
            assert!(node.bytes(got) == pattern(64, *number), "nothing is overwritten");
        }
        held.iter().for_each(|(got, _)| node.release(got));
        while let Ok(got) = node.receive_within(Duration::from_millis(50)) {
            node.release(&got);
        }
        echo(&far, &node, node.address(), &[10, 1000]);
    });
}

#[test]
fn links_neighbours_and_sizes_may_change() {
    on_network("links_may_change", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        echo(&far, &node, node.address(), &[1, 1400]);
        for (space, interface) in [(&network.far, "far0"), (&network.near, "near0")] {
            ip(&format!("-n {space} link set {interface} down")).expect("ip");
            ip(&format!("-n {space} link set {interface} up")).expect("ip");
        }
        echo(&far, &node, node.address(), &[1, 1400]);
        // The neighbour has another address from now on, and says so with its next datagram.
        ip(&format!("-n {} link set far0 down", network.far)).expect("ip");
        ip(&format!("-n {} link set far0 address 02:00:00:00:00:77", network.far)).expect("ip");
        ip(&format!("-n {} link set far0 up", network.far)).expect("ip");
        ip(&format!("-n {} neigh flush dev near0", network.near)).expect("ip");
        std::thread::sleep(Duration::from_millis(50));
        echo(&far, &node, node.address(), &[1, 1400]);
        // Smaller packets: what does not fit any more goes in fragments, by the kernel.
        ip(&format!("-n {} link set near0 mtu 1000", network.near)).expect("ip");
        std::thread::sleep(Duration::from_millis(50));
        let before = node.info();
        node.send(&pattern(1400, 1), Some(far.local_addr().expect("bound"))).expect("sent");
        let mut room = [0; 2000];
        assert_eq!(far.recv(&mut room).expect("in fragments"), 1400);
        assert_eq!(node.info().sent_copied - before.sent_copied, 1400);
    });
}

#[test]
fn a_thread_that_waits_is_woken() {
    on_network("a_thread_that_waits", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        let to = node.address();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..20usize {
                    std::thread::sleep(Duration::from_millis(5));
                    // Every third one comes by the kernel's socket.
                    let length = if number % 3 == 0 { 3000 } else { 30 };
                    far.send_to(&pattern(length, number), to).expect("sent");
                }
            });
            // Those by the kernel and those by the interface have no common order.
            let length = |number: usize| if number.is_multiple_of(3) { 3000 } else { 30 };
            let mut missing: Vec<usize> = (0..20).collect();
            while !missing.is_empty() {
                let receive = blocking::Receive::new(node.fd(), 65_536, 0, Form::Name);
                let received = blocking::run(receive.expect("a call")).expect("a datagram");
                let got = node.got(received).expect("a block");
                let bytes = node.bytes(&got);
                let is_that = |number: &usize| bytes == pattern(length(*number), *number);
                let place = missing.iter().position(is_that).expect("one that was sent");
                missing.remove(place);
                node.release(&got);
            }
        });
    });
}

#[test]
fn refusals_say_why() {
    on_network("refusals_say_why", 1, |network| {
        let area = region::alloc(AREA_BYTES, Pages::Normal, AF_XDP).expect("an area");
        let small = region::alloc(8 * 4096, Pages::Normal, AF_XDP).expect("an area");
        let plain = region::alloc(AREA_BYTES, Pages::Normal, 0).expect("an area");
        let refused = |own: &dyn AsRawFd, area| {
            socket::assoc(own.as_raw_fd(), area, 0, AF_XDP).expect_err("a refusal")
        };
        let local = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert_eq!(refused(&local, area), Errno::EOPNOTSUPP, "lo");
        let near = UdpSocket::bind(format!("{NEAR}:0")).expect("a socket");
        assert_eq!(refused(&near, small), Errno::ENOBUFS, "a small area");
        assert_eq!(refused(&near, plain), Errno::EINVAL, "an area that was not made for it");
        let listener = std::net::TcpListener::bind(format!("{NEAR}:0")).expect("a socket");
        assert_eq!(refused(&listener, area), Errno::EPROTONOSUPPORT, "TCP");
        let unbound = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Inet,
            nix::sys::socket::SockType::Datagram,
            nix::sys::socket::SockFlag::empty(),
            None,
        )
        .expect("a socket");
        assert_eq!(refused(&unbound, area), Errno::EADDRNOTAVAIL, "not bound");
        socket::assoc(near.as_raw_fd(), area, 0, AF_XDP).expect("dma_assoc");
        assert_eq!(refused(&near, area), Errno::EBUSY, "associated already");
        assert_eq!(region::reserve(area, 4096), Err(Errno::EMSGSIZE), "more than a frame");
        assert_eq!(region::free(area, AREA_BYTES), Err(Errno::EBUSY));
        socket::detach(near.as_raw_fd()).expect("sio_detach");
        for (handle, bytes) in [(area, AREA_BYTES), (small, 8 * 4096), (plain, AREA_BYTES)] {
            region::free(handle, bytes).expect("dma_free");
        }
        // The interface runs no program of ours any more.
        let shown = ip(&format!("-n {} link show near0", network.near)).expect("ip");
        assert!(!shown.contains("xdp"), "{shown}");
    });
}

#[test]
fn a_process_that_is_killed_leaves_nothing_behind() {
    let Ok(network) = Network::new(1) else {
        return skip("a_process_that_is_killed", "needs root and ip(8)");
    };
    let program = dns_server("killed");
    let far = far_socket(&network, FAR);
    for _ in 0..3 {
        let mut server = start(&network, &program, &[NEAR, "5353"]);
        for _ in 0..500 {
            far.send_to(&[0; 40], at(NEAR, 5353)).expect("sent");
        }
        server.kill().expect("kill -9");
        server.wait().expect("wait");
        // The kernel has everything again, as soon as it finds the time.
        let began = Instant::now();
        let kernel = Network::inside(&network.near, || {
            UdpSocket::bind(format!("{NEAR}:5353")).expect("the port is free")
        });
        kernel.set_read_timeout(Some(Duration::from_millis(100))).expect("SO_RCVTIMEO");
        let mut room = [0; 100];
        loop {
            far.send_to(b"anybody?", at(NEAR, 5353)).expect("sent");
            if kernel.recv(&mut room).is_ok_and(|count| count == 8) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "the interface is dead");
        }
        let shown = ip(&format!("-n {} link show near0", network.near)).expect("ip");
        assert!(!shown.contains("xdp"), "{shown}");
    }
}

/// The example, compiled for one test.
fn dns_server(test: &str) -> PathBuf {
    let source = common::root().join("examples-c/xdp_dns.c");
    let program = common::scratch("af-xdp").join(format!("xdp_dns-{test}"));
    common::Compile::new(&common::compiler())
        .options(&["-std=c11"])
        .link(&source, &program)
        .unwrap_or_else(|error| panic!("{error}"));
    program
}

/// Starts it in the near namespace, and waits until it serves by this engine.
fn start(network: &Network, program: &Path, arguments: &[&str]) -> Child {
    // The kernel may take its time to let go of the queues of a server that was killed.
    for _ in 0..10 {
        let mut command = Network::command(&network.near, program);
        command.env("LD_LIBRARY_PATH", common::library_directory()).env("SIO_REQUIRE", "1");
        command.env("SIO_ENGINE", "af_xdp").stdout(Stdio::piped());
        let mut server = command.args(arguments).spawn().expect("the server");
        let mut line = String::new();
        let output = server.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        if line.starts_with("af_xdp port") {
            return server;
        }
        server.wait().expect("wait");
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("the server does not start");
}

/// A file that programs in a namespace find in the place of /etc/resolv.conf: ip-netns(8).
struct ResolverFile(PathBuf);

impl ResolverFile {
    fn new(space: &str) -> Self {
        let directory = Path::new("/etc/netns").join(space);
        std::fs::create_dir_all(&directory).expect("a directory");
        let text = format!("nameserver {NEAR}\noptions timeout:2 attempts:2\n");
        std::fs::write(directory.join("resolv.conf"), text).expect("a file");
        Self(directory)
    }
}

impl Drop for ResolverFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_resolver_gets_answers_from_the_example() {
    let Ok(network) = Network::new(1) else {
        return skip("a_resolver_gets_answers", "needs root and ip(8)");
    };
    let program = dns_server("resolver");
    let names = ["one.example.test=192.0.2.1", "two.example.test=192.0.2.2"];
    let mut server = start(&network, &program, &[NEAR, "53", names[0], names[1]]);
    let file = ResolverFile::new(&network.far);
    let look_up = |name: &str| {
        let mut command = Network::command(&network.far, "getent");
        common::output(command.args(["ahostsv4", name]))
    };
    for _ in 0..5 {
        assert!(look_up("one.example.test").expect("an answer").starts_with("192.0.2.1 "));
        assert!(look_up("TWO.example.test").expect("an answer").starts_with("192.0.2.2 "));
        assert!(look_up("three.example.test").is_err(), "there is no such name");
    }
    drop(file);
    server.kill().expect("kill");
    server.wait().expect("wait");
}

/// Puts packets on the wire at the far end as they are.
struct Wire {
    fd: std::os::fd::RawFd,
    template: Template,
}

impl Wire {
    fn new(network: &Network, from: &UdpSocket, to: &Node) -> Self {
        let station = |space: &str, interface: &str| {
            let text = ip(&format!("-n {space} -o link show {interface}")).expect("ip");
            let address = text.split("link/ether ").nth(1).expect("an address").split(' ').next();
            let bytes = address.expect("an address").split(':');
            let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).expect("a byte"));
            bytes.collect::<Vec<u8>>().try_into().expect("six bytes")
        };
        let endpoint = |address: SocketAddr| Endpoint::new(address.ip(), address.port());
        let template = Template::new(&Way {
            source: endpoint(from.local_addr().expect("bound")),
            destination: endpoint(to.address()),
            own_station: station(&network.far, "far0"),
            next_station: station(&network.near, "near0"),
            vlan: None,
            traffic_class: 0,
            hop_limit: 64,
        });
        let fd = Network::inside(&network.far, || ethernet::open("far0", &Wanted::default()));
        Self { fd: fd.expect("a packet socket"), template }
    }

    fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut sum = Sum::default();
        sum.add(payload);
        let mut template = self.template;
        let header = template.header(payload.len(), Transport::Payload(sum));
        [header, payload].concat()
    }

    fn put(&self, packet: &[u8]) {
        sio::sys::socket::send_bytes(self.fd, packet).expect("on the wire");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        sio::sys::descriptor::close(self.fd);
    }
}

/// Numbers that look random and are the same every time.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    }
}

#[test]
fn what_a_bad_wire_does_is_what_udp_makes_of_it() {
    on_network("what_a_bad_wire_does", 1, |network| {
        const COUNT: usize = 3000;
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        let wire = Wire::new(network, &far, &node);
        let mut next = numbers();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let mut late: Option<(usize, Vec<u8>)> = None;
        let take = |found: &mut Vec<usize>, time| {
            while let Ok(got) = node.receive_within(time) {
                let bytes = node.bytes(&got);
                let number = usize::from(bytes[0]) | usize::from(bytes[1]) << 8;
                assert!(bytes[2..] == pattern(200, number), "datagram {number} is damaged");
                found.push(number);
                node.release(&got);
            }
        };
        for number in 0..COUNT {
            let head = [number as u8, (number >> 8) as u8];
            let mut packet = wire.packet(&[&head[..], &pattern(200, number)].concat());
            match next(10) {
                0 => {}
                1 => {
                    (0..2).for_each(|_| wire.put(&packet));
                    expected.extend([number; 2]);
                }
                2 => {
                    if let Some((number, packet)) = late.replace((number, packet)) {
                        wire.put(&packet);
                        expected.push(number);
                    }
                }
                3 => {
                    let at = 42 + next(202);
                    packet[at] ^= 1 << next(8);
                    wire.put(&packet);
                }
                _ => {
                    wire.put(&packet);
                    expected.push(number);
                }
            }
            take(&mut found, Duration::ZERO);
        }
        take(&mut found, Duration::from_millis(200));
        assert!(found == expected, "{} of {} arrived", found.len(), expected.len());
    });
}

#[test]
fn malformed_packets_hurt_nobody() {
    on_network("malformed_packets", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        let wire = Wire::new(network, &far, &node);
        let payload = pattern(60, 7);
        let good = wire.packet(&payload);
        wire.put(&good);
        let got = node.receive_within(Duration::from_secs(5)).expect("the good one");
        assert!(node.bytes(&got) == payload);
        node.release(&got);
        let mut next = numbers();
        for round in 0..5000 {
            let mut packet = good.clone();
            // Anything behind the type, but for the sum, which may be left out. Of what it is over
            // one byte only: a second one could make up for the first.
            for _ in 0..next(3) {
                packet[14 + next(20)] = next(256) as u8;
            }
            let at = 34 + next(packet.len() - 34);
            if next(2) == 0 && !(40..42).contains(&at) {
                packet[at] = next(256) as u8;
            }
            if next(4) == 0 {
                packet.truncate(14 + next(packet.len() - 14));
            }
            wire.put(&packet);
            if round % 16 == 0 {
                while let Ok(got) = node.receive() {
                    assert!(payload.starts_with(&node.bytes(&got)), "garbage was accepted");
                    node.release(&got);
                }
            }
        }
        while let Ok(got) = node.receive_within(Duration::from_millis(50)) {
            node.release(&got);
        }
        echo(&far, &node, node.address(), &[1, 1000]);
    });
}

#[test]
fn a_callback_is_called_for_what_an_interface_has() {
    on_network("a_callback", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        for number in 0..5usize {
            let (sender, called) = std::sync::mpsc::channel();
            let complete = Box::new(move |fd| sender.send(fd).expect("somebody waits"));
            notify::register(node.fd(), complete).expect("async_io_notify");
            assert!(called.recv_timeout(Duration::from_millis(20)).is_err(), "nothing has arrived");
            // Once by the interface, once by the kernel's socket.
            let length = if number == 2 { 3000 } else { 30 };
            far.send_to(&pattern(length, number), node.address()).expect("sent");
            assert_eq!(called.recv_timeout(Duration::from_secs(5)), Ok(node.fd()));
            let got = node.receive().expect("it has arrived");
            assert!(node.bytes(&got) == pattern(length, number));
            node.release(&got);
        }
    });
}
