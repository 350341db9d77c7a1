//! Listening sockets as sources of connections, and what connections inherit.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use sio::capi::types::{EC_ATTACH, EC_EDGE, EC_NONBLOCK, EC_ONESHOT, SIO_RELEASE};
use sio::channel::event;
use sio::error::Errno;

use super::face::Face;
use super::memory::Block;
use super::rig::{AREA, Area, Channel, Endpoint, Pattern};
use super::sockets::{self, Family, TCP, each, own};

/// The connection of an event.
fn accepted<F: Face>(channel: &Channel<F>, listener: RawFd, cookie: u64) -> OwnedFd {
    let told = channel.wait_for(event::ACCEPT);
    assert_eq!((told.fd, told.cookie, told.errno), (listener, cookie, 0), "{told:?}");
    own(i32::try_from(told.result).expect("a descriptor"))
}

fn flags_of(socket: &OwnedFd) -> (bool, bool) {
    let descriptor = fcntl(socket, FcntlArg::F_GETFD).expect("F_GETFD");
    let status = fcntl(socket, FcntlArg::F_GETFL).expect("F_GETFL");
    (descriptor & libc::FD_CLOEXEC != 0, status & OFlag::O_NONBLOCK.bits() != 0)
}

/// A listening socket without an area gives plain connections, close-on-exec, which block unless
/// it is asked otherwise.
fn plain_connections<F: Face>() {
    for family in each(TCP) {
        for flags in [0, EC_NONBLOCK] {
            let channel = Channel::<F>::new(0);
            let listener = family.listener();
            let fd = listener.as_raw_fd();
            let source = F::add_accept(channel.fd, fd, flags, 5).expect("ec_add_accept");
            channel.check_empty();
            for _ in 0..3 {
                let client: OwnedFd = TcpStream::connect(listener.local_addr().expect("bound"))
                    .expect("connect")
                    .into();
                let connection = accepted(&channel, fd, 5);
                assert_eq!(flags_of(&connection), (true, flags == EC_NONBLOCK));
                assert_eq!(F::info(connection.as_raw_fd()), Err(Errno::EINVAL));
                sockets::write(&connection, b"plain");
                assert_eq!(sockets::read(&client), b"plain");
            }
            assert_eq!(F::remove(channel.fd, source), Ok(()));
            let _client = TcpStream::connect(listener.local_addr().expect("bound"));
            channel.check_empty();
            assert!(listener.accept().is_ok(), "it is the program's again");
        }
    }
}

/// With an area and `EC_ATTACH` a connection costs the program no further call: its data come as
/// events of the same channel, with the same cookie.
fn attached_connections<F: Face>() {
    const CLIENTS: usize = 20;
    for family in each(TCP) {
        let area = Area::<F>::new(AREA);
        let channel = Channel::<F>::new(0);
        let listener = family.listener();
        let address = listener.local_addr().expect("bound");
        let listening = Endpoint::new(&area, listener.into());
        F::add_accept(channel.fd, listening.fd(), EC_ATTACH, 6).expect("ec_add_accept");
        let clients: Vec<TcpStream> = (0..CLIENTS)
            .map(|number| {
                let mut client = TcpStream::connect(address).expect("connect");
                client.write_all(&Pattern(number).bytes(0, 100)).expect("write");
                client
            })
            .collect();
        let mut connections: Vec<Endpoint<F>> = Vec::new();
        let mut left = CLIENTS * 100;
        while left > 0 {
            let told = channel.wait();
            assert_eq!((told.cookie, told.errno), (6, 0), "{told:?}");
            match told.kind {
                event::ACCEPT => {
                    connections.push(Endpoint::adopt(&area, own(told.result as RawFd)));
                }
                event::RECV => {
                    assert!(connections.iter().any(|end| end.fd() == told.fd), "{told:?}");
                    while let Ok(Some(block)) = receive_now::<F>(told.fd) {
                        let sent = F::send(told.fd, block.address, block.size, SIO_RELEASE);
                        assert_eq!(sent, Ok(block.size));
                        left -= block.size;
                    }
                }
                _ => assert_eq!(told.kind, event::SENT),
            }
        }
        F::flush(channel.fd).expect("ec_flush");
        for (number, mut client) in clients.into_iter().enumerate() {
            let mut room = [0; 100];
            client.read_exact(&mut room).expect("read");
            Pattern(number).check(0, &room);
        }
        assert_eq!(connections.len(), CLIENTS);
    }
}

fn receive_now<F: Face>(fd: RawFd) -> sio::error::Result<Option<Block>> {
    let got = F::receive(fd, 65_536, libc::MSG_DONTWAIT)?;
    Ok((got.address != 0).then_some(Block { address: got.address, size: got.count }))
}

