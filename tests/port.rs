//! The AF_XDP port between namespaces: what was claimed comes here and nothing else does, what is
//! sent arrives, refusals have their causes, and whatever happens the kernel gets its packets back.

mod common;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::network::{FAR, NEAR, NEAR6, Network, enter, ip};
use common::skip;
use sio::error::{Errno, Refusal};
use sio::net::flow::{Endpoint, FlowKey};
use sio::port::af_xdp::{AfXdp, Classifier, chunk_bytes};
use sio::port::{Port, Segment, link};
use sio::region::Region;
use sio::region::map::Pages;
use sio::sys::poll;
use sio::sys::xdp::{Sizes, Socket};

const SERVICE: u16 = 5300;
const FRAMES: usize = 256;
/// The ring goes round in them.
const RING_ROUNDS: usize = 2100;
/// What does not happen within this time does not happen.
const LONG: Duration = Duration::from_secs(10);
/// Long enough for a packet that is not to come.
const SHORT: Duration = Duration::from_millis(200);

fn network(what: &str, queues: u32) -> Option<Network> {
    Network::new(queues).map_err(|reason| skip(what, &reason)).ok()
}

/// A port of the test's namespace with frames to receive into.
struct Opened {
    port: AfXdp,
    region: Arc<Region>,
    free: Vec<u64>,
}

impl Opened {
    fn try_new(interface: &str) -> Result<Self, Refusal> {
        let interface = link::interface_by_name(interface).expect("the interface");
        let chunk = chunk_bytes(interface.mtu_bytes);
        let bytes = FRAMES * chunk as usize;
        let region = Region::new(1, bytes, Pages::Normal, 0, None).expect("an area");
        let mut port = AfXdp::open(&region, &interface, chunk)?;
        let mut free: Vec<u64> = (0..FRAMES as u64).map(|frame| frame * u64::from(chunk)).collect();
        let to_fill = free.split_off(FRAMES / 2);
        assert_eq!(port.fill(&to_fill), to_fill.len());
        port.ring_doorbell().expect("a doorbell");
        Ok(Self { port, region, free })
    }

    fn new() -> Self {
        Self::try_new("near0").unwrap_or_else(|refusal| panic!("{}", refusal.cause))
    }

    fn claim(&mut self, address: &str) {
        let local = Endpoint { address: address.parse().expect("an address"), port: SERVICE };
        self.port.claim(&FlowKey::open(local)).expect("a claim");
    }

    /// Waits for packets, takes a copy of each, and gives the frames back to be filled again.
    fn receive(&mut self, limit: Duration) -> Vec<Vec<u8>> {
        let end = Instant::now() + limit;
        let mut segments = Vec::new();
        while self.port.receive(&mut segments) == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut packets = Vec::new();
        let mut packet = Vec::new();
        for segment in &segments {
            let span = self.region.mapping().span(segment.offset as usize, segment.length as usize);
            packet.extend(span.to_vec());
            if !segment.more {
                packets.push(std::mem::take(&mut packet));
            }
        }
        assert!(packet.is_empty(), "half a packet");
        let chunk = u64::from(self.port.facts().chunk_bytes);
        let frames: Vec<u64> =
            segments.iter().map(|segment| segment.offset / chunk * chunk).collect();
        assert_eq!(self.port.fill(&frames), frames.len());
        packets
    }

    /// Sends a packet in parts of at most `part` bytes, and waits for the frames.
    fn send(&mut self, packet: &[u8], part: usize) {
        let parts: Vec<&[u8]> = packet.chunks(part).collect();
        let mut segments = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let offset = self.free.pop().expect("a frame");
            let span = self.region.mapping().span(offset as usize, part.len());
            // SAFETY: a frame that nobody else has.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), span.address(), part.len()) };
            let more = index + 1 < parts.len();
            segments.push(Segment { offset, length: part.len() as u32, more });
        }
        assert_eq!(self.port.send(&segments), segments.len());
        let mut completed = Vec::new();
        let end = Instant::now() + LONG;
        while completed.len() < segments.len() && Instant::now() < end {
            self.port.ring_doorbell().expect("a doorbell");
            self.port.complete(&mut completed);
        }
        assert_eq!(completed, segments.iter().map(|s| s.offset).collect::<Vec<_>>());
        self.free.extend(completed);
    }
}

/// The same datagram on its way back, without a checksum of its own.
fn turned_round(packet: &[u8]) -> Vec<u8> {
    let mut back = packet.to_vec();
    back[..6].copy_from_slice(&packet[6..12]);
    back[6..12].copy_from_slice(&packet[..6]);
    back[26..30].copy_from_slice(&packet[30..34]);
    back[30..34].copy_from_slice(&packet[26..30]);
    back[34..36].copy_from_slice(&packet[36..38]);
    back[36..38].copy_from_slice(&packet[34..36]);
    back[40..42].fill(0);
    back
}

