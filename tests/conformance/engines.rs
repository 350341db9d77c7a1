//! Which engine serves, what it tells of itself, and engines that are insisted on.

use std::os::fd::AsRawFd;
use std::thread;

use sio::api::engines::Kind;
use sio::capi::types::{
    DMA_ENGINE_AF_XDP, DMA_ENGINE_EPOLL, DMA_ENGINE_IO_URING, DMA_HUGE, DMA_HUGE_ONLY, EC_SINGLE,
};
use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::rig::{AREA, ATTACHED_OR_NOT, Area, Channel, Endpoint, Pattern, Rig};
use super::setting::Setting;
use super::sockets::{self, ALL, Family, STREAMS, UDP, each};

/// `sio_info` names the engine of the setting, and says why it is not the preferred one.
fn information<F: Face>() {
    let setting = Setting::current();
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let info = F::info(rig.end.fd()).expect("sio_info");
            assert_eq!(info.engine, setting.engine_of(family).name(), "{}", info.reason);
            if setting == Setting::UringDenied {
                assert!(info.reason.contains("io_uring"), "{}", info.reason);
                assert!(info.reason.contains("EPERM"), "{}", info.reason);
            } else {
                assert!(!info.reason.contains("io_uring"), "{}", info.reason);
            }
        }
    }
    let (socket, _peer) = Family::Tcp4.pair();
    let number = socket.as_raw_fd();
    assert_eq!(F::info(number), Err(Errno::EINVAL));
    assert_eq!(F::info(-1), Err(Errno::EBADF));
}

/// Every byte is counted, and those that the events call copied are counted as copied.
fn counters<F: Face>() {
    let setting = Setting::current();
    for family in each(ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let (mut sent, mut copied) = (0, 0);
            for size in [1, 1000, 8192, 30_000].map(|size| setting.block(size)) {
                let block = rig.area.block(&Pattern(80).bytes(0, size));
                rig.end.must_send(block, 0);
                sent += size as u64;
                let is_copied = if attached {
                    let told = rig.channel.wait_for(event::SENT);
                    assert_eq!(told.result, size as i64);
                    told.flags & event::F_COPIED != 0
                } else {
                    true
                };
                if setting.engine_of(family) == Kind::Epoll {
                    assert!(is_copied, "epoll always copies");
                }
                copied += if is_copied { size as u64 } else { 0 };
                let read = sockets::read(&rig.peer);
                rig.area.release(block);
                // A stream may need several.
                if read.len() < size {
                    sockets::read_pattern(&rig.peer, Pattern(80), read.len(), size - read.len());
                }
            }
            sockets::write(&rig.peer, &[1; 777]);
            let mut received = 0;
            while received < 777 {
                let block = rig.end.take(1000);
                received += block.size;
                rig.area.release(block);
            }
            let info = F::info(rig.end.fd()).expect("sio_info");
            assert_eq!((info.sent, info.received), (sent, 777));
            if setting.engine_of(family) == Kind::AfXdp {
                // What is copied between a driver and the area is told in another way.
                assert!(info.sent_copied <= copied);
            } else {
                assert_eq!(info.sent_copied, copied);
            }
            assert!(info.received_copied <= info.received);
        }
    }
}

/// One channel serves sockets that insist on epoll beside the others.
fn insisting_on_epoll<F: Face>() {
    for family in each(ALL) {
        let area = Area::<F>::new(AREA);
        let channel = Channel::<F>::new(0);
        let insistent = [0, DMA_ENGINE_EPOLL, 0, DMA_ENGINE_EPOLL];
        let ends: Vec<_> = insistent
            .into_iter()
            .enumerate()
            .map(|(number, flags)| {
                let (socket, peer) = family.pair();
                let fd = socket.as_raw_fd();
                assert_eq!(F::assoc(fd, area.handle, 0, flags), Ok(()));
                let end = Endpoint::adopt(&area, socket);
                end.attach(&channel, number as u64);
                (end, peer, flags)
            })
            .collect();
        for round in 0..5 {
            for (number, (end, peer, flags)) in ends.iter().enumerate() {
                let question = Pattern(number).bytes(round * 500, 500);
                sockets::write(peer, &question);
                let told = channel.wait();
                assert_eq!((told.kind, told.cookie), (event::RECV, number as u64));
                let block = end.take(1000);
                end.must_send(block, 0);
                channel.wait_sent(block);
                assert_eq!(sockets::read(peer), question);
                area.release(block);
                let info = F::info(end.fd()).expect("sio_info");
                if *flags != 0 {
                    assert_eq!((&*info.engine, &*info.reason), ("epoll", ""));
                } else {
                    assert_eq!(info.engine, Setting::current().engine_of(family).name());
                }
            }
        }
    }
}

/// An engine that is insisted on serves, or the call fails with the reason: no silent fallback.
fn insisting_on_io_uring<F: Face>() {
    let has_io_uring = Kind::Uring.check().is_ok();
    let area = F::alloc(4096, DMA_ENGINE_IO_URING);
    let (socket, _peer) = Family::Tcp4.pair();
    let fd = socket.as_raw_fd();
    let plain = Area::<F>::new(4096);
    let answer = F::assoc(fd, plain.handle, 0, DMA_ENGINE_IO_URING);
    if has_io_uring {
        assert_eq!(answer, Ok(()));
        assert_eq!(F::info(fd).expect("sio_info").engine, "io_uring");
        assert_eq!(F::detach(fd), Ok(()));
        assert_eq!(F::free(area.expect("dma_alloc"), 4096), Ok(()));
    } else {
        assert_eq!((area, answer), (Err(Errno::EPERM), Err(Errno::EPERM)));
    }
    let both = DMA_ENGINE_EPOLL | DMA_ENGINE_IO_URING;
    assert_eq!(F::assoc(fd, plain.handle, 0, both), Err(Errno::EINVAL));
}

