//! What has arrived for one socket: rings that hubs fill, and how the program gets what is in them.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::door::Looker;
use super::hub::{Hub, OutletKey};
use crate::engine::{Ask, Form, Readiness, Received, Socket};
use crate::error::{Errno, Result};
use crate::net::flow::Endpoint;
use crate::net::frame::FrameHeading;
use crate::net::parse::{Heading, heading, heading_bytes};
use crate::net::{ETHERNET_BYTES, HEADER_BYTES_MAX};
use crate::region::{Given, Loan, Message};
use crate::sys::internet::{ControlFacts, ControlWishes, control_data};
use crate::sys::message::Address;
use crate::sys::relay::Taker;
use crate::sys::socket::TRUNC;
use crate::sys::span::Span;

/// A datagram that has arrived and was not fetched, in eight bytes: thousands of them wait. Whoever
/// takes it out of its ring has the only reference to its place. What its headers say is read from
/// where they are.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The frame, or the number of a gathered one.
    number: u32,
    /// Where the payload begins in the frame, and [`IS_IPV6`], [`IS_GATHERED`].
    from: u16,
    bytes: u16,
}

const IS_IPV6: u16 = 1 << 15;
const IS_GATHERED: u16 = 1 << 14;
const _: () = assert!(crate::limits::FRAME_BYTES <= IS_GATHERED as usize);

/// Where the payload of a datagram lies.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Where the driver has put it.
    Frame(Given),
    /// In a block of the hub's, because it came in several frames.
    Gathered { number: usize, bytes: usize },
}

/// A datagram, or whole frame of the wire's, that came in several frames.
pub struct Gathered {
    pub loan: Loan,
    /// `None`: it is a whole frame, which has its own.
    pub heading: Option<Heading>,
}

impl Arrival {
    /// A datagram of UDP is never longer than that field says, in either protocol.
    pub fn new(place: Place, is_ipv6: bool) -> Self {
        let family = if is_ipv6 { IS_IPV6 } else { 0 };
        match place {
            Place::Frame(Given { frame, from, bytes }) => {
                Self { number: frame, from: from as u16 | family, bytes: bytes as u16 }
            }
            Place::Gathered { number, bytes } => {
                Self { number: number as u32, from: IS_GATHERED | family, bytes: bytes as u16 }
            }
        }
    }

    pub fn bytes(&self) -> usize {
        usize::from(self.bytes)
    }

    fn is_ipv4(&self) -> bool {
        self.from & IS_IPV6 == 0
    }

    fn is_gathered(&self) -> bool {
        self.from & IS_GATHERED != 0
    }

    /// Where it lies in its frame, if it is not gathered.
    fn given(&self) -> Given {
        let from = usize::from(self.from & !(IS_IPV6 | IS_GATHERED));
        Given { frame: self.number, from, bytes: self.bytes() }
    }

    pub fn place(&self) -> Place {
        if self.is_gathered() {
            return Place::Gathered { number: self.number as usize, bytes: self.bytes() };
        }
        Place::Frame(self.given())
    }

    /// Gives back the memory of a datagram that nobody will have.
    pub fn drop_place(&self, hub: &Hub) {
        match self.place() {
            Place::Frame(given) => hub.region().drop_frame(given.frame),
            Place::Gathered { number, .. } => drop(hub.take_gathered(number)),
        }
    }

    /// What the headers in front of the payload say. They are there as long as nobody has written
    /// to the frame.
    pub fn heading(&self, hub: &Hub, given: &Given) -> Heading {
        let mut headers = [0; HEADER_BYTES_MAX];
        let bytes = heading_bytes(self.is_ipv4());
        let region = hub.region();
        let from = region.frame_offset(given.frame) + given.from;
        region.mapping().span(from - bytes, bytes).read(&mut headers);
        heading(&headers[..bytes], self.is_ipv4())
    }
}

/// The control data that recvmsg(2) would give with a datagram.
pub fn control(wishes: &ControlWishes, hub: &Hub, heading: &Heading) -> Vec<u8> {
    let facts = ControlFacts {
        destination: heading.destination,
        interface: hub.interface(),
        traffic_class: heading.traffic_class,
        hop_limit: heading.hop_limit,
    };
    control_data(wishes, &facts)
}

/// What is told of something that has arrived, besides its bytes.
struct Origin {
    name: Address,
    control: Vec<u8>,
}

impl Origin {
    fn of_datagram(socket: &Socket, wishes: &ControlWishes, hub: &Hub, heading: &Heading) -> Self {
        let Endpoint { address, port } = heading.source;
        let name = Address::of_internet(socket.domain, address, port, hub.interface());
        Self { name, control: control(wishes, hub, heading) }
    }

