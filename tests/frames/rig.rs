//! Two sockets, each with an area and a hub, and a wire of memory between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sio::channel::{Channel, Event};
use sio::engine::frame::{Flow, Hub, Looker};
use sio::engine::{Ask, Form, Key, Received, Request, Socket};
use sio::error::{Errno, Result};
use sio::limits::FRAME_BYTES;
use sio::port::Facts;
use sio::port::memory::{End, Gate, MemoryPort, Wire, pair, usual_facts};
use sio::port::ways::{Changes, Way, Ways};
use sio::region::Region;
use sio::region::map::Pages;
use sio::sys::message::Address;
use sio::sys::wait::{Sleep, Terms, block};

pub const AREA_BYTES: usize = 512 * FRAME_BYTES;
const STATIONS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// Everything is at the other end of the wire.
struct OtherEnd {
    interface: u32,
    next_station: [u8; 6],
    vlan: Option<u16>,
}

impl Ways for OtherEnd {
    fn way(
        &mut self,
        destination: IpAddr,
        _source: Option<IpAddr>,
        _interface: u32,
        _now: Instant,
    ) -> Option<Way> {
        let Self { interface, next_station, vlan } = *self;
        let source = Some(destination);
        Some(Way { interface, vlan, source, next_station, mtu_bytes: None })
    }

    fn refresh(&mut self) -> Changes {
        Changes::default()
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }

    fn names(&mut self, _interface: u32) -> (Vec<IpAddr>, Vec<u16>) {
        (Vec::new(), Vec::new())
    }
}

pub struct Side {
    kernel: UdpSocket,
    pub socket: Arc<Socket>,
    pub region: Arc<Region>,
    pub hub: Arc<Hub>,
    pub gate: Arc<sio::sys::sync::Mutex<Gate>>,
    /// Out and in.
    pub wires: (Wire, Wire),
    other: SocketAddr,
    reserved: Mutex<Vec<(usize, usize)>>,
}

pub struct Pair {
    pub first: Side,
    pub second: Side,
}

/// What was received.
#[derive(Debug)]
pub struct Got {
    pub address: usize,
    pub count: usize,
    pub data: Vec<u8>,
    pub from: Option<SocketAddr>,
}

/// What a message's header says.
pub struct Header {
    pub data_address: usize,
    pub data: Vec<u8>,
    pub name: Option<SocketAddr>,
}

/// Bytes that are not all the same.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

pub fn area(bytes: usize) -> Arc<Region> {
    static HANDLES: AtomicU64 = AtomicU64::new(1);
    let handle = HANDLES.fetch_add(1, Ordering::Relaxed);
    Region::new(handle, bytes, Pages::Normal, 0, Some(FRAME_BYTES)).expect("an area")
}

fn hub(region: &Arc<Region>, port: MemoryPort, vlan: Option<u16>) -> Arc<Hub> {
    use sio::port::Port;
    let interface = port.facts().interface_index;
    let next_station = STATIONS[if interface == 1 { 1 } else { 0 }];
    let ways = OtherEnd { interface, next_station, vlan };
    region.insist_on_frames();
    Hub::new(region, Box::new(port), Box::new(ways)).expect("a hub")
}

fn sharing_socket(address: SocketAddr) -> UdpSocket {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
    };
    let fd =
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), None).expect("a socket");
    setsockopt(&fd, sockopt::ReusePort, &true).expect("SO_REUSEPORT");
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address)).expect("bound");
    UdpSocket::from(fd)
}

impl Pair {
    pub fn usual() -> Self {
        Self::new(&usual_facts(), AREA_BYTES)
    }

    pub fn new(facts: &Facts, area_bytes: usize) -> Self {
        Self::with_limit(facts, area_bytes, 0)
    }

    pub fn with_limit(facts: &Facts, area_bytes: usize, limit_bytes: usize) -> Self {
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let sockets = [local, local].map(|at| UdpSocket::bind(at).expect("a socket"));
        Self::build(facts, area_bytes, limit_bytes, None, sockets)
    }

    /// The second one's port may be shared.
    pub fn sharing() -> Self {
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let sockets = [UdpSocket::bind(local).expect("a socket"), sharing_socket(local)];
        Self::build(&usual_facts(), AREA_BYTES, 0, None, sockets)
    }

    pub fn tagged_ipv6() -> Self {
        let local = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
        let sockets = [local, local].map(|at| UdpSocket::bind(at).expect("a socket"));
        Self::build(&usual_facts(), AREA_BYTES, 0, Some(7), sockets)
    }

