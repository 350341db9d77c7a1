//! Descriptor numbers: sockets and channels go, their numbers are used again at once, and nothing
//! of the old ones comes to the new ones.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::thread;

use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::rig::{AREA, Area, Channel, Endpoint, Pattern, Rig};
use super::sockets::{self, ALL, CONNECTIONS, Family, STREAMS, each, own, renumber};

/// How the old socket goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Going {
    Detached,
    Disassociated,
    /// Closed behind the library's back.
    Closed,
}

/// A number that is used again at once: nothing of the old socket comes, whatever it had to tell.
fn number_is_used_again<F: Face>() {
    for family in each(ALL) {
        for going in [Going::Detached, Going::Disassociated, Going::Closed] {
            println!("  {going:?}");
            let area = Area::<F>::new(AREA);
            let channel = Channel::<F>::new(0);
            let (old, old_peer) = family.pair();
            let old = Endpoint::new(&area, old);
            old.attach(&channel, 1);
            let number = old.fd();
            let block = area.block(b"of the old socket");
            old.must_send(block, 0);
            if going == Going::Disassociated {
                F::flush(channel.fd).expect("ec_flush");
            } else {
                sockets::write(&old_peer, b"for the old socket");
                assert_eq!(F::delay(channel.fd, None), Ok(()));
            }
            let old = old.into_socket();
            match going {
                Going::Detached => assert_eq!(F::detach(number), Ok(())),
                Going::Disassociated => {
                    assert_eq!(F::disassoc(number, area.handle, 0), Ok(()));
                    // What had been sent is told all the same.
                    assert_eq!(channel.wait().pointer, block.address);
                    channel.check_empty();
                }
                Going::Closed => {}
            }
            drop(old);
            let (new, new_peer) = family.pair();
            let new = Endpoint::new(&area, renumber(new, number));
            new.attach(&channel, 2);
            drop(old_peer);
            sockets::write(&new_peer, b"for the new socket");
            let told = channel.wait();
            assert_eq!((told.kind, told.cookie), (event::RECV, 2), "{told:?}");
            let received = new.take(100);
            assert_eq!(received.bytes(), b"for the new socket");
            new.must_send(received, 0);
            channel.wait_sent(received);
            assert_eq!(sockets::read(&new_peer), b"for the new socket");
            area.release(received);
            area.release(block);
            channel.check_empty();
        }
    }
}

/// A closed descriptor, and another file under its number, are not the socket any more.
fn calls_on_what_was_closed<F: Face>() {
    for attached in [false, true] {
        let rig = Rig::<F>::new(Family::Tcp4, AREA, attached);
        let Rig { area, channel, end, peer } = rig;
        let block = area.block(b"nowhere");
        let number = end.into_socket().into_raw_fd();
        drop(own(number));
        let calls = || {
            [
                F::receive(number, 10, libc::MSG_DONTWAIT).map(drop),
                F::info(number).map(drop),
                F::disassoc(number, area.handle, 0),
                F::add_socket(channel.fd, number, 0, 0).map(drop),
            ]
        };
        if !attached {
            assert_eq!(calls(), [Err(Errno::EBADF); 4]);
            assert_eq!(F::send(number, block.address, block.size, 0), Err(Errno::EBADF));
        } else {
            assert_eq!(calls()[1..], [Err(Errno::EBADF); 3]);
        }
        assert_eq!(F::detach(number), Err(Errno::EBADF));
        assert_eq!(F::detach(number), Err(Errno::EBADF), "and it was taken out all the same");
        channel.check_empty();
        let (reader, _writer) = std::io::pipe().expect("pipe");
        let other = renumber(OwnedFd::from(reader), number);
        assert_eq!(calls(), [Err(Errno::EINVAL); 4]);
        assert_eq!(F::detach(number), Err(Errno::EINVAL));
        assert_eq!(F::assoc(number, area.handle, 0, 0), Err(Errno::ENOTSOCK));
        drop((other, peer));
        area.release(block);
    }
}

/// What was detached is an ordinary socket again, and can be associated again.
fn detached_is_plain<F: Face>() {
    for family in each(CONNECTIONS) {
        let rig = Rig::<F>::new(family, AREA, true);
        sockets::write(&rig.peer, b"received and thrown away");
        assert_eq!(F::delay(rig.channel.fd, None), Ok(()));
        let Rig { area, channel, end, peer } = rig;
        let number = end.fd();
        let socket = end.into_socket();
        assert_eq!(F::detach(number), Ok(()));
        channel.check_empty();
        assert_eq!(F::detach(number), Err(Errno::EINVAL));
        assert_eq!(F::receive(number, 10, 0), Err(Errno::EINVAL));
        if !sockets::is_silent(&socket) {
            // An engine that had not taken it has left it with the kernel.
            assert_eq!(sockets::read(&socket), b"received and thrown away");
        }
        sockets::write(&peer, b"plain");
        assert_eq!(sockets::read(&socket), b"plain");
        let end = Endpoint::new(&area, socket);
        end.attach(&channel, 3);
        sockets::write(&peer, b"again");
        assert_eq!(channel.wait().cookie, 3);
        let block = end.take(100);
        assert_eq!(block.bytes(), b"again");
        area.release(block);
    }
}

