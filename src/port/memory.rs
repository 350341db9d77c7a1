//! A pair of ports that are connected by nothing but memory: for tests that are the same every
//! time, with packets that get lost, doubled, late or damaged exactly when a test says so.
//!
//! It copies, as a wire does. What belongs to no flow that was claimed is kept aside, where the
//! kernel would get it.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::chunks::Chunks;
use super::{Facts, Port, Segment};
use crate::error::{Errno, Result};
use crate::net::flow::FlowKey;
use crate::net::parse::parse;
use crate::net::table::FlowTable;
use crate::region::Region;
use crate::sys::descriptor::Counter;
use crate::sys::sync::Mutex;

/// What a wire does to a packet: what comes out at the other end, in order.
pub type Tamper = Box<dyn FnMut(Vec<u8>) -> Vec<Vec<u8>> + Send>;

/// One direction of the wire, as its two ends see it.
struct Lane {
    packets: VecDeque<Vec<u8>>,
    tamper: Option<Tamper>,
    /// What the receiving end has claimed.
    claims: FlowTable<()>,
    /// What the other end's kernel has got.
    passed: Vec<Vec<u8>>,
}

/// A direction of the wire, for the test that looks at it.
#[derive(Clone)]
pub struct Wire {
    lane: Arc<Mutex<Lane>>,
    /// Readable while packets wait.
    news: Arc<Counter>,
}

impl Lane {
    fn is_claimed(&self, packet: &[u8]) -> bool {
        parse(packet).is_ok_and(|datagram| self.claims.find(&datagram.ends).is_some())
    }
}

impl Wire {
    fn new() -> Result<Self> {
        let claims = FlowTable::new(0);
        let lane = Lane { packets: VecDeque::new(), tamper: None, claims, passed: Vec::new() };
        Ok(Self { lane: Arc::new(Mutex::new(lane)), news: Arc::new(Counter::new()?) })
    }

    /// Every packet from now on is what `tamper` makes of it.
    pub fn set_tamper(&self, tamper: Option<Tamper>) {
        self.lane.lock().tamper = tamper;
    }

    /// Puts a packet on the wire.
    pub fn put(&self, packet: Vec<u8>) {
        let mut lane = self.lane.lock();
        let packets = match &mut lane.tamper {
            Some(tamper) => tamper(packet),
            None => vec![packet],
        };
        for packet in packets {
            if lane.is_claimed(&packet) {
                lane.packets.push_back(packet);
                self.news.raise();
            } else {
                lane.passed.push(packet);
            }
        }
    }

    /// Packets that nobody claimed, so that the kernel got them.
    pub fn take_passed(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lane.lock().passed)
    }

    /// Packets that nobody has received yet.
    pub fn waiting(&self) -> usize {
        self.lane.lock().packets.len()
    }
}

/// One end.
pub struct MemoryPort {
    facts: Facts,
    region: Arc<Region>,
    outward: Wire,
    inward: Wire,
    descriptors: [RawFd; 1],
    chunks: Chunks,
    sent: VecDeque<u64>,
    /// Sent packets that may be named by [`Port::complete`]: all, unless a test holds them back.
    gate: Arc<Mutex<Gate>>,
}

/// How much of what was sent is said to be sent.
pub struct Gate {
    pub is_open: bool,
    /// Segments that are taken before the port says that it is full.
    pub room: usize,
    /// How often it was told to begin.
    pub doorbells: usize,
}

/// What distinguishes one end from the other.
pub struct End {
    pub region: Arc<Region>,
    pub interface_index: u32,
    pub hardware_address: [u8; 6],
}

/// Received data begins there, as the kernel has it. linux/bpf.h, `XDP_PACKET_HEADROOM`.
const HEADROOM_BYTES: u32 = 256;
const BATCH: usize = 64;
const FILL_FRAMES: u32 = 256;

