//! Threads that post, wait, fetch, wake and destroy, in every order that the schedulers think of.

mod rig;

use std::collections::HashSet;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rig::{Way, create, explore, fetch, post};
use shuttle::thread;
use sio_model::api::blocking::{Blocking, Progress, Wait};
use sio_model::api::{channel, source};
use sio_model::channel::Event;
use sio_model::channel::state::Modify;
use sio_model::error::Errno;
use sio_model::sys::descriptor::{Counter, counter_read};
use sio_model::sys::wait::{Terms, block};

/// Fetches until the channel is destroyed: what came, in the order in which it came.
fn collect(ec: RawFd, way: Way, room_for: usize, count: &AtomicUsize) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let mut room = vec![Event::EMPTY; room_for];
        match fetch(ec, way, &mut room) {
            Ok(fetched) => {
                assert!(fetched > 0, "nobody was woken without an event");
                found.extend(room[..fetched].iter().map(|event| event.cookie));
                count.fetch_add(fetched, Ordering::SeqCst);
            }
            Err(Errno::EAGAIN | Errno::ETIMEDOUT) => thread::yield_now(),
            Err(errno) => {
                assert_eq!(errno, Errno::EBADF);
                return found;
            }
        }
    }
}

/// Posters post `each` events; those who wait in these ways get each of them once, and in the
/// order of its poster; then the channel goes, and everybody is told.
fn deliver(ways: &[Way], posters: u64, each: u64) {
    let ec = create();
    let count = Arc::new(AtomicUsize::new(0));
    let collectors: Vec<_> = ways
        .iter()
        .enumerate()
        .map(|(index, &way)| {
            let count = count.clone();
            thread::spawn(move || collect(ec, way, 1 + index % 2, &count))
        })
        .collect();
    let posters: Vec<_> = (0..posters)
        .map(|poster| {
            thread::spawn(move || (0..each).for_each(|number| post(ec, poster * each + number)))
        })
        .collect();
    let total = posters.len() * each as usize;
    posters.into_iter().for_each(|poster| poster.join().expect("a poster"));
    while count.load(Ordering::SeqCst) < total {
        thread::yield_now();
    }
    assert_eq!(channel::destroy(ec), Ok(()));
    let mut all = Vec::new();
    for collector in collectors {
        let found = collector.join().expect("a collector");
        for poster in 0..total as u64 / each {
            let of_it: Vec<u64> = found.iter().copied().filter(|at| at / each == poster).collect();
            assert!(of_it.is_sorted(), "{found:?}");
        }
        all.extend(found);
    }
    let different: HashSet<u64> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (total, total), "{all:?}");
}

#[test]
fn two_wait() {
    explore("two_wait", 600, || deliver(&[Way::Wait, Way::Wait], 2, 2));
}

#[test]
fn one_waits_and_one_only_looks() {
    explore("one_waits_and_one_only_looks", 600, || deliver(&[Way::Wait, Way::Delay], 1, 3));
}

#[test]
fn many_wait() {
    explore("many_wait", 250, || deliver(&[Way::Wait; 4], 2, 3));
}

#[test]
fn all_ways_of_waiting() {
    explore("all_ways_of_waiting", 250, || {
        deliver(&[Way::Wait, Way::Limited, Way::Masked, Way::Delay, Way::Outside], 2, 3);
    });
}

#[test]
fn a_leader_with_a_mask_and_one_without() {
    explore("a_leader_with_a_mask_and_one_without", 400, || {
        deliver(&[Way::Masked, Way::Wait], 1, 3);
    });
}

#[test]
fn some_time_out() {
    explore("some_time_out", 400, || deliver(&[Way::Limited, Way::Wait, Way::Limited], 1, 3));
}

#[test]
fn some_are_cancelled() {
    explore("some_are_cancelled", 400, || {
        deliver(&[Way::Cancelled, Way::Wait, Way::Cancelled, Way::Wait], 1, 3);
    });
}

/// The descriptor is readable while an event is queued, whoever else waits.
#[test]
fn one_polls_the_descriptor() {
    explore("one_polls_the_descriptor", 400, || {
        deliver(&[Way::Outside, Way::Delay, Way::Outside], 2, 2);
    });
}

/// Threads that wait, and as many calls of `ec_wake(1)` as they are, or one of so many: each
/// returns without an event.
fn wake_each(ways: &[Way], one_by_one: bool) {
    let ec = create();
    let asleep = Arc::new(AtomicUsize::new(0));
    let waiters: Vec<_> = ways
        .iter()
        .map(|&way| {
            let asleep = asleep.clone();
            thread::spawn(move || wait_to_be_woken(ec, way, &asleep))
        })
        .collect();
    while asleep.load(Ordering::SeqCst) < ways.len() {
        thread::yield_now();
    }
    if one_by_one {
        ways.iter().for_each(|_| assert_eq!(channel::wake(ec, 1), Ok(())));
    } else {
        assert_eq!(channel::wake(ec, ways.len() as i32), Ok(()));
    }
    waiters.into_iter().for_each(|waiter| waiter.join().expect("a waiter"));
    assert_eq!(channel::destroy(ec), Ok(()));
}

