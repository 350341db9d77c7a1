//! What the sources of `churn.rs` are about: a few descriptors, words, semaphores and the like, of
//! which the model of the test knows how much they have to tell.

use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::eventfd::EventFd;
use sio::capi::types::{EC_COUNTER, EC_EDGE, EC_ONESHOT};
use sio::channel::{Event, event};
use sio::error::Result;

use super::face::Face;
use super::kinds;
use super::rig::{Area, Channel, Endpoint};
use super::sockets::{self, Family, own};
use super::system::{self, Queue, Semaphore};

/// Sorts of sources. Those of one number have one cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    Level,
    Edge,
    Oneshot,
    Counter,
    Queue,
    Units,
    OneUnit,
    Word,
    /// A timer that expires at once, and one that never does.
    Soon,
    Later,
    Signal,
    Connections,
    Stream,
}

/// How many causes there are of each sort.
pub const COUNTS: [(Sort, usize); 13] = [
    (Sort::Level, 20),
    (Sort::Edge, 20),
    (Sort::Oneshot, 20),
    (Sort::Counter, 20),
    (Sort::Queue, 3),
    (Sort::Units, 20),
    (Sort::OneUnit, 20),
    (Sort::Word, 20),
    (Sort::Soon, 20),
    (Sort::Later, 20),
    (Sort::Signal, 2),
    (Sort::Connections, 3),
    (Sort::Stream, 3),
];

impl Sort {
    pub fn count(self) -> usize {
        COUNTS.iter().find(|(sort, _)| *sort == self).expect("in the table").1
    }

    /// Whether several sources may have one cause: otherwise it would be open who is told.
    pub fn is_shared(self) -> bool {
        !matches!(self, Self::Counter | Self::Connections | Self::Stream)
    }

    /// Those whose causes are the same descriptors.
    pub fn is_polled(self) -> bool {
        matches!(self, Self::Level | Self::Edge | Self::Oneshot)
    }

    /// Told once for each change.
    pub fn is_edge(self) -> bool {
        self == Self::Edge
    }

    /// Told once, until it is armed again.
    pub fn is_once(self) -> bool {
        matches!(self, Self::Oneshot | Self::Word | Self::OneUnit | Self::Soon)
    }

    pub fn event_kind(self) -> i32 {
        match self {
            Self::Level | Self::Edge | Self::Oneshot | Self::Counter => event::FD,
            Self::Queue => event::MQ,
            Self::Units | Self::OneUnit => event::SEM,
            Self::Word => event::FUTEX,
            Self::Soon | Self::Later => event::TIMER,
            Self::Signal => event::SIGNAL,
            Self::Connections => event::ACCEPT,
            Self::Stream => event::RECV,
        }
    }
}

/// Something that is counted: how much of it has not been told.
struct Counted<T> {
    thing: T,
    left: u64,
}

pub struct World<F: Face> {
    // Poll sources of all three kinds have the same ones.
    polled: Vec<Counted<EventFd>>,
    counters: Vec<Counted<EventFd>>,
    queues: Vec<Counted<Queue>>,
    semaphores: Vec<Counted<Semaphore>>,
    words: Vec<AtomicU32>,
    signals: Vec<Counted<i32>>,
    listeners: Vec<Counted<(UnixListener, SocketAddr)>>,
    streams: Vec<Counted<(Endpoint<F>, std::os::fd::OwnedFd)>>,
    area: Area<F>,
}

/// Takes the signals that are pending: how many.
fn pending_signals<F: Face>() -> u64 {
    let channel = Channel::<F>::new(0);
    let set = system::signal_set(&system::realtime_signals());
    F::add_signal(channel.fd, &set, 0).expect("ec_add_signal");
    std::iter::from_fn(|| channel.next()).count() as u64
}

fn some<T>(sort: Sort, make: impl Fn() -> T) -> Vec<Counted<T>> {
    (0..sort.count()).map(|_| Counted { thing: make(), left: 0 }).collect()
}

