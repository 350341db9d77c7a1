//! Blocking and not blocking, the flags that mean something, and those that are refused.

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use sio::api::engines::Kind;
use sio::capi::types::{SIO_QUIET, SIO_RELEASE};
use sio::channel::event;
use sio::error::Errno;

use super::face::{Face, Parts};
use super::memory::Block;
use super::rig::{AREA, ATTACHED_OR_NOT, NOW, Pattern, Rig};
use super::setting::Setting;
use super::sockets::{self, ALL, Family, STREAMS, TCP, each};

/// A receive blocks until there is something.
fn receive_blocks<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let block = thread::scope(|scope| {
                let receiver = scope.spawn(|| rig.end.take(100));
                thread::sleep(Duration::from_millis(2));
                sockets::write(&rig.peer, b"at last");
                receiver.join().expect("the receiver")
            });
            assert_eq!(block.bytes(), b"at last");
            rig.area.release(block);
        }
    }
}

/// `MSG_DONTWAIT` and `O_NONBLOCK` do not, whichever it is.
fn receive_does_not_block<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let fd = rig.end.fd();
            assert_eq!(rig.end.receive(1, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
            sockets::set_nonblocking(fd, true);
            assert_eq!(rig.end.receive(1, 0), Err(Errno::EAGAIN));
            assert_eq!(F::receive_from(fd, 1, 0), Err(Errno::EAGAIN));
            assert_eq!(F::receive_message(fd, 0), Err(Errno::EAGAIN));
            sockets::write(&rig.peer, b"now");
            if attached {
                assert_eq!(rig.channel.wait().kind, event::RECV);
            } else if Setting::current().engine_of(family) != Kind::AfXdp {
                assert!(sockets::is_readable(fd, -1));
            }
            let block = rig.end.take(100);
            assert_eq!(block.bytes(), b"now");
            rig.area.release(block);
        }
    }
}

/// `SO_RCVTIMEO` ends a wait as it does for recv(2).
fn receive_has_a_time_limit<F: Face>() {
    for family in each(ALL) {
        let rig = Rig::<F>::new(family, AREA, false);
        let limit = TimeVal::new(0, 1000);
        setsockopt(rig.end.socket(), sockopt::ReceiveTimeout, &limit).expect("SO_RCVTIMEO");
        assert_eq!(rig.end.receive(1, 0), Err(Errno::EAGAIN));
        if Setting::current().engine_of(family) == Kind::AfXdp {
            // What can still arrive has its frame.
            continue;
        }
        let block = rig.area.reserve(AREA).expect("all of it");
        sockets::write(&rig.peer, b"no room");
        assert_eq!(rig.end.receive(1, 0), Err(Errno::EAGAIN));
        rig.area.release(block);
    }
}

/// Flags that cannot be had are told apart from flags that mean nothing.
fn flags_are_refused<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            sockets::write(&rig.peer, b"stays");
            let block = rig.area.block(b"stays");
            for flag in [libc::MSG_PEEK, libc::MSG_WAITALL, libc::MSG_OOB, libc::MSG_ERRQUEUE] {
                assert_eq!(rig.end.receive(1, flag), Err(Errno::EOPNOTSUPP), "{flag:#x}");
                assert_eq!(F::receive_message(rig.end.fd(), flag), Err(Errno::EOPNOTSUPP));
            }
            for flag in [libc::MSG_MORE, SIO_RELEASE, 1 << 20, i32::MIN] {
                assert_eq!(rig.end.receive(1, flag), Err(Errno::EINVAL), "{flag:#x}");
            }
            const MSG_ZEROCOPY: i32 = 0x400_0000;
            for flag in [libc::MSG_OOB, MSG_ZEROCOPY, libc::MSG_FASTOPEN] {
                let flags = flag | SIO_RELEASE;
                assert_eq!(rig.end.send(block, flags), Err(Errno::EOPNOTSUPP), "{flag:#x}");
            }
            for flag in [libc::MSG_PEEK, libc::MSG_WAITALL, 1 << 30, i32::MIN] {
                assert_eq!(rig.end.send(block, flag), Err(Errno::EINVAL), "{flag:#x}");
            }
            assert_eq!(rig.end.receive(0, 0), Err(Errno::EINVAL));
            if family.is_stream() {
                assert_eq!(rig.end.send(block.part(0, 0), 0), Err(Errno::EINVAL));
            }
            assert!(sockets::is_silent(&rig.peer));
            let known = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_CMSG_CLOEXEC;
            if attached {
                rig.channel.wait();
            }
            let received = rig.end.receive(100, known).expect("sio_recv").expect("data");
            assert_eq!(received.bytes(), b"stays");
            rig.area.release(received);
            rig.area.release(block);
        }
    }
}

