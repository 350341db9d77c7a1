//! The end of things while they are in use: sources that are removed under fire, channels that are
//! destroyed with everything armed, threads that end and leave what they have armed to others.

use std::io::ErrorKind::BrokenPipe;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sio::capi::types::{EC_COUNTER, EC_EDGE, SIO_RELEASE};
use sio::channel::{Event, event};
use sio::error::Errno;

use super::face::Face;
use super::kinds::{self, Cause, Kind, What, fetch, wait_until};
use super::rig::{AREA, Area, Channel, Endpoint, Pattern, Rig};
use super::sockets::{self, Family, STREAMS, each};
use super::system::{self, descriptors, mappings, settled, thread_count};

/// What the threads of one test know about one source that comes and goes.
struct Coming<F: Face> {
    cause: Cause<F>,
    /// Cookies below this are of the past.
    removed: AtomicU64,
    told: AtomicU64,
}

/// Eight threads fetch, two keep firing, and the source comes and goes: whoever begins to fetch
/// after `ec_remove` has returned gets no event of the past, and what can be counted adds up.
fn removed_under_fire<F: Face>() {
    for &kind in kinds::ALL.iter().filter(|kind| **kind != Kind::Process) {
        println!("{kind:?}");
        let one = Coming {
            cause: Cause::<F>::new(kind),
            removed: AtomicU64::new(0),
            told: AtomicU64::new(0),
        };
        let fired = AtomicU64::new(0);
        let (is_over, ec) = (AtomicBool::new(false), F::create(0).expect("ec_create"));
        thread::scope(|scope| {
            for style in 0..8 {
                let one = &one;
                scope.spawn(move || fetch_none_of_the_past(ec, style, one));
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::SeqCst) {
                        fired.fetch_add(u64::from(one.cause.fire()), Ordering::SeqCst);
                        thread::sleep(Duration::from_micros(20));
                    }
                });
            }
            for cookie in 0..120 {
                let before = one.told.load(Ordering::SeqCst);
                let source = one.cause.add(ec, cookie).expect("the source");
                if cookie % 8 == 0 {
                    wait_until(|| one.told.load(Ordering::SeqCst) > before);
                }
                assert_eq!(F::remove(ec, source), Ok(()));
                one.removed.store(cookie + 1, Ordering::SeqCst);
            }
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(F::destroy(ec), Ok(()));
        });
        check_sum(&one, fired.into_inner());
    }
}

