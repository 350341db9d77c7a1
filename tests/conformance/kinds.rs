//! A source of every kind, each with what makes it tell something and with what a program does
//! when it has told: promises that hold for all kinds are tested with all of them.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::Duration;

use nix::sys::eventfd::EventFd;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr};
use sio::capi::types::{EC_COUNTER, EC_EDGE, EC_ONESHOT};
use sio::channel::{Event, event};
use sio::error::{Errno, Result};

use super::face::Face;
use super::memory::Block;
use super::rig::{Area, Endpoint, Pattern};
use super::setting::Setting;
use super::sockets::{self, Family, own};
use super::system::{self, Child, Queue, Semaphore};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Level,
    Edge,
    Oneshot,
    Counter,
    Queue,
    QueueEdge,
    Signal,
    Realtime,
    Timer,
    Futex,
    Semaphore,
    OneUnit,
    Process,
    Connections,
    Stream,
    Messages,
}

pub const ALL: &[Kind] = &[
    Kind::Level,
    Kind::Edge,
    Kind::Oneshot,
    Kind::Counter,
    Kind::Queue,
    Kind::QueueEdge,
    Kind::Signal,
    Kind::Realtime,
    Kind::Timer,
    Kind::Futex,
    Kind::Semaphore,
    Kind::OneUnit,
    Kind::Process,
    Kind::Connections,
    Kind::Stream,
    Kind::Messages,
];

/// What causes the events of a source.
pub struct Cause<F: Face> {
    pub kind: Kind,
    pub what: What<F>,
    /// Bytes of a stream that were received, real-time signals that are pending.
    count: AtomicUsize,
    /// Bytes that a stream's peer has written.
    written: Mutex<usize>,
}

pub enum What<F: Face> {
    Counter(EventFd),
    Queue(Queue),
    Signal(i32),
    Timer,
    Word(Box<AtomicU32>),
    Semaphore(Semaphore),
    Child(Child),
    Listener(UnixListener, SocketAddr),
    // Detached before its area goes.
    Socket { end: Endpoint<F>, peer: OwnedFd, area: Area<F> },
}

/// How often the timer expires.
pub const PERIOD: Duration = Duration::from_micros(200);
/// What the peer of a stream sends.
pub const STREAM: Pattern = Pattern(31);
/// The status of the child.
pub const STATUS: i32 = 7;
const AREA: usize = 1 << 18;
const PENDING_MAX: usize = 64;

/// A listening socket without a name in the file system.
pub fn listener() -> (UnixListener, SocketAddr) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("sio-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let address = SocketAddr::from_abstract_name(name).expect("a short name");
    (UnixListener::bind_addr(&address).expect("bind"), address)
}

/// Connects, says what there is to say, and goes; `false`: too many wait to be accepted.
pub fn connect(address: &SocketAddr, words: &[u8]) -> bool {
    let name = address.as_abstract_name().expect("an abstract name");
    let address = UnixAddr::new_abstract(name).expect("a short name");
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let client = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None);
    let client = client.expect("socket");
    if socket::connect(client.as_raw_fd(), &address).is_err() {
        return false;
    }
    if !words.is_empty() {
        sockets::write(&client, words);
    }
    true
}

impl<F: Face> Cause<F> {
    pub fn new(kind: Kind) -> Self {
        let socket = |family: Family| {
            let (socket, peer) = family.pair();
            let area = Area::new(AREA);
            What::Socket { end: Endpoint::new(&area, socket), peer, area }
        };
        let what = match kind {
            Kind::Level | Kind::Edge | Kind::Oneshot | Kind::Counter => {
                What::Counter(system::counter())
            }
            Kind::Queue | Kind::QueueEdge => What::Queue(Queue::new()),
            Kind::Signal => What::Signal(system::STANDARD_SIGNALS[0]),
            Kind::Realtime => What::Signal(system::realtime_signals()[0]),
            Kind::Timer => What::Timer,
            Kind::Futex => What::Word(Box::default()),
            Kind::Semaphore | Kind::OneUnit => What::Semaphore(Semaphore::new(0)),
            Kind::Process => What::Child(Child::start(STATUS)),
            Kind::Connections => {
                let (listener, address) = listener();
                What::Listener(listener, address)
            }
            Kind::Stream => socket(Family::Tcp4),
            Kind::Messages if Setting::current() == Setting::AfXdp => socket(Family::Udp4),
            Kind::Messages => socket(Family::UnixDatagram),
        };
        Self { kind, what, count: AtomicUsize::new(0), written: Mutex::new(0) }
    }