/// Flags that are hints do no harm.
fn flags_are_accepted<F: Face>() {
    const FLAGS: [i32; 4] =
        [libc::MSG_DONTWAIT, libc::MSG_NOSIGNAL, libc::MSG_EOR, libc::MSG_DONTROUTE];
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            for (number, flag) in FLAGS.into_iter().enumerate() {
                let block = rig.area.block(&[number as u8; 10]);
                rig.end.must_send(block, flag);
                if attached {
                    rig.channel.wait_sent(block);
                }
                assert_eq!(sockets::read(&rig.peer), [number as u8; 10]);
                rig.area.release(block);
            }
        }
    }
}

/// `MSG_MORE`: what is held back goes out with what follows, in order.
fn more_follows<F: Face>() {
    for family in each(TCP) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let block = rig.area.block(&Pattern(40).bytes(0, 1000));
            for piece in 0..10 {
                let flags = if piece < 9 { libc::MSG_MORE } else { 0 };
                rig.end.must_send(block.part(piece * 100, 100), flags);
            }
            if attached {
                for piece in 0..10 {
                    rig.channel.wait_sent(block.part(piece * 100, 100));
                }
            }
            sockets::read_pattern(&rig.peer, Pattern(40), 0, 1000);
            rig.area.release(block);
        }
    }
}

/// `SIO_RELEASE`: with a successful call the whole block is given up, and free once it is sent;
/// with a failed call it stays ours.
fn release_with_send<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let block = rig.area.block(&Pattern(41).bytes(0, 3000));
            let part = block.part(1000, 500);
            rig.end.must_send(part, SIO_RELEASE);
            assert_eq!(rig.area.try_release(block), Err(Errno::EINVAL));
            assert_eq!(rig.end.send(part, 0), Err(Errno::EFAULT));
            if attached {
                rig.channel.wait_sent(part);
            }
            assert!(rig.area.is_all_back());
            let received = sockets::read(&rig.peer);
            assert_eq!(received, Pattern(41).bytes(1000, 500));

            // What was received is given up whole too, also if only a part of it goes back.
            sockets::write(&rig.peer, &received);
            let block = rig.end.take(1000);
            rig.end.must_send(block.part(0, 10), SIO_RELEASE);
            assert_eq!(rig.area.try_release(block), Err(Errno::EINVAL));
            if attached {
                rig.channel.wait_sent(block.part(0, 10));
            }
            assert_eq!(sockets::read(&rig.peer), received[..10]);
        }
    }
}

/// `SIO_RELEASE` of a message of several blocks releases each of them.
fn release_with_message<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let blocks = [rig.area.block(b"one"), rig.area.block(b"two")];
            let mut parts = Parts {
                parts: blocks.iter().map(|block| (block.address, block.size)).collect(),
                ..Parts::default()
            };
            // Twice from the same block: it is released once.
            parts.parts.push((blocks[0].address + 1, 1));
            assert_eq!(F::send_message(rig.end.fd(), &parts, SIO_RELEASE), Ok(7));
            for block in blocks {
                assert_eq!(rig.area.try_release(block), Err(Errno::EINVAL));
            }
            if attached {
                assert_eq!(rig.channel.wait_for(event::SENT).result, 7);
            }
            assert_eq!(sockets::read(&rig.peer), b"onetwon");
            assert!(rig.area.is_all_back());
        }
    }
}

