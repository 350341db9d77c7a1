//! Messages of a program that knows nothing of us: what recvmsg(2) fills in and sendmsg(2) reads lies
//! in the program's own memory.

use std::os::fd::RawFd;

use smallvec::SmallVec;

use super::check;
use super::message::{ADDRESS_BYTES_MAX, Address};
use super::segments;
use super::socket::empty_header;
use super::span::Span;
use crate::error::{Errno, Result};

/// Control data of one message.
pub type Source = SmallVec<[u8; 64]>;

/// A `struct msghdr` of the program's, for the time of one call.
pub struct Foreign {
    header: *mut libc::msghdr,
}

impl Foreign {
    /// # Safety
    /// It points to a header whose pointers are valid for as long as this lives, as recvmsg(2) and
    /// sendmsg(2) want them.
    pub unsafe fn new(header: *mut libc::msghdr) -> Self {
        Self { header }
    }

    fn get(&self) -> libc::msghdr {
        // SAFETY: valid by the contract of `new`; a program need not align it.
        unsafe { self.header.read_unaligned() }
    }

    fn set(&self, header: libc::msghdr) {
        // SAFETY: as above.
        unsafe { self.header.write_unaligned(header) }
    }

    /// The pieces of memory that it names.
    fn pieces(&self) -> impl Iterator<Item = (*mut u8, usize)> + use<> {
        let header = self.get();
        let count: usize = if header.msg_iov.is_null() { 0 } else { header.msg_iovlen as _ };
        (0..count).map(move |at| {
            // SAFETY: as many as the header says.
            let piece = unsafe { header.msg_iov.add(at).read_unaligned() };
            (piece.iov_base.cast(), piece.iov_len)
        })
    }

    /// The bytes of all pieces. `EMSGSIZE`: more than there can be.
    pub fn bytes(&self) -> Result<usize> {
        self.pieces()
            .try_fold(0usize, |sum, (_, length)| sum.checked_add(length))
            .filter(|sum| i32::try_from(*sum).is_ok())
            .ok_or(Errno::EMSGSIZE)
    }