fn fetch_none_of_the_past<F: Face>(ec: i32, style: usize, one: &Coming<F>) {
    let mut room = [Event::EMPTY; 16];
    loop {
        let past = one.removed.load(Ordering::SeqCst);
        let fetched = match fetch::<F>(ec, style, &mut room) {
            Ok(fetched) => fetched,
            Err(errno) => {
                assert_eq!(errno, Errno::EBADF);
                return;
            }
        };
        for told in &room[..fetched] {
            assert!(told.cookie >= past, "{:?} {past}: late: {told:?}", one.cause.kind);
            one.cause.take(told);
            one.told.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// What was not told is where it was before.
fn check_sum<F: Face>(one: &Coming<F>, fired: u64) {
    let told = one.told.load(Ordering::SeqCst);
    match &one.cause.what {
        What::Semaphore(semaphore) => assert_eq!(told + semaphore.units() as u64, fired),
        What::Signal(signal) if one.cause.kind == Kind::Realtime => {
            let rest = Channel::<F>::new(0);
            F::add_signal(rest.fd, &system::signal_set(&[*signal]), 0).expect("ec_add_signal");
            let left = std::iter::from_fn(|| rest.next()).count();
            assert_eq!(told + left as u64, fired);
        }
        What::Socket { .. } if one.cause.kind == Kind::Stream => one.cause.check_stream(),
        _ => {}
    }
}

/// The same for processes: each child is told and reaped, or it is left to be reaped.
fn processes_removed_under_fire<F: Face>() {
    const COUNT: usize = 60;
    let causes: Vec<_> = (0..COUNT).map(|_| Cause::<F>::new(Kind::Process)).collect();
    let told: Vec<_> = (0..COUNT).map(|_| AtomicUsize::new(0)).collect();
    let is_removed: Vec<_> = (0..COUNT).map(|_| AtomicBool::new(false)).collect();
    let ec = F::create(0).expect("ec_create");
    // Signals, of which there may be many, compete for the room of a fetch.
    let signals = Cause::<F>::new(Kind::Realtime);
    signals.add(ec, COUNT as u64).expect("ec_add_signal");
    thread::scope(|scope| {
        for style in 0..8 {
            let (told, is_removed, signals) = (&told, &is_removed, &signals);
            scope.spawn(move || {
                let mut room = [Event::EMPTY; 16];
                loop {
                    let past: Vec<bool> =
                        is_removed.iter().map(|past| past.load(Ordering::SeqCst)).collect();
                    let fetched = match fetch::<F>(ec, style, &mut room) {
                        Ok(fetched) => fetched,
                        Err(errno) => {
                            assert_eq!(errno, Errno::EBADF);
                            return;
                        }
                    };
                    for event in &room[..fetched] {
                        match event.cookie as usize {
                            COUNT => signals.take(event),
                            number => {
                                assert!(!past[number], "late: {event:?}");
                                assert_eq!(event.result, i64::from(kinds::STATUS) << 8);
                                told[number].fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    }
                }
            });
        }
        for (number, cause) in causes.iter().enumerate() {
            let source = cause.add(ec, number as u64).expect("ec_add_process");
            cause.fire();
            for _ in 0..number % 4 {
                signals.fire();
            }
            if number % 5 == 0 {
                wait_until(|| told[number].load(Ordering::SeqCst) > 0);
            }
            assert_eq!(F::remove(ec, source), Ok(()));
            is_removed[number].store(true, Ordering::SeqCst);
        }
        assert_eq!(F::destroy(ec), Ok(()));
    });
    for (cause, told) in causes.iter().zip(&told) {
        let What::Child(child) = &cause.what else { unreachable!("a process") };
        let told = told.load(Ordering::SeqCst);
        assert_eq!(told + usize::from(child.reap()), 1, "told {told} times");
    }
}

/// Signals fill the room of a fetch, and what else is ready stays where it is: a child whose
/// source goes then is left to be reaped.
fn status_stays_with_the_child<F: Face>() {
    for fetches_before in 0..2 {
        let channel = Channel::<F>::new(0);
        let [signals, process] = [Kind::Realtime, Kind::Process].map(Cause::<F>::new);
        let What::Child(child) = &process.what else { unreachable!("a process") };
        for _ in 0..fetches_before {
            channel.check_empty();
        }
        signals.add(channel.fd, 1).expect("ec_add_signal");
        (0..3).for_each(|_| assert!(signals.fire()));
        child.end();
        assert!(sockets::is_readable(child.fd(), 5000));
        let source = process.add(channel.fd, 2).expect("ec_add_process");
        let mut room = [Event::EMPTY; 2];
        assert_eq!(F::wait_events(channel.fd, &mut room, None), Ok(2));
        assert!(room.iter().all(|told| told.kind == event::SIGNAL), "{room:?}");
        assert_eq!(F::remove(channel.fd, source), Ok(()));
        assert!(child.reap());
        assert_eq!(channel.wait().cookie, 1);
        channel.check_empty();
    }
}

/// After `ec_remove`, and after `ec_destroy`, nobody reads a counter any more, and a file is closed
/// when the program closes it.
fn files_are_let_go<F: Face>() {
    for is_removed in [true, false] {
        let (reader, writer) = std::io::pipe().expect("pipe");
        let counter = system::counter();
        let ec = F::create(0).expect("ec_create");
        let add = |fd, flags| F::add_fd(ec, fd, libc::POLLIN, flags, 1).expect("ec_add_fd");
        let sources = [add(reader.as_raw_fd(), EC_EDGE), add(counter.as_raw_fd(), EC_COUNTER)];
        assert_eq!(F::next_events(ec, &mut [Event::EMPTY]), Err(Errno::EAGAIN));
        match is_removed {
            true => sources.into_iter().for_each(|one| assert_eq!(F::remove(ec, one), Ok(()))),
            false => assert_eq!(F::destroy(ec), Ok(())),
        }
        counter.write(5).expect("write");
        assert_eq!(counter.read(), Ok(5));
        drop(reader);
        assert_eq!((&writer).write(b"x").map_err(|error| error.kind()), Err(BrokenPipe));
        assert_eq!(F::destroy(ec).is_ok(), is_removed);
    }
}

/// A word is armed anew while it is being woken: nothing of the past is told under new terms, and
/// what comes then is.
fn rearmed_while_woken<F: Face>() {
    let word = AtomicU32::new(0);
    let channel = Channel::<F>::new(0);
    let source = F::add_futex(channel.fd, &word, 0, 1).expect("ec_add_futex");
    for round in 0..2000u32 {
        word.fetch_add(1, Ordering::SeqCst);
        system::wake(&word);
        for _ in 0..round % 64 * 8 {
            std::hint::spin_loop();
        }
        assert_eq!(F::rearm(channel.fd, source, word.load(Ordering::SeqCst)), Ok(()));
        for _ in 0..5 {
            channel.check_empty();
            thread::yield_now();
        }
        if round % 50 == 0 {
            word.fetch_add(1, Ordering::SeqCst);
            system::wake(&word);
            assert_eq!(channel.wait().source, source);
            assert_eq!(F::rearm(channel.fd, source, word.load(Ordering::SeqCst)), Ok(()));
        }
    }
}

/// The threads of the test below: they fetch from whatever channel there is until it goes.
struct Crew {
    ec: AtomicUsize,
    begin: Barrier,
    end: Barrier,
}

/// Two hundred channels go while threads wait, with everything armed, half of it ready, and sends
/// under way, by the hand of whichever thread: nothing is left of them.
fn destroyed_with_everything_armed<F: Face>() {
    const ROUNDS: usize = 200;
    const WAITERS: usize = 4;
    const OVER: usize = usize::MAX;
    let causes: Vec<_> = kinds::ALL.iter().map(|&kind| Cause::<F>::new(kind)).collect();
    let crew = Crew {
        ec: AtomicUsize::new(0),
        begin: Barrier::new(WAITERS + 1),
        end: Barrier::new(WAITERS + 1),
    };
    let round = |number: usize| {
        let ec = F::create(0).expect("ec_create");
        crew.ec.store(ec as usize, Ordering::SeqCst);
        for (index, cause) in causes.iter().enumerate() {
            cause.add(ec, index as u64).expect("the source");
        }
        let (socket, _peer) = STREAMS_IN_TURN[number % STREAMS_IN_TURN.len()].pair();
        sockets::make_small(&socket);
        let area = Area::<F>::new(AREA);
        let end = Endpoint::new(&area, socket);
        F::add_socket(ec, end.fd(), 0, causes.len() as u64).expect("ec_add_socket");
        for _ in 0..3 {
            end.must_send(area.reserve(AREA / 4).expect("room"), SIO_RELEASE);
        }
        crew.begin.wait();
        for cause in causes.iter().skip(number % 2).step_by(2) {
            if cause.kind != Kind::Process {
                cause.fire();
            }
        }
        match number % 3 {
            0 => assert_eq!(F::destroy(ec), Ok(())),
            1 => drop(thread::scope(|scope| scope.spawn(|| F::destroy(ec)).join().expect("it"))),
            _ => {
                thread::sleep(Duration::from_micros(200));
                assert_eq!(F::destroy(ec), Ok(()));
            }
        }
        crew.end.wait();
        assert_eq!(F::destroy(ec), Err(Errno::EBADF));
    };
    thread::scope(|scope| {
        for style in 0..WAITERS {
            let (crew, causes) = (&crew, &causes);
            scope.spawn(move || {
                loop {
                    crew.begin.wait();
                    match crew.ec.load(Ordering::SeqCst) {
                        OVER => return,
                        ec => fetch_until_it_goes::<F>(ec as i32, style, causes),
                    }
                    crew.end.wait();
                }
            });
        }
        (0..10).for_each(round);
        let before = (descriptors(), thread_count(), mappings().len());
        (0..ROUNDS).for_each(round);
        assert_eq!(settled(descriptors, &before.0), before.0);
        assert_eq!(settled(thread_count, &before.1), before.1);
        let grown = mappings().len().saturating_sub(before.2);
        assert!(grown < ROUNDS / 4, "{grown} mappings more: {:#?}", mappings());
        crew.ec.store(OVER, Ordering::SeqCst);
        crew.begin.wait();
    });
}

const STREAMS_IN_TURN: &[Family] = &[Family::Tcp4, Family::UnixStream];

fn fetch_until_it_goes<F: Face>(ec: i32, style: usize, causes: &[Cause<F>]) {
    let mut room = [Event::EMPTY; 16];
    loop {
        match fetch::<F>(ec, style, &mut room) {
            Ok(fetched) => {
                for told in &room[..fetched] {
                    if let Some(cause) = causes.get(told.cookie as usize) {
                        cause.take(told);
                    }
                }
            }
            Err(errno) => {
                assert_eq!(errno, Errno::EBADF);
                return;
            }
        }
    }
}

/// Runs something in a thread of its own, and returns when that has left the process.
fn in_a_thread_that_ends<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = || (nix::unistd::gettid(), work());
    let (id, made) = thread::scope(|scope| scope.spawn(work).join().expect("it ends"));
    let is_there = || std::path::Path::new(&format!("/proc/self/task/{id}")).exists();
    assert!(!settled(is_there, &false));
    made
}

/// What a thread has armed outlives it: each source goes on telling, as often as it would have,
/// whether somebody waits already when the thread ends or comes later.
fn armed_by_a_thread_that_ends<F: Face>() {
    for &kind in kinds::ALL {
        for is_waited_for in [false, true] {
            println!("{kind:?}{}", if is_waited_for { ", waited for" } else { "" });
            // Goes after the channel that waits for it.
            let cause = Cause::<F>::new(kind);
            let channel = Channel::<F>::new(0);
            // Where the kernel cannot wait for semaphores, a thread begins that does not end.
            warm_up(&channel);
            let (source, told) = thread::scope(|scope| {
                let waiter = is_waited_for.then(|| {
                    let waiter = scope.spawn(|| channel.wait());
                    thread::sleep(Duration::from_millis(1));
                    waiter
                });
                let source = in_a_thread_that_ends(|| {
                    let source = cause.add(channel.fd, 5).expect("the source");
                    // Its look is what arms the rest of what the channel waits with.
                    let _ = F::delay(channel.fd, Some(Duration::from_millis(1)));
                    source
                });
                assert!(cause.fire());
                (source, waiter.map_or_else(|| channel.wait(), |one| one.join().expect("it")))
            });
            assert_eq!((told.source, told.cookie), (source, 5));
            cause.take(&told);
            if cause.rearm(channel.fd, source) {
                assert!(cause.fire());
                let told = channel.wait();
                assert_eq!((told.source, told.cookie), (source, 5));
                cause.take(&told);
            }
            if kind != Kind::Timer {
                channel.check_empty();
            }
        }
    }
}

/// A semaphore comes and goes.
fn warm_up<F: Face>(channel: &Channel<F>) {
    let cause = Cause::<F>::new(Kind::Semaphore);
    let source = cause.add(channel.fd, 0).expect("ec_add_sem");
    assert_eq!(F::remove(channel.fd, source), Ok(()));
}

/// What a thread has sent is sent to its end, and told, after the thread has gone.
fn sent_by_a_thread_that_ends<F: Face>() {
    const PIECE: usize = AREA / 4;
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        sockets::make_small(&socket);
        sockets::make_small(&peer);
        let rig = Rig::<F>::of(socket, peer, 2 * AREA, false, 0);
        let pattern = Pattern(61);
        let blocks: Vec<_> =
            (0..4).map(|number| rig.area.block(&pattern.bytes(number * PIECE, PIECE))).collect();
        in_a_thread_that_ends(|| {
            rig.end.attach(&rig.channel, 1);
            for &block in &blocks {
                rig.end.must_send(block, 0);
            }
            assert_eq!(F::flush(rig.channel.fd), Ok(()));
        });
        thread::scope(|scope| {
            scope.spawn(|| sockets::read_pattern(&rig.peer, pattern, 0, 4 * PIECE));
            for &block in &blocks {
                rig.channel.wait_sent(block);
            }
        });
        sockets::write_pattern(&rig.peer, pattern, 0, 1000);
        rig.end.check_pattern(pattern, 0, 1000);
        blocks.into_iter().for_each(|block| rig.area.release(block));
    }
}

behaviours!(
    removed_under_fire,
    processes_removed_under_fire,
    status_stays_with_the_child,
    files_are_let_go,
    rearmed_while_woken,
    destroyed_with_everything_armed,
    armed_by_a_thread_that_ends,
    sent_by_a_thread_that_ends,
);

over_interfaces!(removed_under_fire, destroyed_with_everything_armed, armed_by_a_thread_that_ends);
