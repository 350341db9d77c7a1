//! Fork: the child has nothing of the parent's, disturbs nothing of it, and can have its own.

use std::fmt::Debug;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use sio::channel::{Event, event};
use sio::error::{Errno, Result};

use super::face::{Face, Parts};
use super::kinds::{self, Cause, Kind};
use super::memory::{Block, fork};
use super::rig::{AREA, ATTACHED_OR_NOT, Channel, NOW, Pattern, Rig};
use super::sockets::{self, ALL, CONNECTIONS, Family, TCP, each};

fn refused<T: Debug>(answer: Result<T>) {
    assert!(matches!(answer, Err(Errno::EPERM)), "{answer:?}");
}

/// Every call on a channel of the parent's.
fn try_channel<F: Face>(ec: RawFd, source: i32, other: RawFd) {
    let mut room = [Event::EMPTY; 2];
    let never = libc::itimerspec {
        it_value: libc::timespec { tv_sec: 9, tv_nsec: 0 },
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
    };
    refused(F::next_events(ec, &mut room));
    refused(F::next_events(ec, &mut room[..1]));
    refused(F::wait_events(ec, &mut room, None));
    refused(F::wait_events(ec, &mut room, NOW));
    refused(F::delay(ec, None));
    refused(F::to_fd(ec));
    refused(F::post(ec, &Event { kind: event::USER, ..Event::EMPTY }));
    refused(F::wake(ec, 1));
    refused(F::flush(ec));
    refused(F::add_fd(ec, other, libc::POLLIN, 0, 0));
    refused(F::add_timer(ec, libc::CLOCK_MONOTONIC, &never, 0, 0));
    refused(F::add_socket(ec, other, 0, 0));
    refused(F::modify(ec, source, 0, 0));
    refused(F::remove(ec, source));
    refused(F::destroy(ec));
}

/// Every call on an area and on an associated socket of the parent's.
fn try_socket<F: Face>(sock: RawFd, area: u64, block: Block) {
    let parts = Parts { parts: vec![(block.address, block.size)], ..Parts::default() };
    refused(F::base(area));
    refused(F::reserve(area, 1));
    refused(F::release(area, block.address, block.size));
    refused(F::free(area, AREA));
    refused(F::assoc(sock, area, 0, 0));
    refused(F::disassoc(sock, area, 0));
    refused(F::send(sock, block.address, block.size, 0));
    refused(F::send_to(sock, block.address, block.size, 0, &[]));
    refused(F::send_message(sock, &parts, 0));
    refused(F::receive(sock, 1, 0));
    refused(F::receive_from(sock, 1, 0));
    refused(F::receive_message(sock, 0));
    refused(F::info(sock));
    refused(F::detach(sock));
}

/// The child tries everything while the parent goes on with what it is doing.
fn child_cannot_disturb<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let Rig { area, channel, end, peer } = rig;
            let other = end.fd();
            let source = F::add_fd(channel.fd, peer.as_raw_fd(), libc::POLLPRI, 0, 0);
            let source = source.expect("ec_add_fd");
            channel.post(1).expect("ec_post");
            sockets::write(&peer, b"before the fork");
            let block = area.block(b"sent by the parent");
            fork(
                || {
                    for _ in 0..50 {
                        try_channel::<F>(channel.fd, source, other);
                        try_socket::<F>(other, area.handle, block);
                    }
                },
                || {
                    assert_eq!(channel.wait_for(event::USER).cookie, 1);
                    let received = end.take(100);
                    assert_eq!(received.bytes(), b"before the fork");
                    area.release(received);
                    for round in 0..20 {
                        end.must_send(block, 0);
                        if attached {
                            channel.wait_sent(block);
                        }
                        assert_eq!(sockets::read(&peer), block.bytes());
                        sockets::write(&peer, &[round; 50]);
                        let received = end.take(100);
                        assert_eq!(received.bytes(), [round; 50]);
                        area.release(received);
                    }
                },
            );
            assert_eq!(F::remove(channel.fd, source), Ok(()));
            channel.check_empty();
            area.release(block);
        }
    }
}