    /// A source of it.
    pub fn add(&self, ec: RawFd, cookie: u64) -> Result<i32> {
        let flags = match self.kind {
            Kind::Edge | Kind::QueueEdge => EC_EDGE,
            Kind::Oneshot | Kind::OneUnit => EC_ONESHOT,
            Kind::Counter => EC_COUNTER,
            _ => 0,
        };
        match &self.what {
            What::Counter(counter) => {
                F::add_fd(ec, counter.as_raw_fd(), libc::POLLIN, flags, cookie)
            }
            What::Queue(queue) => F::add_mq(ec, queue.fd(), flags, cookie),
            What::Signal(signal) => F::add_signal(ec, &system::signal_set(&[*signal]), cookie),
            What::Timer => {
                let period = libc::timespec { tv_sec: 0, tv_nsec: PERIOD.as_nanos() as i64 };
                let when = libc::itimerspec { it_value: period, it_interval: period };
                F::add_timer(ec, libc::CLOCK_MONOTONIC, &when, 0, cookie)
            }
            What::Word(word) => F::add_futex(ec, word, word.load(Ordering::SeqCst), cookie),
            What::Semaphore(semaphore) => F::add_sem(ec, semaphore, flags, cookie),
            What::Child(child) => F::add_process(ec, child.fd(), cookie),
            What::Listener(listener, _) => F::add_accept(ec, listener.as_raw_fd(), 0, cookie),
            What::Socket { end, .. } => F::add_socket(ec, end.fd(), flags, cookie),
        }
    }

    /// Makes it tell something; `false`: it has too much to tell already.
    pub fn fire(&self) -> bool {
        match &self.what {
            What::Counter(counter) => counter.write(1).is_ok(),
            What::Queue(queue) => queue.send(),
            What::Signal(signal) if self.kind == Kind::Realtime => {
                // Other processes have their part in the limit of what may be pending.
                let may = self.count.load(Ordering::SeqCst) < PENDING_MAX
                    && system::queue_signal(*signal, 0);
                self.count.fetch_add(usize::from(may), Ordering::SeqCst);
                may
            }
            What::Signal(signal) => {
                system::send_signal(*signal);
                true
            }
            What::Timer => true,
            What::Word(word) => {
                word.fetch_add(1, Ordering::SeqCst);
                system::wake(word);
                true
            }
            What::Semaphore(semaphore) => {
                semaphore.post();
                true
            }
            What::Child(child) => {
                child.end();
                true
            }
            What::Listener(_, address) => connect(address, &[]),
            What::Socket { peer, .. } if self.kind == Kind::Stream => {
                let mut written = self.written.lock().expect("nobody panics");
                let is_sent = send_now(peer, &STREAM.bytes(*written, 1));
                *written += usize::from(is_sent);
                is_sent
            }
            What::Socket { peer, .. } => send_now(peer, b"message"),
        }
    }

    /// Does what a program does with an event of it.
    pub fn take(&self, told: &Event) {
        assert_eq!((told.kind, told.errno), (self.event_kind(), 0), "{:?}: {told:?}", self.kind);
        match &self.what {
            What::Counter(counter) if self.kind != Kind::Counter => drop(counter.read()),
            What::Queue(queue) => while queue.receive() {},
            What::Signal(_) if self.kind == Kind::Realtime => {
                self.count.fetch_sub(1, Ordering::SeqCst);
            }
            What::Listener(..) => drop(own(told.result as RawFd)),
            What::Socket { end, area, .. } => {
                while let Ok(Some(block)) = end.receive(4096, libc::MSG_DONTWAIT) {
                    self.count.fetch_add(block.size, Ordering::SeqCst);
                    area.release(block);
                }
            }
            _ => {}
        }
    }