    /// The control data, if it says no more than which of the own addresses a datagram comes from:
    /// `IP_PKTINFO`, ip(7), and `IPV6_PKTINFO`, ipv6(7). Empty if there is none.
    pub fn source(&self) -> Option<Source> {
        const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();
        const KINDS: [(i32, i32, usize); 2] = [
            (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>()),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>()),
        ];
        let header = self.get();
        let length: usize = header.msg_controllen as _;
        let mut source = Source::new();
        if header.msg_control.is_null() || length == 0 {
            return Some(source);
        }
        if length < HEADER_BYTES || length > source.inline_size() {
            return None;
        }
        // SAFETY: so many bytes, by the contract of `new`; they begin with a header.
        let first = unsafe {
            source.extend_from_slice(std::slice::from_raw_parts(header.msg_control.cast(), length));
            header.msg_control.cast::<libc::cmsghdr>().read_unaligned()
        };
        let own: usize = first.cmsg_len as _;
        source.resize(length.next_multiple_of(size_of::<usize>()), 0);
        let is_all = own <= length && own.next_multiple_of(size_of::<usize>()) == source.len();
        let is_source = |(level, kind, bytes): (i32, i32, usize)| {
            first.cmsg_level == level && first.cmsg_type == kind && own == HEADER_BYTES + bytes
        };
        (is_all && KINDS.into_iter().any(is_source)).then_some(source)
    }

    /// Where it is to be sent to, if that is said.
    pub fn name(&self) -> Result<Option<Address>> {
        let header = self.get();
        if header.msg_name.is_null() || header.msg_namelen == 0 {
            return Ok(None);
        }
        let length = header.msg_namelen as usize;
        if length > ADDRESS_BYTES_MAX {
            return Err(Errno::EINVAL);
        }
        // SAFETY: so many bytes, by the contract of `new`.
        let bytes = unsafe { std::slice::from_raw_parts(header.msg_name.cast::<u8>(), length) };
        Address::new(bytes).map(Some)
    }

    /// Has the kernel receive into it, without waiting.
    pub fn receive(&self, fd: RawFd, flags: i32) -> Result<usize> {
        let flags = flags | libc::MSG_DONTWAIT;
        // SAFETY: a valid header, by the contract of `new`.
        check(unsafe { libc::syscall(libc::SYS_recvmsg, fd, self.header, flags) })
    }

    /// Whether what it was filled with had more bytes than there was room for.
    pub fn is_cut(&self) -> bool {
        self.get().msg_flags & libc::MSG_TRUNC != 0
    }

    /// The first bytes of what it was filled with, which had so many.
    pub fn start(&self, bytes: usize) -> SmallVec<[u8; 8]> {
        let mut start = SmallVec::new();
        for (place, length) in self.pieces() {
            let count = length.min(bytes.min(8) - start.len());
            if count > 0 {
                // SAFETY: the program's memory, by the contract of `new`.
                start.extend_from_slice(unsafe { std::slice::from_raw_parts(place, count) });
            }
        }
        start
    }

    /// Puts a datagram into it, as the kernel would: how many bytes there was room for.
    pub fn fill(&self, data: Span, name: &[u8], control: &[u8]) -> usize {
        let mut header = self.get();
        let mut rest = data;
        for (place, length) in self.pieces() {
            let count = length.min(rest.len());
            if count > 0 {
                // SAFETY: the program's memory, by the contract of `new`; a span is a live mapping,
                // and no program gets an address in this one.
                unsafe { place.copy_from_nonoverlapping(rest.address(), count) };
            }
            rest = rest.skip(count);
        }
        header.msg_flags = if rest.is_empty() { 0 } else { libc::MSG_TRUNC };
        if header.msg_name.is_null() {
            header.msg_namelen = 0;
        } else {
            let count = name.len().min(header.msg_namelen as usize);
            // SAFETY: the header says that there is room for so many.
            unsafe { header.msg_name.cast::<u8>().copy_from(name.as_ptr(), count) };
            header.msg_namelen = name.len() as libc::socklen_t;
        }
        let room: usize = if header.msg_control.is_null() { 0 } else { header.msg_controllen as _ };
        let (control, is_whole) = cut_control(control, room);
        if !control.is_empty() {
            // SAFETY: the header says that there is room for so many.
            unsafe { header.msg_control.cast::<u8>().copy_from(control.as_ptr(), control.len()) };
        }
        header.msg_controllen = control.len() as _;
        if !is_whole {
            header.msg_flags |= libc::MSG_CTRUNC;
        }
        self.set(header);
        data.len() - rest.len()
    }

    /// Puts a copy of what is to be sent behind what is there.
    pub fn append_to(&self, bytes: &mut Vec<u8>) {
        for (place, length) in self.pieces().filter(|(_, length)| *length > 0) {
            // SAFETY: the program's memory, by the contract of `new`.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(place, length) });
        }
    }
}

/// What of a list of control messages the kernel puts into a room, and whether that is all of it: the
/// last one is cut, and says so in its length. cmsg(3)
fn cut_control(list: &[u8], room: usize) -> (SmallVec<[u8; 128]>, bool) {
    const LENGTH_BYTES: usize = size_of::<usize>();
    let mut cut = SmallVec::new();
    let mut rest = list;
    while let Some((word, _)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let whole = usize::from_ne_bytes(*word).clamp(size_of::<libc::cmsghdr>(), rest.len());
        let length = whole.min(room - cut.len());
        if length < size_of::<libc::cmsghdr>() {
            return (cut, false);
        }
        let (message, behind) = rest.split_at(whole.next_multiple_of(LENGTH_BYTES).min(rest.len()));
        let padded = message.len().min(room - cut.len());
        cut.extend_from_slice(&length.to_ne_bytes());
        cut.extend_from_slice(&message[LENGTH_BYTES..padded]);
        if length < whole {
            return (cut, false);
        }
        rest = behind;
    }
    (cut, true)
}

/// What is known of the first datagram that waits in a socket's queue.
pub struct Head {
    pub name: Address,
    pub bytes: usize,
    start: [u8; 8],
}

impl Head {
    /// Its first bytes.
    pub fn start(&self) -> &[u8] {
        &self.start[..self.bytes.min(self.start.len())]
    }
}

/// Looks at the first datagram in the queue of a socket, and leaves it there.
pub fn head(fd: RawFd) -> Result<Head> {
    let mut head = Head { name: Address::room(), bytes: 0, start: [0; 8] };
    let (name, mut length) = head.name.as_room();
    let flags = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: room of our own, with its sizes.
    head.bytes = check(unsafe {
        let start = head.start.as_mut_ptr();
        libc::syscall(libc::SYS_recvfrom, fd, start, 8usize, flags, name, &raw mut length)
    })?;
    head.name.set_length(length as usize);
    Ok(head)
}