/// A child makes channels and areas of its own, associates sockets that it has inherited, and its
/// end is nobody's concern.
fn child_has_its_own<F: Face>() {
    for family in each(CONNECTIONS) {
        let parents = Rig::<F>::new(family, AREA, true);
        let (inherited, peer) = family.pair();
        fork(
            || {
                let rig = Rig::<F>::of(inherited.try_clone().expect("dup"), peer, AREA, true, 0);
                refused(F::to_fd(parents.channel.fd));
                for round in 0..5 {
                    sockets::write(&rig.peer, &[round; 300]);
                    assert_eq!(rig.channel.wait().kind, event::RECV);
                    let block = rig.end.take(1000);
                    assert_eq!(block.bytes(), [round; 300]);
                    rig.end.must_send(block, 0);
                    rig.channel.wait_sent(block);
                    assert_eq!(sockets::read(&rig.peer), [round; 300]);
                    rig.area.release(block);
                }
            },
            || {},
        );
        sockets::write(&parents.peer, b"the parent's");
        let block = parents.end.take(100);
        assert_eq!(block.bytes(), b"the parent's");
        parents.area.release(block);
    }
}

/// A child uses the numbers of the parent's channels and sockets for its own.
fn child_reuses_numbers<F: Face>() {
    let channel = Channel::<F>::new(0);
    let parents = Rig::<F>::new(Family::Tcp4, AREA, true);
    let (socket, peer) = Family::UnixStream.pair();
    let (ec, number) = (channel.fd, parents.end.fd());
    fork(
        || {
            let other = F::create(0).expect("ec_create");
            // The child closes what it has inherited, and uses the numbers again.
            drop((sockets::own(ec), sockets::own(number)));
            let socket = sockets::renumber(socket.try_clone().expect("dup"), number);
            let own = F::create(0).expect("ec_create");
            assert_eq!(own, ec, "the lowest free number");
            let area = F::alloc(4096, 0).expect("dma_alloc");
            assert_ne!(area, parents.area.handle);
            assert_eq!(F::assoc(socket.as_raw_fd(), area, 0, 0), Ok(()));
            F::add_socket(own, socket.as_raw_fd(), 0, 4).expect("ec_add_socket");
            sockets::write(&peer, b"for the child");
            let mut room = [Event::EMPTY];
            assert_eq!(F::wait_events(own, &mut room, None), Ok(1));
            assert_eq!((room[0].cookie, room[0].fd), (4, socket.as_raw_fd()));
            assert_eq!(F::detach(socket.as_raw_fd()), Ok(()));
            assert_eq!(F::free(area, 4096), Ok(()));
            assert_eq!((F::destroy(other), F::destroy(own)), (Ok(()), Ok(())));
        },
        || {},
    );
    channel.post(1).expect("ec_post");
    assert_eq!(channel.wait().cookie, 1);
    sockets::write(&parents.peer, b"for the parent");
    assert_eq!(parents.channel.wait().fd, parents.end.fd());
    let block = parents.end.take(100);
    assert_eq!(block.bytes(), b"for the parent");
    parents.area.release(block);
}

/// A fork in the middle of long transfers: neither direction loses or repeats a byte.
fn fork_in_mid_transfer<F: Face>() {
    const SIZE: usize = 600_000;
    for family in each(TCP) {
        let (socket, peer) = family.pair();
        sockets::make_small(&socket);
        sockets::make_small(&peer);
        let rig = Rig::<F>::of(socket, peer, 2 * AREA, true, 0);
        let block = rig.area.block(&Pattern(90).bytes(0, SIZE));
        rig.end.must_send(block, 0);
        F::flush(rig.channel.fd).expect("ec_flush");
        let writer = rig.peer.try_clone().expect("dup");
        fork(
            // The peer's side lives in the child; the sockets are inherited, not the library.
            || {
                std::thread::scope(|scope| {
                    scope.spawn(|| sockets::write_pattern(&writer, Pattern(91), 0, SIZE));
                    sockets::read_pattern(&rig.peer, Pattern(90), 0, SIZE);
                });
                refused(F::to_fd(rig.channel.fd));
            },
            || {
                rig.end.check_pattern(Pattern(91), 0, SIZE);
                rig.channel.wait_sent(block);
            },
        );
        rig.area.release(block);
    }
}

