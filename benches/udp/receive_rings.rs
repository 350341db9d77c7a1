//! sio-bench-udp-rings: the rings of AF_XDP as they are: takes frames, looks at the first byte of the
//! payload, and gives them back. What nothing over the rings can be faster than. Arguments and
//! counter: see udp.h; the interface is the one that has the address.

#[path = "receiver.rs"]
mod receiver;

use std::net::UdpSocket;

use sio::limits::FRAME_BYTES;
use sio::net::flow::{Endpoint, FlowKey};
use sio::port::af_xdp::AfXdp;
use sio::port::{Port, link};
use sio::region::Region;
use sio::region::map::Pages;

const FRAMES: u64 = 4096;
const HEADERS_BYTES: u64 = 14 + 20 + 8;

fn main() {
    let receiver::Arguments { address, port, counter } = receiver::arguments();
    // The port stays the kernel's.
    let _socket = UdpSocket::bind((address, port)).expect("bind");
    let interface = link::interface_by_name("near0").expect("the interface near0");
    let chunk = FRAME_BYTES as u32;
    let bytes = (FRAMES * u64::from(chunk)) as usize;
    let region = Region::new(1, bytes, Pages::Normal, 0, Some(chunk as usize)).expect("an area");
    let mut rings = AfXdp::open(&region, &interface, chunk).unwrap_or_else(|refusal| {
        eprintln!("{}", refusal.cause);
        std::process::exit(77);
    });
    rings.claim(&FlowKey::open(Endpoint::new(address, port))).expect("a claim");
    let frames: Vec<u64> = (0..FRAMES).map(|frame| frame * u64::from(chunk)).collect();
    rings.fill(&frames);
    let base = region.mapping().base();
    let (mut segments, mut back, mut sum) = (Vec::new(), Vec::new(), 0);
    loop {
        if rings.receive(&mut segments) == 0 {
            let mut wait =
                libc::pollfd { fd: rings.descriptors()[0], events: libc::POLLIN, revents: 0 };
            // SAFETY: one descriptor in a local.
            unsafe { libc::poll(&raw mut wait, 1, -1) };
            continue;
        }
        for segment in &segments {
            // SAFETY: the kernel has put a packet there, which is ours until it is given back.
            let byte = unsafe { base.add((segment.offset + HEADERS_BYTES) as usize).read() };
            sum += u64::from(byte);
            back.push(segment.offset & !u64::from(chunk - 1));
        }
        counter.add(segments.len() as u64, sum);
        segments.clear();
        let taken = rings.fill(&back);
        back.drain(..taken);
        rings.ring_doorbell().expect("a doorbell");
    }
}
