//! Many threads on one channel and on one socket; a channel of one thread alone.

use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sio::capi::types::{EC_SINGLE, SIO_RELEASE};
use sio::channel::{Event, event};
use sio::error::{Errno, Result};

use super::face::{Face, Parts};
use super::rig::{AREA, Area, Channel, Endpoint, NOW, Pattern, Rig, capacity};
use super::sockets::{self, ALL, Family, MESSAGES, each};

/// Waits for events, a few at a time, until the channel is destroyed.
fn collect<F: Face>(ec: i32, room_for: usize, count: &AtomicUsize) -> Vec<Event> {
    let mut found = Vec::new();
    loop {
        let mut room = vec![Event::EMPTY; room_for];
        match F::wait_events(ec, &mut room, None) {
            Ok(fetched) => {
                assert!(fetched > 0, "nobody was woken without an event");
                found.extend_from_slice(&room[..fetched]);
                count.fetch_add(fetched, Ordering::Relaxed);
            }
            Err(errno) => {
                assert_eq!(errno, Errno::EBADF);
                return found;
            }
        }
    }
}

fn yield_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Four threads post, four wait: each event comes exactly once, and when the channel goes every
/// waiter is told.
fn each_event_once<F: Face>() {
    const EACH: usize = 2000;
    let ec = F::create(capacity(6)).expect("ec_create");
    let count = AtomicUsize::new(0);
    let found: Vec<Event> = thread::scope(|scope| {
        let collectors: Vec<_> = (1..=4)
            .map(|room_for| {
                let count = &count;
                scope.spawn(move || collect::<F>(ec, room_for, count))
            })
            .collect();
        for poster in 0..4 {
            scope.spawn(move || {
                for number in 0..EACH {
                    let cookie = (poster * EACH + number) as u64;
                    let event = Event { kind: event::USER, cookie, ..Event::EMPTY };
                    while let Err(errno) = F::post(ec, &event) {
                        assert_eq!(errno, Errno::EAGAIN);
                        thread::yield_now();
                    }
                }
            });
        }
        yield_until(|| count.load(Ordering::Relaxed) == 4 * EACH);
        assert_eq!(F::destroy(ec), Ok(()));
        let ends = collectors.into_iter().map(|one| one.join().expect("a collector"));
        ends.flatten().collect()
    });
    let cookies: HashSet<u64> = found.iter().map(|event| event.cookie).collect();
    assert_eq!((found.len(), cookies.len()), (4 * EACH, 4 * EACH));
}

/// The same with the ends of sends, of sockets of every kind.
fn each_send_once<F: Face>() {
    const EACH: usize = 100;
    let area = Area::<F>::new(2 * AREA);
    let channel = Channel::<F>::new(0);
    let ends: Vec<(Family, Endpoint<F>, std::os::fd::OwnedFd)> = each(ALL)
        .map(|family| {
            let (socket, peer) = family.pair();
            let end = Endpoint::new(&area, socket);
            end.attach(&channel, 0);
            (family, end, peer)
        })
        .collect();
    let total = ends.len() * EACH;
    let count = AtomicUsize::new(0);
    let found: Vec<Event> = thread::scope(|scope| {
        let collectors: Vec<_> = (1..=3)
            .map(|room_for| {
                let (count, ec) = (&count, channel.fd);
                scope.spawn(move || collect_sends::<F>(ec, room_for, count, total))
            })
            .collect();
        for (family, end, peer) in &ends {
            let area = &area;
            scope.spawn(move || {
                for number in 0..EACH {
                    let block = area.block(&Pattern(number).bytes(0, 1000));
                    end.must_send(block, SIO_RELEASE);
                    // One at a time, so that no datagram is dropped.
                    if family.is_stream() {
                        sockets::read_pattern(peer, Pattern(number), 0, 1000);
                    } else {
                        assert_eq!(sockets::read(peer), Pattern(number).bytes(0, 1000));
                    }
                }
            });
        }
        let ends = collectors.into_iter().map(|one| one.join().expect("a collector"));
        ends.flatten().collect()
    });
    assert_eq!(found.len(), total);
    for (family, end, _) in &ends {
        let of_it = found.iter().filter(|event| event.fd == end.fd());
        assert_eq!(of_it.clone().count(), EACH, "{family:?}");
        assert!(of_it.clone().all(|event| event.kind == event::SENT && event.result == 1000));
    }
    channel.check_empty();
}

