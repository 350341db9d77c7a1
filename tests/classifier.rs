//! The classifier of packets: what is shipped is what its source gives, and it picks exactly the
//! packets of the flows that were claimed.

#[path = "packets/body.rs"]
mod body;
mod common;
#[path = "packets/inputs.rs"]
mod inputs;

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use body::{v4, v6};
use common::{has_program, output, read, root, scratch, skip};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use sio::error::Errno;
use sio::net::flow::{Endpoint, FlowKey};
use sio::port::FrameType;
use sio::port::af_xdp::{COMPILER, Classifier, INSTRUCTIONS, MAPS};
use sio::sys::xdp::{Sizes, Socket};

const SOURCE: &str = "src/port/af_xdp/classifier.c";
const INSTRUCTIONS_FILE: &str = "src/port/af_xdp/instructions.rs";
const UPDATE: &str = "SIO_UPDATE_CLASSIFIER=1 cargo test --test classifier";

#[test]
fn what_is_shipped_is_what_the_source_gives() {
    if !has_program("clang") {
        return skip("the classifier from its source", "no clang");
    }
    let version = output(Command::new("clang").arg("--version")).expect("clang tells its version");
    let version = version.lines().next().unwrap_or_default().trim();
    let is_update = std::env::var_os("SIO_UPDATE_CLASSIFIER").is_some_and(|value| value == "1");
    let made = compile();
    if is_update {
        std::fs::write(root().join(INSTRUCTIONS_FILE), file_of(version, &made)).expect("writing");
        return;
    }
    if version != COMPILER {
        let reason = format!("it was made by {COMPILER}, here is {version}");
        return skip("comparing the instructions of the classifier", &reason);
    }
    assert_eq!(made, INSTRUCTIONS, "{INSTRUCTIONS_FILE} is not up to date; run: {UPDATE}");
    assert_eq!(read(&root().join(INSTRUCTIONS_FILE)), file_of(version, &made));
}

/// The instructions that clang makes of the source, with the numbers of the tables in the place of
/// their addresses.
fn compile() -> Vec<u64> {
    let object = scratch("classifier").join("classifier.o");
    let mut clang = Command::new("clang");
    clang.args(["-O2", "-Wall", "-Wextra", "-Werror", "-target", "bpfel", "-mcpu=v3", "-c", "-o"]);
    output(clang.arg(&object).arg(root().join(SOURCE))).expect("clang takes the source");
    let bytes = std::fs::read(object).expect("what clang has made");
    let file = object::File::parse(bytes.as_slice()).expect("an object file");
    let section = file.section_by_name("xdp").expect("the section of the program");
    let code = section.data().expect("its bytes");
    let mut instructions: Vec<u64> = code
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
        .collect();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else {
            panic!("a relocation without a symbol");
        };
        let symbol = file.symbol_by_index(symbol).expect("its symbol");
        let name = symbol.name().expect("its name");
        let number = MAPS.iter().position(|map| *map == name).expect("the table's name") as u64;
        const SOURCE_IS_A_MAP: u64 = 1 << 12;
        instructions[offset as usize / 8] |= SOURCE_IS_A_MAP | number << 32;
    }
    instructions
}

fn file_of(version: &str, instructions: &[u64]) -> String {
    let mut text = format!(
        "//! Made from classifier.c; a table's number stands in the place of its address.\n\n\
         /// What has made it.\npub const COMPILER: &str = \"{version}\";\n\n\
         #[rustfmt::skip]\npub const INSTRUCTIONS: [u64; {}] = [\n",
        instructions.len()
    );
    for line in instructions.chunks(4) {
        let words: Vec<String> = line.iter().map(|word| format!("{word:#018x}")).collect();
        text.push_str(&format!("    {},\n", words.join(", ")));
    }
    text.push_str("];\n");
    text
}

const PASS: u32 = 2;
const REDIRECT: u32 = 4;

/// A classifier with a socket, which is bound to nothing.
struct Bench {
    classifier: Classifier,
    _socket: Socket,
}

impl Bench {
    /// `None`, and said why, where it is not allowed.
    fn new(what: &str) -> Option<Self> {
        let sizes = Sizes { fill: 64, completion: 64, receive: 64 };
        let made = Socket::beside(&sizes).and_then(|socket| {
            let classifier = Classifier::new(vec![socket.descriptor()], true)?;
            Ok(Self { classifier, _socket: socket })
        });
        match made {
            Ok(bench) => Some(bench),
            Err(errno @ (Errno::EPERM | Errno::EAFNOSUPPORT | Errno::ENOSYS)) => {
                skip(what, &format!("{errno:?}"));
                None
            }
            Err(errno) => panic!("{errno:?}"),
        }
    }

