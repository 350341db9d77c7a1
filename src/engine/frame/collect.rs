//! Taking in what a port has received: which socket each packet is for, and where its payload lies.
#![forbid(unsafe_code)]

use super::hub::{Hub, State};
use super::inlet::{Arrival, Gathered, Place};
use crate::net::checksum::Sum;
use crate::net::familiar::{Familiar, Next, PAYLOAD_FROM};
use crate::net::flow::Ends;
use crate::net::frame::FrameHeading;
use crate::net::parse::{Datagram, HEAD_BYTES, Head, parse_head};
use crate::net::{ETHERNET_BYTES, HEADER_BYTES_MAX, UDP_BYTES};
use crate::port::Segment;
use crate::region::{Given, Loan};
use crate::sys::memory::prefetch;
use crate::sys::span::Span;

/// A VLAN's tag, behind which the headers go on.
const TAG_BYTES: usize = 4;
const NO_HEAD: Head = [0; HEAD_BYTES];
/// Batches that are taken in with one look: a flood must not keep the caller for ever.
const BATCHES_MAX: usize = 8;

/// A packet of a batch.
pub(super) struct Packet {
    /// How many segments it has.
    segments: usize,
    /// `None`: it is no datagram.
    datagram: Option<Found>,
}

/// What of a datagram matters here.
#[derive(Clone, Copy)]
struct Found {
    ends: Ends,
    part: Part,
    checksum: u16,
}

/// A flow whose next datagram need not be read as a whole.
#[derive(Clone, Copy)]
pub(super) struct Known {
    familiar: Familiar,
    slot: usize,
    /// Nobody can tell by its checksum whether the payload of the last one was undamaged.
    is_unsummed: bool,
}

impl State {
    /// Whether there was anything.
    pub(super) fn receive(&mut self, hub: &Hub) -> bool {
        let mut segments = std::mem::take(&mut self.segments);
        let mut packets = std::mem::take(&mut self.packets);
        let mut has_received = false;
        for _ in 0..BATCHES_MAX {
            segments.clear();
            packets.clear();
            if self.port.receive(&mut segments) == 0 {
                break;
            }
            has_received = true;
            // What they begin with is not in the cache: it comes while others are looked at.
            segments.iter().for_each(|segment| span(hub, segment).prefetch());
            let known = self.receive_known(hub, &segments);
            let mut rest = &segments[known..];
            self.read(hub, rest, &mut packets);
            for packet in &packets {
                let (own, after) = rest.split_at(packet.segments);
                rest = after;
                self.packet(hub, own, packet.datagram.as_ref());
            }
            // The kernel keeps on receiving while the program works on this.
            self.filling.fill(&mut *self.port);
            if self.is_crowded() {
                // To take in what nobody has room for would be work for nothing: the port drops it
                // for less.
                break;
            }
        }
        self.segments = segments;
        self.packets = packets;
        has_received
    }

    /// Takes in what a batch begins with, as long as it is of the flow that came last, undamaged, and
    /// there is room for it: how many segments. The rest is looked at closely.
    fn receive_known(&mut self, hub: &Hub, segments: &[Segment]) -> usize {
        let Self { known, outlets, filling, .. } = self;
        let Some(known) = known else { return 0 };
        let slot = known.slot;
        let Some(outlet) = outlets.get_mut(slot) else { return 0 };
        let region = hub.region();
        let taken = segments.iter().take_while(|segment| {
            let Some(next) = known.read(hub, segment) else { return false };
            let frame = region.frame_at(segment.offset as usize);
            let from = segment.offset as usize - region.frame_offset(frame) + PAYLOAD_FROM;
            let place = Place::Frame(Given { frame, from, bytes: next.payload_bytes });
            let is_put = outlet.put(Arrival::new(place, false));
            if is_put {
                filling.filled(frame);
            }
            is_put
        });
        let count = taken.count();
        if count > 0 {
            outlet.count_received(count as u64);
            self.touch(slot);
        }
        count
    }

