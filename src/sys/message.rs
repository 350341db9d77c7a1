//! Message headers of sendmsg(2) that own what they point to, apart from DMA memory.

use super::socket::empty_header;
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
        name: Option<Address>,
        control: Vec<u8>,
    ) -> Box<Self> {
        let iovecs = spans
            .map(|span| libc::iovec { iov_base: span.address().cast(), iov_len: span.len() })
            .collect();
        let mut message = Box::new(Self { header: empty_header(), iovecs, name, control });
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