    fn verdict(&self, packet: &[u8]) -> u32 {
        self.classifier.test(packet).expect("a run")
    }
}

/// A datagram in its frame; `tag` is that of a VLAN.
fn frame(from: Endpoint, to: Endpoint, tag: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if let Some(tag) = tag {
        bytes.extend(0x8100u16.to_be_bytes());
        bytes.extend(tag.to_be_bytes());
    }
    match (from.address, to.address) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            bytes.extend(0x0800u16.to_be_bytes());
            bytes.extend([0x45, 0, 0, 36, 0, 0, 0x40, 0, 64, 17, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            bytes.extend(0x86ddu16.to_be_bytes());
            bytes.extend([0x60, 0, 0, 0, 0, 16, 17, 64]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
        }
        _ => panic!("two families"),
    }
    bytes.extend(from.port.to_be_bytes());
    bytes.extend(to.port.to_be_bytes());
    bytes.extend([0, 16, 0, 0]);
    bytes.extend(*b"payload!");
    bytes
}

#[test]
fn each_kind_of_flow_is_picked_and_no_other() {
    let Some(mut bench) = Bench::new("verdicts of the classifier") else { return };
    bench.classifier.localize(&[v4(1), v6(1)], &[]).expect("addresses");
    for address in [v4 as fn(u8) -> IpAddr, |last| v6(last.into())] {
        let local = Endpoint::new(address(1), 53);
        let remote = Endpoint::new(address(2), 4000);
        let wanted = frame(remote, local, None);
        let other_port = frame(remote, Endpoint { port: 54, ..local }, None);
        let other_peer = frame(Endpoint { port: 4001, ..remote }, local, None);
        let other_host = frame(remote, Endpoint { address: address(9), ..local }, None);
        // Which of the three others it may take: the port is always its own.
        for (flow, peers, hosts) in [
            (FlowKey::connected(local, remote), PASS, PASS),
            (FlowKey::open(local), REDIRECT, PASS),
            // Of the host's addresses, not of everybody's.
            (FlowKey::open(local.of_any_address()), REDIRECT, PASS),
            (FlowKey::connected(local.of_any_address(), remote), PASS, PASS),
        ] {
            assert_eq!(bench.verdict(&wanted), PASS, "{flow:?} before");
            bench.classifier.claim(&flow).expect("a claim");
            assert_eq!(bench.classifier.claim(&flow), Err(Errno::EADDRINUSE));
            assert_eq!(bench.verdict(&wanted), REDIRECT, "{flow:?}");
            assert_eq!(bench.verdict(&other_port), PASS, "{flow:?}");
            assert_eq!(bench.verdict(&other_peer), peers, "{flow:?}");
            assert_eq!(bench.verdict(&other_host), hosts, "{flow:?}");
            bench.classifier.disclaim(&flow).expect("it was claimed");
            assert_eq!(bench.classifier.disclaim(&flow), Err(Errno::ENOENT));
            assert_eq!(bench.verdict(&wanted), PASS, "{flow:?} afterwards");
        }
    }
}

#[test]
fn addresses_of_the_host_come_and_go() {
    let Some(mut bench) = Bench::new("addresses in the classifier") else { return };
    let flow = FlowKey::open(Endpoint::new(Ipv4Addr::UNSPECIFIED, 53));
    bench.classifier.claim(&flow).expect("a claim");
    let to = |last| frame(Endpoint::new(v4(2), 4000), Endpoint::new(v4(last), 53), None);
    for (addresses, first, second) in [
        (vec![], PASS, PASS),
        (vec![v4(1)], REDIRECT, PASS),
        (vec![v4(1), v4(3)], REDIRECT, REDIRECT),
        (vec![v4(3)], PASS, REDIRECT),
    ] {
        bench.classifier.localize(&addresses, &[]).expect("addresses");
        assert_eq!((bench.verdict(&to(1)), bench.verdict(&to(3))), (first, second));
    }
}

#[test]
fn vlans_are_those_of_the_host() {
    let Some(mut bench) = Bench::new("VLANs in the classifier") else { return };
    let local = Endpoint::new(v4(1), 53);
    bench.classifier.claim(&FlowKey::open(local)).expect("a claim");
    let tagged = |tag| frame(Endpoint::new(v4(2), 4000), local, Some(tag));
    const PRIORITY: u16 = 5 << 13;
    assert_eq!(bench.verdict(&tagged(PRIORITY)), REDIRECT, "a priority and no VLAN");
    assert_eq!(bench.verdict(&tagged(7)), PASS);
    bench.classifier.localize(&[], &[7]).expect("a VLAN");
    assert_eq!(bench.verdict(&tagged(7 | PRIORITY)), REDIRECT);
    assert_eq!(bench.verdict(&tagged(8)), PASS);
    bench.classifier.localize(&[], &[]).expect("no VLAN");
    assert_eq!(bench.verdict(&tagged(7)), PASS);
}

#[test]
fn what_the_kernel_knows_better_is_left_to_it() {
    let Some(mut bench) = Bench::new("packets that are left to the kernel") else { return };
    for (from, to, network) in [(v4(2), v4(1), 14), (v6(2), v6(1), 14)] {
        let local = Endpoint::new(to, 53);
        bench.classifier.claim(&FlowKey::open(local)).expect("a claim");
        let good = frame(Endpoint::new(from, 4000), local, None);
        assert_eq!(bench.verdict(&good), REDIRECT);
        let changed = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        assert_eq!(bench.verdict(&changed(0, 1)), PASS, "multicast");
        assert_eq!(bench.verdict(&changed(12, 0x88)), PASS, "another protocol");
        if to.is_ipv4() {
            assert_eq!(bench.verdict(&changed(network, 0x46)), PASS, "options");
            assert_eq!(bench.verdict(&changed(network, 0x55)), PASS, "another version");
            assert_eq!(bench.verdict(&changed(network + 6, 0x20)), PASS, "first fragment");
            assert_eq!(bench.verdict(&changed(network + 7, 1)), PASS, "later fragment");
            assert_eq!(bench.verdict(&changed(network + 9, 6)), PASS, "TCP");
        } else {
            assert_eq!(bench.verdict(&changed(network, 0x40)), PASS, "another version");
            assert_eq!(bench.verdict(&changed(network + 6, 44)), PASS, "fragment");
            assert_eq!(bench.verdict(&changed(network + 6, 0)), PASS, "hop-by-hop options");
            assert_eq!(bench.verdict(&changed(network + 6, 6)), PASS, "TCP");
        }
        // However short it is.
        let headers = good.len() - 8;
        assert_eq!(bench.verdict(&good[..headers]), REDIRECT);
        for length in 14..headers {
            assert_eq!(bench.verdict(&good[..length]), PASS, "cut to {length}");
        }
    }
}

#[test]
fn any_packet_gets_the_verdict_that_the_source_says() {
    let Some(mut bench) = Bench::new("verdicts on any packet") else { return };
    let claims = body::claims();
    bench.classifier.localize(&claims.addresses, &claims.vlans).expect("addresses");
    claims.flows.iter().for_each(|flow| bench.classifier.claim(flow).expect("a claim"));
    for input in inputs::inputs(20_000) {
        let packet = body::packet(&input);
        // The kernel runs it on nothing shorter.
        if packet.len() >= 14 {
            let expected = if claims.has(&packet) { REDIRECT } else { PASS };
            assert_eq!(bench.verdict(&packet), expected, "{packet:02x?}");
        }
    }
}

#[test]
fn whole_frames_are_picked_by_type() {
    let Some(mut bench) = Bench::new("frames in the classifier") else { return };
    let of_type = |kind: u16| {
        let mut bytes = vec![0xff; 6];
        bytes.extend([2, 0, 0, 0, 0, 2]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0; 46]);
        bytes
    };
    let both = |bench: &Bench| (bench.verdict(&of_type(0x88b5)), bench.verdict(&of_type(0x0806)));
    assert_eq!(both(&bench), (PASS, PASS));
    bench.classifier.claim_frames(Some(FrameType::Only(0x88b5))).expect("a type");
    assert_eq!(both(&bench), (REDIRECT, PASS));
    bench.classifier.claim_frames(Some(FrameType::Any)).expect("all");
    assert_eq!(both(&bench), (REDIRECT, REDIRECT));
    bench.classifier.claim_frames(None).expect("none");
    assert_eq!(both(&bench), (PASS, PASS));
}

#[test]
fn many_flows_find_room() {
    let Some(mut bench) = Bench::new("many flows in the classifier") else { return };
    let local = Endpoint::new(v4(1), 53);
    let peer = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        Endpoint::new(Ipv4Addr::new(172, a, b, c), 4000)
    };
    // More than there is room for at first.
    const FLOWS: u32 = 5000;
    for number in 0..FLOWS {
        bench.classifier.claim(&FlowKey::connected(local, peer(number))).expect("a claim");
    }
    for number in [0, 1, 4095, 4096, FLOWS - 1] {
        assert_eq!(bench.verdict(&frame(peer(number), local, None)), REDIRECT, "{number}");
    }
    assert_eq!(bench.verdict(&frame(peer(FLOWS), local, None)), PASS);
}
