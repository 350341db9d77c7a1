//! Whole frames by rings that a socket of packet(7) shares with the kernel: for interfaces that
//! AF_XDP does not serve. What is received is a copy of the host's, so nothing is taken from anybody;
//! it is copied once by the kernel, into its ring, and once here, into the area, which costs less
//! than a system call for each frame. What is sent is copied here.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::chunks::Chunks;
use super::link::Interface;
use super::{Facts, FrameType, Port, Segment};
use crate::error::{Errno, Result};
use crate::net::flow::FlowKey;
use crate::region::Region;
use crate::sys::packet::EVERY_TYPE;
use crate::sys::packet_ring::{Arrived, HEADER_BYTES, Rings, Shape, Silence};

/// Where a received frame begins in its chunk: room for what stands in front of a message.
const HEADROOM_BYTES: u32 = 256;
/// The link layer's header with a VLAN tag.
const LINK_HEADER_BYTES: u32 = 18;
/// Interfaces that cut packets late have much larger ones.
const SLOT_BYTES: std::ops::RangeInclusive<u32> = 2 << 10..=16 << 10;
const RECEIVE_BYTES: u32 = 2 << 20;
const SEND_BYTES: u32 = 512 << 10;
const BATCH: usize = 64;
const FILL_FRAMES: u32 = 1024;
/// Pieces of one frame that are put together.
const SEGMENTS_MAX: u32 = 16;
/// No frame is larger, also one that was put together: a packet of IPv4 and its header.
const LARGE_BYTES_MAX: usize = (64 << 10) + LINK_HEADER_BYTES as usize;

pub struct PacketMmap {
    facts: Facts,
    area: Arc<Region>,
    rings: Rings,
    descriptors: [RawFd; 1],
    /// The program's socket, which is to get nothing while the frames come here.
    socket: RawFd,
    silence: Option<Silence>,
    chunks: Chunks,
    /// Segments of frames that the kernel has not taken yet, in order; the last of each frame.
    sent: VecDeque<(u64, bool)>,
    /// Where a frame is put that has come by the socket.
    large: Vec<u8>,
}

impl PacketMmap {
    /// A port for the frames of one socket of the program's.
    pub fn open(area: &Arc<Region>, interface: &Interface, socket: RawFd) -> Result<Self> {
        let chunk_bytes = area.frame_bytes().ok_or(Errno::EINVAL)? as u32;
        let wanted_bytes = interface.mtu_bytes.saturating_add(LINK_HEADER_BYTES + HEADER_BYTES);
        let slot_bytes =
            wanted_bytes.min(*SLOT_BYTES.end()).next_power_of_two().max(*SLOT_BYTES.start());
        let shape = Shape {
            slot_bytes,
            receive_slots: RECEIVE_BYTES / slot_bytes,
            send_slots: SEND_BYTES / slot_bytes,
        };
        let rings = Rings::new(shape)?;
        let room_bytes = rings.frame_bytes_max() as u32 - LINK_HEADER_BYTES;
        let facts = Facts {
            name: "packet_mmap",
            interface_index: interface.index,
            interface_name: interface.name.clone(),
            hardware_address: interface.hardware_address,
            mtu_bytes: interface.mtu_bytes.min(room_bytes),
            queues: 1,
            chunk_bytes,
            headroom_bytes: HEADROOM_BYTES,
            fill_frames: FILL_FRAMES,
            segments_max: SEGMENTS_MAX,
            zero_copy: false,
            copies: true,
            trusts_checksums: true,
            fills_in_checksums: false,
        };
        Ok(Self {
            chunks: Chunks::new(area, &facts),
            facts,
            area: area.clone(),
            descriptors: [rings.descriptor()],
            rings,
            socket,
            silence: None,
            sent: VecDeque::new(),
            large: Vec::new(),
        })
    }

    /// Stores a frame that is larger than a slot, if it is still there.
    fn store_large(&mut self, into: &mut Vec<Segment>) {
        self.large.resize(LARGE_BYTES_MAX, 0);
        let Ok(length) = self.rings.receive_large(&mut self.large) else { return };
        let large = &self.large;
        self.chunks.store(length, into, |room, part| room.fill_from(&large[part]));
    }
}

impl Port for PacketMmap {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn fill(&mut self, frames: &[u64]) -> usize {
        self.chunks.fill(frames)
    }

    /// What there is no chunk for stays in the ring, and the kernel drops what has no room there.
    fn receive(&mut self, into: &mut Vec<Segment>) -> usize {
        let before = into.len();
        for _ in 0..BATCH {
            let Some(arrived) = self.rings.arrived() else { break };
            let bytes = match arrived {
                Arrived::Frame(frame) => frame.len(),
                Arrived::Large => LARGE_BYTES_MAX,
                Arrived::Lost => 0,
            };
            if !self.chunks.has_room(bytes) {
                break;
            }
            match arrived {
                Arrived::Frame(frame) => self.chunks.store(bytes, into, |room, part| {
                    room.copy_from(frame.skip(part.start).first(part.len()));
                }),
                Arrived::Large => self.store_large(into),
                Arrived::Lost => {}
            }
            self.rings.give_back();
        }
        if into.len() == before {
            self.rings.clear_error();
        }
        into.len() - before
    }

    fn send(&mut self, segments: &[Segment]) -> usize {
        let mut taken = 0;
        while let Some(last) = segments[taken..].iter().position(|segment| !segment.more) {
            let frame = &segments[taken..=taken + last];
            let mapping = self.area.mapping();
            let span = |part: &Segment| mapping.span(part.offset as usize, part.length as usize);
            if !self.rings.send(frame.iter().map(span)) {
                break;
            }
            self.sent.extend(frame.iter().map(|segment| (segment.offset, segment.more)));
            taken += frame.len();
        }
        taken
    }

    /// A frame is in its slot at once, but it is told when the kernel has taken it: only then does
    /// nobody have to look after it any more.
    fn complete(&mut self, into: &mut Vec<u64>) -> usize {
        let before = into.len();
        while self.rings.has_taken() {
            while let Some((offset, more)) = self.sent.pop_front() {
                into.push(offset);
                if !more {
                    break;
                }
            }
        }
        if into.len() == before && !self.sent.is_empty() {
            // An interface that was full or down: it may not be any more.
            let _ = self.rings.kick();
        }
        into.len() - before
    }

    fn ring_doorbell(&mut self) -> Result<()> {
        if self.sent.is_empty() { Ok(()) } else { self.rings.kick() }
    }

    fn descriptors(&self) -> &[RawFd] {
        &self.descriptors
    }

    fn claim(&mut self, _flow: &FlowKey) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn disclaim(&mut self, _flow: &FlowKey) -> Result<()> {
        Ok(())
    }

    /// Between the two steps a frame may get lost, and none comes twice.
    fn claim_frames(&mut self, kind: Option<FrameType>) -> Result<()> {
        let Some(kind) = kind else {
            self.silence = None;
            return Ok(());
        };
        let silence = Silence::new(self.socket)?;
        let kind = match kind {
            FrameType::Any => EVERY_TYPE,
            FrameType::Only(kind) => kind,
        };
        self.rings.start(self.facts.interface_index, kind)?;
        self.silence = Some(silence);
        Ok(())
    }
}
