//! Any packet, as the kernel's classifier sees it: `fuzz/run classifier`. What it decides is what the
//! model in `tests/packets/body.rs` says. Needs the capabilities of AF_XDP; no interface is touched.

#![no_main]

#[path = "../tests/packets/body.rs"]
mod body;

use libfuzzer_sys::fuzz_target;
use sio::port::af_xdp::Classifier;
use sio::sys::xdp::{Sizes, Socket};

const PASS: u32 = 2;
const REDIRECT: u32 = 4;
/// The kernel runs it on nothing shorter.
const BYTES_MIN: usize = 14;

struct Bench {
    claims: body::Claims,
    classifier: Classifier,
    _socket: Socket,
}

thread_local! {
    static BENCH: Bench = bench();
}

fn bench() -> Bench {
    let sizes = Sizes { fill: 64, completion: 64, receive: 64 };
    let socket = Socket::beside(&sizes).expect("CAP_NET_RAW");
    let mut classifier =
        Classifier::new(vec![socket.descriptor()], true).expect("CAP_BPF and CAP_NET_ADMIN");
    let claims = body::claims();
    classifier.localize(&claims.addresses, &claims.vlans).expect("addresses");
    claims.flows.iter().for_each(|flow| classifier.claim(flow).expect("a claim"));
    Bench { claims, classifier, _socket: socket }
}

fuzz_target!(|input: &[u8]| {
    let packet = body::packet(input);
    if packet.len() < BYTES_MIN {
        return;
    }
    BENCH.with(|bench| {
        let expected = if bench.claims.has(&packet) { REDIRECT } else { PASS };
        assert_eq!(bench.classifier.test(&packet), Ok(expected));
    });
});
