//! Many events and many threads at once: each is told exactly once, whatever its source, and
//! what is merged adds up.

use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sio::capi::types::{EC_ABSTIME, EC_COUNTER, EC_EDGE, SIO_RELEASE};
use sio::channel::{Event, event};
use sio::error::Errno;

use super::face::Face;
use super::kinds::{self, fetchers, wait_until};
use super::rig::{AREA, Area, Channel, Endpoint, Pattern, capacity};
use super::sockets::{self, Family, own};
use super::system::{self, Child, Semaphore};

/// Threads that fetch from one channel, and threads that make events.
const FETCHERS: usize = 16;
const PRODUCERS: usize = 4;

/// Sixteen threads do something with each event while `produce` runs, which returns when all that
/// it has caused has been told. Then a while for what should not come, and the channel goes.
fn storm<F: Face>(flags: u32, sink: impl Fn(&Event) + Sync, produce: impl FnOnce(i32)) {
    let ec = F::create(flags).expect("ec_create");
    thread::scope(|scope| {
        fetchers::<F>(scope, ec, FETCHERS, &sink);
        produce(ec);
        thread::sleep(Duration::from_millis(3));
        assert_eq!(F::destroy(ec), Ok(()));
    });
}

/// Numbers that are each told once.
#[derive(Default)]
struct Once {
    seen: Mutex<HashSet<u64>>,
    count: AtomicUsize,
}

impl Once {
    fn tell(&self, number: u64) {
        assert!(self.seen.lock().expect("nobody panics").insert(number), "{number} twice");
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn wait_for(&self, count: usize) {
        wait_until(|| self.count.load(Ordering::SeqCst) >= count);
    }

    fn check(&self, count: usize) {
        assert_eq!(self.count.load(Ordering::SeqCst), count);
    }
}

/// Each number up to the end of it, by several threads, each of which knows who it is.
fn in_turn(count: u64, work: impl Fn(usize, u64) + Sync) {
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let work = &work;
            scope.spawn(move || {
                let mine = (producer as u64..count).step_by(PRODUCERS);
                mine.for_each(|number| work(producer, number));
            });
        }
    });
}

fn posts<F: Face>() {
    const COUNT: u64 = 8000;
    let once = Once::default();
    storm::<F>(
        capacity(5),
        |told| once.tell(told.cookie),
        |ec| {
            in_turn(COUNT, |_, cookie| {
                let posted = Event { kind: event::USER, cookie, ..Event::EMPTY };
                while let Err(errno) = F::post(ec, &posted) {
                    assert_eq!(errno, Errno::EAGAIN);
                    thread::yield_now();
                }
            });
            once.wait_for(COUNT as usize);
        },
    );
    once.check(COUNT as usize);
}

/// Every change is told to one thread, as often as it happens.
fn edges<F: Face>() {
    const COUNT: usize = 250;
    let told: [AtomicUsize; PRODUCERS] = Default::default();
    let counters: [_; PRODUCERS] = std::array::from_fn(|_| system::counter());
    storm::<F>(
        0,
        |event| {
            assert_eq!((event.kind, event.result), (event::FD, i64::from(libc::POLLIN)));
            told[event.cookie as usize].fetch_add(1, Ordering::SeqCst);
        },
        |ec| {
            for (cookie, counter) in counters.iter().enumerate() {
                F::add_fd(ec, counter.as_raw_fd(), libc::POLLIN, EC_EDGE, cookie as u64)
                    .expect("ec_add_fd");
            }
            thread::scope(|scope| {
                for (counter, told) in counters.iter().zip(&told) {
                    scope.spawn(|| {
                        for before in 0..COUNT {
                            assert_eq!(told.load(Ordering::SeqCst), before, "told twice");
                            counter.write(1).expect("write");
                            wait_until(|| told.load(Ordering::SeqCst) > before);
                        }
                    });
                }
            });
        },
    );
    assert!(told.iter().all(|told| told.load(Ordering::SeqCst) == COUNT), "{told:?}");
}

