//! Sending: headers are put in front of a block where it lies, or into a frame of their own.
//!
//! A packet on its way out is a *flight*. It is found by its first frame, which is in no other
//! flight as a first one; the others may be in several, because a block can be sent to many.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::collect::add_span;
use super::hub::{Hub, OutletKey, State};
use crate::limits::FRAME_HEADROOM_BYTES;
use crate::net::build::{Template, Transport};
use crate::net::checksum::Sum;
use crate::port::Segment;
use crate::region::{Frame, Loan, Region};
use crate::sys::span::Span;

/// What became of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sending {
    /// It is the port's. We have copied it, or have not.
    Begun { copied: bool, first: Frame },
    /// The port takes no more now.
    Full,
    /// It would have to be copied, and no frame of the area is free.
    Starved,
    /// It does not fit: somebody else has to send it.
    Refused,
}

impl Sending {
    /// It may go when others have gone.
    pub fn lacks_room(&self) -> bool {
        matches!(self, Self::Full | Self::Starved)
    }
}

/// A packet on its way out.
#[derive(Clone, Copy)]
struct Flight {
    /// Of its first segment.
    offset: u64,
    number: u64,
    outlet: OutletKey,
    /// Segments that have not come back; 0: there is no such packet.
    left: u16,
    /// It has the room in front of a block of the program's.
    is_led: bool,
}

const NONE: Flight = Flight {
    offset: 0,
    number: 0,
    outlet: OutletKey { slot: 0, serial: 0 },
    left: 0,
    is_led: false,
};

pub struct Flights {
    region: Arc<Region>,
    /// By first frame.
    flights: Vec<Flight>,
    count: usize,
    /// The first frames of the flights of which a further segment begins at an offset, in order.
    further: HashMap<u64, VecDeque<Frame>, foldhash::fast::FixedState>,
    offsets: Vec<u64>,
    segments: Vec<Segment>,
}

/// Below this many bytes a copy costs less than to send in two pieces.
const COPIED_BYTES_MAX: usize = 256;

impl Flights {
    pub fn new(region: &Arc<Region>) -> Self {
        Self {
            region: region.clone(),
            flights: vec![NONE; region.frame_count()],
            count: 0,
            further: HashMap::default(),
            offsets: Vec::new(),
            segments: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a send of a socket, whose first frame is this one, is on its way.
    pub fn is_in_flight(&self, first: Frame, outlet: OutletKey, number: u64) -> bool {
        let flight = &self.flights[first as usize];
        flight.left > 0 && flight.outlet == outlet && flight.number == number
    }

    fn land(&mut self, offset: u64) -> Option<Flight> {
        let frame = self.region.frame_at(offset as usize);
        let flight = &self.flights[frame as usize];
        let is_first = flight.left > 0 && flight.offset == offset;
        let first = if is_first { frame } else { self.take_further(offset)? };
        if !is_first {
            self.region.drop_frame(frame);
        }
        let flight = &mut self.flights[first as usize];
        debug_assert!(flight.left > 0, "nothing is on its way from frame {first}");
        flight.left = flight.left.saturating_sub(1);
        if flight.left > 0 {
            return None;
        }
        let flight = *flight;
        self.count -= 1;
        self.end(first, flight);
        Some(flight)
    }

    fn take_further(&mut self, offset: u64) -> Option<Frame> {
        let waiting = self.further.get_mut(&offset)?;
        let first = waiting.pop_front();
        if waiting.is_empty() {
            self.further.remove(&offset);
        }
        first
    }

    fn end(&self, first: Frame, flight: Flight) {
        if flight.is_led {
            self.region.retract(first);
        } else {
            self.region.drop_frame(first);
        }
    }

    fn begin(&mut self, first: Frame, flight: Flight) {
        let place = &mut self.flights[first as usize];
        debug_assert!(place.left == 0, "frame {first} is in flight already");
        *place = flight;
        self.count += 1;
    }
}

impl Drop for Flights {
    /// The port is gone.
    fn drop(&mut self) {
        for (first, flight) in std::mem::take(&mut self.flights).into_iter().enumerate() {
            if flight.left > 0 {
                self.end(first as Frame, flight);
            }
        }
        for (offset, waiting) in std::mem::take(&mut self.further) {
            let frame = self.region.frame_at(offset as usize);
            waiting.iter().for_each(|_| self.region.drop_frame(frame));
        }
    }
}

/// What is to be sent for whom.
pub struct Parcel<'a> {
    /// The reference of one that goes out with headers in front becomes the flight's.
    pub pieces: &'a mut [Loan],
    pub length: usize,
    /// `None`: the bytes begin with their header.
    pub template: Option<&'a mut Template>,
    pub outlet: OutletKey,
    pub number: u64,
    /// Nobody waits for the end of the send, and the program may write to the memory at once.
    pub must_copy: bool,
}

impl Parcel<'_> {
    fn header_bytes(&self) -> usize {
        self.template.as_ref().map_or(0, |template| template.header_bytes())
    }

    /// The frame of the only piece, if there is room in front of it for the headers: it is theirs then.
    fn lead(&self, region: &Region) -> Option<Frame> {
        let [piece] = &*self.pieces else { return None };
        let frame = piece.frame()?;
        region.lead(piece.offset(), self.header_bytes()).then_some(frame)
    }

    fn flight(&self, offset: u64, left: u16, is_led: bool) -> Flight {
        Flight { offset, outlet: self.outlet, number: self.number, left, is_led }
    }
}

fn checksum(hub: &Hub, pieces: &[Loan]) -> Transport {
    if hub.facts().fills_in_checksums {
        return Transport::Later;
    }
    let mut sum = Sum::default();
    pieces.iter().for_each(|piece| add_span(&mut sum, piece.span()));
    Transport::Payload(sum)
}

