//! A socket for whole frames with two rings of slots that are shared with the kernel, one for each
//! direction. The slots are memory of the kernel's: what is in them has been copied once, or will
//! be.
//!
//! Read first: the kernel's Documentation/networking/packet_mmap.rst. A slot says in its first word
//! whose it is; what is in it is written before that (release), and read after it (acquire).

use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use super::check;
use super::fork::Private;
use super::span::Span;
use super::{descriptor, packet, socket};
use crate::error::Result;

/// How large the rings are. Slots are powers of two of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    pub slot_bytes: u32,
    pub receive_slots: u32,
    pub send_slots: u32,
}

/// Slots lie in blocks of at least this size; a slot may be larger.
const BLOCK_BYTES_MIN: u32 = 32 << 10;
/// What the kernel puts in front of a frame: `TPACKET2_HDRLEN`, aligned, and an address's room.
pub const HEADER_BYTES: u32 = 80;
/// Where the bytes of a frame to be sent begin in a slot.
const SENT_AT: usize = size_of::<libc::tpacket2_hdr>();
/// A frame that is larger than a slot comes by the socket besides, if it is not smaller than this.
const COPIED_BYTES_MIN: i32 = 1;

const _: () = assert!(std::mem::offset_of!(libc::tpacket2_hdr, tp_status) == 0);
const _: () = assert!(SENT_AT.is_multiple_of(16));

/// What is in a slot.
#[derive(Clone, Copy, Debug)]
pub enum Arrived {
    /// A frame, for as long as the slot is ours.
    Frame(Span),
    /// A frame that is larger than a slot: the socket has it.
    Large,
    /// One that is larger, and that nobody has.
    Lost,
}

pub struct Rings {
    socket: Private,
    base: NonNull<u8>,
    shape: Shape,
    next_receive: u32,
    next_send: u32,
    /// The slot that the kernel has had longest to send.
    oldest_sent: u32,
    /// Slots from there on.
    under_way: u32,
}

// SAFETY: the mapping belongs to the value alone, as far as this process goes.
unsafe impl Send for Rings {}

impl Rings {
    /// Gets nothing yet: see [`Rings::start`].
    pub fn new(shape: Shape) -> Result<Self> {
        assert!(shape.slot_bytes.is_power_of_two());
        let socket = packet::create(false)?;
        packet::set_option(&socket, libc::PACKET_VERSION, &libc::tpacket_versions::TPACKET_V2)?;
        // A frame that the interface does not take is left out, and does not stop the others.
        packet::set_option(&socket, libc::PACKET_LOSS, &1i32)?;
        packet::set_option(&socket, libc::PACKET_COPY_THRESH, &COPIED_BYTES_MIN)?;
        packet::set_option(&socket, libc::PACKET_RX_RING, &request(&shape, shape.receive_slots))?;
        packet::set_option(&socket, libc::PACKET_TX_RING, &request(&shape, shape.send_slots))?;
        // Both rings, the one for receiving first.
        let base = socket::map(socket.as_raw_fd(), bytes(&shape), 0)?;
        Ok(Self {
            socket: Private::new(socket),
            base,
            shape,
            next_receive: 0,
            next_send: 0,
            oldest_sent: 0,
            under_way: 0,
        })
    }

    /// Frames of an interface come from now on.
    pub fn start(&self, interface: u32, kind: u16) -> Result<()> {
        packet::bind(self.socket.as_raw_fd(), interface, kind)
    }

    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The largest frame that has room in a slot.
    pub fn frame_bytes_max(&self) -> usize {
        (self.shape.slot_bytes - HEADER_BYTES) as usize
    }

    fn slot(&self, number: u32) -> NonNull<u8> {
        debug_assert!(number < self.shape.receive_slots + self.shape.send_slots);
        // SAFETY: the mapping has so many slots.
        unsafe { self.base.add(number as usize * self.shape.slot_bytes as usize) }
    }

    fn status(&self, number: u32) -> &AtomicU32 {
        // SAFETY: the first word of a slot, aligned, and only used as an atomic.
        unsafe { AtomicU32::from_ptr(self.slot(number).cast().as_ptr()) }
    }

    /// A stretch of a slot, at most as long as there is room.
    fn part(&self, number: u32, from: usize, length: usize) -> Span {
        let from = from.min(self.shape.slot_bytes as usize);
        let length = length.min(self.shape.slot_bytes as usize - from);
        // SAFETY: inside of the slot, which is mapped for as long as self lives.
        unsafe { Span::new(self.slot(number).as_ptr().add(from), length) }
    }

