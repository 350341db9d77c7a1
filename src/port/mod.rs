//! Ports: what moves frames between an interface and a DMA area. One trait, one file or folder
//! each; the engine over them does not know which it has.
//!
//! A port belongs to one area and one interface. The area is cut into chunks of one size, aligned
//! to it, and a frame is a chunk: named by its offset in the area. Who has a frame is always
//! clear: the engine gives it to the port with [`Port::fill`] or [`Port::send`] and gets it back
//! from [`Port::receive`] or [`Port::complete`]. What a port still had when it is dropped is the
//! engine's again.
//!
//! To add one: implement [`Port`], and say in its [`Facts`] what it can do.
#![forbid(unsafe_code)]

pub mod af_xdp;
mod chunks;
pub mod link;
pub mod memory;
pub mod packet_mmap;
pub mod ways;

use std::net::IpAddr;
use std::os::fd::RawFd;

use crate::error::{Errno, Result};
use crate::net::flow::FlowKey;
use crate::sys::gate::Gate;
use crate::sys::span::Span;

/// A stretch of the area that holds a packet or a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Segment {
    /// Where it begins in the area: within a chunk, not necessarily at its start.
    pub offset: u64,
    pub length: u32,
    /// The packet goes on with the next segment.
    pub more: bool,
}

/// Which frames are picked as a whole, whatever is in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameType {
    Any,
    /// The number that stands behind the addresses: linux/if_ether.h.
    Only(u16),
}

impl FrameType {
    pub fn includes(self, kind: u16) -> bool {
        match self {
            FrameType::Any => true,
            FrameType::Only(only) => only == kind,
        }
    }
}

/// What was known about a port when it was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The name that `sio_info` tells.
    pub name: &'static str,
    pub interface_index: u32,
    pub interface_name: String,
    pub hardware_address: [u8; 6],
    /// The largest network packet, without the Ethernet header.
    pub mtu_bytes: u32,
    /// Receive queues that the port serves.
    pub queues: u32,
    /// The size of a frame, and what it is aligned to.
    pub chunk_bytes: u32,
    /// Received data begins this far into a chunk.
    pub headroom_bytes: u32,
    /// Frames that make sense to be kept in [`Port::fill`] in all.
    pub fill_frames: u32,
    /// Segments that one packet to be sent may consist of, and one that is received.
    pub segments_max: u32,
    /// The driver works in the area itself; otherwise the kernel copies once in each direction.
    pub zero_copy: bool,
    /// The port itself copies what it receives and what it sends.
    pub copies: bool,
    /// What arrives may have come from this machine, with a checksum that nobody has filled in: it
    /// is that of the pseudo-header alone, and right like this.
    pub trusts_checksums: bool,
    /// Somebody behind the port fills in the checksums of what is sent.
    pub fills_in_checksums: bool,
}

/// Moves frames, in batches.
///
/// Contract: no call blocks. A frame that was given to the port comes back exactly once, and is
/// neither read nor written after that. Each call says how much it has taken; the caller keeps
/// the rest. Packets of one queue keep their order.
pub trait Port: Send {
    fn facts(&self) -> &Facts;

    /// Gives empty frames to receive into, by the offsets of their chunks: how many were taken.
    fn fill(&mut self, frames: &[u64]) -> usize;

    /// Appends a batch of what has arrived: how many segments. Packets are whole, their segments
    /// in order, each in a frame of its own. 0: there is nothing now.
    fn receive(&mut self, into: &mut Vec<Segment>) -> usize;

    /// Sends packets. How many segments were taken, always whole packets; the frames in which they
    /// lie belong to the port until [`Port::complete`] names them.
    fn send(&mut self, segments: &[Segment]) -> usize;

    /// Appends the offsets of segments that were sent, as [`Port::send`] was told them: how many.
    fn complete(&mut self, into: &mut Vec<u64>) -> usize;

    /// Tells the other side about what was given to it, if it has asked to be told.
    fn ring_doorbell(&mut self) -> Result<()>;

    /// Readable when there is something to receive.
    fn descriptors(&self) -> &[RawFd];

    /// With `true`, descriptors stay readable when what made them so has been received, until it is
    /// called with `false`. Where that cannot be had it does nothing.
    fn stay_readable(&mut self, _is_wanted: bool) {}

    /// Whether one is readable because of that.
    fn is_kept_readable(&self) -> bool {
        false
    }

    /// Packets of this flow come here from now on, and all others stay where they are. A flow
    /// that was claimed already: `EADDRINUSE`.
    fn claim(&mut self, flow: &FlowKey) -> Result<()>;

    /// A gate for [`Port::claim_behind`]. `EOPNOTSUPP`: this port has none.
    fn take_gate(&mut self) -> Result<Gate> {
        Err(Errno::EOPNOTSUPP)
    }

    /// As [`Port::claim`], for what the gate redirects.
    fn claim_behind(&mut self, _flow: &FlowKey, _gate: &Gate) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Lets a packet that it has received go on to the kernel after all.
    fn pass_on(&mut self, _packet: Span) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Whole frames come here too, of one type or all; `None`: no more.
    fn claim_frames(&mut self, _kind: Option<FrameType>) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// They do not any more. Those that are on their way already may still come.
    fn disclaim(&mut self, flow: &FlowKey) -> Result<()>;

    /// What the host is called by now: a flow of any local address means these unicast addresses,
    /// and a tagged packet is the host's if it is in one of these VLANs.
    fn localize(&mut self, _addresses: &[IpAddr], _vlans: &[u16]) -> Result<()> {
        Ok(())
    }
}
