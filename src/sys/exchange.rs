//! Calls on sockets as asynchronous requests make them: at the program's own addresses, now or
//! later, whole or in parts.
//!
//! The addresses are the program's affair: the kernel answers a wrong one with `EFAULT`. What has
//! to be read before the kernel does, a message header or an address, is copied into an
//! [`Envelope`] while the program's call is under way.

use std::os::fd::RawFd;
use std::ptr;

use super::message::ADDRESS_BYTES_MAX;
use super::socket::empty_header;
use super::transfer::{self, Memory};
use super::{check, poll};
use crate::error::{Errno, Result};
use crate::limits::IOVECS_MAX;

/// What is to be done on a socket. Numbers are addresses; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Send {
        flags: i32,
        to: usize,
        length: u32,
    },
    SendMessage {
        flags: i32,
        header: usize,
    },
    /// `length` is where the length of the address is.
    Receive {
        flags: i32,
        from: usize,
        length: usize,
    },
    ReceiveMessage {
        flags: i32,
        header: usize,
    },
    Accept {
        flags: i32,
        address: usize,
        length: usize,
    },
    Connect {
        address: usize,
        length: u32,
    },
}

const NOW: i32 = libc::MSG_DONTWAIT;

impl Call {
    fn flags(&self) -> i32 {
        match *self {
            Self::Send { flags, .. }
            | Self::SendMessage { flags, .. }
            | Self::Receive { flags, .. }
            | Self::ReceiveMessage { flags, .. } => flags,
            Self::Accept { .. } | Self::Connect { .. } => 0,
        }
    }

    /// Whether it waits for the socket to become writable.
    pub fn is_write(&self) -> bool {
        self.is_send() || self.is_connect()
    }

    pub fn is_send(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::SendMessage { .. })
    }

    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }

    pub fn has_header(&self) -> bool {
        matches!(self, Self::SendMessage { .. } | Self::ReceiveMessage { .. })
    }

    pub fn is_receive(&self) -> bool {
        matches!(self, Self::Receive { .. } | Self::ReceiveMessage { .. })
    }

    /// Whether it has nothing to do with the order of the stream: errors, urgent data. Such a
    /// call never waits.
    pub fn is_aside(&self) -> bool {
        self.is_receive() && self.flags() & (libc::MSG_OOB | libc::MSG_ERRQUEUE) != 0
    }

    /// Whether it ends rather than wait.
    pub fn is_impatient(&self) -> bool {
        self.is_aside() || self.flags() & NOW != 0
    }

    /// Whether a part is not enough: of a stream, everything is sent.
    pub fn wants_all(&self) -> bool {
        let is_whole = self.flags() & libc::MSG_WAITALL != 0;
        self.is_send() || self.is_receive() && is_whole && !self.is_peek()
    }

    fn is_peek(&self) -> bool {
        self.is_receive() && self.flags() & libc::MSG_PEEK != 0
    }

    /// The flags for the kernel: `SIGPIPE` is never raised, and what is only looked at is never
    /// waited for in parts.
    pub fn kernel_flags(&self) -> i32 {
        let flags = self.flags();
        if self.is_send() {
            flags | libc::MSG_NOSIGNAL
        } else if self.is_peek() {
            flags & !libc::MSG_WAITALL
        } else {
            flags
        }
    }

    /// Makes the call, and does not wait. `EOPNOTSUPP` of one that accepts or connects: it cannot
    /// be made so. `EINPROGRESS`: a connection is on its way.
    pub fn now(&self, fd: RawFd, memory: Memory) -> Result<usize> {
        match *self {
            Self::Accept { .. } if transfer::open_flags(fd)? & libc::O_NONBLOCK == 0 => {
                Err(Errno::EOPNOTSUPP)
            }
            Self::Connect { .. } => self.connect_now(fd),
            _ => self.make(fd, memory, NOW),
        }
    }

    /// The same, and waits.
    pub fn wait(&self, fd: RawFd, memory: Memory) -> Result<usize> {
        self.make(fd, memory, 0)
    }

    fn make(&self, fd: RawFd, memory: Memory, more: i32) -> Result<usize> {
        let flags = self.kernel_flags() | more;
        let Memory { address: start, length: bytes } = memory;
        // SAFETY: the memory is the program's for this request, by the contract of the call that
        // made it, or an envelope's.
        check(unsafe {
            match *self {
                Self::Send { to, length, .. } => {
                    libc::syscall(libc::SYS_sendto, fd, start, bytes, flags, to, length)
                }
                Self::SendMessage { header, .. } => {
                    libc::syscall(libc::SYS_sendmsg, fd, header, flags)
                }
                Self::Receive { from, length, .. } => {
                    libc::syscall(libc::SYS_recvfrom, fd, start, bytes, flags, from, length)
                }
                Self::ReceiveMessage { header, .. } => {
                    libc::syscall(libc::SYS_recvmsg, fd, header, flags)
                }
                Self::Accept { flags, address, length } => {
                    libc::syscall(libc::SYS_accept4, fd, address, length, flags)
                }
                Self::Connect { address, length } => {
                    libc::syscall(libc::SYS_connect, fd, address, length)
                }
            }
        })
    }

    /// A socket that blocks is made not to for the moment of the call.
    fn connect_now(&self, fd: RawFd) -> Result<usize> {
        let flags = transfer::open_flags(fd)?;
        let blocks = flags & libc::O_NONBLOCK == 0;
        let set = |flags: i32| {
            // SAFETY: F_SETFL takes no pointer.
            check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFL, flags) })
        };
        if blocks {
            set(flags | libc::O_NONBLOCK)?;
        }
        let answer = self.make(fd, Memory::NONE, 0);
        if blocks {
            set(flags)?;
        }
        answer
    }
}