/// Takes the first datagram out of the queue of a socket, and throws it away.
pub fn drop_head(fd: RawFd) -> Result<usize> {
    let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: nothing is written to.
    check(unsafe { libc::syscall(libc::SYS_recvfrom, fd, 0usize, 0usize, flags, 0usize, 0usize) })
}

/// While it lives, the queue of a socket takes whatever comes, where the process has the right to ask
/// for that. A datagram that is passed on takes a page of the room that the program has asked for.
pub struct Room {
    fd: RawFd,
    /// What it was before; `None`: that has not changed.
    bytes: Option<i32>,
}

impl Room {
    pub fn make(fd: RawFd) -> Self {
        const BYTES: i32 = 64 << 20;
        let mut bytes = 0i32;
        let mut length = 4 as libc::socklen_t;
        // SAFETY: four bytes of room, as the length says.
        let known = unsafe {
            let room = (&raw mut bytes).cast();
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, room, &raw mut length) == 0
        };
        let bytes = (known && set_room(fd, BYTES)).then_some(bytes);
        Self { fd, bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes {
            // The kernel tells twice what it is told.
            set_room(self.fd, bytes / 2);
        }
    }
}

fn set_room(fd: RawFd, bytes: i32) -> bool {
    // SAFETY: the option's value is borrowed for the call.
    let answer = unsafe {
        // Not by its name, which may be that of the preloaded object.
        let (level, name) = (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE);
        libc::syscall(libc::SYS_setsockopt, fd, level, name, &raw const bytes, 4)
    };
    answer == 0
}

/// Has the kernel send a datagram, or several of `size` bytes each, without waiting.
pub fn send(
    fd: RawFd,
    name: Option<&Address>,
    source: &Source,
    bytes: &[u8],
    size: Option<u16>,
) -> Result<usize> {
    let name = name.map(Address::bytes).unwrap_or_default();
    let mut control: SmallVec<[u8; 96]> = SmallVec::from_slice(source);
    if let Some(size) = size {
        control.extend_from_slice(&segments::control(size));
    }
    let mut piece =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut header = empty_header();
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    if !name.is_empty() {
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len() as libc::socklen_t;
    }
    if !control.is_empty() {
        header.msg_control = control.as_ptr().cast_mut().cast();
        header.msg_controllen = control.len() as _;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: what the header points to lives until the call has ended, and is only read.
    check(unsafe { libc::syscall(libc::SYS_sendmsg, fd, &raw const header, flags) })
}

/// Whether a datagram waits behind the first one, which has `bytes` bytes and has been looked at.
/// `SO_PEEK_OFF`, socket(7).
pub fn is_any_behind(fd: RawFd, bytes: usize) -> bool {
    let set = |offset: i32| {
        // SAFETY: the option's value is borrowed for the call.
        let answer = unsafe {
            let value = &raw const offset;
            // Not by its name, which may be that of the preloaded object.
            let (level, name) = (libc::SOL_SOCKET, libc::SO_PEEK_OFF);
            libc::syscall(libc::SYS_setsockopt, fd, level, name, value, 4)
        };
        answer == 0
    };
    let is_any = set(bytes as i32) && head(fd).is_ok();
    set(-1);
    is_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_are_cut_as_the_kernel_does() {
        let message = |length: usize, bytes: usize| {
            let mut message = length.to_ne_bytes().to_vec();
            message.resize(bytes, 1);
            message
        };
        let list = [message(20, 24), message(17, 24)].concat();
        let cut = |room| {
            let (cut, is_whole) = cut_control(&list, room);
            (cut.into_vec(), is_whole)
        };
        assert_eq!(cut(100), (list.clone(), true));
        assert_eq!(cut(48), (list.clone(), true));
        assert_eq!(cut(41), (list[..41].to_vec(), true));
        assert_eq!(cut(40), ([message(20, 24), message(16, 16)].concat(), false));
        assert_eq!(cut(39), (message(20, 24), false));
        assert_eq!(cut(20), (message(20, 20), false));
        assert_eq!(cut(18), (message(18, 18), false));
        assert_eq!(cut(15), (Vec::new(), false));
        assert_eq!(cut(0), (Vec::new(), false));
        let (none, is_whole) = cut_control(&[], 0);
        assert!(none.is_empty() && is_whole);
    }
}
