//! Whole frames over rings of packet(7): what is sent to the loopback interface comes back from there.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sio::api::ethernet::{self, Wanted};
use sio::engine::frame::open_copied_frames;
use sio::engine::{Ask, Form, Received, Request, Socket};
use sio::error::Errno;
use sio::region::Region;

use super::rig::{AREA_BYTES, area, bytes};

/// For experiments within one host: IEEE 802, section 9.2.3.
const KINDS: u16 = 0x88b5;
const HEADING_BYTES: usize = 14;
const PATIENCE: Duration = Duration::from_secs(10);

struct Station {
    socket: Socket,
    region: Arc<Region>,
    kind: u16,
    _fd: OwnedFd,
}

impl Station {
    /// `None`, and it says why: this process may not have such sockets. Tests have a type each.
    fn open(kind: u16) -> Option<Self> {
        let wanted = Wanted { kind: Some(kind), promiscuous: false, nonblocking: true };
        let fd = match ethernet::open("lo", &wanted) {
            Err(Errno::EPERM | Errno::EACCES) => {
                println!("skipped: sockets of packet(7) need CAP_NET_RAW");
                return None;
            }
            // SAFETY: opened a moment ago, and nobody else's.
            opened => unsafe { OwnedFd::from_raw_fd(opened.expect("a socket")) },
        };
        let region = area(AREA_BYTES);
        let socket = Socket::new(fd.as_raw_fd(), region.clone(), 0).expect("a socket");
        let flow = open_copied_frames(fd.as_raw_fd(), &region, &socket.account);
        let flow = flow.unwrap_or_else(|refusal| panic!("{}", refusal.cause));
        Some(Self { socket: socket.with_flow(flow), region, kind, _fd: fd })
    }

    fn frame(&self, payload_bytes: usize) -> Vec<u8> {
        let mut frame = vec![0; HEADING_BYTES - 2];
        frame.extend(self.kind.to_be_bytes());
        frame.extend(bytes(payload_bytes));
        frame
    }

    /// Sends a frame whose parts lie in blocks of their own.
    fn send(&self, parts: &[&[u8]]) {
        let blocks: Vec<(usize, usize)> = parts
            .iter()
            .map(|part| {
                let block = self.region.reserve(part.len()).expect("room");
                let offset = self.region.mapping().offset_of(block, part.len()).expect("inside");
                self.region.mapping().span(offset, part.len()).fill_from(part);
                (block, part.len())
            })
            .collect();
        let lent = blocks.iter().map(|&(block, length)| self.region.lend(block, length));
        let mut request = Request {
            pieces: lent.map(|loan| loan.expect("a block")).collect(),
            file: None,
            length: parts.iter().map(|part| part.len()).sum(),
            address: blocks[0].0,
            name: None,
            control: None,
            flags: 0,
            quiet: false,
        };
        let flow = self.socket.flow().expect("a flow");
        assert!(flow.send(&self.socket, &mut request).expect("sent").copied);
        drop(request);
        for (block, length) in blocks {
            self.region.release(block, length).expect("ours");
        }
    }

    fn receive(&self) -> Vec<u8> {
        let (ask, end) =
            (Ask { size: usize::MAX, flags: 0, form: Form::Data }, Instant::now() + PATIENCE);
        let flow = self.socket.flow().expect("a flow");
        loop {
            match flow.receive(&ask, &self.socket, false, || Ok(())) {
                Ok(Received::Block { address, count, .. }) => {
                    let offset = self.region.mapping().offset_of(address, count).expect("inside");
                    let data = self.region.mapping().span(offset, count).to_vec();
                    self.region.release(address, count).expect("ours");
                    return data;
                }
                Err(Errno::EAGAIN) if Instant::now() < end => sleep(Duration::from_millis(1)),
                other => panic!("{:?}", other.map(drop)),
            }
        }
    }

    /// All that was lent has come back.
    fn await_peace(&self) {
        let (flow, end) = (self.socket.flow().expect("a flow"), Instant::now() + PATIENCE);
        while !self.region.is_idle() {
            assert!(Instant::now() < end, "something is held or on its way");
            flow.slept();
            sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn rings_of_packet_carry_frames_of_every_length() {
    let Some(station) = Station::open(KINDS) else { return };
    for payload_bytes in [1, 46, 64, 500, 1500, 3900] {
        let frame = station.frame(payload_bytes);
        station.send(&[&frame]);
        assert_eq!(station.receive(), frame);
    }
    let (received, copied) = station.socket.counters.received();
    assert!(received > 0 && received == copied, "{copied} of {received} copied");
    station.await_peace();
}

#[test]
fn rings_of_packet_put_frames_together_and_apart() {
    let Some(station) = Station::open(KINDS + 1) else { return };
    // Larger than a frame of the area, and than a slot of the ring.
    let frame = station.frame(40_000);
    let parts: Vec<&[u8]> = frame.chunks(3000).collect();
    for _ in 0..3 {
        station.send(&parts);
        assert!(station.receive() == frame);
    }
    station.await_peace();
}

#[test]
fn rings_of_packet_keep_the_order() {
    let Some(station) = Station::open(KINDS + 2) else { return };
    let mut next = 0usize;
    for round in 0..50 {
        for number in 0..=round % 8 {
            station.send(&[&station.frame(100 + next + number)]);
        }
        for _ in 0..=round % 8 {
            assert_eq!(station.receive().len(), HEADING_BYTES + 100 + next);
            next += 1;
        }
    }
    station.await_peace();
}