/// What is written to counters adds up, and nobody else has to read them.
fn counters<F: Face>() {
    const COUNT: u64 = 8000;
    let sums: [AtomicU64; PRODUCERS] = Default::default();
    let counters: [_; PRODUCERS] = std::array::from_fn(|_| system::counter());
    let written: [AtomicU64; PRODUCERS] = Default::default();
    storm::<F>(
        0,
        |event| {
            assert_ne!(event.length, 0, "{event:?}");
            sums[event.cookie as usize].fetch_add(event.length as u64, Ordering::SeqCst);
        },
        |ec| {
            for (cookie, counter) in counters.iter().enumerate() {
                let fd = counter.as_raw_fd();
                F::add_fd(ec, fd, libc::POLLIN, EC_COUNTER, cookie as u64).expect("ec_add_fd");
            }
            // Every thread writes to every counter.
            in_turn(COUNT, |producer, number| {
                let which = (producer + number as usize / PRODUCERS) % PRODUCERS;
                counters[which].write(number % 7 + 1).expect("write");
                written[which].fetch_add(number % 7 + 1, Ordering::SeqCst);
            });
            for (sum, written) in sums.iter().zip(&written) {
                wait_until(|| sum.load(Ordering::SeqCst) >= written.load(Ordering::SeqCst));
            }
        },
    );
    for (sum, written) in sums.iter().zip(&written) {
        assert_eq!(sum.load(Ordering::SeqCst), written.load(Ordering::SeqCst));
    }
    assert!(counters.iter().all(|counter| counter.read().is_err()), "something is left");
}