const PAYLOAD_FROM: usize = 14 + 20 + 8;

fn socket(address: &str, port: u16) -> UdpSocket {
    let address = SocketAddr::new(address.parse().expect("an address"), port);
    let socket = UdpSocket::bind(address).expect("a socket");
    socket.set_read_timeout(Some(SHORT)).expect("a limit");
    socket
}

/// What a socket gets, if anything.
fn received(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = [0; 10_000];
    socket.recv(&mut buffer).ok().map(|count| buffer[..count].to_vec())
}

#[test]
fn claimed_datagrams_come_and_answers_arrive() {
    let Some(network) = network("an AF_XDP port", 1) else { return };
    let client = Network::inside(&network.far, || socket(FAR, 0));
    client.set_read_timeout(Some(LONG)).expect("a limit");
    Network::inside(&network.near, || {
        let (service, other) = (socket(NEAR, SERVICE), socket(NEAR, SERVICE + 1));
        let mut opened = Opened::new();
        opened.claim(NEAR);
        for number in 0..1000u32 {
            let text = format!("question {number}");
            client.send_to(text.as_bytes(), (NEAR, SERVICE)).expect("a question");
            client.send_to(b"other", (NEAR, SERVICE + 1)).expect("another datagram");
            let packets = opened.receive(LONG);
            let [packet] = packets.as_slice() else { panic!("{} packets", packets.len()) };
            assert_eq!(&packet[PAYLOAD_FROM..], text.as_bytes());
            opened.send(&turned_round(packet), 4096);
            assert_eq!(received(&client).as_deref(), Some(text.as_bytes()));
            // What nobody claimed is the kernel's.
            assert_eq!(received(&other).as_deref(), Some(&b"other"[..]));
        }
        assert_eq!(received(&service), None, "both got it");
        let local = Endpoint::new(NEAR.parse::<Ipv4Addr>().expect("an address"), SERVICE);
        opened.port.disclaim(&FlowKey::open(local)).expect("it was claimed");
        client.send_to(b"after", (NEAR, SERVICE)).expect("a datagram");
        assert_eq!(received(&service).as_deref(), Some(&b"after"[..]));
    });
}

#[test]
fn descriptors_stay_readable_where_that_is_asked_for() {
    let Some(network) = network("an AF_XDP port", 2) else { return };
    let client = Network::inside(&network.far, || socket(FAR, 0));
    Network::inside(&network.near, || {
        let _service = socket(NEAR, SERVICE);
        let mut opened = Opened::new();
        opened.claim(NEAR);
        let is_readable = |opened: &Opened| {
            let mut fds = opened.port.descriptors().iter();
            fds.any(|&fd| poll::now(fd, libc::POLLIN).expect("poll") != 0)
        };
        for round in 0..RING_ROUNDS {
            let stays = round % 2 == 0;
            opened.port.stay_readable(stays);
            client.send_to(b"a question", (NEAR, SERVICE)).expect("a question");
            assert_eq!(opened.receive(LONG).len(), 1);
            assert_eq!(opened.port.receive(&mut Vec::new()), 0, "nothing comes twice");
            assert_eq!((is_readable(&opened), opened.port.is_kept_readable()), (stays, stays));
            opened.port.stay_readable(false);
            assert!(!is_readable(&opened) && !opened.port.is_kept_readable());
        }
    });
}

#[test]
fn any_address_means_those_of_the_host() {
    let Some(network) = network("an AF_XDP port for any address", 1) else { return };
    let client = Network::inside(&network.far, || socket("::", 0));
    Network::inside(&network.near, || {
        let _service = socket("::", SERVICE);
        let mut opened = Opened::new();
        opened.claim("::");
        opened.claim("0.0.0.0");
        client.send_to(b"six", (NEAR6, SERVICE)).expect("a datagram");
        let packets = opened.receive(LONG);
        assert_eq!(&packets[0][14 + 40 + 8..], b"six");
        let client4 = Network::inside(&network.far, || socket(FAR, 0));
        client4.send_to(b"four", (NEAR, SERVICE)).expect("a datagram");
        assert_eq!(&opened.receive(LONG)[0][PAYLOAD_FROM..], b"four");
    });
}

#[test]
fn every_queue_is_served() {
    let Some(network) = network("an AF_XDP port with two queues", 2) else { return };
    let clients: Vec<UdpSocket> =
        Network::inside(&network.far, || (0..64).map(|_| socket(FAR, 0)).collect());
    Network::inside(&network.near, || {
        let _service = socket(NEAR, SERVICE);
        let mut opened = Opened::new();
        assert_eq!(opened.port.facts().queues, 2);
        opened.claim(NEAR);
        let mut seen = Vec::new();
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&[number as u8], (NEAR, SERVICE)).expect("a datagram");
        }
        while seen.len() < clients.len() {
            let packets = opened.receive(LONG);
            assert!(!packets.is_empty(), "only {} have come", seen.len());
            seen.extend(packets.iter().map(|packet| packet[PAYLOAD_FROM]));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..64).collect::<Vec<u8>>());
    });
}