/// Two connected ports. `facts` has what both say besides what distinguishes them.
pub fn pair(first: End, second: End, facts: &Facts) -> Result<(MemoryPort, MemoryPort)> {
    let (there, back) = (Wire::new()?, Wire::new()?);
    Ok((
        MemoryPort::new(first, there.clone(), back.clone(), facts)?,
        MemoryPort::new(second, back, there, facts)?,
    ))
}

/// What such a port says when it has no reason to say anything else.
pub fn usual_facts() -> Facts {
    Facts {
        name: "memory",
        interface_index: 0,
        interface_name: String::new(),
        hardware_address: [0; 6],
        mtu_bytes: 1500,
        queues: 1,
        chunk_bytes: 0,
        headroom_bytes: HEADROOM_BYTES,
        fill_frames: FILL_FRAMES,
        segments_max: 8,
        zero_copy: true,
        copies: false,
        trusts_checksums: false,
        fills_in_checksums: false,
    }
}

impl MemoryPort {
    fn new(end: End, outward: Wire, inward: Wire, facts: &Facts) -> Result<Self> {
        let chunk_bytes = end.region.frame_bytes().ok_or(Errno::EINVAL)?;
        let facts = Facts {
            interface_index: end.interface_index,
            interface_name: format!("memory{}", end.interface_index),
            hardware_address: end.hardware_address,
            chunk_bytes: chunk_bytes as u32,
            ..facts.clone()
        };
        Ok(Self {
            chunks: Chunks::new(&end.region, &facts),
            facts,
            region: end.region,
            descriptors: [inward.news.fd()],
            outward,
            inward,
            sent: VecDeque::new(),
            gate: Arc::new(Mutex::new(Gate { is_open: true, room: usize::MAX, doorbells: 0 })),
        })
    }

    /// The direction in which this end sends, and the one in which it receives.
    pub fn wires(&self) -> (Wire, Wire) {
        (self.outward.clone(), self.inward.clone())
    }

    pub fn gate(&self) -> Arc<Mutex<Gate>> {
        self.gate.clone()
    }
}

impl Port for MemoryPort {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn fill(&mut self, frames: &[u64]) -> usize {
        self.chunks.fill(frames)
    }

    fn receive(&mut self, into: &mut Vec<Segment>) -> usize {
        let before = into.len();
        let wire = self.inward.clone();
        for _ in 0..BATCH {
            let Some(packet) = wire.lane.lock().packets.pop_front() else { break };
            // Otherwise it is lost for want of a frame, as on a wire.
            if self.chunks.has_room(packet.len()) {
                self.chunks.store(packet.len(), into, |room, part| room.fill_from(&packet[part]));
            }
        }
        let lane = wire.lane.lock();
        if lane.packets.is_empty() {
            wire.news.lower();
        }
        into.len() - before
    }

    fn send(&mut self, segments: &[Segment]) -> usize {
        let room = self.gate.lock().room.saturating_sub(self.sent.len());
        let mut taken = 0;
        let mut packet = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            if number >= room {
                break;
            }
            let span = self.region.mapping().span(segment.offset as usize, segment.length as usize);
            packet.extend(span.to_vec());
            if !segment.more {
                self.outward.put(std::mem::take(&mut packet));
                self.sent.extend(segments[taken..=number].iter().map(|segment| segment.offset));
                taken = number + 1;
            }
        }
        taken
    }

    fn complete(&mut self, into: &mut Vec<u64>) -> usize {
        if !self.gate.lock().is_open {
            return 0;
        }
        let count = self.sent.len();
        into.extend(self.sent.drain(..));
        count
    }

    fn ring_doorbell(&mut self) -> Result<()> {
        self.gate.lock().doorbells += 1;
        Ok(())
    }

    fn descriptors(&self) -> &[RawFd] {
        &self.descriptors
    }

    fn claim(&mut self, flow: &FlowKey) -> Result<()> {
        let is_new = self.inward.lane.lock().claims.insert(flow, ());
        if is_new { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }

    fn disclaim(&mut self, flow: &FlowKey) -> Result<()> {
        self.inward.lane.lock().claims.remove(flow).ok_or(Errno::ENOENT)
    }
}