/// What has become of a connection that was on its way; `EAGAIN`: nothing, it is to be begun.
pub fn connected(fd: RawFd) -> Result<usize> {
    match option(fd, libc::SO_ERROR) {
        Some(0) => {}
        Some(error) => return Err(Errno::from_raw(error)),
        None => return Err(Errno::EBADF),
    }
    let mut name = [0u8; ADDRESS_BYTES_MAX];
    let mut length = ADDRESS_BYTES_MAX as libc::socklen_t;
    // SAFETY: a local of the size that is told.
    match check(unsafe { libc::getpeername(fd, name.as_mut_ptr().cast(), &raw mut length) }) {
        Ok(_) => {}
        Err(Errno::ENOTCONN) => return Err(Errno::EAGAIN),
        Err(errno) => return Err(errno),
    }
    // Asked once more, so that the kernel knows that it has been told.
    let call = Call::Connect { address: name.as_ptr() as usize, length };
    match call.make(fd, Memory::NONE, 0) {
        Err(Errno::EISCONN) => Ok(0),
        answer => answer,
    }
}

fn option(fd: RawFd, name: i32) -> Option<i32> {
    let mut value = 0i32;
    let mut size = size_of::<i32>() as libc::socklen_t;
    // SAFETY: a local of the size that is told.
    let asked = check(unsafe {
        let value = (&raw mut value).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, name, value, &raw mut size)
    });
    asked.is_ok().then_some(value)
}

/// Whether a datagram socket is shut down for receiving: recv(2) of nothing then does not wait, and
/// tells of an end.
pub fn is_shut_down(fd: RawFd) -> bool {
    option(fd, libc::SO_TYPE) == Some(libc::SOCK_DGRAM) && poll::is_hung_up(fd)
}

/// Whether the bytes of a socket have no bounds: a part of them can come alone.
pub fn is_stream(fd: RawFd) -> bool {
    option(fd, libc::SO_TYPE) == Some(libc::SOCK_STREAM)
}

/// Whether it is one of this host's own, whose peer may have no room without poll(2) saying so.
pub fn is_unix(fd: RawFd) -> bool {
    option(fd, libc::SO_DOMAIN) == Some(libc::AF_UNIX)
}

/// What a call names besides its memory, copied, so that it can be made later and in parts.
pub struct Envelope {
    call: Call,
    header: libc::msghdr,
    pieces: Vec<libc::iovec>,
    /// Of `pieces`, what has been done already.
    pieces_done: usize,
    name: [u8; ADDRESS_BYTES_MAX],
    /// The first part has come, with what is told of a message.
    is_told: bool,
}

// SAFETY: the pointers are into the box itself, or the program's, which lends them to whichever
// thread does the request.
unsafe impl Send for Envelope {}

impl Envelope {
    /// For a call that is under way now; `None`: it needs none.
    pub fn new(call: Call, memory: Memory) -> Option<Box<Self>> {
        let mut envelope = Box::new(Self {
            call,
            header: empty_header(),
            pieces: Vec::new(),
            pieces_done: 0,
            name: [0; ADDRESS_BYTES_MAX],
            is_told: false,
        });
        let piece = libc::iovec { iov_base: memory.address as *mut _, iov_len: memory.length };
        match call {
            Call::Send { to: 0, .. } | Call::Receive { from: 0, .. } | Call::Accept { .. } => {
                return None;
            }
            Call::Send { to, length, .. } => {
                envelope.pieces.push(piece);
                envelope.keep_name(to, length);
            }
            Call::Connect { address, length } => envelope.keep_name(address, length),
            Call::Receive { from, length, .. } => {
                envelope.pieces.push(piece);
                envelope.header.msg_name = from as *mut _;
                // SAFETY: the program says that it has the length there, and it was looked at.
                envelope.header.msg_namelen = unsafe { *(length as *const libc::socklen_t) };
            }
            Call::SendMessage { header, .. } | Call::ReceiveMessage { header, .. } => {
                // SAFETY: the program's header with its pieces, valid by the contract of the call.
                unsafe {
                    envelope.header = *(header as *const libc::msghdr);
                    let count = envelope.header.msg_iovlen.min(IOVECS_MAX);
                    if !envelope.header.msg_iov.is_null() {
                        let pieces = std::slice::from_raw_parts(envelope.header.msg_iov, count);
                        envelope.pieces.extend_from_slice(pieces);
                    }
                }
                if let (Call::SendMessage { .. }, to) = (call, envelope.header.msg_name)
                    && !to.is_null()
                {
                    let length = envelope.header.msg_namelen;
                    envelope.keep_name(to as usize, length);
                }
            }
        }
        envelope.point();
        Some(envelope)
    }