    /// The next frame that has arrived. It stays until [`Rings::give_back`].
    pub fn arrived(&self) -> Option<Arrived> {
        let status = self.status(self.next_receive).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the slot is ours, and begins with this.
        let header = unsafe {
            ptr::read(self.slot(self.next_receive).cast::<libc::tpacket2_hdr>().as_ptr())
        };
        if header.tp_snaplen == header.tp_len {
            let (from, length) = (usize::from(header.tp_mac), header.tp_len as usize);
            return Some(Arrived::Frame(self.part(self.next_receive, from, length)));
        }
        Some(if status & libc::TP_STATUS_COPY != 0 { Arrived::Large } else { Arrived::Lost })
    }

    /// The slot of [`Rings::arrived`] is the kernel's again.
    pub fn give_back(&mut self) {
        self.status(self.next_receive).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next_receive = (self.next_receive + 1) % self.shape.receive_slots;
    }

    /// The frame that a slot did not have room for.
    pub fn receive_large(&self, room: &mut [u8]) -> Result<usize> {
        // SAFETY: room of the length that is told.
        check(unsafe {
            libc::syscall(
                libc::SYS_recvfrom,
                self.socket.as_raw_fd(),
                room.as_mut_ptr(),
                room.len(),
                libc::MSG_DONTWAIT,
                ptr::null_mut::<libc::sockaddr>(),
                ptr::null_mut::<libc::socklen_t>(),
            )
        })
    }

    /// That the interface went down is told by the socket once, and it is readable until then.
    pub fn clear_error(&self) {
        let _ = super::socket::take_error(self.socket.as_raw_fd());
    }

    /// Puts a frame of these pieces into the next slot; `false`: all are under way. The kernel looks
    /// at it after [`Rings::kick`].
    pub fn send(&mut self, pieces: impl Iterator<Item = Span>) -> bool {
        if self.under_way == self.shape.send_slots {
            return false;
        }
        let number = self.shape.receive_slots + self.next_send;
        let status = self.status(number).load(Ordering::Acquire);
        if status & (libc::TP_STATUS_SEND_REQUEST | libc::TP_STATUS_SENDING) != 0 {
            return false;
        }
        let mut length = 0;
        for piece in pieces {
            let room = self.part(number, SENT_AT + length, piece.len());
            room.copy_from(piece.first(room.len()));
            length += room.len();
        }
        // SAFETY: the slot is ours, and begins with this.
        unsafe {
            let header = self.slot(number).cast::<libc::tpacket2_hdr>().as_ptr();
            (&raw mut (*header).tp_len).write(length as u32);
        }
        self.status(number).store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
        self.next_send = (self.next_send + 1) % self.shape.send_slots;
        self.under_way += 1;
        true
    }

    /// Has the kernel look at what there is to send. What an interface that is down or full does not
    /// take stays.
    pub fn kick(&self) -> Result<()> {
        // SAFETY: no bytes.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_sendto,
                self.socket.as_raw_fd(),
                ptr::null::<u8>(),
                0,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                ptr::null::<libc::sockaddr>(),
                0,
            )
        };
        check(answer).map(drop)
    }

    /// Whether the kernel has taken the frame that it has had longest; each is told once.
    pub fn has_taken(&mut self) -> bool {
        if self.under_way == 0 {
            return false;
        }
        let status = self.status(self.shape.receive_slots + self.oldest_sent);
        if status.load(Ordering::Acquire) & libc::TP_STATUS_SEND_REQUEST != 0 {
            return false;
        }
        self.oldest_sent = (self.oldest_sent + 1) % self.shape.send_slots;
        self.under_way -= 1;
        true
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        // SAFETY: mapped by map(), and not used afterwards.
        unsafe { libc::munmap(self.base.as_ptr().cast(), bytes(&self.shape)) };
    }
}

fn bytes(shape: &Shape) -> usize {
    (shape.receive_slots + shape.send_slots) as usize * shape.slot_bytes as usize
}

fn request(shape: &Shape, slots: u32) -> libc::tpacket_req {
    let block_bytes = shape.slot_bytes.max(BLOCK_BYTES_MIN);
    assert!((slots * shape.slot_bytes).is_multiple_of(block_bytes));
    libc::tpacket_req {
        tp_block_size: block_bytes,
        tp_block_nr: slots * shape.slot_bytes / block_bytes,
        tp_frame_size: shape.slot_bytes,
        tp_frame_nr: slots,
    }
}

/// A socket of the program's that gets nothing for as long as this lives, because something else has
/// its frames.
pub struct Silence(Private);

impl Silence {
    pub fn new(whose: RawFd) -> Result<Self> {
        const NOTHING: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        let copy = Private::new(descriptor::duplicate(whose)?);
        let mut filter = [libc::sock_filter { code: NOTHING, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: filter.as_mut_ptr() };
        let copy_fd = copy.as_raw_fd();
        socket::set_option(copy_fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        Ok(Self(copy))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A socket without a filter has nothing to take off.
        let fd = self.0.as_raw_fd();
        let _ = socket::set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0i32);
    }
}
