//! Sockets of every kind, and what a peer without the library does with them.

use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, sockopt};

use super::rig::Pattern;
use super::setting::{Setting, at_the_far_end};
use crate::common::network::{FAR, FAR6, NEAR, NEAR6};

/// What kind of socket, over what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
    UnixStream,
    UnixDatagram,
    UnixPackets,
}

use Family::{Tcp4, Tcp6, Udp4, Udp6, UnixDatagram, UnixPackets, UnixStream as UnixBytes};

pub const TCP: &[Family] = &[Tcp4, Tcp6];
pub const UDP: &[Family] = &[Udp4, Udp6];
pub const STREAMS: &[Family] = &[Tcp4, Tcp6, UnixBytes];
pub const MESSAGES: &[Family] = &[Udp4, Udp6, UnixDatagram, UnixPackets];
pub const CONNECTIONS: &[Family] = &[Tcp4, Tcp6, UnixBytes, UnixPackets];
pub const UNIX: &[Family] = &[UnixBytes, UnixDatagram, UnixPackets];
pub const ALL: &[Family] = &[Tcp4, Tcp6, Udp4, Udp6, UnixBytes, UnixDatagram, UnixPackets];

/// Those that this machine has (a host may have no IPv6). What is tried is told: it is the
/// context of a failure.
pub fn each(families: &'static [Family]) -> impl Iterator<Item = Family> {
    families.iter().copied().filter(|family| {
        let exists = !matches!(family, Tcp6 | Udp6) || UdpSocket::bind("[::1]:0").is_ok();
        println!("{family:?}{}", if exists { "" } else { ": not here" });
        exists
    })
}

impl Family {
    pub fn is_stream(self) -> bool {
        STREAMS.contains(&self)
    }

    pub fn is_udp(self) -> bool {
        UDP.contains(&self)
    }

    /// A free address of this host, for those families that have them.
    fn host(self) -> &'static str {
        if matches!(self, Tcp6 | Udp6) { "[::1]:0" } else { "127.0.0.1:0" }
    }

    /// Where the sockets of UDP are in this setting: the address of one end, and of the other.
    fn ends(self) -> [(&'static str, u16); 2] {
        match (Setting::current(), self) {
            (Setting::AfXdp, Udp4) => [(NEAR, 0), (FAR, 0)],
            (Setting::AfXdp, Udp6) => [(NEAR6, 0), (FAR6, 0)],
            (_, Udp6) => [("::1", 0); 2],
            _ => [("127.0.0.1", 0); 2],
        }
    }

    /// Two blocking sockets connected to each other.
    pub fn pair(self) -> (OwnedFd, OwnedFd) {
        let unix = |kind| {
            socket::socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
                .expect("socketpair")
        };
        match self {
            Tcp4 | Tcp6 => {
                let listener = TcpListener::bind(self.host()).expect("a port");
                tcp_pair(&listener)
            }
            Udp4 | Udp6 => {
                let (one, other) = (self.udp(), self.udp_peer());
                one.connect(other.local_addr().expect("bound")).expect("connect");
                other.connect(one.local_addr().expect("bound")).expect("connect");
                (one.into(), other.into())
            }
            UnixBytes => unix(SockType::Stream),
            UnixDatagram => unix(SockType::Datagram),
            UnixPackets => unix(SockType::SeqPacket),
        }
    }

    /// A listening TCP socket.
    pub fn listener(self) -> TcpListener {
        TcpListener::bind(self.host()).expect("a port")
    }

    /// A UDP socket without a peer.
    pub fn udp(self) -> UdpSocket {
        UdpSocket::bind(self.ends()[0]).expect("a port")
    }

    /// Another one, from where the first can be reached.
    pub fn udp_peer(self) -> UdpSocket {
        at_the_far_end(|| UdpSocket::bind(self.ends()[1]).expect("a port"))
    }
}

/// A client of a listening socket and the connection that it made.
pub fn tcp_pair(listener: &TcpListener) -> (OwnedFd, OwnedFd) {
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("TCP_NODELAY");
    }
    (client.into(), server.into())
}

/// Makes the kernel's buffers small, so that the other side soon feels it when nobody reads.
pub fn make_small(socket: &OwnedFd) {
    socket::setsockopt(socket, sockopt::SndBuf, &32_768).expect("SO_SNDBUF");
    socket::setsockopt(socket, sockopt::RcvBuf, &32_768).expect("SO_RCVBUF");
}

pub fn set_nonblocking(fd: RawFd, on: bool) {
    with_stream(fd, |stream| stream.set_nonblocking(on).expect("O_NONBLOCK"));
}

/// A socket of any kind as std knows streams; it is not closed by this.
fn with_stream<T>(fd: RawFd, action: impl FnOnce(&mut UnixStream) -> T) -> T {
    // SAFETY: the descriptor is open, and is not closed by the value: it is never dropped.
    let mut stream = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(fd) });
    action(&mut stream)
}

/// Closes a TCP socket so that the peer sees a reset.
pub fn close_with_reset(socket: OwnedFd) {
    let now = libc::linger { l_onoff: 1, l_linger: 0 };
    socket::setsockopt(&socket, sockopt::Linger, &now).expect("SO_LINGER");
}

pub fn shutdown_write(socket: &OwnedFd) {
    socket::shutdown(socket.as_raw_fd(), socket::Shutdown::Write).expect("shutdown");
}