/// `SIO_QUIET`: no event on success, and its slot is free again; but a failure is told.
fn quiet_sends<F: Face>() {
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        let rig = Rig::<F>::of(socket, peer, AREA, true, super::rig::capacity(1));
        for round in 0..20 {
            let block = rig.area.block(&Pattern(42).bytes(round * 100, 100));
            while let Err(errno) = rig.end.send(block, SIO_QUIET | SIO_RELEASE) {
                // Two at a time have slots; to look for events is what moves them on.
                assert_eq!(errno, Errno::EAGAIN);
                assert_eq!(rig.channel.next(), None);
            }
        }
        F::flush(rig.channel.fd).expect("ec_flush");
        sockets::read_pattern(&rig.peer, Pattern(42), 0, 2000);
        let block = rig.area.block(b"loud");
        while rig.end.send(block, SIO_RELEASE) == Err(Errno::EAGAIN) {
            assert_eq!(rig.channel.next(), None);
        }
        rig.channel.wait_sent(block);
    }
    let rig = Rig::<F>::new(Family::UnixStream, AREA, true);
    let Rig { area, channel, end, peer } = rig;
    drop(peer);
    let block = area.block(b"fails");
    end.must_send(block, SIO_QUIET);
    let told = channel.wait_for(event::SENT);
    assert_eq!((told.result, told.errno), (-1, Errno::EPIPE as i32));
    area.release(block);
}

/// What was accepted goes out with a flush, without anybody's fetching an event.
fn flush_sends<F: Face>() {
    for family in each(ALL) {
        let rig = Rig::<F>::new(family, AREA, true);
        let block = rig.area.block(b"out with it");
        rig.end.must_send(block, 0);
        assert_eq!(F::flush(rig.channel.fd), Ok(()));
        assert_eq!(sockets::read(&rig.peer), b"out with it");
        rig.channel.wait_sent(block);
        rig.area.release(block);
    }
}

/// What is accepted while another thread waits goes out at once.
fn waiting_thread_sends<F: Face>() {
    for family in each(ALL) {
        let rig = Rig::<F>::new(family, AREA, true);
        let block: Block = rig.area.block(b"somebody waits");
        thread::scope(|scope| {
            let waiter = scope.spawn(|| rig.channel.wait_sent(block));
            thread::sleep(Duration::from_millis(2));
            rig.end.must_send(block, 0);
            assert_eq!(sockets::read(&rig.peer), b"somebody waits");
            waiter.join().expect("the waiter");
        });
        rig.area.release(block);
    }
}

/// A wait whose time is over has taken nothing.
fn wait_has_a_time_limit<F: Face>() {
    let rig = Rig::<F>::new(Family::UnixStream, AREA, true);
    let ec = rig.channel.fd;
    let mut room = [sio::channel::Event::EMPTY; 2];
    for limit in [NOW, Some(Duration::from_millis(1))] {
        assert_eq!(F::delay(ec, limit), Err(Errno::ETIMEDOUT));
        assert_eq!(F::wait_events(ec, &mut room, limit), Err(Errno::ETIMEDOUT));
    }
    assert!(!sockets::is_readable(ec.as_raw_fd(), 0));
    sockets::write(&rig.peer, b"x");
    assert_eq!(F::delay(ec, None), Ok(()));
    assert_eq!(F::delay(ec, NOW), Ok(()));
    assert!(sockets::is_readable(F::to_fd(ec).expect("ec_to_fd"), 0));
    assert_eq!(F::wait_events(ec, &mut room, NOW), Ok(1));
}

behaviours!(
    receive_blocks,
    receive_does_not_block,
    receive_has_a_time_limit,
    flags_are_refused,
    flags_are_accepted,
    more_follows,
    release_with_send,
    release_with_message,
    quiet_sends,
    flush_sends,
    waiting_thread_sends,
    wait_has_a_time_limit,
);

over_interfaces!(
    receive_blocks,
    receive_does_not_block,
    receive_has_a_time_limit,
    flags_are_refused,
    flags_are_accepted,
    release_with_send,
    release_with_message,
    flush_sends,
    waiting_thread_sends
);