/// Waits until all sends have been told to somebody; then everybody is woken without an event.
fn collect_sends<F: Face>(
    ec: i32,
    room_for: usize,
    count: &AtomicUsize,
    total: usize,
) -> Vec<Event> {
    let mut found = Vec::new();
    while count.load(Ordering::SeqCst) < total {
        let mut room = vec![Event::EMPTY; room_for];
        // A wake-up is not remembered, so nobody sleeps for ever.
        match F::wait_events(ec, &mut room, Some(Duration::from_millis(20))) {
            Ok(fetched) => {
                found.extend_from_slice(&room[..fetched]);
                if count.fetch_add(fetched, Ordering::SeqCst) + fetched == total {
                    assert_eq!(F::wake(ec, i32::MAX), Ok(()));
                }
            }
            Err(errno) => assert_eq!(errno, Errno::ETIMEDOUT),
        }
    }
    found
}

/// Several threads receive from one socket: each message comes to one of them.
fn each_message_once<F: Face>() {
    const COUNT: usize = 300;
    for family in each(MESSAGES) {
        for attached in super::rig::ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let got = AtomicUsize::new(0);
            let numbers: Vec<u64> = thread::scope(|scope| {
                let receivers: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(|| {
                            let mut numbers = Vec::new();
                            loop {
                                let block = rig.end.take(8);
                                let number =
                                    u64::from_ne_bytes(block.bytes().try_into().expect("8 bytes"));
                                rig.area.release(block);
                                if number == u64::MAX {
                                    return numbers;
                                }
                                numbers.push(number);
                                got.fetch_add(1, Ordering::SeqCst);
                            }
                        })
                    })
                    .collect();
                for number in 0..COUNT {
                    // Not so many at once that a datagram could be dropped.
                    yield_until(|| got.load(Ordering::SeqCst) + 8 > number);
                    sockets::write(&rig.peer, &(number as u64).to_ne_bytes());
                }
                for _ in 0..3 {
                    sockets::write(&rig.peer, &u64::MAX.to_ne_bytes());
                }
                let ends = receivers.into_iter().map(|one| one.join().expect("a receiver"));
                ends.flatten().collect()
            });
            assert_eq!(numbers.len(), COUNT);
            assert_eq!(numbers.into_iter().collect::<HashSet<_>>().len(), COUNT);
        }
    }
}

/// Threads that wait are woken without an event: as many as asked for, and those that look only.
fn woken_without_an_event<F: Face>() {
    let channel = Channel::<F>::new(0);
    let ec = channel.fd;
    let returned = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut room = [Event::EMPTY; 2];
                assert_eq!(F::wait_events(ec, &mut room, None), Ok(0));
                returned.fetch_add(1, Ordering::SeqCst);
            });
            scope.spawn(|| {
                assert_eq!(F::delay(ec, None), Ok(()));
                returned.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut woken = 0;
        while returned.load(Ordering::SeqCst) < 6 {
            assert_eq!(F::wake(ec, 1), Ok(()));
            woken += 1;
            thread::sleep(Duration::from_millis(1));
            assert!(returned.load(Ordering::SeqCst) <= woken);
        }
    });
    assert_eq!(F::wake(ec, 1), Ok(()), "nobody waits, and nobody is remembered");
    assert_eq!(F::wait_events(ec, &mut [Event::EMPTY], NOW), Err(Errno::ETIMEDOUT));
    assert_eq!(F::wake(ec, -1), Err(Errno::EINVAL));
}

/// Whoever waits in whichever way is told when the channel goes, and the socket stays usable.
fn destroyed_under_waiters<F: Face>() {
    let area = Area::<F>::new(AREA);
    let ec = F::create(0).expect("ec_create");
    let (socket, peer) = Family::Tcp4.pair();
    let end = Endpoint::new(&area, socket);
    F::add_socket(ec, end.fd(), 0, 1).expect("ec_add_socket");
    let started = AtomicUsize::new(0);
    let piece = thread::scope(|scope| {
        let started = &started;
        for number in 0..4 {
            scope.spawn(move || {
                started.fetch_add(1, Ordering::SeqCst);
                let answer = match number % 2 {
                    0 => F::delay(ec, None).map(|()| 0),
                    _ => F::wait_events(ec, &mut [Event::EMPTY], None),
                };
                assert_eq!(answer, Err(Errno::EBADF));
            });
        }
        yield_until(|| started.load(Ordering::SeqCst) == 4);
        thread::sleep(Duration::from_millis(2));
        assert_eq!(F::destroy(ec), Ok(()));
        sockets::write(&peer, b"afterwards");
        end.take(100)
    });
    assert_eq!(piece.bytes(), b"afterwards");
    area.release(piece);
}

fn refused<T: std::fmt::Debug>(answer: Result<T>) {
    assert!(matches!(answer, Err(Errno::EPERM)), "{answer:?}");
}

