//! Message headers of sendmsg(2) that own what they point to, apart from DMA memory.

use std::marker::PhantomData;
use std::os::fd::RawFd;

use super::socket::{self, MessageRoom, empty_header};
use super::span::Span;
use crate::error::{Errno, Result};

/// The largest socket address. bits/socket.h, `struct sockaddr_storage`.
pub const ADDRESS_BYTES_MAX: usize = 128;

/// A socket address of any family.
#[derive(Clone, Copy)]
pub struct Address {
    bytes: [u8; ADDRESS_BYTES_MAX],
    length: usize,
}

impl Address {
    /// Room for any address.
    pub fn room() -> Self {
        Self { bytes: [0; ADDRESS_BYTES_MAX], length: 0 }
    }

    /// `EINVAL` for more bytes than an address can have.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let mut address = Self::room();
        let room = address.bytes.get_mut(..bytes.len()).ok_or(Errno::EINVAL)?;
        room.copy_from_slice(bytes);
        address.length = bytes.len();
        Ok(address)
    }

    /// An address that lies in DMA memory.
    pub fn from_span(span: Span) -> Result<Self> {
        let mut address = Self::room();
        let room = address.bytes.get_mut(..span.len()).ok_or(Errno::EINVAL)?;
        address.length = span.read(room);
        Ok(address)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn as_room(&mut self) -> (*mut libc::c_void, libc::socklen_t) {
        (self.bytes.as_mut_ptr().cast(), ADDRESS_BYTES_MAX as libc::socklen_t)
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.length = length.min(ADDRESS_BYTES_MAX);
    }
}

/// How the kernel lays out messages that a multishot receive puts into provided buffers: a
/// header of its own, then room for the sender's address and for control data, then the payload.
/// struct io_uring_recvmsg_out; io_uring_prep_recvmsg_multishot(3).
pub struct Incoming {
    header: libc::msghdr,
}

// SAFETY: the header's pointers are null; only its lengths matter.
unsafe impl Send for Incoming {}

/// Room for an address of the Internet families, kept a multiple of 16.
const INCOMING_NAME_BYTES: usize = 32;
/// Room for control data: packet information, time stamps and the like.
const INCOMING_CONTROL_BYTES: usize = 256;
/// Bytes before the payload.
pub const INCOMING_BYTES: usize = 16 + INCOMING_NAME_BYTES + INCOMING_CONTROL_BYTES;

/// Where the parts of one such message lie, from the start of the buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct IncomingParts {
    pub name_length: usize,
    pub control_length: usize,
    pub flags: i32,
}

impl Incoming {
    pub const NAME_OFFSET: usize = 16;
    pub const CONTROL_OFFSET: usize = 16 + INCOMING_NAME_BYTES;

    /// Stays where it is, because operations point to it.
    pub fn new() -> Box<Self> {
        let mut header = empty_header();
        header.msg_namelen = INCOMING_NAME_BYTES as libc::socklen_t;
        header.msg_controllen = INCOMING_CONTROL_BYTES as _;
        Box::new(Self { header })
    }

    pub fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }

    /// Receives one message into a buffer as the kernel would that way, without waiting: how many
    /// bytes its payload has, which may be more than there is room for.
    pub fn receive(fd: RawFd, buffer: Span) -> Result<usize> {
        assert!(buffer.len() >= INCOMING_BYTES);
        let room = MessageRoom {
            name: buffer.skip(Self::NAME_OFFSET).first(INCOMING_NAME_BYTES),
            control: buffer.skip(Self::CONTROL_OFFSET).first(INCOMING_CONTROL_BYTES),
            data: buffer.skip(INCOMING_BYTES),
        };
        let facts = socket::receive_message(fd, &room, socket::TRUNC)?;
        let lengths = [facts.name_length, facts.control_length, facts.bytes];
        let [name, control, payload] = lengths.map(|length| length as u32);
        let flags = (facts.flags & !socket::TRUNC).cast_unsigned();
        let words = buffer.address().cast::<[u32; 4]>();
        // SAFETY: the buffer is at least so long, aligned to a cache line, and the caller's.
        unsafe { words.write([name, control, payload, flags]) };
        Ok(facts.bytes)
    }

    /// Reads the kernel's header at the start of a filled buffer.
    pub fn parts(buffer: Span) -> IncomingParts {
        assert!(buffer.len() >= INCOMING_BYTES);
        let words = buffer.address().cast::<u32>();
        // SAFETY: the buffer is at least so long, aligned to a cache line, and the kernel has
        // filled in the four words: namelen, controllen, payloadlen, flags.
        let [name, control, flags] =
            unsafe { [words.read(), words.add(1).read(), words.add(3).read()] };
        IncomingParts {
            name_length: (name as usize).min(INCOMING_NAME_BYTES),
            control_length: (control as usize).min(INCOMING_CONTROL_BYTES),
            flags: flags as i32,
        }
    }
}

