//! sio-bench-udp-send-rings: sends frames by the rings of AF_XDP as they are, over and over the same
//! ones. Arguments and counter: see udp.h; the interface is the one that the benchmark makes.

#[path = "receiver.rs"]
mod receiver;

use sio::limits::FRAME_BYTES;
use sio::port::af_xdp::AfXdp;
use sio::port::{Port, Segment, link};
use sio::region::Region;
use sio::region::map::Pages;

const FRAMES: u64 = 256;
/// As many at once, as the other programs send.
const BATCH: usize = 64;

fn main() {
    let receiver::Arguments { address, port, counter } = receiver::arguments();
    let interface = link::interface_by_name("near0").expect("the interface near0");
    let chunk = FRAME_BYTES as u32;
    let bytes = (FRAMES * u64::from(chunk)) as usize;
    let region = Region::new(1, bytes, Pages::Normal, 0, Some(chunk as usize)).expect("an area");
    let mut rings = AfXdp::open(&region, &interface, chunk).unwrap_or_else(|refusal| {
        eprintln!("{}", refusal.cause);
        std::process::exit(77);
    });
    let frame = receiver::frame(address, port);
    let offsets: Vec<u64> = (0..FRAMES).map(|frame| frame * u64::from(chunk)).collect();
    for &offset in &offsets {
        region.mapping().span(offset as usize, frame.len()).fill_from(&frame);
    }
    let segment = |&offset: &u64| Segment { offset, length: frame.len() as u32, more: false };
    let mut waiting: Vec<Segment> = offsets.iter().map(segment).collect();
    let (mut back, mut sent) = (Vec::new(), 0);
    loop {
        let batch = waiting.len().min(BATCH);
        let taken = rings.send(&waiting[..batch]);
        waiting.drain(..taken);
        rings.ring_doorbell().expect("a doorbell");
        sent += rings.complete(&mut back) as u64;
        waiting.extend(back.drain(..).map(|offset| segment(&offset)));
        counter.add(std::mem::take(&mut sent), 0);
    }
}