/// As many events as units, and threads that take units themselves get theirs.
fn units<F: Face>() {
    const COUNT: u64 = 4000;
    let told: [AtomicU64; PRODUCERS] = Default::default();
    let posted: [AtomicU64; PRODUCERS] = Default::default();
    let semaphores: [_; PRODUCERS] = std::array::from_fn(|_| Semaphore::new(0));
    let taken = AtomicU64::new(0);
    let total = |of: &[AtomicU64]| of.iter().map(|one| one.load(Ordering::SeqCst)).sum::<u64>();
    storm::<F>(
        0,
        |event| {
            let index = event.cookie as usize;
            assert_eq!(event.pointer, semaphores[index].as_ptr() as usize);
            told[index].fetch_add(1, Ordering::SeqCst);
        },
        |ec| {
            for (cookie, semaphore) in semaphores.iter().enumerate() {
                F::add_sem(ec, semaphore, 0, cookie as u64).expect("ec_add_sem");
            }
            in_turn(COUNT, |producer, number| {
                let which = (producer + number as usize / PRODUCERS) % PRODUCERS;
                posted[which].fetch_add(1, Ordering::SeqCst);
                semaphores[which].post();
                if number % 5 == 0 && semaphores[which].try_take() {
                    posted[which].fetch_sub(1, Ordering::SeqCst);
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            });
            wait_until(|| total(&told) >= total(&posted));
        },
    );
    for index in 0..PRODUCERS {
        let units = told[index].load(Ordering::SeqCst);
        assert_eq!(units, posted[index].load(Ordering::SeqCst), "of semaphore {index}");
        assert_eq!(semaphores[index].units(), 0);
    }
    assert_eq!(total(&told) + taken.load(Ordering::SeqCst), COUNT);
}

/// Real-time signals are queued: each is told once, with its value.
fn realtime_signals<F: Face>() {
    const COUNT: u64 = 2000;
    let once = Once::default();
    let signals = system::realtime_signals();
    storm::<F>(
        0,
        |event| {
            assert_eq!((event.kind, event.result), (event::SIGNAL, 1));
            assert_eq!(event.length, std::process::id() as usize);
            assert_eq!(event.fd, signals[event.pointer % 2]);
            once.tell(event.pointer as u64);
        },
        |ec| {
            F::add_signal(ec, &system::signal_set(&signals), 1).expect("ec_add_signal");
            in_turn(COUNT, |_, number| {
                let value = number as usize;
                while !system::queue_signal(signals[value % 2], value) {
                    thread::yield_now();
                }
            });
            once.wait_for(COUNT as usize);
        },
    );
    once.check(COUNT as usize);
}

/// A hundred children end, each with a status of its own; each is reaped and told once.
fn children<F: Face>() {
    const COUNT: usize = 100;
    let once = Once::default();
    let children: Vec<Child> = (0..COUNT).map(|status| Child::start(status as i32)).collect();
    storm::<F>(
        0,
        |event| {
            assert_eq!((event.kind, event.errno), (event::PROCESS, 0));
            assert_eq!(event.fd, children[event.cookie as usize].fd());
            assert_eq!(event.result, (event.cookie << 8) as i64, "the wait status");
            once.tell(event.cookie);
        },
        |ec| {
            for (cookie, child) in children.iter().enumerate() {
                if cookie % 3 == 0 {
                    child.end();
                }
                F::add_process(ec, child.fd(), cookie as u64).expect("ec_add_process");
            }
            for (cookie, child) in children.iter().enumerate() {
                if cookie % 3 != 0 {
                    child.end();
                }
            }
            once.wait_for(COUNT);
        },
    );
    once.check(COUNT);
    assert!(children.iter().all(|child| !child.reap()), "told, and not reaped");
}

/// Every connection is accepted once.
fn connections<F: Face>() {
    const COUNT: u64 = 800;
    let once = Once::default();
    let (listener, address) = kinds::listener();
    storm::<F>(
        0,
        |event| {
            assert_eq!((event.kind, event.errno), (event::ACCEPT, 0));
            let connection = own(event.result as i32);
            let words = sockets::read(&connection);
            once.tell(u64::from_ne_bytes(words.try_into().expect("a number")));
        },
        |ec| {
            F::add_accept(ec, listener.as_raw_fd(), 0, 1).expect("ec_add_accept");
            in_turn(COUNT, |_, number| {
                while !kinds::connect(&address, &number.to_ne_bytes()) {
                    thread::yield_now();
                }
            });
            once.wait_for(COUNT as usize);
        },
    );
    once.check(COUNT as usize);
}

/// Every send that was accepted ends once, also where the channel is full most of the time.
fn sends<F: Face>() {
    const COUNT: usize = 300;
    const SIZE: usize = 1000;
    let area = Area::<F>::new(2 * AREA);
    let ends: Vec<_> =
        [Family::Tcp4, Family::UnixStream, Family::UnixDatagram, Family::UnixPackets]
            .into_iter()
            .map(|family| {
                let (socket, peer) = family.pair();
                (Endpoint::<F>::new(&area, socket), peer)
            })
            .collect();
    let told: [AtomicUsize; 4] = Default::default();
    let refused = AtomicUsize::new(0);
    storm::<F>(
        capacity(2),
        |event| {
            if event.kind == event::SENT {
                assert_eq!((event.result, event.length), (SIZE as i64, SIZE), "{event:?}");
                told[event.cookie as usize].fetch_add(1, Ordering::SeqCst);
            }
        },
        |ec| {
            for (cookie, (end, _)) in ends.iter().enumerate() {
                F::add_socket(ec, end.fd(), 0, cookie as u64).expect("ec_add_socket");
            }
            thread::scope(|scope| {
                for (end, peer) in &ends {
                    scope.spawn(|| send_all(&area, end, COUNT, SIZE, &refused));
                    scope.spawn(|| {
                        for number in 0..COUNT {
                            sockets::read_pattern(peer, Pattern(number), 0, SIZE);
                        }
                    });
                }
            });
            wait_until(|| told.iter().all(|told| told.load(Ordering::SeqCst) >= COUNT));
        },
    );
    assert!(told.iter().all(|told| told.load(Ordering::SeqCst) == COUNT), "{told:?}");
    println!("  {refused:?} sends were refused at first");
}

fn send_all<F: Face>(
    area: &Area<F>,
    end: &Endpoint<F>,
    count: usize,
    size: usize,
    refused: &AtomicUsize,
) {
    for number in 0..count {
        let block = area.block(&Pattern(number).bytes(0, size));
        while let Err(errno) = end.send(block, SIO_RELEASE) {
            assert_eq!(errno, Errno::EAGAIN);
            refused.fetch_add(1, Ordering::Relaxed);
            thread::yield_now();
        }
    }
}

/// More counters, written to more often, than there is room for in the channel or its ring, and
/// nobody fetches: each tells one sum.
fn counters_merge<F: Face>() {
    const COUNT: usize = 1500;
    system::allow_descriptors(2 * COUNT);
    let channel = Channel::<F>::new(capacity(1));
    let counters: Vec<_> = (0..COUNT).map(|_| system::counter()).collect();
    for (cookie, counter) in counters.iter().enumerate() {
        F::add_fd(channel.fd, counter.as_raw_fd(), libc::POLLIN, EC_COUNTER, cookie as u64)
            .expect("ec_add_fd");
    }
    for _ in 0..2 {
        for round in 1..=3 {
            for (number, counter) in counters.iter().enumerate() {
                counter.write(round * number as u64 + 1).expect("write");
            }
            // A look from time to time takes nothing away.
            assert_eq!(F::delay(channel.fd, None), Ok(()));
        }
        let mut sums = vec![0; COUNT];
        while let Some(told) = channel.next() {
            sums[told.cookie as usize] += told.length as u64;
        }
        for (number, sum) in sums.into_iter().enumerate() {
            assert_eq!(sum, 6 * number as u64 + 3, "counter {number}");
        }
    }
}

/// Nobody fetches for a while: a timer counts its expirations, all of them and no more.
fn expirations_merge<F: Face>() {
    const PERIOD: u64 = 100_000;
    let channel = Channel::<F>::new(capacity(1));
    let now = || {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    };
    let time = |at: u64| libc::timespec {
        tv_sec: (at / 1_000_000_000) as i64,
        tv_nsec: (at % 1_000_000_000) as i64,
    };
    let first = now() + 1_000_000;
    let when = libc::itimerspec { it_value: time(first), it_interval: time(PERIOD) };
    F::add_timer(channel.fd, libc::CLOCK_MONOTONIC, &when, EC_ABSTIME, 1).expect("ec_add_timer");
    let mut sum = 0;
    for round in 0..60 {
        if round % 4 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        if round % 3 == 0 {
            // From now on a count waits in the channel, and what comes later is added to it.
            assert_eq!(F::delay(channel.fd, None), Ok(()));
            thread::sleep(Duration::from_millis(1));
        }
        let before = now();
        let mut room = [Event::EMPTY; 4];
        assert_eq!(F::wait_events(channel.fd, &mut room, None), Ok(1), "it is merged");
        assert_eq!(room[0].kind, event::TIMER);
        sum += room[0].result as u64;
        assert!(sum <= (now() - first) / PERIOD + 1, "more than there were");
        // The timer may be a little behind the clock.
        assert!(sum + 5 > before.saturating_sub(first) / PERIOD, "{sum} are too few");
    }
}

/// A standard signal that is pending already is one delivery; one at a time, each is told.
fn standard_signals_merge<F: Face>() {
    let channel = Channel::<F>::new(capacity(1));
    let [one, other] = system::STANDARD_SIGNALS;
    let set = system::signal_set(&[one, other]);
    F::add_signal(channel.fd, &set, 1).expect("ec_add_signal");
    for round in 0..50 {
        for _ in 0..5 {
            system::send_signal(one);
        }
        system::send_signal(other);
        if round % 2 == 0 {
            assert_eq!(F::delay(channel.fd, None), Ok(()));
        }
        let mut told = [channel.wait(), channel.wait()].map(|told| (told.fd, told.result));
        told.sort_unstable();
        assert_eq!(told, [(one, 1), (other, 1)]);
        channel.check_empty();
    }
}

behaviours!(
    posts,
    edges,
    counters,
    units,
    realtime_signals,
    children,
    connections,
    sends,
    counters_merge,
    expirations_merge,
    standard_signals_merge,
);
