//! Nothing is left behind: after fifty rounds of everything there are as many descriptors and
//! mappings as before.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use sio::capi::types::{EC_ATTACH, EC_SINGLE, SIO_RELEASE};
use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::memory::Block;
use super::rig::{AREA, Area, Channel, Endpoint, Pattern, Rig, capacity};
use super::setting::Setting;
use super::sockets::{self, ALL, Family, TCP, each, own};
use super::system::{descriptors, mappings, settled};

fn rounds(mut round: impl FnMut()) {
    // The first rounds make what is kept for the life of the process.
    for _ in 0..3 {
        round();
    }
    let (before, maps) = (descriptors(), mappings());
    for _ in 0..50 {
        round();
    }
    assert_eq!(settled(descriptors, &before), before);
    let count = settled(|| mappings().len(), &maps.len());
    assert_eq!(count, maps.len(), "{maps:#?}\n{:#?}", mappings());
}

/// Areas, channels, sockets, sources, and data both ways, all given back in order.
fn everything_given_back<F: Face>() {
    for family in each(ALL) {
        rounds(|| {
            let rig = Rig::<F>::new(family, AREA, true);
            let (reader, _writer) = std::io::pipe().expect("pipe");
            for cookie in 0..3 {
                F::add_fd(rig.channel.fd, reader.as_raw_fd(), libc::POLLIN, 0, cookie)
                    .expect("ec_add_fd");
            }
            let block = rig.area.block(&Pattern(95).bytes(0, Setting::current().block(20_000)));
            rig.end.must_send(block, SIO_RELEASE);
            rig.channel.wait_sent(block);
            sockets::write(&rig.peer, &Pattern(95).bytes(0, 5000));
            let mut got = 0;
            while got < 5000 {
                let block = rig.end.take(8000);
                got += block.size;
                rig.area.release(block);
            }
        });
    }
}

/// Channels that go with sends under way, sources that are ready, and data that nobody fetched.
fn everything_abandoned<F: Face>() {
    for family in each(TCP) {
        rounds(|| {
            let (socket, peer) = family.pair();
            sockets::make_small(&socket);
            let rig = Rig::<F>::of(socket, peer, 2 * AREA, true, 0);
            let timer = libc::itimerspec {
                it_value: libc::timespec { tv_sec: 100, tv_nsec: 0 },
                it_interval: libc::timespec { tv_sec: 1, tv_nsec: 0 },
            };
            F::add_timer(rig.channel.fd, libc::CLOCK_MONOTONIC, &timer, 0, 0)
                .expect("ec_add_timer");
            F::add_fd(rig.channel.fd, rig.peer.as_raw_fd(), libc::POLLOUT, 0, 0)
                .expect("ec_add_fd");
            let block = rig.area.reserve(AREA).expect("room");
            rig.end.must_send(block, SIO_RELEASE);
            sockets::write_pattern(&rig.peer, Pattern(96), 0, 10_000);
            rig.channel.post(1).expect("ec_post");
            F::delay(rig.channel.fd, None).expect("ec_delay");
            let Rig { area, channel, end, peer } = rig;
            drop(channel);
            drop((peer, end, area));
        });
    }
}

/// Connections that are accepted into the area and the channel, and go in every order.
fn connections<F: Face>() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut order = 0;
    rounds(|| {
        order += 1;
        let area = Area::<F>::new(AREA);
        let channel = Channel::<F>::new(if order % 2 == 0 { EC_SINGLE } else { 0 });
        let listening = Endpoint::new(&area, listener.try_clone().expect("dup").into());
        F::add_accept(channel.fd, listening.fd(), EC_ATTACH, 1).expect("ec_add_accept");
        let clients: Vec<TcpStream> =
            (0..3).map(|_| TcpStream::connect(address).expect("connect")).collect();
        let mut connections = Vec::new();
        for _ in 0..clients.len() {
            let told = channel.wait_for(event::ACCEPT);
            connections.push(Endpoint::<F>::adopt(&area, own(told.result as RawFd)));
        }
        for client in &clients {
            std::io::Write::write_all(&mut &*client, b"a question").expect("write");
        }
        let block: Block = connections[0].take(100);
        area.release(block);
        match order % 3 {
            0 => drop((clients, connections)),
            1 => drop((connections, clients)),
            _ => drop((channel, connections)),
        }
    });
}

/// Calls that fail leave nothing behind either.
fn refused_calls<F: Face>() {
    rounds(|| {
        let rig = Rig::<F>::new(Family::UnixStream, AREA, false);
        let (area, ec) = (&rig.area, rig.channel.fd);
        let file = std::fs::File::open("/proc/self/exe").expect("a file");
        assert_eq!(F::create(capacity(25)), Err(Errno::EINVAL));
        assert_eq!(F::add_fd(ec, file.as_raw_fd(), 1, 0, 0), Err(Errno::EPERM));
        let answer = F::add_timer(ec, 4711, &rig_timer(), 0, 0);
        assert_eq!(answer, Err(Errno::EINVAL));
        assert_eq!(F::assoc(file.as_raw_fd(), area.handle, 0, 0), Err(Errno::ENOTSOCK));
        assert_eq!(F::assoc(rig.end.fd(), area.handle, 0, 0), Err(Errno::EBUSY));
        assert_eq!(F::alloc(usize::MAX / 2, 0).map(drop), Err(Errno::ENOMEM));
        let source = rig.end.attach(&rig.channel, 1);
        assert_eq!(F::add_socket(ec, rig.end.fd(), 0, 0), Err(Errno::EBUSY));
        assert_eq!(F::remove(ec, source), Ok(()));
    });
}

fn rig_timer() -> libc::itimerspec {
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    libc::itimerspec { it_value: zero, it_interval: zero }
}

behaviours!(everything_given_back, everything_abandoned, connections, refused_calls);

over_interfaces!(everything_given_back);