/// From channel to channel, and out of all: no byte is lost on the way.
fn moved_between_channels<F: Face>() {
    for family in each(STREAMS) {
        let area = Area::<F>::new(AREA);
        let channels = [Channel::<F>::new(0), Channel::new(0)];
        let (socket, peer) = family.pair();
        let end = Endpoint::new(&area, socket);
        let total = 400_000;
        thread::scope(|scope| {
            scope.spawn(|| sockets::write_pattern(&peer, Pattern(70), 0, total));
            let mut at = 0;
            for round in 0.. {
                let size = usize::min(20_000, total - at);
                if size == 0 {
                    break;
                }
                let channel = &channels[round % 2];
                let source = (round % 3 < 2).then(|| end.attach(channel, round as u64));
                if let Some(source) = source {
                    assert_eq!(channel.wait().source, source);
                    assert_eq!(F::add_socket(channel.fd, end.fd(), 0, 0), Err(Errno::EBUSY));
                }
                end.check_pattern(Pattern(70), at, size);
                at += size;
                if let Some(source) = source {
                    assert_eq!(F::remove(channel.fd, source), Ok(()));
                    channel.check_empty();
                }
            }
        });
    }
}

/// `dma_disassoc` does not throw away what has been received, and finishes or tells what was
/// being sent.
fn disassociated<F: Face>() {
    for family in each(STREAMS) {
        let rig = Rig::<F>::new(family, AREA, true);
        let block = rig.area.block(&Pattern(71).bytes(0, 300_000));
        sockets::make_small(rig.end.socket());
        rig.end.must_send(block, 0);
        sockets::write_pattern(&rig.peer, Pattern(72), 0, 5000);
        assert_eq!(rig.channel.wait_for(event::RECV).kind, event::RECV);
        let number = rig.end.fd();
        let answer = F::disassoc(number, rig.area.handle, 0);
        if answer == Err(Errno::EBUSY) {
            // The library holds what has come, so it stays until it has been fetched.
            rig.end.check_pattern(Pattern(72), 0, 5000);
            assert_eq!(F::disassoc(number, rig.area.handle, 0), Ok(()));
        } else {
            // Or the kernel has it still.
            assert_eq!(answer, Ok(()));
            sockets::read_pattern(rig.end.socket(), Pattern(72), 0, 5000);
        }
        let Rig { area, channel, end, peer } = rig;
        let told = channel.wait();
        assert_eq!((told.kind, told.pointer, told.length), (event::SENT, block.address, 300_000));
        assert!(told.result == 300_000 || told.errno == Errno::ECANCELED as i32, "{told:?}");
        channel.check_empty();
        // What has gone out is the beginning of it.
        drop(end.into_socket());
        let mut arrived = Vec::new();
        loop {
            let piece = sockets::read_any(&peer);
            if piece.is_empty() {
                break;
            }
            arrived.extend(piece);
        }
        Pattern(71).check(0, &arrived);
        if told.result >= 0 {
            assert_eq!(arrived.len(), 300_000);
        }
        area.release(block);
    }
}

/// A channel's number that is used again is another channel, or none.
fn channel_numbers<F: Face>() {
    let old = F::create(0).expect("ec_create");
    let rig_area = Area::<F>::new(AREA);
    let (socket, peer) = Family::Tcp4.pair();
    let end = Endpoint::new(&rig_area, socket);
    let source = F::add_socket(old, end.fd(), 0, 1).expect("ec_add_socket");
    sockets::write(&peer, b"kept");
    assert_eq!(F::delay(old, None), Ok(()));
    assert_eq!(F::destroy(old), Ok(()));
    assert_eq!(F::destroy(old), Err(Errno::EBADF));
    assert_eq!(F::to_fd(old), Err(Errno::EBADF));
    let channel = Channel::<F>::new(0);
    assert_eq!(channel.fd, old, "the lowest free number");
    channel.check_empty();
    assert_eq!(F::remove(channel.fd, source), Err(Errno::ENOENT));
    // The socket is in no channel now, and has kept what had come.
    let block = end.take(100);
    assert_eq!(block.bytes(), b"kept");
    rig_area.release(block);
    end.attach(&channel, 2);
    sockets::write(&peer, b"more");
    assert_eq!(channel.wait().cookie, 2);
}

behaviours!(
    number_is_used_again,
    calls_on_what_was_closed,
    detached_is_plain,
    moved_between_channels,
    disassociated,
    channel_numbers,
);

over_interfaces!(number_is_used_again);
