//! Sockets: what they are, and the calls that move data between them and DMA memory.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};

use super::check;
use super::message::{Address, Batch, Outgoing};
use super::span::Span;
use crate::error::{Errno, Result};

/// The flags of the C library under names of ours, so that nothing else needs libc.
pub const DONTWAIT: i32 = libc::MSG_DONTWAIT;
pub const TRUNC: i32 = libc::MSG_TRUNC;
pub const NOSIGNAL: i32 = libc::MSG_NOSIGNAL;
pub const CMSG_CLOEXEC: i32 = libc::MSG_CMSG_CLOEXEC;
pub const MORE: i32 = libc::MSG_MORE;

fn option_int(fd: RawFd, name: i32) -> Result<i32> {
    option_int_of(fd, libc::SOL_SOCKET, name)
}

fn option_int_of(fd: RawFd, level: i32, name: i32) -> Result<i32> {
    let mut value = 0i32;
    let mut length = 4 as libc::socklen_t;
    // SAFETY: four bytes of room, as the length says.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}

pub fn domain(fd: RawFd) -> Result<i32> {
    option_int(fd, libc::SO_DOMAIN)
}

pub fn kind(fd: RawFd) -> Result<i32> {
    option_int(fd, libc::SO_TYPE)
}

pub fn is_listening(fd: RawFd) -> Result<bool> {
    option_int(fd, libc::SO_ACCEPTCONN).map(|value| value != 0)
}

pub(super) fn set_option<T>(fd: RawFd, level: i32, name: i32, value: &T) -> Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: a value of the length that is told.
    check(unsafe { libc::setsockopt(fd, level, name, ptr::from_ref(value).cast(), length) })
        .map(drop)
}

/// Lets go what `MSG_MORE` has kept back, where nothing follows after all. What the program keeps back
/// itself stays so: tcp(7), `TCP_CORK`.
pub fn let_go(fd: RawFd) {
    if option_int_of(fd, libc::IPPROTO_TCP, libc::TCP_CORK) == Ok(0) {
        let _ = set_option(fd, libc::IPPROTO_TCP, libc::TCP_CORK, &0i32);
    }
}

/// Memory that a socket shares with the kernel, such as its rings; a child has no use for it. Whose it
/// is then unmaps it.
pub(super) fn map(fd: RawFd, bytes: usize, place: i64) -> Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    // SAFETY: a fresh mapping of what the kernel has for this place.
    let base = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, fd, place) };
    if base == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: our own mapping.
    unsafe { libc::madvise(base, bytes, libc::MADV_DONTFORK) };
    NonNull::new(base.cast::<u8>()).ok_or(Errno::ENOMEM)
}

/// The pending error of the socket, taken away from it.
pub fn take_error(fd: RawFd) -> Result<i32> {
    option_int(fd, libc::SO_ERROR)
}

/// A number that the kernel gives to no other socket: tells whether a descriptor still means the
/// socket that it did. socket(7), `SO_COOKIE`.
pub fn identity(fd: RawFd) -> Result<u64> {
    const SO_COOKIE: i32 = 57;
    let mut value = 0u64;
    let mut length = 8 as libc::socklen_t;
    // SAFETY: eight bytes of room, as the length says.
    check(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, SO_COOKIE, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// The receive time limit that the program has set, if any.
pub fn receive_timeout(fd: RawFd) -> Result<Option<std::time::Duration>> {
    timeout(fd, libc::SO_RCVTIMEO)
}

/// The send time limit that the program has set, if any.
pub fn send_timeout(fd: RawFd) -> Result<Option<std::time::Duration>> {
    timeout(fd, libc::SO_SNDTIMEO)
}

/// What the kernel lets the socket book for what it has not sent. `SO_SNDBUF`.
pub fn send_buffer_bytes(fd: RawFd) -> Result<usize> {
    option_int(fd, libc::SO_SNDBUF).map(|bytes| bytes.max(0) as usize)
}

/// What it has booked for what the interface has not sent yet. `SIOCOUTQ`.
pub fn unsent_bytes(fd: RawFd) -> Result<usize> {
    let mut bytes = 0i32;
    // SAFETY: the kernel writes one int.
    check(unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(bytes.max(0) as usize)
}

fn timeout(fd: RawFd, name: i32) -> Result<Option<std::time::Duration>> {
    let mut value = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: a timeval of room, as the length says.
    check(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    })?;
    let duration = std::time::Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1000);
    Ok((!duration.is_zero()).then_some(duration))
}

/// Bytes that can be read now; for datagrams the length of the next one. `SIOCINQ`.
pub fn readable_bytes(fd: RawFd) -> Result<usize> {
    let mut bytes = 0i32;
    // SAFETY: the kernel writes one int.
    check(unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) })?;
    Ok(bytes.max(0) as usize)
}

/// Length of the next message, which stays where it is; `EAGAIN` when there is none.
pub fn next_message_bytes(fd: RawFd) -> Result<usize> {
    let flags = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: no bytes of room are offered, and none are written.
    check(unsafe { libc::syscall(libc::SYS_recvfrom, fd, 0usize, 0usize, flags, 0usize, 0usize) })
}

/// recv(2) that never blocks.
pub fn receive(fd: RawFd, room: Span, flags: i32) -> Result<usize> {
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: the span is memory of a live mapping.
    check(unsafe {
        libc::syscall(libc::SYS_recvfrom, fd, room.address(), room.len(), flags, 0usize, 0usize)
    })
}