    /// Takes the frames over, and reads the headers. Where a datagram's flow may be is in no cache
    /// either, if there are many: that comes as well.
    fn read(&mut self, hub: &Hub, segments: &[Segment], packets: &mut Vec<Packet>) {
        let mut known = self.last_found.map(|(ends, _)| ends);
        let mut first = 0;
        for (number, segment) in segments.iter().enumerate() {
            self.filling.filled(hub.region().frame_at(segment.offset as usize));
            if segment.more {
                continue;
            }
            let own = &segments[first..=number];
            first = number + 1;
            let datagram = read(hub, own);
            if let Some(Found { ends, .. }) = &datagram
                && known.as_ref() != Some(ends)
            {
                prefetch(self.table.place(ends));
                known = Some(*ends);
            }
            packets.push(Packet { segments: own.len(), datagram });
        }
    }

    /// One packet, whose frames are ours.
    #[inline]
    fn packet(&mut self, hub: &Hub, segments: &[Segment], datagram: Option<&Found>) {
        if self.has_whole()
            && let Some((slot, part)) = self.look_at_frame(hub, segments)
        {
            let arrival = place(hub, segments, part, false).map(|place| Arrival::new(place, false));
            return self.deliver(hub, slot, arrival);
        }
        let last = self.last_found;
        if let Some(found) = datagram
            && let Some(slot) = self.find(&found.ends)
        {
            if last.is_some_and(|(ends, _)| ends == found.ends) {
                self.remember(hub, segments, slot);
            }
            return self.receive_datagram(hub, segments, found, slot);
        }
        self.dropped += 1;
        drop_segments(hub, segments);
    }

    /// Two of one flow have come: there may be more.
    fn remember(&mut self, hub: &Hub, segments: &[Segment], slot: usize) {
        if let [only] = segments
            && !self.has_whole()
        {
            let head = head(hub, only);
            let familiar = head.and_then(|head| Familiar::new(&head, only.length as usize));
            self.known = familiar.map(|familiar| {
                let is_unsummed = is_unsummed(hub, &familiar, &familiar.last());
                Known { familiar, slot, is_unsummed }
            });
        }
    }

    /// A datagram for a socket.
    fn receive_datagram(&mut self, hub: &Hub, segments: &[Segment], found: &Found, slot: usize) {
        let mut arrival = None;
        if is_intact(hub, segments, found) {
            let place = place(hub, segments, found.part, true);
            arrival = place.map(|place| Arrival::new(place, !found.ends.is_ipv4()));
        } else {
            drop_segments(hub, segments);
        }
        self.deliver(hub, slot, arrival);
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
}

impl Known {
    /// Reads an undamaged datagram of the flow.
    #[inline(always)]
    fn read(&mut self, hub: &Hub, segment: &Segment) -> Option<Next> {
        let head = head(hub, segment).filter(|_| !segment.more)?;
        match self.familiar.read_again(&head, segment.length as usize) {
            Some(next) if self.is_unsummed => Some(next),
            Some(next) => is_known_intact(hub, &self.familiar, segment, &next).then_some(next),
            None => self.read_anew(hub, segment, &head),
        }
    }

