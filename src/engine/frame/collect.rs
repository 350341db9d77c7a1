//! Taking in what a port has received: which socket each packet is for, and where its payload lies.
#![forbid(unsafe_code)]

use super::hub::{Hub, State};
use super::inlet::{Arrival, Gathered, Place};
use crate::net::checksum::Sum;
use crate::net::frame::FrameHeading;
use crate::net::parse::{Datagram, HEAD_BYTES, Head, Heading, parse_head};
use crate::net::{ETHERNET_BYTES, HEADER_BYTES_MAX};
use crate::port::Segment;
use crate::region::{Given, Loan};
use crate::sys::span::Span;

/// A VLAN's tag, behind which the headers go on.
const TAG_BYTES: usize = 4;
const NO_HEAD: Head = [0; HEAD_BYTES];
/// Batches that are taken in with one look: a flood must not keep the caller for ever.
const BATCHES_MAX: usize = 8;

impl State {
    /// Whether there was anything.
    pub(super) fn receive(&mut self, hub: &Hub) -> bool {
        let mut segments = std::mem::take(&mut self.segments);
        let mut has_received = false;
        for _ in 0..BATCHES_MAX {
            segments.clear();
            if self.port.receive(&mut segments) == 0 {
                break;
            }
            has_received = true;
            // What they begin with is not in the cache: it comes while others are looked at.
            segments.iter().for_each(|segment| span(hub, segment).prefetch());
            let mut rest = segments.as_slice();
            while let Some(last) = rest.iter().position(|segment| !segment.more) {
                let (packet, after) = rest.split_at(last + 1);
                rest = after;
                for segment in packet {
                    self.filling.filled(hub.region().frame_at(segment.offset as usize));
                }
                self.packet(hub, packet);
            }
            // The kernel keeps on receiving while the program works on this.
            self.filling.fill(&mut *self.port);
            if std::mem::take(&mut self.is_crowded) {
                // To take in what nobody has room for would be work for nothing: the port drops it
                // for less.
                break;
            }
        }
        self.segments = segments;
        has_received
    }

    /// One packet, whose frames are ours.
    fn packet(&mut self, hub: &Hub, segments: &[Segment]) {
        if self.has_whole()
            && let Some((slot, part)) = self.look_at_frame(hub, segments)
        {
            let Some(place) = place(hub, segments, part, None) else {
                self.dropped += 1;
                return;
            };
            return self.deliver(hub, slot, Arrival::new(place, false));
        }
        match self.look(hub, segments) {
            Some((slot, datagram)) => {
                let heading = datagram.heading();
                if let Some(place) = place(hub, segments, Part::of(&datagram), Some(heading)) {
                    let arrival = Arrival::new(place, datagram.source.address.is_ipv6());
                    return self.deliver(hub, slot, arrival);
                }
                self.dropped += 1;
            }
            None => {
                self.dropped += 1;
                drop_segments(hub, segments);
            }
        }
    }

    /// Whose the packet is as a whole.
    fn look_at_frame(&self, hub: &Hub, segments: &[Segment]) -> Option<(usize, Part)> {
        let bytes: usize = segments.iter().map(|segment| segment.length as usize).sum();
        let start = span(hub, segments.first()?);
        let mut heading = [0; ETHERNET_BYTES];
        if start.read(&mut heading) < heading.len() || u16::try_from(bytes).is_err() {
            return None;
        }
        let slot = self.find_whole(FrameHeading::new(&heading).kind)?;
        Some((slot, Part { from: 0, bytes }))
    }

