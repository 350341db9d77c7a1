//! Frames by AF_XDP: the driver, or the kernel behind it, puts packets of claimed flows into the
//! area and takes others out of it. The area is the memory of the sockets (their UMEM), and each
//! receive queue of the interface has a socket; the first one has another beside it, that sends.
//!
//! Read first: the kernel's Documentation/networking/af_xdp.rst.
#![forbid(unsafe_code)]

mod classifier;
mod instructions;
mod refusal;

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

pub use self::classifier::{Classifier, MAPS};
pub use self::instructions::{COMPILER, INSTRUCTIONS};
pub use self::refusal::{Verdict, check, survey};

use self::refusal::{area_too_small, attach_refused, bind_refused, interface_refused, refused};
use super::link::{self, Interface};
use super::{Facts, FrameType, Port, Segment};
use crate::error::{Errno, Refusal, Result};
use crate::net::flow::FlowKey;
use crate::region::Region;
use crate::sys::bpf::Program;
use crate::sys::gate::Gate;
use crate::sys::interface::receive_queues;
use crate::sys::span::Span;
use crate::sys::wait::monotonic_nanoseconds;
use crate::sys::xdp::{Binding, Descriptor, Mode, Outlet, Sizes, Socket, Statistics};

/// The driver may put something in front of a packet: `XDP_PACKET_HEADROOM`.
const HEADROOM_BYTES: u32 = 256;
/// The link layer's header with one VLAN tag.
const LINK_HEADER_BYTES: u32 = 18;
const CHUNK_BYTES_SMALL: u32 = 2048;
const CHUNK_BYTES_LARGE: u32 = 4096;
const RING_ENTRIES: u32 = 2048;
/// Fewer frames for each queue are no use.
const FRAMES_MIN: u32 = 16;
/// Fragments of a packet of the kernel's, at the least: `MAX_SKB_FRAGS`.
const SEGMENTS_MAX: u32 = 17;
/// Of packets that can be passed on: those of the kernel's test runs have to fit into a page with
/// room around them.
const PASSED_ON_BYTES_MAX: u32 = 3000;
/// To nobody, of a type for experiments: no kernel does anything with it. IEEE 802.
const NOBODYS_FRAME: [u8; 60] = {
    let mut frame = [0; 60];
    frame[0] = 2;
    frame[6] = 2;
    frame[12] = 0x88;
    frame[13] = 0xb5;
    frame
};
/// One batch, so that the rings come back into the cache.
const BATCH: usize = 64;
/// The kernel takes its time to let go of a queue after a socket was closed: it does so aside, and
/// waits there for whatever else changes interfaces. That may be one of a process that has ended.
const PATIENCE: Duration = Duration::from_secs(1);
/// What this process closed itself becomes free for certain.
const PATIENCE_WITH_OWN: Duration = Duration::from_secs(10);
const BIND_PAUSE: Duration = Duration::from_millis(10);

/// When this process last closed a port's sockets, in nanoseconds of CLOCK_MONOTONIC; 0: never.
static CLOSED: AtomicU64 = AtomicU64::new(0);

pub struct AfXdp {
    facts: Facts,
    /// Before the sockets: when it is gone, no packet is on its way to them.
    classifier: Classifier,
    sockets: Vec<Socket>,
    outlet: Outlet,
    descriptors: Vec<RawFd>,
    /// The driver itself runs the classifier: what is passed on does not meet it again.
    is_native: bool,
    /// What passes packets on, made for the first gate.
    passing: Option<Program>,
    _area: Arc<Region>,
}

/// The size of frames that suits an interface.
pub fn chunk_bytes(mtu_bytes: u32) -> u32 {
    if fits(mtu_bytes, CHUNK_BYTES_SMALL) { CHUNK_BYTES_SMALL } else { CHUNK_BYTES_LARGE }
}

fn fits(mtu_bytes: u32, chunk_bytes: u32) -> bool {
    mtu_bytes.saturating_add(LINK_HEADER_BYTES + HEADROOM_BYTES) <= chunk_bytes
}

