//! Who holds which block: what was received goes back without a copy, one block goes to many, and
//! what is released while it is sent becomes free afterwards.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::thread;

use sio::capi::types::{SIO_QUIET, SIO_RELEASE};
use sio::channel::event;
use sio::error::Errno;

use super::face::{Face, Parts};
use super::memory::Block;
use super::rig::{AREA, ATTACHED_OR_NOT, Area, Channel, Endpoint, Pattern, Rig, capacity};
use super::setting::Setting;
use super::sockets::{self, ALL, Family, STREAMS, each};

/// The block that arrived is the block that goes back: it lies in the area, and the event names
/// the same address.
fn echo_without_a_copy<F: Face>() {
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let (base, length) = F::base(rig.area.handle).expect("dma_base");
            for round in 0..20 {
                let question = Pattern(round).bytes(0, 1 + round * 400);
                sockets::write(&rig.peer, &question);
                let mut answer = Vec::new();
                while answer.len() < question.len() {
                    let block = rig.end.take(65_536);
                    assert!(block.address >= base && block.end() <= base + length);
                    let before = block.bytes().to_vec();
                    rig.end.must_send(block, 0);
                    if attached {
                        rig.channel.wait_sent(block);
                    }
                    assert_eq!(block.bytes(), before, "sending changes nothing");
                    answer.extend(sockets::read(&rig.peer));
                    rig.area.release(block);
                }
                assert_eq!(answer, question);
            }
        }
    }
}

/// One block goes to sixty sockets of all kinds at once, released as soon as it is accepted; it
/// is free when the last has taken it.
fn one_block_for_many<F: Face>() {
    let size = Setting::current().block(20_000);
    let area = Area::<F>::new(AREA);
    let channel = Channel::<F>::new(0);
    let families: Vec<Family> = each(ALL).collect();
    let ends: Vec<(Family, Endpoint<F>, OwnedFd)> = (0..60)
        .map(|number| {
            let family = families[number % families.len()];
            let (socket, peer) = family.pair();
            let end = Endpoint::new(&area, socket);
            // Every third is in no channel.
            if number % 3 > 0 {
                end.attach(&channel, number as u64);
            }
            (family, end, peer)
        })
        .collect();
    let block = area.block(&Pattern(50).bytes(0, size));
    for (_, end, _) in &ends {
        end.must_send(block, 0);
    }
    area.release(block);
    let mut told: HashMap<u64, usize> = HashMap::new();
    for _ in 0..ends.len() / 3 * 2 {
        let sent = channel.wait_for(event::SENT);
        assert_eq!((sent.pointer, sent.result), (block.address, size as i64));
        *told.entry(sent.cookie).or_default() += 1;
    }
    assert!(told.values().all(|&count| count == 1), "{told:?}");
    assert!(area.is_all_back());
    for (family, _, peer) in &ends {
        if family.is_stream() {
            sockets::read_pattern(peer, Pattern(50), 0, size);
        } else {
            assert_eq!(sockets::read(peer), Pattern(50).bytes(0, size));
        }
    }
}

/// What is released on its way is not handed out again before it has been sent.
fn released_on_its_way<F: Face>() {
    const SIZE: usize = 512 << 10;
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        sockets::make_small(&socket);
        sockets::make_small(&peer);
        let rig = Rig::<F>::of(socket, peer, AREA, true, 0);
        let block = rig.area.block(&Pattern(51).bytes(0, SIZE));
        rig.end.must_send(block, SIO_RELEASE);
        F::flush(rig.channel.fd).expect("ec_flush");
        assert_eq!(rig.channel.next(), None, "half a megabyte is in nobody's buffers");
        assert!(!rig.area.is_all_free());
        let others: Vec<Block> = std::iter::from_fn(|| rig.area.reserve(1000).ok()).collect();
        assert!(!others.is_empty());
        for other in others {
            assert!(!other.overlaps(&block));
            other.write(&[0xee; 1000]);
            rig.area.release(other);
        }
        thread::scope(|scope| {
            scope.spawn(|| sockets::read_pattern(&rig.peer, Pattern(51), 0, SIZE));
            rig.channel.wait_sent(block);
        });
        assert!(rig.area.is_all_free());
    }
}