/// Where the parts of a received message go. All of it lies in DMA memory.
pub struct MessageRoom {
    pub data: Span,
    pub name: Span,
    pub control: Span,
}

/// What recvmsg(2) said about them.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageFacts {
    pub bytes: usize,
    pub name_length: usize,
    pub control_length: usize,
    pub flags: i32,
}

/// recvmsg(2) that never blocks.
pub fn receive_message(fd: RawFd, room: &MessageRoom, flags: i32) -> Result<MessageFacts> {
    let mut data = libc::iovec { iov_base: room.data.address().cast(), iov_len: room.data.len() };
    let mut header = empty_header();
    header.msg_iov = &raw mut data;
    header.msg_iovlen = 1;
    if !room.name.is_empty() {
        header.msg_name = room.name.address().cast();
        header.msg_namelen = room.name.len() as libc::socklen_t;
    }
    if !room.control.is_empty() {
        header.msg_control = room.control.address().cast();
        header.msg_controllen = room.control.len() as _;
    }
    // SAFETY: the header and its iovec are locals, the spans memory of a live mapping.
    let bytes = check(unsafe {
        libc::syscall(libc::SYS_recvmsg, fd, &raw mut header, flags | libc::MSG_DONTWAIT)
    })?;
    Ok(MessageFacts {
        bytes,
        name_length: header.msg_namelen as usize,
        control_length: header.msg_controllen as _,
        flags: header.msg_flags,
    })
}

pub(super) fn empty_header() -> libc::msghdr {
    // SAFETY: a msghdr of null pointers and zero lengths is a valid one.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// recv(2) with the sender's address, never blocking.
pub fn receive_from(fd: RawFd, room: Span, flags: i32) -> Result<(usize, Address)> {
    let mut address = Address::room();
    let mut data = libc::iovec { iov_base: room.address().cast(), iov_len: room.len() };
    let mut header = empty_header();
    header.msg_iov = &raw mut data;
    header.msg_iovlen = 1;
    let (pointer, length) = address.as_room();
    header.msg_name = pointer;
    header.msg_namelen = length;
    // SAFETY: locals and memory of a live mapping.
    let bytes = check(unsafe {
        libc::syscall(libc::SYS_recvmsg, fd, &raw mut header, flags | libc::MSG_DONTWAIT)
    })?;
    address.set_length(header.msg_namelen as usize);
    Ok((bytes, address))
}

/// sendmsg(2) that never blocks and never raises SIGPIPE.
pub fn send_message(fd: RawFd, message: &Outgoing, flags: i32) -> Result<usize> {
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: an Outgoing's header points to memory that it owns or that outlives it.
    check(unsafe { libc::syscall(libc::SYS_sendmsg, fd, message.header(), flags) })
}

/// sendmmsg(2) that never blocks and never raises SIGPIPE: how many of the messages were taken.
pub fn send_messages(fd: RawFd, mut messages: Batch<'_>, flags: i32) -> Result<usize> {
    let flags = flags | libc::MSG_DONTWAIT | NOSIGNAL;
    let headers = messages.headers();
    // SAFETY: as many records as the slice has, whose pointers the batch has borrowed; memory of
    // areas is lent to the messages.
    check(unsafe {
        libc::syscall(libc::SYS_sendmmsg, fd, headers.as_mut_ptr(), headers.len(), flags)
    })
}

/// send(2) that never blocks and never raises SIGPIPE.
pub fn send(fd: RawFd, data: Span, flags: i32) -> Result<usize> {
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the span is memory of a live mapping.
    check(unsafe {
        libc::syscall(libc::SYS_sendto, fd, data.address(), data.len(), flags, 0usize, 0usize)
    })
}

/// send(2) of memory of our own that never blocks and never raises SIGPIPE.
pub fn send_bytes(fd: RawFd, bytes: &[u8]) -> Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: a valid slice.
    check(unsafe {
        libc::syscall(libc::SYS_sendto, fd, bytes.as_ptr(), bytes.len(), flags, 0usize, 0usize)
    })
}

/// Takes the next connection of a listening socket, close-on-exec; never blocks. Where the
/// listener itself would block (`blocking`), it is looked at first.
pub fn accept(fd: RawFd, blocking: bool, nonblocking_child: bool) -> Result<RawFd> {
    if blocking && super::poll::now(fd, libc::POLLIN)? == 0 {
        return Err(Errno::EAGAIN);
    }
    let flags = libc::SOCK_CLOEXEC | if nonblocking_child { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: the peer's address is not asked for.
    check(unsafe { libc::syscall(libc::SYS_accept4, fd, 0usize, 0usize, flags) })
        .map(|fd| fd as RawFd)
}

/// Whether the connected peer is on this host: its address is a loopback one, or our own.
pub fn is_peer_local(fd: RawFd) -> bool {
    use nix::sys::socket::{SockaddrLike, SockaddrStorage, getpeername, getsockname};
    let (Ok(own), Ok(peer)) =
        (getsockname::<SockaddrStorage>(fd), getpeername::<SockaddrStorage>(fd))
    else {
        return false;
    };
    if own.family() != peer.family() {
        return false;
    }
    match (own.as_sockaddr_in(), peer.as_sockaddr_in()) {
        (Some(own), Some(peer)) => own.ip() == peer.ip() || peer.ip().is_loopback(),
        _ => match (own.as_sockaddr_in6(), peer.as_sockaddr_in6()) {
            (Some(own), Some(peer)) => own.ip() == peer.ip() || peer.ip().is_loopback(),
            _ => false,
        },
    }
}