#[test]
fn packets_larger_than_a_frame_are_whole() {
    let Some(network) = network("an AF_XDP port with large packets", 1) else { return };
    for (space, interface) in [(&network.near, "near0"), (&network.far, "far0")] {
        ip(&format!("-n {space} link set {interface} mtu 9000")).expect("a large MTU");
    }
    let client = Network::inside(&network.far, || socket(FAR, 0));
    client.set_read_timeout(Some(LONG)).expect("a limit");
    Network::inside(&network.near, || {
        let _service = socket(NEAR, SERVICE);
        let mut opened = match Opened::try_new("near0") {
            Ok(opened) => opened,
            Err(refusal) if refusal.errno == Errno::EINVAL => {
                return skip("large packets by AF_XDP", &refusal.cause);
            }
            Err(refusal) => panic!("{}", refusal.cause),
        };
        opened.claim(NEAR);
        for bytes in [1, 1472, 3000, 5000, 8972] {
            let payload: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            client.send_to(&payload, (NEAR, SERVICE)).expect("a datagram");
            let packets = opened.receive(LONG);
            assert_eq!(packets.len(), 1, "{bytes}");
            assert!(packets[0][PAYLOAD_FROM..] == payload[..], "{bytes} bytes have changed");
            for part in [4096, 600] {
                opened.send(&turned_round(&packets[0]), part);
                assert!(received(&client) == Some(payload.clone()), "{bytes} bytes in {part}s");
            }
        }
    });
}

#[test]
fn without_frames_packets_are_lost_and_the_rest_goes_on() {
    let Some(network) = network("an AF_XDP port without frames", 1) else { return };
    let client = Network::inside(&network.far, || socket(FAR, 0));
    Network::inside(&network.near, || {
        let _service = socket(NEAR, SERVICE);
        let mut opened = Opened::new();
        opened.claim(NEAR);
        for number in 0..FRAMES as u32 {
            client.send_to(&number.to_be_bytes(), (NEAR, SERVICE)).expect("a datagram");
        }
        let mut seen = 0;
        loop {
            let packets = opened.receive(SHORT);
            if packets.is_empty() {
                break;
            }
            for packet in &packets {
                assert_eq!(packet[PAYLOAD_FROM..], (seen as u32).to_be_bytes(), "in order");
                seen += 1;
            }
        }
        assert!(seen >= FRAMES / 2, "only {seen}");
        let lost: u64 = opened
            .port
            .statistics()
            .expect("statistics")
            .iter()
            .map(|s| s.dropped + s.ring_full)
            .sum();
        assert!(seen + lost as usize >= FRAMES / 2);
        client.send_to(b"more", (NEAR, SERVICE)).expect("a datagram");
        assert_eq!(&opened.receive(LONG)[0][PAYLOAD_FROM..], b"more");
    });
}

#[test]
fn a_link_that_was_down_carries_packets_again() {
    let Some(network) = network("an AF_XDP port over a link that goes down", 1) else { return };
    let client = Network::inside(&network.far, || socket(FAR, 0));
    Network::inside(&network.near, || {
        let _service = socket(NEAR, SERVICE);
        let mut opened = Opened::new();
        opened.claim(NEAR);
        for state in ["down", "up"] {
            ip(&format!("-n {} link set far0 {state}", network.far)).expect("the link");
        }
        let end = Instant::now() + LONG;
        let mut packets = Vec::new();
        while packets.is_empty() && Instant::now() < end {
            let _ = client.send_to(b"again", (NEAR, SERVICE));
            packets = opened.receive(SHORT);
        }
        assert_eq!(&packets[0][PAYLOAD_FROM..], b"again");
    });
}