/// Writes `size` bytes of a pattern that begin at `at`.
pub fn write_pattern(socket: &OwnedFd, pattern: Pattern, at: usize, size: usize) {
    let mut done = 0;
    while done < size {
        let bytes = pattern.bytes(at + done, usize::min(size - done, 16_384));
        with_stream(socket.as_raw_fd(), |stream| stream.write_all(&bytes)).expect("write");
        done += bytes.len();
    }
}

/// Reads `size` bytes, which have to be those of the pattern.
pub fn read_pattern(socket: &OwnedFd, pattern: Pattern, at: usize, size: usize) {
    let mut room = vec![0; usize::min(size, 16_384)];
    let mut done = 0;
    while done < size {
        let most = usize::min(size - done, room.len());
        let count = with_stream(socket.as_raw_fd(), |stream| stream.read(&mut room[..most]));
        let count = count.expect("read");
        assert!(count > 0, "the stream ends {} bytes too early", size - done);
        pattern.check(at + done, &room[..count]);
        done += count;
    }
}

/// As much of a pattern as the kernel takes without blocking.
pub fn push_pattern(socket: &OwnedFd, pattern: Pattern, at: usize) -> usize {
    let mut done = 0;
    loop {
        let bytes = pattern.bytes(at + done, 1000);
        match send_now(socket, &bytes) {
            Some(count) => done += count,
            None => return done,
        }
    }
}

fn send_now(socket: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    let flags = socket::MsgFlags::MSG_DONTWAIT | socket::MsgFlags::MSG_NOSIGNAL;
    match socket::send(socket.as_raw_fd(), bytes, flags) {
        Ok(count) => Some(count),
        Err(sio::error::Errno::EAGAIN) => None,
        Err(errno) => panic!("send: {errno}"),
    }
}

/// One message, or some bytes of a stream.
pub fn write(socket: &OwnedFd, bytes: &[u8]) {
    let flags = socket::MsgFlags::MSG_NOSIGNAL;
    assert_eq!(socket::send(socket.as_raw_fd(), bytes, flags), Ok(bytes.len()));
}

/// One message.
pub fn read(socket: &OwnedFd) -> Vec<u8> {
    let mut room = vec![0; 1 << 17];
    let count = socket::recv(socket.as_raw_fd(), &mut room, socket::MsgFlags::empty());
    room.truncate(count.expect("recv"));
    room
}

/// Whether there is nothing to read at this moment.
pub fn is_silent(socket: &OwnedFd) -> bool {
    let flags = socket::MsgFlags::MSG_DONTWAIT | socket::MsgFlags::MSG_PEEK;
    socket::recv(socket.as_raw_fd(), &mut [0], flags) == Err(sio::error::Errno::EAGAIN)
}

/// Whether poll(2) finds the descriptor readable, now or within this time.
pub fn is_readable(fd: RawFd, limit_ms: i32) -> bool {
    let mut polled = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one element.
    let count = unsafe { libc::poll(&mut polled, 1, limit_ms) };
    assert!(count >= 0);
    count == 1 && polled.revents & libc::POLLIN != 0
}

/// The bytes of the address of a socket.
pub fn address_bytes(address: std::net::SocketAddr) -> Vec<u8> {
    use nix::sys::socket::{SockaddrLike, SockaddrStorage};
    let storage = SockaddrStorage::from(address);
    // SAFETY: a storage of that size, whatever address is in it.
    let bytes =
        unsafe { std::slice::from_raw_parts(storage.as_ptr().cast::<u8>(), size_of_val(&storage)) };
    bytes[..address_length(bytes)].to_vec()
}

/// How long the address in a `sockaddr_storage` is, by its family.
pub fn address_length(storage: &[u8]) -> usize {
    match i32::from(u16::from_ne_bytes([storage[0], storage[1]])) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        _ => 0,
    }
}

/// The same file under a number that was closed; it may have that already.
pub fn renumber(of: OwnedFd, number: RawFd) -> OwnedFd {
    if of.as_raw_fd() == number {
        return of;
    }
    // SAFETY: the number was closed by the caller, so the new descriptor is nobody else's.
    unsafe {
        assert_eq!(libc::dup3(of.as_raw_fd(), number, libc::O_CLOEXEC), number);
        OwnedFd::from_raw_fd(number)
    }
}

/// A descriptor that an event has brought: the program's from now on.
pub fn own(fd: RawFd) -> OwnedFd {
    assert!(fd >= 0);
    // SAFETY: it was handed over, and is taken once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// What there is to read, or nothing at the end; a reset is an end too.
pub fn read_any(socket: &OwnedFd) -> Vec<u8> {
    let mut room = vec![0; 65_536];
    let count = with_stream(socket.as_raw_fd(), |stream| stream.read(&mut room)).unwrap_or(0);
    room.truncate(count);
    room
}

/// What there is to read now, but no more than `most`.
pub fn read_at_most(socket: &OwnedFd, most: usize) -> Vec<u8> {
    let mut room = vec![0; usize::min(most, 65_536)];
    let flags = socket::MsgFlags::MSG_DONTWAIT;
    let count = socket::recv(socket.as_raw_fd(), &mut room, flags);
    room.truncate(count.unwrap_or(0));
    room
}
