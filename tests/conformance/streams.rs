//! Streams: TCP over IPv4 and IPv6, Unix. Order, partial reads, the end, and a reset.

use std::os::fd::AsRawFd;
use std::thread;

use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::memory::{Block, let_sigpipe_kill};
use super::rig::{AREA, ATTACHED_OR_NOT, COOKIE, Pattern, Random, Rig};
use super::sockets::{self, ALL, STREAMS, TCP, UNIX, each};

/// Many sends of all sizes: the bytes arrive in order, and the events come in order.
fn sends_stay_in_order<F: Face>() {
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let pattern = Pattern(1);
            let mut random = Random(7);
            let sizes: Vec<usize> = (0..100).map(|_| 1 + random.below(9000)).collect();
            let total = sizes.iter().sum();
            thread::scope(|scope| {
                scope.spawn(|| sockets::read_pattern(&rig.peer, pattern, 0, total));
                let mut blocks = Vec::new();
                let mut at = 0;
                for size in sizes {
                    let block = rig.area.block(&pattern.bytes(at, size));
                    rig.end.must_send(block, 0);
                    blocks.push(block);
                    at += size;
                }
                for block in blocks {
                    if attached {
                        rig.channel.wait_sent(block);
                    }
                    rig.area.release(block);
                }
            });
            rig.channel.check_empty();
        }
    }
}

/// A piece is never longer than asked for, pieces follow each other, and they stay what they are
/// while later ones arrive.
fn partial_reads<F: Face>() {
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let pattern = Pattern(2);
            let total = 50_000;
            sockets::write_pattern(&rig.peer, pattern, 0, total);
            let mut pieces: Vec<Block> = Vec::new();
            let mut got = 0;
            for size in [1, 2, 63, 64, 65, 1000, 4096, 70_000].into_iter().cycle() {
                if got == total {
                    break;
                }
                let piece = rig.end.take(size);
                assert!(piece.size > 0);
                got += piece.size;
                pieces.push(piece);
            }
            let mut at = 0;
            for piece in &pieces {
                pattern.check(at, piece.bytes());
                at += piece.size;
            }
            let mut sorted = pieces.clone();
            sorted.sort();
            assert!(sorted.windows(2).all(|two| !two[0].overlaps(&two[1])));
            for piece in pieces {
                rig.area.release(piece);
            }
        }
    }
}

/// The event tells how many bytes can be fetched, and is repeated until they are.
fn event_tells_bytes<F: Face>() {
    for family in each(STREAMS) {
        let rig = Rig::<F>::new(family, AREA, true);
        sockets::write_pattern(&rig.peer, Pattern(3), 0, 100);
        let mut left = 100;
        while left > 0 {
            let told = rig.channel.wait();
            assert_eq!((told.kind, told.fd), (event::RECV, rig.end.fd()));
            assert_eq!((told.cookie, told.errno), (COOKIE, 0));
            assert!((1..=left as i64).contains(&told.result), "{told:?}");
            let piece = rig.end.take(30);
            Pattern(3).check(100 - left, piece.bytes());
            left -= piece.size;
            rig.area.release(piece);
        }
        rig.channel.check_empty();
    }
}

/// The end is told, is fetched once as an event, and can be read as often as one likes; the other
/// direction stays open.
fn end_of_stream<F: Face>() {
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            sockets::write_pattern(&rig.peer, Pattern(4), 0, 1000);
            sockets::shutdown_write(&rig.peer);
            if attached {
                loop {
                    let told = rig.channel.wait();
                    assert_eq!((told.kind, told.errno), (event::RECV, 0));
                    if told.flags & event::F_EOF != 0 {
                        break;
                    }
                }
            }
            rig.end.check_pattern(Pattern(4), 0, 1000);
            if attached {
                // Until it has been fetched the end is repeated.
                let told = rig.channel.wait();
                assert_eq!((told.result, told.flags & event::F_EOF), (0, event::F_EOF));
            }
            for _ in 0..3 {
                assert_eq!(rig.end.receive(10, 0), Ok(None));
                rig.channel.check_empty();
            }
            let block = rig.area.block(&Pattern(5).bytes(0, 500));
            rig.end.must_send(block, 0);
            if attached {
                rig.channel.wait_sent(block);
            }
            rig.area.release(block);
            sockets::read_pattern(&rig.peer, Pattern(5), 0, 500);
        }
    }
}

