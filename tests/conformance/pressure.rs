//! Back-pressure: peers that do not read, channels and areas that are full.

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use sio::capi::types::SIO_RELEASE;
use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::memory::Block;
use super::rig::{AREA, ATTACHED_OR_NOT, Area, Channel, Endpoint, Pattern, Rig, capacity};
use super::sockets::{self, Family, STREAMS, each};

/// The peer does not read: sends are accepted as far as there are slots, and end in order when it
/// reads.
fn peer_does_not_read<F: Face>() {
    const PIECE: usize = 65_536;
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        sockets::make_small(&socket);
        sockets::make_small(&peer);
        let rig = Rig::<F>::of(socket, peer, 70 * PIECE, true, capacity(6));
        let pattern = Pattern(20);
        let mut blocks = Vec::new();
        loop {
            let block = rig.area.block(&pattern.bytes(blocks.len() * PIECE, PIECE));
            if let Err(errno) = rig.end.send(block, SIO_RELEASE) {
                assert_eq!(errno, Errno::EAGAIN);
                // Nothing has changed: the block is still ours.
                rig.area.release(block);
                break;
            }
            blocks.push(block);
        }
        assert_eq!(blocks.len(), 64, "one slot for each accepted send");
        F::flush(rig.channel.fd).expect("ec_flush");
        let told: Vec<_> = std::iter::from_fn(|| rig.channel.next()).collect();
        assert!(told.len() < blocks.len(), "nobody reads, and all is sent");
        thread::scope(|scope| {
            scope.spawn(|| sockets::read_pattern(&rig.peer, pattern, 0, blocks.len() * PIECE));
            let told_later = (told.len()..blocks.len()).map(|_| rig.channel.wait());
            for (sent, block) in told.iter().copied().chain(told_later).zip(&blocks) {
                assert_eq!((sent.kind, sent.pointer), (event::SENT, block.address));
                assert_eq!(sent.result, PIECE as i64);
            }
        });
        rig.channel.check_empty();
    }
}

/// A socket in no channel that does not block: all of it or nothing.
fn peer_does_not_read_and_nobody_waits<F: Face>() {
    const PIECE: usize = 1000;
    for family in each(STREAMS) {
        let rig = Rig::<F>::new(family, AREA, false);
        let pattern = Pattern(21);
        sockets::make_small(rig.end.socket());
        sockets::make_small(&rig.peer);
        let block = rig.area.reserve(PIECE).expect("room");
        let mut sent = 0;
        let total = thread::scope(|scope| {
            let refused = loop {
                block.write(&pattern.bytes(sent, PIECE));
                match rig.end.send(block, libc::MSG_DONTWAIT) {
                    Ok(count) => assert_eq!(count, PIECE),
                    Err(errno) => break errno,
                }
                sent += PIECE;
                if sent == 100 * PIECE {
                    // Enough to be in the middle of it when the first is refused.
                    sockets::set_nonblocking(rig.end.fd(), true);
                    let (peer, half) = (&rig.peer, sent / 2);
                    scope.spawn(move || sockets::read_pattern(peer, pattern, 0, half));
                }
                assert!(sent < AREA * 100, "never refused");
            };
            assert_eq!(refused, Errno::EAGAIN);
            sent
        });
        let read = if total >= 100 * PIECE { 50 * PIECE } else { 0 };
        sockets::read_pattern(&rig.peer, pattern, read, total - read);
        assert!(sockets::is_silent(&rig.peer), "more than what was accepted");
        rig.area.release(block);
    }
}