/// The child of a child is as far away from the parent's things.
fn grandchild<F: Face>() {
    let rig = Rig::<F>::new(Family::UnixStream, AREA, true);
    let block = rig.area.block(b"the parent's");
    fork(
        || {
            let own = Channel::<F>::new(0);
            fork(
                || {
                    refused(F::to_fd(rig.channel.fd));
                    refused(F::to_fd(own.fd));
                    refused(F::base(rig.area.handle));
                    refused(rig.end.send(block, 0));
                    let mine = Channel::<F>::new(0);
                    mine.post(1).expect("ec_post");
                    assert_eq!(mine.wait().cookie, 1);
                },
                || std::thread::sleep(Duration::from_millis(1)),
            );
            own.post(2).expect("ec_post");
            assert_eq!(own.wait().cookie, 2);
        },
        || {},
    );
    rig.end.must_send(block, 0);
    rig.channel.wait_sent(block);
    rig.area.release(block);
}

/// What a child may do: nothing, something of its own, another program, an orderly end.
const CHILDREN: [fn(); 4] =
    [|| {}, || {}, || panic!("exec: {}", Command::new("true").exec()), || std::process::exit(0)];

/// One source of every kind is armed, and a send is under way: whatever a child does, each source
/// tells its parent once what it has to tell. A child that has its own is told of those.
fn fork_with_everything_armed<F: Face>() {
    for (number, child) in CHILDREN.into_iter().enumerate() {
        let (socket, peer) = Family::Tcp4.pair();
        sockets::make_small(&socket);
        // Words go after the channel that waits for them.
        let causes = every_cause();
        let rig = Rig::<F>::of(socket, peer, AREA, true, 0);
        let sources = add_all(&rig.channel, &causes);
        let block = rig.area.block(&Pattern(92).bytes(0, AREA / 2));
        rig.end.must_send(block, 0);
        assert_eq!(F::flush(rig.channel.fd), Ok(()));
        fork(
            || {
                if number % 2 == 1 {
                    let causes = every_cause();
                    let channel = Channel::<F>::new(0);
                    let sources = add_all(&channel, &causes);
                    told_once_each(&channel, &causes);
                    remove_all(&channel, sources);
                }
                child();
            },
            || {
                std::thread::scope(|scope| {
                    let read = || sockets::read_pattern(&rig.peer, Pattern(92), 0, AREA / 2);
                    let reader = scope.spawn(read);
                    told_once_each(&rig.channel, &causes);
                    while !reader.is_finished() {
                        // The rest of it may need our help.
                        assert_eq!(F::flush(rig.channel.fd), Ok(()));
                        std::thread::sleep(Duration::from_micros(100));
                    }
                });
            },
        );
        remove_all(&rig.channel, sources);
        rig.area.release(block);
    }
}

fn every_cause<F: Face>() -> Vec<Cause<F>> {
    kinds::ALL.iter().map(|&kind| Cause::new(kind)).collect()
}

fn add_all<F: Face>(channel: &Channel<F>, causes: &[Cause<F>]) -> Vec<i32> {
    let add = |(cookie, cause): (usize, &Cause<F>)| cause.add(channel.fd, cookie as u64);
    let added: Result<Vec<i32>> = causes.iter().enumerate().map(add).collect();
    assert_eq!(F::delay(channel.fd, None), Ok(()), "the timer");
    added.expect("every source")
}

fn remove_all<F: Face>(channel: &Channel<F>, sources: Vec<i32>) {
    sources.into_iter().for_each(|source| assert_eq!(F::remove(channel.fd, source), Ok(())));
    while let Some(told) = channel.next() {
        assert_eq!(told.kind, event::SENT, "{told:?}");
    }
}

/// Fires each, and fetches until each has told; but for the timer and the ends of sends, that is
/// all that comes.
fn told_once_each<F: Face>(channel: &Channel<F>, causes: &[Cause<F>]) {
    causes.iter().for_each(|cause| assert!(cause.fire()));
    let mut told = vec![0; causes.len()];
    while told.contains(&0) {
        let event = channel.wait();
        if let Some(cause) = causes.get(event.cookie as usize) {
            cause.take(&event);
            told[event.cookie as usize] += 1;
        }
    }
    for (cause, told) in causes.iter().zip(told) {
        assert!(told == 1 || cause.kind == Kind::Timer, "{:?} {told} times", cause.kind);
    }
}

behaviours!(
    child_cannot_disturb,
    child_has_its_own,
    child_reuses_numbers,
    fork_in_mid_transfer,
    grandchild,
    fork_with_everything_armed,
);

over_interfaces!(child_cannot_disturb, fork_with_everything_armed);