/// A reset while much is under way: every accepted send has its one event, in order, and after
/// the first that failed none succeeds. The blocks come back.
fn reset_while_sending<F: Face>() {
    const PIECE: usize = 65_536;
    for family in each(TCP) {
        let rig = Rig::<F>::new(family, 64 * PIECE + AREA, true);
        let pattern = Pattern(6);
        let blocks: Vec<Block> = (0..64)
            .map(|index| {
                let block = rig.area.block(&pattern.bytes(index * PIECE, PIECE));
                rig.end.must_send(block, 0);
                // Half of them are released on their way.
                if index % 2 == 0 {
                    rig.area.release(block);
                }
                block
            })
            .collect();
        F::flush(rig.channel.fd).expect("ec_flush");
        sockets::read_pattern(&rig.peer, pattern, 0, PIECE / 2);
        let Rig { area, channel, end, peer } = rig;
        sockets::close_with_reset(peer);
        let mut has_failed = false;
        for (index, block) in blocks.into_iter().enumerate() {
            let sent = channel.wait_for(event::SENT);
            assert_eq!((sent.pointer, sent.length), (block.address, block.size));
            let errno = Errno::from_raw(sent.errno);
            if sent.result == -1 {
                has_failed = true;
                assert!(
                    matches!(errno, Errno::ECONNRESET | Errno::EPIPE | Errno::ECANCELED),
                    "{errno}"
                );
            } else {
                assert!(!has_failed && sent.result == PIECE as i64, "{sent:?}");
            }
            if index % 2 == 1 {
                area.release(block);
            }
        }
        assert!(matches!(end.receive(1, 0), Ok(None) | Err(Errno::ECONNRESET)));
        let last = area.block(b"late");
        match end.send(last, 0) {
            Ok(_) => assert_eq!(channel.wait_for(event::SENT).result, -1),
            Err(errno) => assert!(matches!(errno, Errno::EPIPE | Errno::ECONNRESET)),
        }
        area.release(last);
    }
}

/// A reset while nothing is sent: the error is told until it has been fetched, then it is the end.
fn reset_while_receiving<F: Face>() {
    for family in each(TCP) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            sockets::write_pattern(&rig.peer, Pattern(8), 0, 5000);
            rig.end.check_pattern(Pattern(8), 0, 5000);
            let Rig { area: _area, channel, end, peer } = rig;
            sockets::close_with_reset(peer);
            if attached {
                for _ in 0..2 {
                    let told = channel.wait();
                    assert_eq!((told.kind, told.result), (event::RECV, -1), "{told:?}");
                    assert_eq!(told.errno, Errno::ECONNRESET as i32);
                    assert_eq!(told.flags & event::F_HUP, event::F_HUP);
                }
            }
            assert_eq!(end.receive(10, 0), Err(Errno::ECONNRESET));
            assert_eq!(end.receive(10, 0), Ok(None));
            channel.check_empty();
        }
    }
}

/// Nobody is there any more: `EPIPE`, from the call or in the event, and never a signal.
fn broken_pipe<F: Face>() {
    let_sigpipe_kill();
    for family in each(UNIX).filter(|family| family.is_stream()) {
        for attached in ATTACHED_OR_NOT {
            let Rig { area, channel, end, peer } = Rig::<F>::new(family, AREA, attached);
            drop(peer);
            let block = area.block(b"nobody reads this");
            if attached {
                end.must_send(block, 0);
                let sent = channel.wait_for(event::SENT);
                assert_eq!((sent.result, sent.errno), (-1, Errno::EPIPE as i32));
                assert_eq!((sent.pointer, sent.length), (block.address, block.size));
            } else {
                assert_eq!(end.send(block, 0), Err(Errno::EPIPE));
            }
            area.release(block);
        }
    }
}

/// One block that is larger than every buffer on its way.
fn large_block<F: Face>() {
    const SIZE: usize = 3 << 20;
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, SIZE + AREA, attached);
            let block = rig.area.block(&Pattern(9).bytes(0, SIZE));
            thread::scope(|scope| {
                scope.spawn(|| sockets::read_pattern(&rig.peer, Pattern(9), 0, SIZE));
                rig.end.must_send(block, 0);
                if attached {
                    rig.channel.wait_sent(block);
                }
            });
            rig.area.release(block);
        }
    }
}

/// What had arrived before the socket was associated or attached is not lost.
fn data_before_attaching<F: Face>() {
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        sockets::write_pattern(&peer, Pattern(10), 0, 3000);
        assert!(sockets::is_readable(socket.as_raw_fd(), -1));
        let rig = Rig::<F>::of(socket, peer, AREA, true, 0);
        assert_eq!(rig.channel.wait().kind, event::RECV);
        rig.end.check_pattern(Pattern(10), 0, 3000);
    }
}

/// What was fetched between a look and the fetch of its event is not told any more.
fn fetched_before_it_is_told<F: Face>() {
    for family in each(ALL) {
        let rig = Rig::<F>::new(family, AREA, true);
        for _ in 0..4 {
            sockets::write(&rig.peer, b"quickly");
            assert_eq!(F::delay(rig.channel.fd, None), Ok(()));
            let block = rig.end.take(100);
            assert_eq!(block.bytes(), b"quickly");
            rig.area.release(block);
            rig.channel.check_empty();
        }
    }
}

behaviours!(
    sends_stay_in_order,
    partial_reads,
    event_tells_bytes,
    end_of_stream,
    reset_while_sending,
    reset_while_receiving,
    broken_pipe,
    large_block,
    data_before_attaching,
    fetched_before_it_is_told,
);

over_interfaces!(fetched_before_it_is_told);