/// A channel of eight: the ninth event is refused, and so is a send; sources have slots of their
/// own. What was queued comes in order.
fn full_channel<F: Face>() {
    let rig = Rig::<F>::new(Family::UnixStream, AREA, false);
    let channel = Channel::<F>::new(capacity(3));
    let (reader, writer) = std::io::pipe().expect("pipe");
    let readable = F::add_fd(channel.fd, reader.as_raw_fd(), libc::POLLIN, 0, 99);
    rig.end.attach(&channel, 98);
    for cookie in 0..8 {
        assert_eq!(channel.post(cookie), Ok(()));
    }
    assert_eq!(channel.post(8), Err(Errno::EAGAIN));
    let block = rig.area.block(b"refused");
    assert_eq!(rig.end.send(block, SIO_RELEASE), Err(Errno::EAGAIN));
    assert!(sockets::is_silent(&rig.peer));
    drop(writer);

    let mut order = Vec::new();
    let mut is_told = false;
    while order.len() < 8 || !is_told {
        let found = channel.wait();
        match found.kind {
            event::USER => order.push(found.cookie),
            _ => {
                assert_eq!((found.kind, found.cookie), (event::FD, 99));
                assert_ne!(found.result & i64::from(libc::POLLHUP), 0);
                is_told = true;
            }
        }
    }
    assert_eq!(order, (0..8).collect::<Vec<u64>>());
    assert_eq!(F::remove(channel.fd, readable.expect("ec_add_fd")), Ok(()));
    assert_eq!(channel.post(8), Ok(()));
    rig.end.must_send(block, SIO_RELEASE);
    assert_eq!(channel.wait_for(event::USER).cookie, 8);
    channel.wait_sent(block);
    assert_eq!(sockets::read(&rig.peer), b"refused");
}

/// What a socket receives while the program keeps it all: until neither side goes on.
fn receive_until_full<F: Face>(
    end: &Endpoint<F>,
    peer: &std::os::fd::OwnedFd,
    pattern: Pattern,
) -> (Vec<Block>, usize) {
    let (mut kept, mut got, mut written) = (Vec::new(), 0, 0);
    let mut idle = 0;
    while idle < 20 {
        let before = got + written;
        written += sockets::push_pattern(peer, pattern, written);
        loop {
            match end.receive(4096, libc::MSG_DONTWAIT) {
                Ok(block) => {
                    let block = block.expect("no end of the stream");
                    pattern.check(got, block.bytes());
                    got += block.size;
                    kept.push(block);
                }
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    break;
                }
            }
        }
        idle = if got + written > before { 0 } else { idle + 1 };
        thread::sleep(Duration::from_millis(1));
    }
    assert!(written > got, "the area takes no end");
    (kept, written)
}

fn release_all<F: Face>(area: &Area<F>, kept: Vec<Block>) {
    for block in kept {
        area.release(block);
    }
}

/// Received data fills the area: nothing more is received, nothing is overwritten, nothing is
/// lost, and it goes on when blocks come back.
fn full_area<F: Face>() {
    const SMALL: usize = 65_536;
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let (socket, peer) = family.pair();
            sockets::make_small(&socket);
            sockets::make_small(&peer);
            let rig = Rig::<F>::of(socket, peer, SMALL, attached, 0);
            let pattern = Pattern(22);
            let (kept, written) = receive_until_full(&rig.end, &rig.peer, pattern);
            let got: usize = kept.iter().map(|block| block.size).sum();
            assert!(got > 0 && got <= SMALL);
            let mut at = 0;
            for block in &kept {
                pattern.check(at, block.bytes());
                at += block.size;
            }
            // What cannot be acted upon is not told.
            rig.channel.check_empty();
            release_all(&rig.area, kept);
            if attached {
                assert_eq!(rig.channel.wait().kind, event::RECV);
            }
            thread::scope(|scope| {
                scope.spawn(|| sockets::write_pattern(&rig.peer, pattern, written, 200_000));
                rig.end.check_pattern(pattern, got, written - got + 200_000);
            });
        }
    }
}