    fn of_frame(hub: &Hub, start: Span) -> Self {
        let mut bytes = [0; ETHERNET_BYTES];
        start.read(&mut bytes);
        let FrameHeading { destination, source, kind } = FrameHeading::new(&bytes);
        let own = hub.facts().hardware_address;
        let name = Address::of_frame(hub.interface(), kind, source, destination, own);
        Self { name, control: Vec::new() }
    }
}

/// A socket's part of one hub.
pub struct Inlet {
    pub hub: Arc<Hub>,
    pub outlet: OutletKey,
    pub taker: Taker<Arrival>,
}

/// What [`Inlets::receive_in_passing`] gives: so little that it need not go through memory.
pub struct Brief {
    pub address: NonZeroUsize,
    pub count: usize,
}

/// The sender of a datagram, shorter than its address as the program gets it.
pub struct Source {
    end: Endpoint,
    domain: i32,
    interface: u32,
}

impl Source {
    pub fn name(&self) -> Address {
        Address::of_internet(self.domain, self.end.address, self.end.port, self.interface)
    }
}

/// Who may take what has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// Any thread: the socket is in no channel.
    Anybody,
    /// Those who have entered the socket's channel; and others, what the channel need not know of.
    Channel,
    /// The same, but this thread only.
    Thread(u64),
}

/// Where everything for one socket comes in: one inlet for each interface.
pub struct Inlets {
    inlets: Vec<Inlet>,
    /// They take turns.
    next: usize,
    wishes: ControlWishes,
    pub reader: Reader,
    /// When the kernel's socket was looked at, and had nothing. `None`: it may have something.
    kernel_seen: Option<Instant>,
}

/// For so long the kernel's socket is not looked at again, unless there is a sign that it has
/// something: it would be one more system call for each batch of datagrams.
const KERNEL_LOOK_INTERVAL: Duration = Duration::from_micros(200);

impl Inlets {
    pub fn new(inlets: Vec<Inlet>, wishes: ControlWishes) -> Self {
        Self { inlets, next: 0, wishes, reader: Reader::Anybody, kernel_seen: None }
    }

    /// There is a sign that the kernel's socket has something.
    pub fn kernel_may_have(&mut self) {
        self.kernel_seen = None;
    }

    /// Receives from the kernel's socket, if that is worth a look: what came before the flow was
    /// claimed, fragments, errors.
    pub fn receive_from_kernel(
        &mut self,
        receive: impl FnOnce() -> Result<Received>,
    ) -> Result<Received> {
        if self.kernel_seen.is_some_and(|seen| seen.elapsed() < KERNEL_LOOK_INTERVAL) {
            return Err(Errno::EAGAIN);
        }
        let answer = receive();
        self.kernel_seen = matches!(answer, Err(Errno::EAGAIN)).then(Instant::now);
        answer
    }

    /// Has the interfaces looked at.
    pub fn poll(&self, looker: Looker<'_>) {
        for inlet in &self.inlets {
            inlet.hub.poll(looker);
        }
    }

    pub fn readiness(&self) -> Readiness {
        match self.inlets.iter().find_map(|inlet| inlet.taker.peek()) {
            Some(arrival) => {
                let bytes = arrival.bytes();
                Readiness { bytes, message: true, ..Readiness::default() }
            }
            None => Readiness::default(),
        }
    }

    /// Asks to be told of what comes next; `false`: there is something by now.
    pub fn wait_for_more(&mut self) -> bool {
        for inlet in &self.inlets {
            inlet.hub.await_space();
        }
        // All of them have to be asked.
        self.inlets.iter_mut().fold(true, |is_empty, inlet| inlet.taker.wait_for_more() & is_empty)
    }

    /// Takes the next datagram out, with the number of its inlet.
    fn take(&mut self) -> Option<(usize, Arrival)> {
        for _ in 0..self.inlets.len() {
            let number = self.next;
            let inlet = &mut self.inlets[number];
            if let Some(arrival) = inlet.taker.take() {
                if inlet.taker.is_empty() {
                    // The program need not come back until it is told.
                    inlet.taker.wait_for_more();
                    self.next = (number + 1) % self.inlets.len();
                }
                return Some((number, arrival));
            }
            self.next = (number + 1) % self.inlets.len();
        }
        None
    }

    /// Makes the program the holder of the next datagram. `None`: there is none.
    pub fn receive(&mut self, ask: &Ask, socket: &Socket) -> Option<Result<Received>> {
        let (number, arrival) = self.take()?;
        Some(self.give(&self.inlets[number].hub, &arrival, ask, socket))
    }