impl AfXdp {
    /// A port between the whole of `area`, in frames of `chunk_bytes`, and an interface.
    pub fn open(
        area: &Arc<Region>,
        interface: &Interface,
        chunk_bytes: u32,
    ) -> std::result::Result<Self, Refusal> {
        let name = interface.name.as_str();
        interface_refused(interface)?;
        let queues = receive_queues(name).map_err(|errno| refused(errno, name))?;
        let frames = area.mapping().len() / chunk_bytes as usize;
        if frames < (FRAMES_MIN * queues) as usize {
            return Err(area_too_small(name, queues, FRAMES_MIN * chunk_bytes));
        }
        let (sockets, scattered, zero_copy) = sockets(area, interface, chunk_bytes, queues)?;
        let to = Binding { interface: interface.index, queue: 0, scattered };
        let outlet = Outlet::beside(&sockets[0], &to, RING_ENTRIES)
            .map_err(|errno| bind_refused(errno, name))?;
        let descriptors: Vec<RawFd> = sockets.iter().map(Socket::descriptor).collect();
        let mut classifier = load(&descriptors).map_err(|errno| refused(errno, name))?;
        let addresses = link::addresses().map_err(|errno| refused(errno, name))?;
        let vlans = link::vlans(interface.index).map_err(|errno| refused(errno, name))?;
        let vlans: Vec<u16> = vlans.iter().map(|vlan| vlan.id).collect();
        classifier.localize(&addresses, &vlans).map_err(|errno| refused(errno, name))?;
        let is_native = attach(&mut classifier, interface)?;
        let facts = Facts {
            name: "af_xdp",
            interface_index: interface.index,
            interface_name: interface.name.clone(),
            hardware_address: interface.hardware_address,
            mtu_bytes: interface.mtu_bytes,
            queues,
            chunk_bytes,
            headroom_bytes: HEADROOM_BYTES,
            fill_frames: RING_ENTRIES * queues,
            segments_max: if scattered && !zero_copy { SEGMENTS_MAX } else { 1 },
            zero_copy,
            copies: false,
            trusts_checksums: interface.is_virtual,
            fills_in_checksums: false,
        };
        let _area = area.clone();
        let passing = None;
        Ok(Self { facts, classifier, sockets, outlet, descriptors, is_native, passing, _area })
    }

    /// What the kernel says about each queue, and at the end about what is sent.
    pub fn statistics(&self) -> Result<Vec<Statistics>> {
        let queues = self.sockets.iter().map(Socket::statistics);
        queues.chain(std::iter::once(self.outlet.statistics())).collect()
    }

    /// The queue that has the fewest frames to receive into.
    fn neediest(&mut self) -> usize {
        let filled = self.sockets.iter_mut().map(Socket::filled).enumerate();
        filled.min_by_key(|(_, filled)| *filled).map_or(0, |(queue, _)| queue)
    }
}

/// Packets that lie in several buffers need Linux 5.18; without it, others are served.
fn load(descriptors: &[RawFd]) -> Result<Classifier> {
    match Classifier::new(descriptors.to_vec(), true) {
        Err(Errno::EINVAL) => Classifier::new(descriptors.to_vec(), false),
        answer => answer,
    }
}

/// A socket for each queue; whether packets may be scattered, and whether the driver works in the
/// area.
fn sockets(
    area: &Arc<Region>,
    interface: &Interface,
    chunk_bytes: u32,
    queues: u32,
) -> std::result::Result<(Vec<Socket>, bool, bool), Refusal> {
    let name = interface.name.as_str();
    let sizes = Sizes { fill: RING_ENTRIES, completion: RING_ENTRIES, receive: RING_ENTRIES };
    let mapping = area.mapping();
    let frames_bytes = mapping.len() / chunk_bytes as usize * chunk_bytes as usize;
    let first = Socket::over(mapping.span(0, frames_bytes), chunk_bytes, &sizes)
        .map_err(|errno| refused(errno, name))?;
    let mut to = Binding { interface: interface.index, queue: 0, scattered: true };
    let whole = fits(interface.mtu_bytes, chunk_bytes);
    let attempts = [
        (Mode::ZeroCopy, true, true),
        (Mode::ZeroCopy, false, whole),
        (Mode::Copy, true, true),
        (Mode::Copy, false, whole),
    ];
    let mut outcome = Err(Errno::EOPNOTSUPP);
    for (mode, scattered, sensible) in attempts {
        if !sensible {
            continue;
        }
        to.scattered = scattered;
        outcome = patiently(|| first.bind(&to, mode));
        if !matches!(outcome, Err(Errno::EOPNOTSUPP | Errno::EINVAL)) {
            break;
        }
    }
    outcome.map_err(|errno| bind_refused(errno, name))?;
    let zero_copy = first.is_zero_copy().map_err(|errno| refused(errno, name))?;
    let scattered = to.scattered;
    let mut sockets = vec![first];
    for queue in 1..queues {
        let further = Socket::beside(&sizes).map_err(|errno| refused(errno, name))?;
        to.queue = queue;
        patiently(|| further.bind_beside(&to, &sockets[0]))
            .map_err(|errno| bind_refused(errno, name))?;
        sockets.push(further);
    }
    Ok((sockets, scattered, zero_copy))
}

/// Tries again for a while, as long as a queue that is no longer used is not free yet.
fn patiently(bind: impl Fn() -> Result<()>) -> Result<()> {
    let begin = Duration::from_nanos(monotonic_nanoseconds());
    let closed = Duration::from_nanos(CLOSED.load(Ordering::Relaxed));
    let end = (begin + PATIENCE).max(closed + PATIENCE_WITH_OWN);
    loop {
        match bind() {
            Err(Errno::EBUSY) if Duration::from_nanos(monotonic_nanoseconds()) < end => {
                sleep(BIND_PAUSE);
            }
            answer => return answer,
        }
    }
}