/// AF_XDP serves where it was asked for, and never a channel or a stream.
fn insisting_on_af_xdp<F: Face>() {
    let (socket, _peer) = Family::Tcp4.pair();
    let fd = socket.as_raw_fd();
    let plain = Area::<F>::new(4096);
    let answer = F::assoc(fd, plain.handle, 0, DMA_ENGINE_AF_XDP);
    match Kind::AfXdp.check() {
        Ok(()) => assert_eq!(answer, Err(Errno::EPROTONOSUPPORT)),
        Err(refusal) => assert_eq!(answer, Err(refusal.errno)),
    }
    assert_eq!(F::assoc(fd, plain.handle, 0, 0), Ok(()));
    assert_eq!(F::info(fd).expect("sio_info").engine, Setting::current().engine().name());
    assert_eq!(F::detach(fd), Ok(()));
}

/// It serves a datagram socket that has an interface, or the call says why not.
fn insisting_on_af_xdp_for_datagrams<F: Face>() {
    for family in each(UDP) {
        let area = Area::<F>::new(AREA);
        let (near, far) = family.pair();
        let is_served = Setting::current() == Setting::AfXdp;
        let answer = F::assoc(near.as_raw_fd(), area.handle, 0, DMA_ENGINE_AF_XDP);
        assert_eq!(answer.is_ok(), is_served, "{answer:?}");
        let elsewhere = F::assoc(far.as_raw_fd(), area.handle, 0, DMA_ENGINE_AF_XDP);
        assert!(elsewhere.is_err(), "of another network namespace, or without an interface");
        if is_served {
            assert_eq!(elsewhere, Err(Errno::EOPNOTSUPP));
            let near = Endpoint::<F>::adopt(&area, near);
            sockets::write(&far, b"question");
            let block = near.take(100);
            near.must_send(block, 0);
            assert_eq!(sockets::read(&far), b"question");
            area.release(block);
        }
    }
}

/// What an area insists on, its sockets do too.
fn insisting_by_area<F: Face>() {
    let handle = F::alloc(AREA, DMA_ENGINE_EPOLL).expect("dma_alloc");
    let (socket, _peer) = Family::Tcp4.pair();
    let fd = socket.as_raw_fd();
    assert_eq!(F::assoc(fd, handle, 0, 0), Ok(()));
    assert_eq!(F::info(fd).expect("sio_info").engine, "epoll");
    assert_eq!(F::detach(fd), Ok(()));
    assert_eq!(F::free(handle, AREA), Ok(()));
}

/// Huge pages where there are some: an area of them is used as any other.
fn huge_pages<F: Face>() {
    let area = F::alloc(AREA, DMA_HUGE).expect("falls back");
    let (base, length) = F::base(area).expect("dma_base");
    assert!(length >= AREA && base % 4096 == 0);
    let block = F::reserve(area, AREA).expect("room");
    assert_eq!(F::release(area, block, AREA), Ok(()));
    assert_eq!(F::free(area, AREA), Ok(()));
    match F::alloc(AREA, DMA_HUGE_ONLY) {
        Ok(area) => assert_eq!(F::free(area, AREA), Ok(())),
        Err(errno) => assert_eq!(errno, Errno::ENOMEM),
    }
}

/// A channel of one thread does everything that others do.
fn single_thread_channel<F: Face>() {
    for family in each(STREAMS) {
        let (socket, peer) = family.pair();
        let rig = Rig::<F>::of(socket, peer, AREA, true, EC_SINGLE);
        let total = 500_000;
        thread::scope(|scope| {
            scope.spawn(|| sockets::write_pattern(&rig.peer, Pattern(81), 0, total));
            let mut at = 0;
            while at < total {
                let told = rig.channel.wait();
                assert_eq!(told.kind, event::RECV);
                while let Ok(Some(block)) = rig.end.receive(10_000, libc::MSG_DONTWAIT) {
                    Pattern(81).check(at, block.bytes());
                    at += block.size;
                    rig.area.release(block);
                }
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| sockets::read_pattern(&rig.peer, Pattern(82), 0, total));
            for at in (0..total).step_by(10_000) {
                let block = rig.area.block(&Pattern(82).bytes(at, 10_000));
                rig.end.must_send(block, 0);
                rig.channel.wait_sent(block);
                rig.area.release(block);
            }
        });
    }
}

behaviours!(
    information,
    counters,
    insisting_on_epoll,
    insisting_on_io_uring,
    insisting_on_af_xdp,
    insisting_on_af_xdp_for_datagrams,
    insisting_by_area,
    huge_pages,
    single_thread_channel,
);

over_interfaces!(
    information,
    counters,
    insisting_on_epoll,
    insisting_on_af_xdp,
    insisting_on_af_xdp_for_datagrams,
);