    fn build(
        facts: &Facts,
        area_bytes: usize,
        limit_bytes: usize,
        vlan: Option<u16>,
        sockets: [UdpSocket; 2],
    ) -> Self {
        let regions = [area(area_bytes), area(area_bytes)];
        let end = |number: usize| End {
            region: regions[number].clone(),
            interface_index: number as u32 + 1,
            hardware_address: STATIONS[number],
        };
        let (one, two) = pair(end(0), end(1), facts).expect("ports");
        let addresses = [0, 1].map(|number| sockets[number].local_addr().expect("bound"));
        let mut sides =
            [one, two].into_iter().zip(sockets).enumerate().map(|(number, (port, socket))| {
                let (gate, wires) = (port.gate(), port.wires());
                let region = &regions[number];
                let hub = hub(region, port, vlan);
                let limit = if number == 1 { limit_bytes } else { 0 };
                Side::new(socket, region, hub, gate, wires, addresses[1 - number], limit)
            });
        let (first, second) = (sides.next().expect("two"), sides.next().expect("two"));
        Self { first, second }
    }

    /// Nothing is held or on its way in either area.
    pub fn is_idle(&self) -> bool {
        self.first.hub.poll(Looker::Nobody);
        self.first.region.is_idle() && self.second.region.is_idle()
    }
}

impl Side {
    fn new(
        kernel: UdpSocket,
        region: &Arc<Region>,
        hub: Arc<Hub>,
        gate: Arc<sio::sys::sync::Mutex<Gate>>,
        wires: (Wire, Wire),
        other: SocketAddr,
        limit_bytes: usize,
    ) -> Self {
        let fd = kernel.as_raw_fd();
        let socket = Socket::new(fd, region.clone(), limit_bytes).expect("a socket");
        let flow = Flow::open(fd, socket.domain, std::slice::from_ref(&hub), &socket.account)
            .expect("a flow");
        let socket = Arc::new(socket.with_flow(flow));
        let reserved = Mutex::default();
        Self { kernel, socket, region: region.clone(), hub, gate, wires, other, reserved }
    }

    /// Another socket on the same interface and in the same area.
    pub fn beside(side: &Side) -> Self {
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        Self::like(side, UdpSocket::bind(local).expect("a socket"))
    }

    /// Another socket with the same port.
    pub fn sharing_with(side: &Side) -> Self {
        Self::like(side, sharing_socket(side.address()))
    }

    fn like(side: &Side, socket: UdpSocket) -> Self {
        let Side { region, hub, gate, wires, other, .. } = side;
        Self::new(socket, region, hub.clone(), gate.clone(), wires.clone(), *other, 0)
    }

    pub fn address(&self) -> SocketAddr {
        self.kernel.local_addr().expect("bound")
    }

    pub fn flow(&self) -> &Arc<Flow> {
        self.socket.flow().expect("a flow")
    }

    fn span(&self, address: usize, length: usize) -> sio::sys::span::Span {
        let offset = self.region.mapping().offset_of(address, length).expect("inside");
        self.region.mapping().span(offset, length)
    }

    pub fn bytes_at(&self, address: usize, length: usize) -> Vec<u8> {
        self.span(address, length).to_vec()
    }

    /// A block with these bytes.
    pub fn reserve(&self, data: &[u8]) -> usize {
        let block = self.region.reserve(data.len()).expect("room");
        self.span(block, data.len()).fill_from(data);
        block
    }

    fn reserve_for_now(&self, data: &[u8]) -> usize {
        let block = self.reserve(data);
        self.reserved.lock().expect("nobody panics").push((block, data.len()));
        block
    }

    /// Gives back what [`Side::send`] has reserved.
    pub fn release_all(&self) {
        for (block, length) in self.reserved.lock().expect("nobody panics").drain(..) {
            self.region.release(block, length).expect("ours");
        }
    }

    fn request(&self, parts: &[(usize, usize)], to: Option<SocketAddr>) -> Request {
        let lend = |&(address, length): &(usize, usize)| {
            self.region.lend(address, length).expect("a block")
        };
        let name = |to: SocketAddr| {
            Box::new(Address::of_internet(self.socket.domain, to.ip(), to.port(), 0))
        };
        Request {
            pieces: parts.iter().filter(|part| part.1 > 0).map(lend).collect(),
            file: None,
            length: parts.iter().map(|part| part.1).sum(),
            address: parts.first().map_or(0, |part| part.0),
            name: to.map(name),
            control: None,
            flags: 0,
            quiet: false,
        }
    }

    fn transmit(&self, parts: &[(usize, usize)], to: SocketAddr) -> bool {
        let mut request = self.request(parts, Some(to));
        // The memory pair says that it copies nothing; then a socket in no channel would.
        self.flow().send_in_place(&self.socket, &mut request).expect("sent").copied
    }

    /// Sends a block to the other side; whether it was copied.
    pub fn send_block(&self, address: usize, length: usize) -> bool {
        self.transmit(&[(address, length)], self.other)
    }

    pub fn send(&self, data: &[u8]) -> bool {
        self.send_to(data, self.other)
    }

    pub fn send_to(&self, data: &[u8], to: SocketAddr) -> bool {
        if data.is_empty() {
            return self.transmit(&[], to);
        }
        let block = self.reserve_or_take(data);
        self.transmit(&[(block, data.len())], to)
    }