impl<F: Face> World<F> {
    pub fn new() -> Self {
        // Of a case that has failed.
        pending_signals::<F>();
        let area = Area::new(1 << 16);
        let signals = system::realtime_signals().map(|thing| Counted { thing, left: 0 });
        Self {
            polled: some(Sort::Level, system::counter),
            counters: some(Sort::Counter, system::counter),
            queues: some(Sort::Queue, Queue::new),
            semaphores: some(Sort::Units, || Semaphore::new(0)),
            words: (0..Sort::Word.count()).map(|_| AtomicU32::new(0)).collect(),
            signals: signals.into(),
            listeners: some(Sort::Connections, kinds::listener),
            streams: some(Sort::Stream, || {
                let (socket, peer) = Family::UnixStream.pair();
                (Endpoint::new(&area, socket), peer)
            }),
            area,
        }
    }

    pub fn add(&self, ec: RawFd, sort: Sort, which: usize, cookie: u64) -> Result<i32> {
        let polled = |flags| {
            F::add_fd(ec, self.polled[which].thing.as_raw_fd(), libc::POLLIN, flags, cookie)
        };
        let timer = |first: i64| {
            let time = |tv_sec| libc::timespec { tv_sec, tv_nsec: i64::from(first == 0) };
            let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let when = libc::itimerspec { it_value: time(first), it_interval: never };
            F::add_timer(ec, libc::CLOCK_MONOTONIC, &when, 0, cookie)
        };
        match sort {
            Sort::Level => polled(0),
            Sort::Edge => polled(EC_EDGE),
            Sort::Oneshot => polled(EC_ONESHOT),
            Sort::Counter => {
                let fd = self.counters[which].thing.as_raw_fd();
                F::add_fd(ec, fd, libc::POLLIN, EC_COUNTER, cookie)
            }
            Sort::Queue => F::add_mq(ec, self.queues[which].thing.fd(), 0, cookie),
            Sort::Units => F::add_sem(ec, &self.semaphores[which].thing, 0, cookie),
            Sort::OneUnit => F::add_sem(ec, &self.semaphores[which].thing, EC_ONESHOT, cookie),
            Sort::Word => F::add_futex(ec, &self.words[which], self.value(which), cookie),
            Sort::Soon => timer(0),
            Sort::Later => timer(1000),
            Sort::Signal => {
                F::add_signal(ec, &system::signal_set(&[self.signals[which].thing]), cookie)
            }
            Sort::Connections => {
                F::add_accept(ec, self.listeners[which].thing.0.as_raw_fd(), 0, cookie)
            }
            Sort::Stream => F::add_socket(ec, self.streams[which].thing.0.fd(), 0, cookie),
        }
    }

    /// What a word is; for all others it does not matter.
    pub fn value(&self, which: usize) -> u32 {
        self.words.get(which).map_or(0, |word| word.load(Ordering::SeqCst))
    }

    /// Whether there is something to tell now.
    pub fn is_ready(&self, sort: Sort, which: usize) -> bool {
        match sort {
            Sort::Level | Sort::Edge | Sort::Oneshot => self.polled[which].left > 0,
            Sort::Counter => self.counters[which].left > 0,
            Sort::Queue => self.queues[which].left > 0,
            Sort::Units | Sort::OneUnit => self.semaphores[which].left > 0,
            Sort::Signal => self.signals[which].left > 0,
            Sort::Connections => self.listeners[which].left > 0,
            Sort::Stream => self.streams[which].left > 0,
            Sort::Word | Sort::Soon | Sort::Later => false,
        }
    }