/// A socket with a share of its own stops when that is used up; others of the area go on.
fn full_share<F: Face>() {
    const SHARE: usize = 32_768;
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let area = Area::<F>::new(AREA);
            let channel = Channel::<F>::new(0);
            let (greedy, greedy_peer) = family.pair();
            let (other, other_peer) = family.pair();
            sockets::make_small(&greedy);
            sockets::make_small(&greedy_peer);
            let greedy = Endpoint::with_share(&area, greedy, SHARE);
            let other = Endpoint::with_share(&area, other, 0);
            if attached {
                greedy.attach(&channel, 1);
                other.attach(&channel, 2);
            }
            let pattern = Pattern(23);
            let (kept, written) = receive_until_full(&greedy, &greedy_peer, pattern);
            let got: usize = kept.iter().map(|block| block.size).sum();
            assert!(got > 0 && got <= SHARE, "{got} bytes of a share of {SHARE}");

            sockets::write_pattern(&other_peer, Pattern(24), 0, 50_000);
            other.check_pattern(Pattern(24), 0, 50_000);

            release_all(&area, kept);
            greedy.check_pattern(pattern, got, written - got);
        }
    }
}

/// A receive that blocks because the area is full goes on when a block comes back.
fn receive_waits_for_room<F: Face>() {
    for family in each(sockets::ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, 65_536, attached);
            let block = rig.area.reserve(65_536).expect("all of it");
            sockets::write(&rig.peer, b"something");
            assert_eq!(rig.end.receive(100, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
            let piece = thread::scope(|scope| {
                let waiter = scope.spawn(|| rig.end.take(100));
                thread::sleep(Duration::from_millis(5));
                rig.area.release(block);
                waiter.join().expect("the waiter")
            });
            assert_eq!(piece.bytes(), b"something");
            rig.area.release(piece);
        }
    }
}

/// An event waits for room too: it comes when the program has given a block back.
fn event_comes_with_room<F: Face>() {
    for family in each(sockets::ALL) {
        let rig = Rig::<F>::new(family, 65_536, true);
        let block = rig.area.reserve(65_536).expect("all of it");
        sockets::write(&rig.peer, b"something");
        assert_eq!(rig.end.receive(100, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
        while rig.channel.next().is_some() {}
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(2));
                rig.area.release(block);
            });
            assert_eq!(rig.channel.wait().kind, event::RECV);
        });
        let piece = rig.end.take(100);
        assert_eq!(piece.bytes(), b"something");
        rig.area.release(piece);
    }
}

/// `sio_reserve` hands out every byte, aligned and apart, then refuses; sizes that mean nothing
/// are refused always.
fn area_is_handed_out<F: Face>() {
    let area = Area::<F>::new(65_536);
    let (base, length) = F::base(area.handle).expect("dma_base");
    assert_eq!((base % 4096, length), (0, 65_536));
    assert_eq!(area.reserve(0), Err(Errno::EINVAL));
    assert_eq!(area.reserve(65_537), Err(Errno::ENOBUFS));
    assert_eq!(area.reserve(usize::MAX), Err(Errno::ENOBUFS));
    let mut blocks: Vec<Block> = std::iter::from_fn(|| match area.reserve(1024) {
        Ok(block) => Some(block),
        Err(errno) => {
            assert_eq!(errno, Errno::ENOBUFS);
            None
        }
    })
    .collect();
    assert_eq!(blocks.len(), 64);
    blocks.sort();
    assert!(blocks.windows(2).all(|two| !two[0].overlaps(&two[1])));
    assert!(blocks.iter().all(|block| block.address.is_multiple_of(64)));
    assert!(blocks[0].address >= base && blocks[63].end() <= base + length);
    let again = blocks.swap_remove(17);
    area.release(again);
    assert_eq!(area.reserve(1024), Ok(again), "the only room that there is");
    blocks.push(again);
    release_all(&area, blocks);
}

behaviours!(
    peer_does_not_read,
    peer_does_not_read_and_nobody_waits,
    full_channel,
    full_area,
    full_share,
    receive_waits_for_room,
    event_comes_with_room,
    area_is_handed_out,
);

// Such small areas are left to the next engine.
over_interfaces!(receive_waits_for_room, event_comes_with_room);