    /// The same, if another one waits behind it where it lies in a frame: then nothing changes for
    /// whoever waits, and a channel need not be told. `source`: who has sent it, if that was asked for.
    #[inline(always)]
    pub fn receive_in_passing(
        &mut self,
        ask: &Ask,
        socket: &Socket,
        source: &mut Option<Source>,
    ) -> Option<Brief> {
        let inlet = self.inlets.get_mut(self.next)?;
        if ask.form == Form::Name && !socket.is_internet() {
            return None;
        }
        let arrival = inlet.taker.take_unless_last(|arrival| !arrival.is_gathered())?;
        let given = arrival.given();
        let stored = ask.size.min(given.bytes);
        let hub = &inlet.hub;
        socket.counters.count_received_alone(stored, hub.facts().copies);
        if ask.form == Form::Name {
            *source = Some(Source {
                end: arrival.heading(hub, &given).source,
                domain: socket.domain,
                interface: hub.interface(),
            });
        }
        let part = Given { bytes: stored, ..given };
        let address = if socket.account.is_whole_area() {
            hub.region().give_frame_plainly(part)
        } else {
            socket.account.subtract(given.bytes - stored);
            hub.region().give_frame(part, socket.account.booked())
        };
        let count = if ask.flags & TRUNC != 0 { given.bytes } else { stored };
        NonZeroUsize::new(address).map(|address| Brief { address, count })
    }

    fn give(&self, hub: &Hub, arrival: &Arrival, ask: &Ask, socket: &Socket) -> Result<Received> {
        let bytes = arrival.bytes();
        let stored = if ask.form == Form::Message { bytes } else { ask.size.min(bytes) };
        let account = &socket.account;
        // The rest of a datagram that the program wanted less of is lost, as with recv(2).
        account.subtract(bytes - stored);
        let is_copied = arrival.is_gathered() || hub.facts().copies;
        socket.counters.count_received_alone(stored, is_copied);
        let (address, name) = match (arrival.place(), ask.form) {
            (Place::Frame(given), Form::Data) => {
                (hub.region().give_frame(Given { bytes: stored, ..given }, account.booked()), None)
            }
            (Place::Frame(given), Form::Name) => {
                let Origin { name, .. } = self.origin(hub, arrival, &given, socket);
                let given = Given { bytes: stored, ..given };
                (hub.region().give_frame(given, account.booked()), Some(name))
            }
            (Place::Frame(given), Form::Message) => {
                let Origin { name, control } = self.origin(hub, arrival, &given, socket);
                let kept_bytes = if socket.is_internet() { HEADER_BYTES_MAX } else { 0 };
                let parts = (name.bytes(), &control[..], 0);
                let booked = account.booked();
                (hub.region().give_frame_message(given, kept_bytes, parts, booked), None)
            }
            (Place::Gathered { number, .. }, form) => {
                let Gathered { loan, heading } = hub.take_gathered(number).ok_or(Errno::EIO)?;
                let Origin { name, control } = match heading {
                    Some(heading) => Origin::of_datagram(socket, &self.wishes, hub, &heading),
                    None => Origin::of_frame(hub, loan.span()),
                };
                let address = if form == Form::Message {
                    Message::wrap_with(&loan, stored, name.bytes(), &control, account)
                        .ok_or(Errno::ENOBUFS)?
                } else {
                    loan.hand_out(0, stored, account.booked())
                };
                (address, Some(name))
            }
        };
        let count = if ask.flags & TRUNC != 0 { bytes } else { stored };
        let name = name.filter(|_| ask.form == Form::Name).map(Box::new);
        Ok(Received::Block { address, count, name })
    }

    fn origin(&self, hub: &Hub, arrival: &Arrival, given: &Given, socket: &Socket) -> Origin {
        if socket.is_internet() {
            let heading = arrival.heading(hub, given);
            return Origin::of_datagram(socket, &self.wishes, hub, &heading);
        }
        let start = hub.region().frame_offset(given.frame) + given.from;
        Origin::of_frame(hub, hub.region().mapping().span(start, ETHERNET_BYTES))
    }

    /// Throws away what has not been fetched, without an account: its socket is gone.
    pub fn abandon(&mut self) {
        while let Some((number, arrival)) = self.take() {
            arrival.drop_place(&self.inlets[number].hub);
        }
    }

    /// Throws away what has not been fetched.
    pub fn discard(&mut self, socket: &Socket) {
        while let Some((number, arrival)) = self.take() {
            socket.account.subtract(arrival.bytes());
            arrival.drop_place(&self.inlets[number].hub);
        }
    }
}