    /// What is larger than a frame lies in several blocks.
    fn reserve_or_take(&self, data: &[u8]) -> usize {
        if let Ok(block) = self.region.reserve(data.len()) {
            self.span(block, data.len()).fill_from(data);
            self.reserved.lock().expect("nobody panics").push((block, data.len()));
            return block;
        }
        // Frames are used up: those of earlier sends have ended.
        self.release_all();
        self.hub.poll(Looker::Nobody);
        self.reserve_for_now(data)
    }

    pub fn send_pieces(&self, pieces: &[&[u8]]) -> bool {
        let parts: Vec<(usize, usize)> =
            pieces.iter().map(|piece| (self.reserve_for_now(piece), piece.len())).collect();
        self.transmit(&parts, self.other)
    }

    pub fn receive(&self) -> Result<Got> {
        self.receive_as(Form::Name, usize::MAX)
    }

    pub fn receive_as(&self, form: Form, size: usize) -> Result<Got> {
        let ask = Ask { size, flags: 0, form };
        self.got(form, self.flow().receive(&ask, &self.socket, false, || Ok(()))?)
    }

    fn got(&self, form: Form, received: Received) -> Result<Got> {
        let Received::Block { address, count, name } = received else { return Err(Errno::EPIPE) };
        let data = if form == Form::Message { Vec::new() } else { self.bytes_at(address, count) };
        let from = name.and_then(|name| name.to_internet());
        Ok(Got { address, count, data, from })
    }

    /// As a thread does that calls `sio_recv` and waits.
    pub fn receive_blocking(&self) -> Got {
        loop {
            if let Ok(got) = self.receive() {
                return got;
            }
            let sleeper = self.flow().listen();
            if let Ok(got) = self.receive() {
                return got;
            }
            self.flow().prepare_to_sleep();
            let fd = self.socket.waiting_fd().expect("a descriptor");
            let sleep = Sleep::Poll { fd, events: libc::POLLIN };
            block(&sleep, &Terms::default()).expect("poll");
            self.flow().slept();
            drop(sleeper);
        }
    }

    pub fn release(&self, got: &Got) {
        self.region.release(got.address, got.data.len()).expect("ours");
    }

    pub fn header_at(&self, address: usize) -> Header {
        let raw = self.bytes_at(address, size_of::<libc::msghdr>());
        let word = |bytes: &[u8], at: usize| {
            usize::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"))
        };
        // struct msghdr: name, namelen, iov, iovlen; struct iovec: base, len.
        let iovec = self.bytes_at(word(&raw, 16), 16);
        let name_bytes = word(&raw, 8) & 0xffff_ffff;
        let name = Address::new(&self.bytes_at(word(&raw, 0), name_bytes)).expect("a name");
        let data_address = word(&iovec, 0);
        let data = self.bytes_at(data_address, word(&iovec, 8));
        Header { data_address, data, name: name.to_internet() }
    }

    pub fn attach(&self, channel: &Arc<Channel>) -> Key {
        let mut state = channel.enter().expect("ours");
        let key = state.attach(&self.socket, false, 0, 0, |_| Ok(())).expect("attached");
        channel.settle(&mut state).expect("settled");
        key
    }

    pub fn send_in(&self, channel: &Arc<Channel>, key: Key, data: &[u8]) {
        let block = self.reserve_for_now(data);
        let mut state = channel.enter().expect("ours");
        let request = self.request(&[(block, data.len())], Some(self.other));
        state.send(key, request).expect("accepted");
        channel.settle(&mut state).expect("settled");
    }

    pub fn receive_in(&self, channel: &Arc<Channel>, key: Key) -> Result<Got> {
        let mut state = channel.enter().expect("ours");
        let ask = Ask { size: usize::MAX, flags: 0, form: Form::Name };
        let received = state.receive(key, &ask);
        channel.settle(&mut state).expect("settled");
        self.got(Form::Name, received?)
    }
}

pub fn events(channel: &Arc<Channel>) -> Vec<Event> {
    let mut room = [Event::EMPTY; 32];
    let mut state = channel.enter().expect("ours");
    state.turn().expect("turned");
    let count = state.fetch(&mut room).expect("fetched");
    channel.settle(&mut state).expect("settled");
    room[..count].to_vec()
}

pub fn is_readable(fd: RawFd) -> bool {
    sio::sys::poll::now(fd, libc::POLLIN).expect("poll") != 0
}

/// The packet that a side would send, with five bytes.
pub fn captured(side: &Side) -> Vec<u8> {
    let (out, _) = &side.wires;
    let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
    let into = seen.clone();
    out.set_tamper(Some(Box::new(move |packet| {
        *into.lock().expect("nobody panics") = packet;
        Vec::new()
    })));
    side.send(b"other");
    out.set_tamper(None);
    seen.lock().expect("nobody panics").clone()
}

/// Takes the UDP checksum away, which IPv4 allows.
pub fn refresh_sum(packet: &mut [u8]) {
    packet[40..42].fill(0);
}