    /// Whose the packet is, if it is a datagram, undamaged, and somebody's.
    fn look(&mut self, hub: &Hub, segments: &[Segment]) -> Option<(usize, Datagram)> {
        let bytes = segments.iter().map(|segment| segment.length as usize).sum();
        let first = segments.first()?;
        // Headers that are spread over frames are no headers: the first frame has room for them.
        if segments.len() > 1 && (first.length as usize) < HEADER_BYTES_MAX {
            return None;
        }
        let region = hub.region();
        let offset = first.offset as usize;
        // No packet begins so far behind in its frame that there are no headers.
        let in_frame = region.frame_offset(region.frame_at(offset) + 1) - offset;
        if in_frame < HEAD_BYTES + TAG_BYTES {
            return None;
        }
        let head =
            |from| region.mapping().span(offset + from, HEAD_BYTES).head().unwrap_or(NO_HEAD);
        let datagram = parse_head(&head(0), bytes, || head(TAG_BYTES)).ok()?;
        let slot = self.find(datagram.destination, datagram.source)?;
        self.arrived(slot);
        self.is_intact(hub, segments, &datagram).then_some((slot, datagram))
    }

    fn is_intact(&self, hub: &Hub, segments: &[Segment], datagram: &Datagram) -> bool {
        if datagram.checksum == 0 {
            return true;
        }
        let (source, destination) = (datagram.source.address, datagram.destination.address);
        let udp_bytes = datagram.payload_bytes + 8;
        // A packet that never left this machine may have what the card was to finish.
        if hub.facts().trusts_checksums {
            let pseudo = Sum::of_pseudo_header(source, destination, udp_bytes);
            if pseudo.unfinished() == datagram.checksum {
                return true;
            }
        }
        let mut sum = datagram.sum();
        for piece in pieces(hub, segments, Part::of(datagram)) {
            add_span(&mut sum, piece);
        }
        sum.is_right()
    }
}

/// What of a packet the program is to have.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    bytes: usize,
}

impl Part {
    fn of(datagram: &Datagram) -> Self {
        Self { from: datagram.payload_from, bytes: datagram.payload_bytes }
    }
}

/// Where a part of a packet is to stay. The frames of one that came in several are given back.
fn place(hub: &Hub, segments: &[Segment], part: Part, heading: Option<Heading>) -> Option<Place> {
    let bytes = part.bytes;
    if let [only] = segments {
        let region = hub.region();
        let offset = only.offset as usize + part.from;
        let frame = region.frame_at(only.offset as usize);
        let from = offset - region.frame_offset(frame);
        return Some(Place::Frame(Given { frame, from, bytes }));
    }
    let loan = gather(hub, segments, part);
    drop_segments(hub, segments);
    let gathered = Gathered { loan: loan?, heading };
    Some(Place::Gathered { number: hub.keep_gathered(gathered), bytes })
}

fn span(hub: &Hub, segment: &Segment) -> Span {
    hub.region().mapping().span(segment.offset as usize, segment.length as usize)
}

/// The pieces of a part, in order.
fn pieces<'a>(
    hub: &'a Hub,
    segments: &'a [Segment],
    part: Part,
) -> impl Iterator<Item = Span> + 'a {
    let Part { from: mut skip, bytes: mut left } = part;
    segments.iter().filter_map(move |segment| {
        let all = span(hub, segment);
        let passed = skip.min(all.len());
        skip -= passed;
        let rest = all.skip(passed);
        let piece = rest.first(rest.len().min(left));
        left -= piece.len();
        (!piece.is_empty()).then_some(piece)
    })
}

/// Copies a part into one block.
fn gather(hub: &Hub, segments: &[Segment], part: Part) -> Option<Loan> {
    let loan = hub.region().take(part.bytes)?;
    let mut room = loan.span();
    for piece in pieces(hub, segments, part) {
        room.copy_from(piece);
        room = room.skip(piece.len());
    }
    Some(loan)
}

fn drop_segments(hub: &Hub, segments: &[Segment]) {
    let region = hub.region();
    for segment in segments {
        region.drop_frame(region.frame_at(segment.offset as usize));
    }
}

/// Adds the bytes of a stretch of memory to a sum.
pub(super) fn add_span(sum: &mut Sum, span: Span) {
    const TOGETHER: usize = 512;
    let mut bytes = [0; TOGETHER];
    let mut rest = span;
    while !rest.is_empty() {
        let count = rest.read(&mut bytes);
        sum.add(&bytes[..count]);
        rest = rest.skip(count);
    }
}