    /// Arms it again where that is needed; `false`: it tells nothing more.
    pub fn rearm(&self, ec: RawFd, source: i32) -> bool {
        let armed = match &self.what {
            What::Counter(_) if self.kind == Kind::Oneshot => {
                F::modify(ec, source, libc::POLLIN, EC_ONESHOT)
            }
            What::Semaphore(_) if self.kind == Kind::OneUnit => {
                F::modify(ec, source, 0, EC_ONESHOT)
            }
            What::Word(word) => F::rearm(ec, source, word.load(Ordering::SeqCst)),
            What::Child(_) => return false,
            _ => Ok(()),
        };
        assert_eq!(armed, Ok(()), "{:?}", self.kind);
        true
    }

    pub fn event_kind(&self) -> i32 {
        match self.what {
            What::Counter(_) => event::FD,
            What::Queue(_) => event::MQ,
            What::Signal(_) => event::SIGNAL,
            What::Timer => event::TIMER,
            What::Word(_) => event::FUTEX,
            What::Semaphore(_) => event::SEM,
            What::Child(_) => event::PROCESS,
            What::Listener(..) => event::ACCEPT,
            What::Socket { .. } => event::RECV,
        }
    }

    /// What the peer of a stream has written and nobody received is there, and no more.
    pub fn check_stream(&self) {
        let What::Socket { end, area, .. } = &self.what else { return };
        let total = *self.written.lock().expect("nobody panics");
        let mut at = self.count.load(Ordering::SeqCst);
        while at < total {
            let block: Block = end.take(total - at);
            STREAM.check(at, block.bytes());
            at += block.size;
            area.release(block);
        }
        assert_eq!(end.receive(1, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
    }
}

fn send_now(socket: &OwnedFd, bytes: &[u8]) -> bool {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match socket::send(socket.as_raw_fd(), bytes, flags) {
        Ok(_) => true,
        Err(errno) => {
            assert_eq!(errno, Errno::EAGAIN);
            false
        }
    }
}

impl<F: Face> Drop for Cause<F> {
    fn drop(&mut self) {
        if let What::Child(child) = &self.what {
            child.end();
            child.reap();
        }
    }
}

/// One fetch, in one of the ways that there are; `EBADF` when the channel has gone.
pub fn fetch<F: Face>(ec: RawFd, style: usize, room: &mut [Event; 16]) -> Result<usize> {
    let fetched = match style % 4 {
        0 => F::wait_events(ec, &mut room[..1], None),
        1 => F::wait_events(ec, room, None),
        2 => F::delay(ec, None).and_then(|()| F::next_events(ec, &mut room[..2])),
        _ => F::wait_events(ec, &mut room[..3], Some(Duration::from_millis(1))),
    };
    match fetched {
        // Somebody else was faster, or time was over.
        Err(Errno::EAGAIN) if style % 4 == 2 => Ok(0),
        Err(Errno::ETIMEDOUT) if style % 4 == 3 => Ok(0),
        other => other,
    }
}

/// Threads that fetch, each in its own way, until the channel goes.
pub fn fetchers<'scope, F: Face>(
    scope: &'scope Scope<'scope, '_>,
    ec: RawFd,
    count: usize,
    sink: &'scope (impl Fn(&Event) + Sync),
) {
    for style in 0..count {
        scope.spawn(move || {
            let mut room = [Event::EMPTY; 16];
            loop {
                match fetch::<F>(ec, style, &mut room) {
                    Ok(fetched) => room[..fetched].iter().for_each(sink),
                    Err(errno) => {
                        assert_eq!(errno, Errno::EBADF);
                        return;
                    }
                }
            }
        });
    }
}

/// Returns as soon as something is so.
pub fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_micros(50));
    }
}