    /// Makes sources tell something; `false`: there is too much already.
    pub fn fire(&mut self, sort: Sort, which: usize) -> bool {
        match sort {
            Sort::Level | Sort::Edge | Sort::Oneshot => {
                self.polled[which].thing.write(1).expect("write");
                self.polled[which].left += 1;
            }
            Sort::Counter => {
                self.counters[which].thing.write(which as u64 + 1).expect("write");
                self.counters[which].left += which as u64 + 1;
            }
            Sort::Queue if self.queues[which].thing.send() => self.queues[which].left += 1,
            Sort::Units | Sort::OneUnit => {
                self.semaphores[which].thing.post();
                self.semaphores[which].left += 1;
            }
            Sort::Word => {
                self.words[which].fetch_add(2, Ordering::SeqCst);
                system::wake(&self.words[which]);
            }
            Sort::Signal if self.signals[which].left < 50 => {
                if !system::queue_signal(self.signals[which].thing, 0) {
                    return false;
                }
                self.signals[which].left += 1;
            }
            Sort::Connections if self.listeners[which].left < 20 => {
                assert!(kinds::connect(&self.listeners[which].thing.1, &[]));
                self.listeners[which].left += 1;
            }
            Sort::Stream if self.streams[which].left < 10_000 => {
                sockets::write(&self.streams[which].thing.1, b"some bytes");
                self.streams[which].left += 10;
            }
            _ => return false,
        }
        true
    }

    /// Takes away what a source has to tell.
    pub fn quiet(&mut self, sort: Sort, which: usize) {
        match sort {
            Sort::Level | Sort::Edge | Sort::Oneshot => {
                let read = self.polled[which].thing.read().unwrap_or(0);
                assert_eq!(read, std::mem::take(&mut self.polled[which].left));
            }
            Sort::Queue => {
                while self.queues[which].thing.receive() {
                    self.queues[which].left -= 1;
                }
            }
            Sort::Units | Sort::OneUnit => {
                // A unit that a source has taken is not there.
                let semaphore = &mut self.semaphores[which];
                semaphore.left -= u64::from(semaphore.thing.try_take());
            }
            Sort::Stream => {
                let stream = &mut self.streams[which];
                while stream.left > 0 {
                    let block = stream.thing.0.take(4096);
                    stream.left -= block.size as u64;
                    self.area.release(block);
                }
            }
            _ => {}
        }
    }

    /// Books what an event tells; `false`: there was not so much.
    pub fn told(&mut self, sort: Sort, which: usize, event: &Event) -> bool {
        let (left, told) = match sort {
            Sort::Counter => (&mut self.counters[which].left, event.length as u64),
            Sort::Units | Sort::OneUnit => (&mut self.semaphores[which].left, 1),
            Sort::Signal => (&mut self.signals[which].left, 1),
            Sort::Connections => {
                drop(own(event.result as RawFd));
                (&mut self.listeners[which].left, 1)
            }
            Sort::Stream => {
                return event.result > 0 && event.result as u64 <= self.streams[which].left;
            }
            _ => return true,
        };
        let is_enough = *left >= told;
        *left = left.saturating_sub(told);
        is_enough
    }

    /// A source has been removed: what it had taken and not told has gone with it, or come back.
    pub fn forget(&mut self, sort: Sort, which: usize) {
        match sort {
            Sort::Counter => {
                let counter = &mut self.counters[which];
                let rest = counter.thing.read().unwrap_or(0);
                assert!(rest <= counter.left);
                counter.left = 0;
            }
            Sort::Connections => {
                // At most one has been looked at by each source; that one is closed.
                let listener = &mut self.listeners[which];
                listener.thing.0.set_nonblocking(true).expect("O_NONBLOCK");
                let rest = std::iter::from_fn(|| listener.thing.0.accept().ok()).count() as u64;
                assert!(rest <= listener.left);
                listener.thing.0.set_nonblocking(false).expect("O_NONBLOCK");
                listener.left = 0;
            }
            _ => {}
        }
    }

    /// The channel has gone: what was not told is where it was.
    pub fn check_end(&self) -> std::result::Result<(), String> {
        for (number, semaphore) in self.semaphores.iter().enumerate() {
            let (units, left) = (semaphore.thing.units() as u64, semaphore.left);
            if units != left {
                return Err(format!("semaphore {number} has {units} units, not {left}"));
            }
        }
        let found = pending_signals::<F>();
        let left: u64 = self.signals.iter().map(|signal| signal.left).sum();
        if found != left {
            return Err(format!("{found} signals are pending, not {left}"));
        }
        Ok(())
    }
}