#[test]
fn refusals_tell_their_causes() {
    let Some(network) = network("refusals of AF_XDP", 1) else { return };
    Network::inside(&network.near, || {
        let refused = |interface: &str| match Opened::try_new(interface) {
            Ok(_) => panic!("{interface} was not refused"),
            Err(refusal) => refusal,
        };
        let loopback = refused("lo");
        assert_eq!(loopback.errno, Errno::EOPNOTSUPP);
        assert!(loopback.cause.contains("loopback"), "{}", loopback.cause);

        let interface = link::interface_by_name("near0").expect("the interface");
        let small = Region::new(1, 4 * 4096, Pages::Normal, 0, None).expect("an area");
        let small = AfXdp::open(&small, &interface, 2048).err().expect("a refusal");
        assert_eq!(small.errno, Errno::ENOBUFS);
        assert!(small.cause.contains("32768 bytes"), "{}", small.cause);

        // A program of somebody else's stays where it is.
        let sizes = Sizes { fill: 64, completion: 64, receive: 64 };
        let socket = Socket::beside(&sizes).expect("a socket");
        let mut other = Classifier::new(vec![socket.descriptor()], true).expect("a program");
        other.attach(interface.index, true).expect("another program");
        let busy = refused("near0");
        assert_eq!(busy.errno, Errno::EBUSY);
        assert!(busy.cause.contains("another XDP program"), "{}", busy.cause);
        let found = link::interface_by_name("near0").expect("the interface");
        assert!(found.has_program, "it is gone");
        drop(other);

        let first = Opened::new();
        let second = refused("near0");
        assert_eq!(second.errno, Errno::EBUSY);
        drop(first);
        let again = Opened::new();
        assert!(!again.port.facts().zero_copy, "veth has no zero copy");
    });
}

#[test]
fn sio_probe_tells_of_interfaces() {
    let Some(network) = network("what sio-probe tells of interfaces", 2) else { return };
    let mut command = Network::command(&network.near, env!("CARGO_BIN_EXE_sio-probe"));
    let text = common::output(&mut command).expect("sio-probe");
    if text.contains("af_xdp: does not work") {
        return skip("what sio-probe tells of interfaces", "AF_XDP is refused");
    }
    let line = |name: &str| {
        let begin = format!("  interface {name} ");
        text.lines().find(|line| line.starts_with(&begin)).unwrap_or_default()
    };
    assert!(line("near0").ends_with("2 queues"), "{text}");
    assert!(line("lo").contains("loopback"), "{text}");
    let mut command = Network::command(&network.near, env!("CARGO_BIN_EXE_sio-probe"));
    let json = common::output(command.arg("--json")).expect("sio-probe");
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let interfaces = found["engines"]
        .as_array()
        .and_then(|engines| engines.iter().find(|engine| engine["name"] == "af_xdp"))
        .map(|engine| engine["interfaces"].clone())
        .expect("the engine");
    let near0 = interfaces.as_array().and_then(|all| all.iter().find(|one| one["name"] == "near0"));
    assert_eq!(near0.expect("the interface")["queues"], 2);
}

/// The part of the next test that is killed: it holds the flow and does nothing.
#[test]
fn child_that_holds_a_flow() {
    let Ok(space) = std::env::var("SIO_TEST_NAMESPACE") else { return };
    enter(&space);
    let mut opened = Opened::new();
    opened.claim(NEAR);
    if std::env::var("SIO_TEST_FORK").is_ok() {
        // SAFETY: the child makes system calls only.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe {
                libc::pause();
                libc::_exit(0);
            }
        }
        println!("\nchild {child}");
    }
    println!("\nholding");
    loop {
        std::thread::sleep(LONG);
    }
}

struct Killed(Child);

/// A process that outlives its parent.
struct Orphan(i32);

impl Drop for Orphan {
    fn drop(&mut self) {
        // SAFETY: no pointers.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_process_gives_its_flows_back() {
    let Some(network) = network("AF_XDP and kill -9", 1) else { return };
    let client = Network::inside(&network.far, || socket(FAR, 0));
    let service = Network::inside(&network.near, || socket(NEAR, SERVICE));
    let arrives = |text: &[u8]| {
        client.send_to(text, (NEAR, SERVICE)).expect("a datagram");
        received(&service).is_some()
    };
    assert!(arrives(b"before"));
    for with_child in [false, true, false, true] {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "child_that_holds_a_flow", "--nocapture"]);
        if with_child {
            command.env("SIO_TEST_FORK", "1");
        }
        let child = command
            .env("SIO_TEST_NAMESPACE", &network.near)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut child = Killed(child);
        let mut output = std::io::BufReader::new(child.0.stdout.take().expect("its output"));
        let mut line = String::new();
        let mut orphan = None;
        while line.trim() != "holding" {
            line.clear();
            let count = std::io::BufRead::read_line(&mut output, &mut line).expect("a line");
            assert!(count > 0, "the child has ended");
            if let Some(number) = line.trim().strip_prefix("child ") {
                orphan = Some(Orphan(number.parse().expect("a number")));
            }
        }
        assert_eq!(orphan.is_some(), with_child);
        assert!(!arrives(b"held"), "the child does not hold the flow");
        drop(child);
        let end = Instant::now() + LONG;
        let mut back = false;
        while !back && Instant::now() < end {
            back = arrives(b"after");
        }
        assert!(back, "the kernel does not get its packets back");
    }
}