/// Counts itself once it waits, as the channel sees it.
fn wait_to_be_woken(ec: RawFd, way: Way, asleep: &AtomicUsize) {
    let mut room = [Event::EMPTY];
    let wants_events = matches!(way, Way::Wait | Way::Masked);
    let room = wants_events.then_some(&mut room[..]);
    let mask = matches!(way, Way::Masked).then_some(0);
    let mut wait = Wait::new(ec, room, Terms { deadline: None, mask }).expect("a channel");
    let mut slept = None;
    let mut is_counted = false;
    loop {
        match wait.step(slept).expect("it goes on") {
            Progress::Done(count) => return assert_eq!(count, 0),
            Progress::Block(sleep) => {
                if !std::mem::replace(&mut is_counted, true) {
                    asleep.fetch_add(1, Ordering::SeqCst);
                }
                slept = Some(block(&sleep, &wait.terms()));
            }
        }
    }
}

#[test]
fn a_wake_up_for_each() {
    explore("a_wake_up_for_each", 400, || wake_each(&[Way::Wait, Way::Delay, Way::Wait], true));
}

#[test]
fn a_wake_up_for_all() {
    explore("a_wake_up_for_all", 400, || {
        wake_each(&[Way::Wait, Way::Masked, Way::Delay, Way::Masked], false);
    });
}

#[test]
fn a_wake_up_for_each_beside_masks() {
    explore("a_wake_up_for_each_beside_masks", 400, || {
        wake_each(&[Way::Masked, Way::Wait, Way::Masked], true);
    });
}

/// A thread waits while others come and go before it: the wake-up is its own all the same.
#[test]
fn a_wake_up_while_others_leave() {
    explore("a_wake_up_while_others_leave", 400, || {
        let ec = create();
        let asleep = Arc::new(AtomicUsize::new(0));
        let passer_by = thread::spawn(move || {
            let mut room = [Event::EMPTY];
            let _ = fetch(ec, Way::Cancelled, &mut room);
        });
        let waiter = {
            let asleep = asleep.clone();
            thread::spawn(move || wait_to_be_woken(ec, Way::Wait, &asleep))
        };
        while asleep.load(Ordering::SeqCst) < 1 {
            thread::yield_now();
        }
        // Whoever passes by passes it on.
        assert_eq!(channel::wake(ec, 1), Ok(()));
        waiter.join().expect("the waiter");
        passer_by.join().expect("the other");
        assert_eq!(channel::destroy(ec), Ok(()));
    });
}

/// No wake-up is told twice: of three that wait, two are woken.
#[test]
fn no_more_than_asked_for() {
    explore("no_more_than_asked_for", 400, || {
        let ec = create();
        let (asleep, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (asleep, woken) = (asleep.clone(), woken.clone());
                thread::spawn(move || {
                    let mut room = [Event::EMPTY];
                    asleep.fetch_add(1, Ordering::SeqCst);
                    match fetch(ec, Way::Wait, &mut room) {
                        Ok(0) => drop(woken.fetch_add(1, Ordering::SeqCst)),
                        answer => assert_eq!(answer, Err(Errno::EBADF)),
                    }
                })
            })
            .collect();
        while asleep.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        channel::wake(ec, 1).and_then(|()| channel::wake(ec, 1)).expect("ec_wake");
        (0..10).for_each(|_| thread::yield_now());
        assert_eq!(channel::destroy(ec), Ok(()));
        waiters.into_iter().for_each(|waiter| waiter.join().expect("a waiter"));
        assert!(woken.load(Ordering::SeqCst) <= 2);
    });
}

/// A source whose descriptor is always ready is removed while others fetch and wait: afterwards
/// nobody gets an event of it, and who waits goes on waiting.
#[test]
fn nothing_after_removal() {
    explore("nothing_after_removal", 300, || {
        let ec = create();
        let counter = Arc::new(Counter::new().expect("an eventfd"));
        counter.raise();
        let fd = counter.fd();
        let events = libc::POLLIN as u32;
        let key = source::add_fd(ec, fd, events, Modify::default(), 7).expect("ec_add_fd");
        let is_removed = Arc::new(AtomicBool::new(false));
        let fetchers: Vec<_> = [Way::Wait, Way::Delay, Way::Limited]
            .into_iter()
            .map(|way| {
                let is_removed = is_removed.clone();
                thread::spawn(move || {
                    loop {
                        let mut room = [Event::EMPTY; 2];
                        let was_removed = is_removed.load(Ordering::SeqCst);
                        match fetch(ec, way, &mut room) {
                            Ok(_) => {
                                assert!(!was_removed, "{:?}", room[0]);
                                // It is ready for ever: let others go on too.
                                thread::yield_now();
                            }
                            Err(Errno::EAGAIN | Errno::ETIMEDOUT) => thread::yield_now(),
                            Err(errno) => return assert_eq!(errno, Errno::EBADF),
                        }
                    }
                })
            })
            .collect();
        thread::yield_now();
        assert_eq!(source::remove(ec, key), Ok(()));
        is_removed.store(true, Ordering::SeqCst);
        (0..10).for_each(|_| thread::yield_now());
        assert_eq!(channel::destroy(ec), Ok(()));
        fetchers.into_iter().for_each(|fetcher| fetcher.join().expect("a fetcher"));
    });
}