impl Drop for AfXdp {
    fn drop(&mut self) {
        CLOSED.store(monotonic_nanoseconds(), Ordering::Relaxed);
    }
}

/// In the driver (`true`), or behind it where the driver cannot.
fn attach(
    classifier: &mut Classifier,
    interface: &Interface,
) -> std::result::Result<bool, Refusal> {
    let answer = match classifier.attach(interface.index, true) {
        Err(errno) if !matches!(errno, Errno::EBUSY | Errno::EEXIST | Errno::EPERM) => {
            classifier.attach(interface.index, false).map(|()| false)
        }
        answer => answer.map(|()| true),
    };
    answer.map_err(|errno| attach_refused(errno, &interface.name))
}

impl Port for AfXdp {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn fill(&mut self, frames: &[u64]) -> usize {
        let mut rest = frames;
        while !rest.is_empty() {
            let queue = if self.sockets.len() > 1 { self.neediest() } else { 0 };
            let share = if self.sockets.len() > 1 { rest.len().min(BATCH) } else { rest.len() };
            let taken = self.sockets[queue].fill(&rest[..share]);
            if taken == 0 {
                break;
            }
            rest = &rest[taken..];
        }
        frames.len() - rest.len()
    }

    fn receive(&mut self, into: &mut Vec<Segment>) -> usize {
        let mut received = 0;
        for socket in &mut self.sockets {
            let before = into.len();
            let count = socket.receive(BATCH, |entry| {
                into.push(Segment {
                    offset: entry.offset,
                    length: entry.length,
                    more: entry.options & Descriptor::MORE != 0,
                });
            });
            into.truncate(before + count);
            received += count;
        }
        received
    }

    fn stay_readable(&mut self, is_wanted: bool) {
        self.sockets.iter_mut().for_each(|socket| socket.stay_readable(is_wanted));
    }

    fn is_kept_readable(&self) -> bool {
        self.sockets.iter().any(Socket::is_kept_readable)
    }

    /// All through one queue, so that packets keep their order.
    fn send(&mut self, segments: &[Segment]) -> usize {
        let room = self.outlet.room(segments.len());
        let whole = segments[..room].iter().rposition(|segment| !segment.more);
        let count = whole.map_or(0, |last| last + 1);
        if count > 0 {
            self.outlet.send(segments[..count].iter().map(|segment| Descriptor {
                offset: segment.offset,
                length: segment.length,
                options: if segment.more { Descriptor::MORE } else { 0 },
            }));
        }
        count
    }

    fn complete(&mut self, into: &mut Vec<u64>) -> usize {
        self.sockets
            .first_mut()
            .map_or(0, |socket| socket.complete(RING_ENTRIES as usize, |offset| into.push(offset)))
    }

    fn ring_doorbell(&mut self) -> Result<()> {
        self.outlet.wake()?;
        self.sockets.iter_mut().try_for_each(Socket::wake_to_receive)
    }

    fn descriptors(&self) -> &[RawFd] {
        &self.descriptors
    }

    fn claim(&mut self, flow: &FlowKey) -> Result<()> {
        self.classifier.claim(flow)
    }

    /// Not where a packet that is passed on would meet the classifier once more, may lie in several
    /// frames, or cannot be passed on at all.
    fn take_gate(&mut self) -> Result<Gate> {
        if !self.is_native || self.facts.mtu_bytes > PASSED_ON_BYTES_MAX {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.passing.is_none() {
            let program = Program::pass()?;
            // Older kernels know no packets of ours: EINVAL.
            program.run_live(&NOBODYS_FRAME, self.facts.interface_index, 0)?;
            self.passing = Some(program);
        }
        self.classifier.take_gate()
    }

    fn claim_behind(&mut self, flow: &FlowKey, gate: &Gate) -> Result<()> {
        self.classifier.claim_behind(flow, gate)
    }

    fn pass_on(&mut self, packet: Span) -> Result<()> {
        let program = self.passing.as_ref().ok_or(Errno::EOPNOTSUPP)?;
        program.run_live(&packet.to_vec(), self.facts.interface_index, 0)
    }

    fn claim_frames(&mut self, kind: Option<FrameType>) -> Result<()> {
        self.classifier.claim_frames(kind)
    }

    fn disclaim(&mut self, flow: &FlowKey) -> Result<()> {
        self.classifier.disclaim(flow)
    }

    fn localize(&mut self, addresses: &[IpAddr], vlans: &[u16]) -> Result<()> {
        self.classifier.localize(addresses, vlans)
    }
}