/// Any part of a block can be sent, as often as wanted, also while it is being sent.
fn parts_of_a_block<F: Face>() {
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let block = rig.area.block(&Pattern(52).bytes(0, 1000));
            let parts = [(0, 1000), (999, 1), (0, 1), (1, 998), (500, 500), (0, 1000)];
            for (from, size) in parts {
                rig.end.must_send(block.part(from, size), 0);
            }
            for (from, size) in parts {
                if attached {
                    rig.channel.wait_sent(block.part(from, size));
                }
                sockets::read_pattern(&rig.peer, Pattern(52), from, size);
            }
            rig.area.release(block);
        }
    }
}

/// What the program does not hold it cannot send: `EFAULT`, and nothing has changed.
fn memory_of_others<F: Face>() {
    for attached in ATTACHED_OR_NOT {
        let rig = Rig::<F>::new(Family::UnixStream, AREA, attached);
        let other_area = Area::<F>::new(4096);
        let other = other_area.block(b"of another area");
        let block = rig.area.block(&[1; 128]);
        let neighbour = rig.area.block(&[2; 128]);
        let outside = [0u8; 64];
        let (base, length) = F::base(rig.area.handle).expect("dma_base");
        let wrong = [
            other,
            Block { address: outside.as_ptr() as usize, size: 64 },
            Block { address: 0, size: 1 },
            Block { address: block.address, size: 129 },
            Block { address: block.address + 1, size: 128 },
            Block { address: neighbour.end(), size: 1 },
            Block { address: block.address, size: 256 },
            Block { address: base + length - 64, size: 64 },
            Block { address: base + length, size: 1 },
            Block { address: usize::MAX - 10, size: 5 },
        ];
        for memory in wrong {
            for flags in [0, SIO_RELEASE, SIO_QUIET] {
                assert_eq!(rig.end.send(memory, flags), Err(Errno::EFAULT), "{memory:?}");
            }
            let parts = vec![(block.address, 128), (memory.address, memory.size)];
            let parts = Parts { parts, ..Parts::default() };
            let sent = F::send_message(rig.end.fd(), &parts, SIO_RELEASE);
            assert_eq!(sent, Err(Errno::EFAULT));
        }
        let too_long = Block { address: block.address, size: i32::MAX as usize + 1 };
        let refused = rig.end.send(too_long, 0);
        assert!(matches!(refused, Err(Errno::EINVAL | Errno::EFAULT)), "{refused:?}");
        assert!(sockets::is_silent(&rig.peer));
        rig.channel.check_empty();
        rig.area.release(block);
        assert_eq!(rig.end.send(block, 0), Err(Errno::EFAULT), "it was given back");
        rig.area.release(neighbour);
        other_area.release(other);
    }
}

/// Only what was handed out comes back, and once.
fn wrong_releases<F: Face>() {
    let area = Area::<F>::new(8192);
    let other_area = Area::<F>::new(8192);
    let block = area.block(&[1; 200]);
    let neighbour = area.block(&[2; 200]);
    let outside = [0u8; 64];
    let wrong = [
        Block { size: 199, ..block },
        Block { size: 201, ..block },
        Block { size: 256, ..block },
        Block { size: 0, ..block },
        block.part(64, 136),
        block.part(1, 199),
        Block { address: block.address, size: 400 },
        Block { address: outside.as_ptr() as usize, size: 64 },
        Block { address: 0, size: 200 },
        Block { address: usize::MAX - 100, size: 200 },
        Block { address: block.address, size: usize::MAX },
    ];
    for memory in wrong {
        assert_eq!(area.try_release(memory), Err(Errno::EINVAL), "{memory:?}");
    }
    assert_eq!(other_area.try_release(block), Err(Errno::EINVAL));
    assert_eq!(F::free(area.handle, 8192), Err(Errno::EBUSY));
    assert_eq!((block.bytes(), neighbour.bytes()), (&[1; 200][..], &[2; 200][..]));
    area.release(block);
    assert_eq!(area.try_release(block), Err(Errno::EINVAL), "a second time");
    area.release(neighbour);
}