/// What is written to counters comes out of the channel, whoever reads it: events that only the
/// kernel knows of reach those who wait, whoever stops waiting meanwhile. The channel reads them
/// (EC_COUNTER), or whoever has fetched the event.
fn add_up(ways: &[Way], is_read: bool) {
    add_up_beside(0, ways, is_read);
}

/// The same in a channel with so many descriptors more.
fn add_up_beside(idle: usize, ways: &[Way], is_read: bool) {
    const TIMES: usize = 3;
    let ec = create();
    let idle: Vec<_> = (0..idle).map(|_| Counter::new().expect("an eventfd")).collect();
    for counter in &idle {
        let events = libc::POLLIN as u32;
        source::add_fd(ec, counter.fd(), events, Modify::default(), 9).expect("ec_add_fd");
    }
    let counters: Vec<_> = (0..2).map(|_| Counter::new().expect("an eventfd")).collect();
    let flags = Modify { counter: is_read, ..Modify::default() };
    for (cookie, counter) in counters.iter().enumerate() {
        let events = libc::POLLIN as u32;
        source::add_fd(ec, counter.fd(), events, flags, cookie as u64).expect("ec_add_fd");
    }
    let sums = Arc::new(Mutex::new([0; 2]));
    let fetchers: Vec<_> = ways
        .iter()
        .map(|&way| {
            let sums = sums.clone();
            thread::spawn(move || sum_up(ec, way, &sums))
        })
        .collect();
    for counter in counters.iter().cycle().take(2 * TIMES) {
        counter.raise();
    }
    while *sums.lock().expect("nobody panics") != [TIMES; 2] {
        thread::yield_now();
    }
    assert_eq!(channel::destroy(ec), Ok(()));
    fetchers.into_iter().for_each(|fetcher| fetcher.join().expect("a fetcher"));
}

/// Fetches until the channel is destroyed; some threads do not come back.
fn sum_up(ec: RawFd, way: Way, sums: &Mutex<[usize; 2]>) {
    loop {
        let mut room = [Event::EMPTY; 2];
        match fetch(ec, way, &mut room) {
            Ok(count) => {
                let mut sums = sums.lock().expect("nobody panics");
                for event in &room[..count] {
                    // Somebody else may have been faster with one that is told again.
                    let read = match event.length {
                        0 => counter_read(event.fd).unwrap_or(0) as usize,
                        read => read,
                    };
                    sums[event.cookie as usize] += read;
                }
                if matches!(way, Way::Passing) {
                    return;
                }
            }
            Err(Errno::EAGAIN) if matches!(way, Way::Cancelled | Way::Passing) => return,
            Err(Errno::EAGAIN | Errno::ETIMEDOUT) => thread::yield_now(),
            Err(errno) => return assert_eq!(errno, Errno::EBADF),
        }
    }
}

#[test]
fn counters_add_up() {
    explore("counters_add_up", 300, || add_up(&[Way::Wait, Way::Wait, Way::Delay], true));
}

#[test]
fn counters_add_up_though_some_are_cancelled() {
    explore("counters_add_up_though_some_are_cancelled", 300, || {
        add_up(&[Way::Cancelled, Way::Wait, Way::Cancelled], true);
    });
}

#[test]
fn counters_add_up_though_others_pass_by() {
    explore("counters_add_up_though_others_pass_by", 300, || {
        add_up(&[Way::Wait, Way::Passing, Way::Passing], true);
    });
}

#[test]
fn descriptors_are_told_though_others_pass_by() {
    explore("descriptors_are_told_though_others_pass_by", 300, || {
        add_up(&[Way::Wait, Way::Passing, Way::Passing], false);
    });
}

#[test]
fn descriptors_are_told_though_some_are_cancelled() {
    explore("descriptors_are_told_though_some_are_cancelled", 300, || {
        add_up(&[Way::Cancelled, Way::Wait, Way::Masked, Way::Cancelled], false);
    });
}

#[test]
fn one_of_many_descriptors_is_told() {
    explore("one_of_many_descriptors_is_told", 150, || {
        add_up_beside(20, &[Way::Cancelled, Way::Wait, Way::Delay, Way::Passing], false);
    });
}

#[test]
fn one_of_many_counters_adds_up() {
    explore("one_of_many_counters_adds_up", 150, || {
        add_up_beside(20, &[Way::Masked, Way::Wait, Way::Wait], true);
    });
}

#[test]
fn counters_add_up_beside_a_mask() {
    explore("counters_add_up_beside_a_mask", 300, || {
        add_up(&[Way::Masked, Way::Wait, Way::Wait], true)
    });
}