    /// One that is longer or shorter than the last, or has another checksum.
    #[inline(never)]
    fn read_anew(&mut self, hub: &Hub, segment: &Segment, head: &Head) -> Option<Next> {
        let next = self.familiar.read(head, segment.length as usize)?;
        let is_unsummed = is_unsummed(hub, &self.familiar, &next);
        if !is_unsummed && !is_known_intact(hub, &self.familiar, segment, &next) {
            return None;
        }
        self.familiar.remember(head, &next);
        self.is_unsummed = is_unsummed;
        Some(next)
    }
}

/// Whether nobody has made a checksum, or somebody behind the sender was to.
fn is_unsummed(hub: &Hub, familiar: &Familiar, next: &Next) -> bool {
    let is_finished_later =
        || hub.facts().trusts_checksums && familiar.unfinished(next) == next.checksum;
    next.checksum == 0 || is_finished_later()
}

fn is_known_intact(hub: &Hub, familiar: &Familiar, segment: &Segment, next: &Next) -> bool {
    let mut sum = familiar.headers(next);
    let payload = span(hub, segment).skip(PAYLOAD_FROM).first(next.payload_bytes);
    add_span(&mut sum, payload);
    sum.is_right()
}

/// Reads the headers of a packet.
#[inline]
fn read(hub: &Hub, segments: &[Segment]) -> Option<Found> {
    let Datagram { ends, payload_from, payload_bytes, checksum, .. } = datagram(hub, segments)?;
    let part = Part { from: payload_from, bytes: payload_bytes };
    Some(Found { ends, part, checksum })
}

#[inline(always)]
fn datagram(hub: &Hub, segments: &[Segment]) -> Option<Datagram> {
    let first = segments.first()?;
    let mut bytes = first.length as usize;
    if segments.len() > 1 {
        // Headers that are spread over frames are no headers: the first frame has room for them.
        if bytes < HEADER_BYTES_MAX {
            return None;
        }
        bytes = segments.iter().map(|segment| segment.length as usize).sum();
    }
    let behind_tag = || span_of_head(hub, first, TAG_BYTES).head().unwrap_or(NO_HEAD);
    parse_head(&head(hub, first)?, bytes, behind_tag).ok()
}

/// What a packet begins with; what lies behind a tag is in its frame, too.
#[inline(always)]
fn head(hub: &Hub, first: &Segment) -> Option<Head> {
    let region = hub.region();
    let offset = first.offset as usize;
    // No packet begins so far behind in its frame that there are no headers.
    let in_frame = region.frame_offset(region.frame_at(offset) + 1) - offset;
    if in_frame < HEAD_BYTES + TAG_BYTES {
        return None;
    }
    span_of_head(hub, first, 0).head()
}

#[inline(always)]
fn span_of_head(hub: &Hub, first: &Segment, from: usize) -> Span {
    hub.region().mapping().span(first.offset as usize + from, HEAD_BYTES)
}

#[inline]
fn is_intact(hub: &Hub, segments: &[Segment], found: &Found) -> bool {
    found.checksum == 0 || is_sum_right(hub, segments, found)
}

fn is_sum_right(hub: &Hub, segments: &[Segment], found: &Found) -> bool {
    let &Found { ends, part, checksum } = found;
    // A packet that never left this machine may have what the card was to finish.
    if hub.facts().trusts_checksums {
        let (source, destination) = (ends.remote().address, ends.local().address);
        let pseudo = Sum::of_pseudo_header(source, destination, part.bytes + UDP_BYTES);
        if pseudo.unfinished() == checksum {
            return true;
        }
    }
    let mut sum = Sum::of_headers(&ends, part.bytes, checksum);
    for piece in pieces(hub, segments, part) {
        add_span(&mut sum, piece);
    }
    sum.is_right()
}

/// What of a packet the program is to have.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    bytes: usize,
}

/// Where a part of a packet is to stay. The frames of one that came in several are given back.
#[inline]
fn place(hub: &Hub, segments: &[Segment], part: Part, is_datagram: bool) -> Option<Place> {
    let bytes = part.bytes;
    if let [only] = segments {
        let region = hub.region();
        let offset = only.offset as usize + part.from;
        let frame = region.frame_at(only.offset as usize);
        let from = offset - region.frame_offset(frame);
        return Some(Place::Frame(Given { frame, from, bytes }));
    }
    let heading =
        if is_datagram { datagram(hub, segments).map(|found| found.heading()) } else { None };
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
    const TOGETHER: usize = 64;
    let mut rest = span;
    while let Some(block) = rest.head::<TOGETHER>() {
        sum.add_block(&block);
        rest = rest.skip(TOGETHER);
    }
    if !rest.is_empty() {
        let mut bytes = [0; TOGETHER];
        let count = rest.read(&mut bytes);
        sum.add(&bytes[..count]);
    }
}