impl State {
    /// Takes back what was sent, and notes whom to tell.
    pub(super) fn complete(&mut self, _hub: &Hub) {
        let mut offsets = std::mem::take(&mut self.flights.offsets);
        while self.port.complete(&mut offsets) > 0 {
            for offset in offsets.drain(..) {
                if let Some(Flight { outlet: key, number, .. }) = self.flights.land(offset)
                    && let Some(outlet) = self.outlet(key)
                {
                    outlet.completed.push(number);
                    self.touch(key.slot);
                }
            }
        }
        self.flights.offsets = offsets;
    }

    /// Gives a datagram to the port.
    pub fn transmit(&mut self, hub: &Hub, parcel: Parcel<'_>) -> Sending {
        if !parcel.must_copy
            && let Some(frame) = parcel.lead(hub.region())
        {
            return self.transmit_in_place(hub, parcel, frame);
        }
        let is_in_frames = parcel.pieces.iter().all(|piece| piece.frame().is_some());
        let fits = parcel.pieces.len() < hub.facts().segments_max as usize;
        if !parcel.must_copy
            && is_in_frames
            && fits
            && parcel.length > COPIED_BYTES_MAX
            && parcel.template.is_some()
        {
            return self.transmit_apart(hub, parcel);
        }
        self.transmit_copy(hub, parcel)
    }

    /// Room in front of the only piece is ours.
    fn transmit_in_place(&mut self, hub: &Hub, mut parcel: Parcel<'_>, frame: Frame) -> Sending {
        let region = hub.region();
        let bytes = parcel.header_bytes();
        let offset = parcel.pieces[0].offset() - bytes;
        if let Some(template) = &mut parcel.template {
            let header = template.header(parcel.length, checksum(hub, parcel.pieces));
            region.mapping().span(offset, bytes).fill_from(header);
        }
        let length = (bytes + parcel.length) as u32;
        let segment = Segment { offset: offset as u64, length, more: false };
        if self.port.send(&[segment]) == 0 {
            region.end_lead(frame);
            return Sending::Full;
        }
        parcel.pieces[0].leave_frame();
        self.flights.begin(frame, parcel.flight(offset as u64, 1, true));
        Sending::Begun { copied: false, first: frame }
    }

    /// Headers in a frame of their own, the bytes where they are.
    fn transmit_apart(&mut self, hub: &Hub, mut parcel: Parcel<'_>) -> Sending {
        let region = hub.region();
        let Some(first) = region.take_frame() else { return Sending::Starved };
        let offset = region.frame_offset(first);
        let room = region.mapping().span(offset, parcel.header_bytes());
        if let Some(template) = &mut parcel.template {
            room.fill_from(template.header(parcel.length, checksum(hub, parcel.pieces)));
        }
        let mut segments = std::mem::take(&mut self.flights.segments);
        segments.clear();
        let length = room.len() as u32;
        segments.push(Segment { offset: offset as u64, length, more: true });
        segments.extend(parcel.pieces.iter().map(|piece| {
            let length = piece.len() as u32;
            Segment { offset: piece.offset() as u64, length, more: true }
        }));
        if let Some(last) = segments.last_mut() {
            last.more = false;
        }
        let is_taken = self.port.send(&segments) > 0;
        if is_taken {
            for segment in &segments[1..] {
                region.add_frame_reference(region.frame_at(segment.offset as usize));
                self.flights.further.entry(segment.offset).or_default().push_back(first);
            }
            self.flights.begin(first, parcel.flight(offset as u64, segments.len() as u16, false));
        } else {
            region.drop_frame(first);
        }
        self.flights.segments = segments;
        if is_taken { Sending::Begun { copied: false, first } } else { Sending::Full }
    }

    fn transmit_copy(&mut self, hub: &Hub, parcel: Parcel<'_>) -> Sending {
        let Parcel { pieces, length, template, outlet, number, .. } = parcel;
        self.transmit_bytes(hub, template, (outlet, number, length), &|room| {
            let mut rest = room;
            for piece in &*pieces {
                rest.copy_from(piece.span());
                rest = rest.skip(piece.len());
            }
        })
    }

    /// Headers and a copy of the bytes in one frame: of which flow, by which number, how many, and
    /// who writes them to their place.
    pub fn transmit_bytes(
        &mut self,
        hub: &Hub,
        template: Option<&mut Template>,
        (outlet, number, length): (OutletKey, u64, usize),
        fill: &dyn Fn(Span),
    ) -> Sending {
        let region = hub.region();
        let headroom = FRAME_HEADROOM_BYTES;
        if headroom + length > hub.facts().chunk_bytes as usize {
            return Sending::Refused;
        }
        let Some(frame) = region.take_frame() else { return Sending::Starved };
        let bytes = template.as_ref().map_or(0, |template| template.header_bytes());
        let offset = region.frame_offset(frame) + headroom - bytes;
        let room = region.mapping().span(offset, bytes + length);
        let payload = room.skip(bytes);
        fill(payload);
        if let Some(template) = template {
            let checksum = if hub.facts().fills_in_checksums {
                Transport::Later
            } else {
                let mut sum = Sum::default();
                add_span(&mut sum, payload);
                Transport::Payload(sum)
            };
            room.fill_from(template.header(length, checksum));
        }
        let segment = Segment { offset: offset as u64, length: room.len() as u32, more: false };
        if self.port.send(&[segment]) == 0 {
            region.drop_frame(frame);
            return Sending::Full;
        }
        let flight = Flight { offset: offset as u64, outlet, number, left: 1, is_led: false };
        self.flights.begin(frame, flight);
        Sending::Begun { copied: true, first: frame }
    }
}