/// A channel made with `EC_SINGLE`, and the sockets in it, are the creating thread's alone.
fn single_thread_only<F: Face>() {
    let (socket, peer) = Family::UnixStream.pair();
    let rig = Rig::<F>::of(socket, peer, AREA, true, EC_SINGLE);
    let (ec, sock) = (rig.channel.fd, rig.end.fd());
    let block = rig.area.block(b"of one thread");
    let parts = Parts { parts: vec![(block.address, block.size)], ..Parts::default() };
    let source = F::add_fd(ec, sock, libc::POLLPRI, 0, 0).expect("ec_add_fd");
    let mut room = [Event::EMPTY];
    thread::scope(|scope| {
        scope.spawn(|| {
            refused(F::next_events(ec, &mut room));
            refused(F::wait_events(ec, &mut room, None));
            refused(F::delay(ec, None));
            refused(F::to_fd(ec));
            refused(F::post(ec, &Event { kind: event::USER, ..Event::EMPTY }));
            refused(F::wake(ec, 1));
            refused(F::flush(ec));
            refused(F::add_fd(ec, sock, libc::POLLIN, 0, 0));
            refused(F::add_socket(ec, sock, 0, 0));
            refused(F::modify(ec, source, libc::POLLIN, 0));
            refused(F::remove(ec, source));
            refused(F::destroy(ec));
            refused(F::send(sock, block.address, block.size, 0));
            refused(F::send_message(sock, &parts, 0));
            refused(F::receive(sock, 1, 0));
            refused(F::receive_from(sock, 1, 0));
            refused(F::receive_message(sock, 0));
            refused(F::disassoc(sock, rig.area.handle, 0));
            refused(F::detach(sock));
            // Blocks are anybody's.
            let other = rig.area.block(b"of another thread");
            rig.area.release(other);
        });
    });
    assert!(sockets::is_silent(&rig.peer));
    rig.channel.check_empty();
    rig.end.must_send(block, 0);
    rig.channel.wait_sent(block);
    assert_eq!(sockets::read(&rig.peer), b"of one thread");
    // What another thread gives back is room for this one.
    let all = rig.area.reserve(AREA / 2).expect("room");
    thread::scope(|scope| {
        scope.spawn(|| rig.area.release(all));
    });
    rig.area.release(block);
}

/// Sources come and go while threads wait: who begins to wait after `ec_remove` has returned sees
/// no event of the source.
fn removed_while_others_wait<F: Face>() {
    const COUNT: u64 = 5000;
    let ec = F::create(0).expect("ec_create");
    let removed = AtomicU64::new(0);
    let seen = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut room = [Event::EMPTY; 4];
                loop {
                    let removed_before = removed.load(Ordering::SeqCst);
                    let Ok(count) = F::wait_events(ec, &mut room, None) else { break };
                    for found in &room[..count] {
                        assert!(found.cookie >= removed_before, "late: {found:?}");
                    }
                    seen.fetch_add(count, Ordering::SeqCst);
                }
            });
        }
        let (one, _other) = Family::UnixStream.pair();
        for cookie in 0..COUNT {
            let source = F::add_fd(ec, one.as_raw_fd(), libc::POLLOUT, 0, cookie);
            let source = source.expect("ec_add_fd");
            if cookie % 50 == 0 {
                // Whoever waits at this moment is woken by it.
                let before = seen.load(Ordering::SeqCst);
                yield_until(|| seen.load(Ordering::SeqCst) > before);
            }
            assert_eq!(F::remove(ec, source), Ok(()));
            removed.store(cookie + 1, Ordering::SeqCst);
        }
        assert_eq!(F::destroy(ec), Ok(()));
    });
}

/// A socket whose channel goes can be attached to another as soon as that has begun to go, and is
/// then in that one.
fn attached_elsewhere_at_once<F: Face>() {
    let area = Area::<F>::new(AREA);
    let other = Channel::<F>::new(0);
    let (socket, _peer) = Family::Tcp4.pair();
    let end = Endpoint::new(&area, socket);
    for _ in 0..100 {
        let ec = F::create(0).expect("ec_create");
        F::add_socket(ec, end.fd(), 0, 1).expect("ec_add_socket");
        let source = thread::scope(|scope| {
            let mover = scope.spawn(|| {
                loop {
                    match F::add_socket(other.fd, end.fd(), 0, 2) {
                        Ok(source) => return source,
                        Err(errno) => assert_eq!(errno, Errno::EBUSY),
                    }
                }
            });
            assert_eq!(F::destroy(ec), Ok(()));
            mover.join().expect("the mover")
        });
        assert_eq!(F::add_socket(other.fd, end.fd(), 0, 3), Err(Errno::EBUSY));
        assert_eq!(F::remove(other.fd, source), Ok(()));
    }
}

behaviours!(
    each_event_once,
    each_send_once,
    each_message_once,
    woken_without_an_event,
    destroyed_under_waiters,
    attached_elsewhere_at_once,
    single_thread_only,
    removed_while_others_wait,
);

over_interfaces!(each_send_once, each_message_once);