/// Without `EC_ATTACH` a connection inherits the area, with the listening socket's share, and is
/// in no channel.
fn inherited_area<F: Face>() {
    const SHARE: usize = 16_384;
    let area = Area::<F>::new(AREA);
    let channel = Channel::<F>::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let listening = Endpoint::with_share(&area, listener.into(), SHARE);
    let source = F::add_accept(channel.fd, listening.fd(), 0, 7).expect("ec_add_accept");
    let mut client = TcpStream::connect(address).expect("connect");
    let connection = Endpoint::<F>::adopt(&area, accepted(&channel, listening.fd(), 7));
    client.write_all(&Pattern(60).bytes(0, 60_000)).expect("write");
    let mut kept = Vec::new();
    let mut got = 0;
    while got < SHARE {
        let block = connection.take(65_536);
        got += block.size;
        kept.push(block);
    }
    assert_eq!(got, SHARE);
    assert_eq!(connection.receive(10, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
    channel.check_empty();
    assert_eq!(F::disassoc(connection.fd(), area.handle, 0), Err(Errno::EINVAL));
    assert_eq!(F::disassoc(connection.fd(), area.handle, SHARE), Ok(()));
    drop(connection.into_socket());

    // What is asked for can be changed.
    assert_eq!(F::modify(channel.fd, source, 0, EC_ATTACH | EC_NONBLOCK), Ok(()));
    let mut client = TcpStream::connect(address).expect("connect");
    let connection = Endpoint::<F>::adopt(&area, accepted(&channel, listening.fd(), 7));
    assert_eq!(flags_of(connection.socket()), (true, true));
    client.write_all(b"to the channel").expect("write");
    assert_eq!((channel.wait().fd, got), (connection.fd(), SHARE));
    for block in kept {
        area.release(block);
    }
}

/// Unix sockets accept in the same way, and a connection of packets keeps its bounds.
fn unix_connections<F: Face>() {
    let area = Area::<F>::new(AREA);
    let channel = Channel::<F>::new(0);
    let directory = std::env::temp_dir();
    let path = directory.join(format!("libsio-conformance-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a path");
    let listening = Endpoint::new(&area, listener.into());
    F::add_accept(channel.fd, listening.fd(), EC_ATTACH, 8).expect("ec_add_accept");
    let client: OwnedFd = UnixStream::connect(&path).expect("connect").into();
    std::fs::remove_file(path).expect("the path");
    let connection = Endpoint::<F>::adopt(&area, accepted(&channel, listening.fd(), 8));
    sockets::write_pattern(&client, Pattern(61), 0, 10_000);
    assert_eq!(channel.wait().fd, connection.fd());
    connection.check_pattern(Pattern(61), 0, 10_000);
}

/// Connections that nobody has fetched are closed when the source is removed or the channel goes.
fn connections_nobody_fetched<F: Face>() {
    for by_removal in [true, false] {
        let area = Area::<F>::new(AREA);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let listening = Endpoint::new(&area, listener.into());
        let channel = Channel::<F>::new(0);
        let source = F::add_accept(channel.fd, listening.fd(), EC_ATTACH, 9);
        let mut client = TcpStream::connect(address).expect("connect");
        // Told, but not fetched.
        assert_eq!(F::delay(channel.fd, None), Ok(()));
        if by_removal {
            assert_eq!(F::remove(channel.fd, source.expect("ec_add_accept")), Ok(()));
            channel.check_empty();
        }
        drop(channel);
        assert_eq!(client.read(&mut [0]).expect("the end"), 0);
    }
}

/// Two channels share a listening socket: each connection comes to one of them.
fn two_channels<F: Face>() {
    let channels = [Channel::<F>::new(0), Channel::new(0)];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    for channel in &channels {
        F::add_accept(channel.fd, listener.as_raw_fd(), 0, 10).expect("ec_add_accept");
    }
    let clients: Vec<TcpStream> =
        (0..10).map(|_| TcpStream::connect(address).expect("connect")).collect();
    let mut connections = Vec::new();
    while connections.len() < clients.len() {
        for channel in &channels {
            if let Some(told) = channel.next() {
                connections.push(own(told.result as RawFd));
            }
        }
    }
    let ports: HashSet<_> = connections
        .into_iter()
        .map(|connection| TcpStream::from(connection).peer_addr().expect("connected"))
        .collect();
    assert_eq!(ports.len(), clients.len());
    for channel in &channels {
        channel.check_empty();
    }
}

/// What is no listening socket, or asks for what it cannot have, is refused.
fn refused<F: Face>() {
    let channel = Channel::<F>::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (connected, _peer) = Family::Tcp4.pair();
    let add = |fd, flags| F::add_accept(channel.fd, fd, flags, 0);
    assert_eq!(add(connected.as_raw_fd(), 0), Err(Errno::EINVAL));
    assert_eq!(add(listener.as_raw_fd(), EC_ATTACH), Err(Errno::EINVAL));
    assert_eq!(add(listener.as_raw_fd(), EC_EDGE), Err(Errno::EINVAL));
    assert_eq!(add(listener.as_raw_fd(), EC_ONESHOT), Err(Errno::EINVAL));
    assert_eq!(add(-1, 0), Err(Errno::EBADF));
    let source = add(listener.as_raw_fd(), 0).expect("ec_add_accept");
    assert_eq!(F::modify(channel.fd, source, 0, EC_ATTACH), Err(Errno::EINVAL));
    assert_eq!(F::modify(channel.fd, source, libc::POLLIN, 0), Err(Errno::EINVAL));
    let area = Area::<F>::new(AREA);
    let listening = Endpoint::new(&area, listener.into());
    assert_eq!(F::add_socket(channel.fd, listening.fd(), 0, 0), Err(Errno::EINVAL));
    assert_eq!(listening.receive(1, 0), Err(Errno::EINVAL));
}

behaviours!(
    plain_connections,
    attached_connections,
    inherited_area,
    unix_connections,
    connections_nobody_fetched,
    two_channels,
    refused,
);
