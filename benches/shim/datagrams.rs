//! Servers of UDP that know nothing of the library, over a pair of interfaces, with and without
//! sio-run --udp. The load keeps a number of requests under way, and is the same for all.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sio_benches::meter::Meter;
use sio_benches::record::{Family, Glance};
use sio_benches::series::{Measure, Of, Sample, Wanted, ratio_title};
use sio_benches::system::{self, Poll};

use crate::network::{self, FAR_INTERFACE, NEAR, Network};
use crate::{Place, Server};

pub const WAYS: [(&str, &[&str]); 3] = [
    ("without", &[]),
    ("sio-run", &["--require", "--"]),
    ("sio-run --udp", &["--require", "--udp", "--"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Memcached,
    Dnsmasq,
}

/// A server, by how many clients it is asked, and how many requests of each are under way.
#[derive(Clone, Copy)]
pub struct Load {
    pub id: &'static str,
    pub title: &'static str,
    program: Program,
    clients: usize,
    window: usize,
}

const fn load(
    id: &'static str,
    title: &'static str,
    (program, clients, window): (Program, usize, usize),
) -> Load {
    Load { id, title, program, clients, window }
}

pub const LOADS: [Load; 5] = [
    load("shim-udp-memcached-64", "memcached, 64 of one client", (Program::Memcached, 1, 64)),
    load("shim-udp-memcached-16x4", "memcached, 4 of each of 16", (Program::Memcached, 16, 4)),
    load("shim-udp-memcached-1", "memcached, one at a time", (Program::Memcached, 1, 1)),
    load("shim-udp-dnsmasq-64", "dnsmasq, 64 of one client", (Program::Dnsmasq, 1, 64)),
    load("shim-udp-dnsmasq-16x4", "dnsmasq, 4 of each of 16", (Program::Dnsmasq, 16, 4)),
];

const PORT: u16 = 5300;
/// Requests that go out with one call, and answers that come in with one.
const BATCH: usize = 64;
/// What has not been answered by then is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Enough for a socket to be moved.
const WARM_UP: Duration = Duration::from_millis(200);

pub fn family() -> Family {
    let glance = |program: &str| Glance {
        what: "A UDP server that knows nothing of libsio".to_string(),
        program: program.to_string(),
    };
    Family {
        id: "shim-udp".to_string(),
        title: "UDP servers that know nothing of libsio".to_string(),
        about: "Servers over a pair of veth interfaces, on a processor of their own, without \
                sio-run and with it, in turn. The load keeps a number of requests under way. The \
                processor time of the server has its soft interrupts in it, among them those that \
                receive its answers at the other end of the pair."
            .to_string(),
        plotted: ratio_title("CPU", WAYS[0].0),
        is_less_better: true,
        glance: WAYS[1..].iter().map(|(name, _)| glance(name)).collect(),
        cases: Vec::new(),
    }
}

pub fn goals(id: &str, name: &str) -> Vec<Wanted> {
    let cpu = Of::Base(Measure::Cpu);
    match (name, id) {
        ("sio-run", _) => vec![Wanted::at_most("sio-run, UDP, no harm, CPU", cpu, 1.02)],
        ("sio-run --udp", "shim-udp-memcached-64") => {
            vec![Wanted::at_most("sio-run --udp, memcached, CPU", cpu, 0.5)]
        }
        _ => Vec::new(),
    }
}

impl Program {
    pub fn name(self) -> &'static str {
        match self {
            Self::Memcached => "memcached",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    fn arguments(self) -> Vec<String> {
        let words = match self {
            Self::Memcached => format!("-u root -t 1 -p {PORT} -U {PORT} -l {NEAR}"),
            Self::Dnsmasq => format!(
                "-k -R -h -c 0 -u root --pid-file= --bind-interfaces --listen-address={NEAR} \
                 -p {PORT} --address=/host.example/192.0.2.1"
            ),
        };
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// A request, which is asked again and again.
    fn request(self) -> Vec<u8> {
        match self {
            // Header: number, place, count, nothing.
            Self::Memcached => b"\0\0\0\0\0\x01\0\0get key\r\n".to_vec(),
            Self::Dnsmasq => {
                b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x04host\x07example\0\0\x01\0\x01".to_vec()
            }
        }
    }
}

impl Load {
    pub fn program(&self) -> Program {
        self.program
    }

    /// One run: requests that were answered, and what that took.
    pub fn run(&self, place: &Place, network: &Network, options: &[&str]) -> io::Result<Sample> {
        let processors = system::processors();
        let (own, other) = match processors[..] {
            [first, second, ..] => (Some(first), Some(second)),
            _ => (None, None),
        };
        let mut command = place.command(options, self.program.name().as_ref());
        command.args(self.program.arguments()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = start(command, network, own)?;
        let far = network.open_far()?;
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                network::enter(&far)?;
                if let Some(other) = other {
                    system::stay_on(&[other])?;
                }
                if self.program == Program::Memcached {
                    store()?;
                }
                let mut clients = Clients::new(self)?;
                clients.await_first()?;
                clients.work(WARM_UP)?;
                let meter = Meter::start(server.0.id(), own)?;
                let answered = clients.work(Duration::from_secs_f64(place.seconds()))?;
                meter.read(answered)
            });
            load.join().unwrap_or_else(|_| Err(io::Error::other("the load has failed")))
        })
    }
}

fn start(mut command: Command, network: &Network, on: Option<usize>) -> io::Result<Server> {
    let near = network.open_near()?;
    // SAFETY: system calls, no memory is allocated.
    unsafe {
        command.pre_exec(move || {
            system::end_with_parent()?;
            network::enter(&near)?;
            on.map_or(Ok(()), |one| system::stay_on(&[one]))
        });
    }
    command.spawn().map(Server)
}

/// What memcached will be asked for.
fn store() -> io::Result<()> {
    let address = SocketAddrV4::new(NEAR.parse().unwrap_or(Ipv4Addr::LOCALHOST), PORT);
    let end = Instant::now() + PATIENCE * 5;
    let mut stream = loop {
        match TcpStream::connect(address) {
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
            Ok(stream) => break stream,
        }
    };
    let mut word = [0; 8];
    io::Write::write_all(&mut stream, format!("set key 0 0 32\r\n{:032}\r\n", 1).as_bytes())?;
    io::Read::read_exact(&mut stream, &mut word)?;
    if &word == b"STORED\r\n" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// The clients, and what of each is under way.
struct Clients {
    sockets: Vec<(UdpSocket, usize)>,
    window: usize,
    request: Vec<u8>,
    ready: Poll,
    keys: Vec<u64>,
}

impl Clients {
    fn new(load: &Load) -> io::Result<Self> {
        let ready = Poll::new()?;
        let mut sockets = Vec::new();
        for number in 0..load.clients {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((NEAR, PORT))?;
            socket.set_nonblocking(true)?;
            ready.add(socket.as_raw_fd(), system::READ, number as u64)?;
            sockets.push((socket, 0));
        }
        let (window, request) = (load.window, load.program.request());
        Ok(Self { sockets, window, request, ready, keys: Vec::new() })
    }

    /// Until the server answers.
    fn await_first(&mut self) -> io::Result<()> {
        let end = Instant::now() + PATIENCE * 5;
        loop {
            // The port may be closed yet.
            let _ = self.sockets[0].0.send(&self.request);
            self.ready.wait(Duration::from_millis(20), &mut self.keys)?;
            if self.sockets[0].0.recv(&mut [0; 2048]).is_ok() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(io::Error::other(format!("no answer by {FAR_INTERFACE}")));
            }
        }
    }

    /// Keeps requests under way for a time: how many were answered.
    fn work(&mut self, time: Duration) -> io::Result<f64> {
        let end = Instant::now() + time;
        let mut answered = 0;
        let mut last = Instant::now();
        while Instant::now() < end {
            for (socket, under_way) in &mut self.sockets {
                *under_way += send(socket.as_raw_fd(), &self.request, self.window - *under_way);
            }
            self.ready.wait(Duration::from_millis(50), &mut self.keys)?;
            for key in &self.keys {
                let (socket, under_way) = &mut self.sockets[*key as usize];
                let count = receive(socket.as_raw_fd());
                *under_way = under_way.saturating_sub(count);
                answered += count;
            }
            if !self.keys.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > PATIENCE {
                self.sockets.iter_mut().for_each(|(_, under_way)| *under_way = 0);
            }
        }
        Ok(answered as f64)
    }
}

fn pieces<'a>(
    places: impl Iterator<Item = &'a mut libc::iovec>,
) -> (Vec<libc::mmsghdr>, libc::c_uint) {
    let headers: Vec<libc::mmsghdr> = places
        .map(|place| {
            // SAFETY: numbers and pointers, which may be zero.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = place;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let count = headers.len() as libc::c_uint;
    (headers, count)
}

/// The same request several times: how often.
fn send(socket: RawFd, request: &[u8], count: usize) -> usize {
    let place =
        libc::iovec { iov_base: request.as_ptr().cast_mut().cast(), iov_len: request.len() };
    let mut places = vec![place; count.min(BATCH)];
    let (mut headers, count) = pieces(places.iter_mut());
    // SAFETY: as many headers as told, whose memory is only read.
    let sent = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).unwrap_or(0)
}

/// Answers that are there: how many.
fn receive(socket: RawFd) -> usize {
    const ROOM: usize = 2048;
    let mut room = vec![0u8; ROOM * BATCH];
    let mut places: Vec<libc::iovec> = room
        .chunks_mut(ROOM)
        .map(|room| libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() })
        .collect();
    let (mut headers, count) = pieces(places.iter_mut());
    // SAFETY: as many headers as told, with room of ours.
    let received = unsafe {
        let flags = libc::MSG_DONTWAIT;
        libc::recvmmsg(socket, headers.as_mut_ptr(), count, flags, std::ptr::null_mut())
    };
    usize::try_from(received).unwrap_or(0)
}