    /// `length` has been checked.
    fn keep_name(&mut self, address: usize, length: u32) {
        let count = (length as usize).min(ADDRESS_BYTES_MAX);
        // SAFETY: the program says that so many bytes are there.
        unsafe {
            ptr::copy_nonoverlapping(address as *const u8, self.name.as_mut_ptr(), count);
        }
        self.header.msg_name = self.name.as_mut_ptr().cast();
        self.header.msg_namelen = length;
    }

    fn point(&mut self) {
        let left = &mut self.pieces[self.pieces_done..];
        self.header.msg_iov = left.as_mut_ptr();
        self.header.msg_iovlen = left.len();
    }

    /// The call as it is made with what is in here.
    pub fn call(&mut self) -> Call {
        let flags = self.call.flags();
        let header = (&raw mut self.header) as usize;
        match self.call {
            Call::Send { .. } | Call::SendMessage { .. } => Call::SendMessage { flags, header },
            Call::Receive { .. } | Call::ReceiveMessage { .. } => {
                Call::ReceiveMessage { flags, header }
            }
            Call::Connect { length, .. } => {
                Call::Connect { address: self.name.as_ptr() as usize, length }
            }
            accept => accept,
        }
    }

    /// So many bytes have been done, of those that were left: what follows goes without an address
    /// to fill in, and without control data, which went with the first part.
    pub fn skip(&mut self, mut bytes: usize) {
        self.tell();
        while let Some(piece) = self.pieces.get_mut(self.pieces_done) {
            if bytes < piece.iov_len {
                piece.iov_base = piece.iov_base.wrapping_byte_add(bytes);
                piece.iov_len -= bytes;
                break;
            }
            bytes -= piece.iov_len;
            self.pieces_done += 1;
        }
        self.header.msg_control = ptr::null_mut();
        self.header.msg_controllen = 0;
        if self.call.is_receive() {
            self.header.msg_name = ptr::null_mut();
            self.header.msg_namelen = 0;
        }
        self.point();
    }

    /// It has succeeded: what the kernel has told goes to the program.
    pub fn tell(&mut self) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        // SAFETY: the program lends the length, or the header, until the request has ended.
        unsafe {
            match self.call {
                Call::Receive { length, .. } => {
                    *(length as *mut libc::socklen_t) = self.header.msg_namelen;
                }
                Call::ReceiveMessage { header, .. } => {
                    let told = header as *mut libc::msghdr;
                    (*told).msg_namelen = self.header.msg_namelen;
                    (*told).msg_controllen = self.header.msg_controllen;
                    (*told).msg_flags = self.header.msg_flags;
                }
                _ => {}
            }
        }
    }
}

/// `EINVAL` for a message to an address that is longer than any.
///
/// # Safety
/// As [`bytes`] has it.
pub unsafe fn check_name(header: usize) -> Result<()> {
    // SAFETY: by the contract of this function.
    let header = unsafe { (header as *const libc::msghdr).as_ref() }.ok_or(Errno::EFAULT)?;
    let is_too_long = header.msg_namelen as usize > ADDRESS_BYTES_MAX;
    if !header.msg_name.is_null() && is_too_long { Err(Errno::EINVAL) } else { Ok(()) }
}

/// The bytes that a call is about.
///
/// # Safety
/// A header is null or the program's, with its pieces.
pub unsafe fn bytes(call: Call, memory: Memory) -> Result<usize> {
    let (Call::SendMessage { header, .. } | Call::ReceiveMessage { header, .. }) = call else {
        return Ok(memory.length);
    };
    // SAFETY: by the contract of this function.
    let header = unsafe { (header as *const libc::msghdr).as_ref() }.ok_or(Errno::EFAULT)?;
    if header.msg_iovlen > IOVECS_MAX {
        return Err(Errno::EMSGSIZE);
    }
    if header.msg_iovlen > 0 && header.msg_iov.is_null() {
        return Err(Errno::EFAULT);
    }
    let pieces = if header.msg_iovlen == 0 {
        &[]
    } else {
        // SAFETY: by the contract of this function.
        unsafe { std::slice::from_raw_parts(header.msg_iov, header.msg_iovlen) }
    };
    Ok(pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.iov_len)))
}