/// A message on its way out. Its header stays valid while the box stays where it is.
pub struct Outgoing {
    header: libc::msghdr,
    iovecs: Vec<libc::iovec>,
    name: Option<Address>,
    control: Vec<u8>,
}

// SAFETY: the raw pointers inside point into the value's own heap memory and into DMA memory,
// neither of which belongs to a thread.
unsafe impl Send for Outgoing {}

impl Outgoing {
    pub fn new(
        spans: impl Iterator<Item = Span>,
        name: Option<&Address>,
        control: Vec<u8>,
    ) -> Box<Self> {
        let iovecs = spans
            .map(|span| libc::iovec { iov_base: span.address().cast(), iov_len: span.len() })
            .collect();
        let mut message =
            Box::new(Self { header: empty_header(), iovecs, name: name.copied(), control });
        message.header.msg_iov = message.iovecs.as_mut_ptr();
        message.header.msg_iovlen = message.iovecs.len() as _;
        if let Some(name) = &mut message.name {
            message.header.msg_namelen = name.length as libc::socklen_t;
            message.header.msg_name = name.bytes.as_mut_ptr().cast();
        }
        if !message.control.is_empty() {
            message.header.msg_control = message.control.as_mut_ptr().cast();
            message.header.msg_controllen = message.control.len() as _;
        }
        message
    }

    pub fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }
}

/// Messages that go out with one system call. sendmmsg(2).
pub struct Batch<'a> {
    headers: Vec<libc::mmsghdr>,
    iovecs: Vec<libc::iovec>,
    /// Names and control data are the caller's.
    _borrowed: PhantomData<&'a [u8]>,
}

impl<'a> Batch<'a> {
    pub fn with_capacity(count: usize) -> Self {
        Self {
            headers: Vec::with_capacity(count),
            iovecs: Vec::with_capacity(count),
            _borrowed: PhantomData,
        }
    }

    pub fn push(
        &mut self,
        spans: impl Iterator<Item = Span>,
        name: Option<&'a Address>,
        control: &'a [u8],
    ) {
        let before = self.iovecs.len();
        self.iovecs.extend(
            spans.map(|span| libc::iovec { iov_base: span.address().cast(), iov_len: span.len() }),
        );
        let mut header = empty_header();
        header.msg_iovlen = (self.iovecs.len() - before) as _;
        if let Some(name) = name {
            header.msg_name = name.bytes.as_ptr().cast_mut().cast();
            header.msg_namelen = name.length as libc::socklen_t;
        }
        if !control.is_empty() {
            header.msg_control = control.as_ptr().cast_mut().cast();
            header.msg_controllen = control.len() as _;
        }
        self.headers.push(libc::mmsghdr { msg_hdr: header, msg_len: 0 });
    }

    /// The records that the kernel reads, and writes the number of bytes of each to.
    pub(super) fn headers(&mut self) -> &mut [libc::mmsghdr] {
        let mut next = self.iovecs.as_mut_ptr();
        for header in &mut self.headers {
            header.msg_hdr.msg_iov = next;
            next = next.wrapping_add(header.msg_hdr.msg_iovlen);
        }
        &mut self.headers
    }
}