/// A handle of the past means nothing, also when its place is used again.
fn stale_handles<F: Face>() {
    let old = F::alloc(4096, 0).expect("dma_alloc");
    assert_eq!(F::free(old, 4095), Err(Errno::EINVAL));
    assert_eq!(F::free(old, 4096), Ok(()));
    let area = Area::<F>::new(4096);
    assert_ne!(area.handle, old);
    let (one, _other) = Family::UnixStream.pair();
    for handle in [old, 0, 1, u64::MAX] {
        assert_eq!(F::free(handle, 4096), Err(Errno::EINVAL));
        assert_eq!(F::reserve(handle, 1), Err(Errno::EINVAL));
        assert_eq!(F::release(handle, 0, 1), Err(Errno::EINVAL));
        assert_eq!(F::base(handle), Err(Errno::EINVAL));
        let number = std::os::fd::AsRawFd::as_raw_fd(&one);
        assert_eq!(F::assoc(number, handle, 0, 0), Err(Errno::EINVAL));
    }
    assert_eq!(F::alloc(0, 0), Err(Errno::EINVAL));
    assert_eq!(F::alloc(usize::MAX, 0), Err(Errno::ENOMEM));
}

/// An area cannot go while a socket works in it.
fn area_in_use<F: Face>() {
    let rig = Rig::<F>::new(Family::Tcp4, 4096, true);
    assert_eq!(F::free(rig.area.handle, 4096), Err(Errno::EBUSY));
    assert_eq!(F::assoc(rig.end.fd(), rig.area.handle, 0, 0), Err(Errno::EBUSY));
    let other = Area::<F>::new(4096);
    assert_eq!(F::assoc(rig.end.fd(), other.handle, 0, 0), Err(Errno::EBUSY));
    assert_eq!(F::disassoc(rig.end.fd(), other.handle, 0), Err(Errno::EINVAL));
    assert_eq!(F::disassoc(rig.end.fd(), rig.area.handle, 1), Err(Errno::EINVAL));
    assert_eq!(F::assoc(rig.end.fd(), other.handle, 4097, 0), Err(Errno::EINVAL));
}

/// Blocks of one area travel between two sockets of the library without leaving it: what one
/// sends the other receives, in turn, through a small channel.
fn ping_pong_within_an_area<F: Face>() {
    for family in each(ALL) {
        let area = Area::<F>::new(256 << 10);
        let channel = Channel::<F>::new(capacity(2));
        let (one, other) = family.pair();
        let ends = [Endpoint::new(&area, one), Endpoint::new(&area, other)];
        for (number, end) in ends.iter().enumerate() {
            end.attach(&channel, number as u64);
        }
        let ball = area.block(&Pattern(53).bytes(0, 700));
        ends[0].must_send(ball, SIO_RELEASE | SIO_QUIET);
        for turn in 1..200 {
            let told = channel.wait();
            assert_eq!((told.kind, told.cookie), (event::RECV, turn % 2));
            let ball = ends[turn as usize % 2].take(1000);
            assert_eq!(ball.size, 700, "so few bytes come at once");
            Pattern(53).check(0, ball.bytes());
            ends[turn as usize % 2].must_send(ball, SIO_RELEASE | SIO_QUIET);
        }
        assert_eq!(channel.wait().cookie, 0);
        area.release(ends[0].take(1000));
    }
}

/// What an engine keeps for receiving is no reason to refuse the program a block: neither while a
/// socket is idle, nor when the last has left.
fn all_free_without_data<F: Face>() {
    for family in each(ALL) {
        let rig = Rig::<F>::new(family, AREA, true);
        for round in 0..10 {
            sockets::write(&rig.peer, &Pattern(round).bytes(0, 5000));
            let mut left = 5000;
            while left > 0 {
                let block = rig.end.take(5000);
                left -= block.size;
                rig.area.release(block);
            }
        }
        assert!(rig.area.is_all_back());
        let Rig { area, channel, end, peer: _peer } = rig;
        drop(end);
        assert!(area.is_all_free());
        channel.check_empty();
    }
}

behaviours!(
    echo_without_a_copy,
    one_block_for_many,
    released_on_its_way,
    parts_of_a_block,
    memory_of_others,
    wrong_releases,
    stale_handles,
    area_in_use,
    ping_pong_within_an_area,
    all_free_without_data,
);

over_interfaces!(
    echo_without_a_copy,
    one_block_for_many,
    ping_pong_within_an_area,
    all_free_without_data
);
