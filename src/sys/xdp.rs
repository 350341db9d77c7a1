//! AF_XDP sockets: rings shared with the kernel, over memory that is the program's.
//!
//! Read first: the kernel's Documentation/networking/af_xdp.rst. Of each ring one side is ours:
//! we produce into `fill` and `send`, the kernel into `receive` and `completion`. What is sent has a
//! socket of its own: one that somebody waits for is looked at by the kernel with each packet that
//! has gone, be it only to find that nobody waits for that. An entry is
//! written before the index that shows it (release), and read after it (acquire); each side keeps
//! a copy of the other's index, and looks at the shared one when the copy says that the ring is
//! full or empty.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::check;
use super::descriptor::own;
use super::fork::Private;
use super::span::Span;
use crate::error::{Errno, Result};

/// A packet, or a part of one, in the memory of the sockets. struct xdp_desc.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Descriptor {
    pub offset: u64,
    pub length: u32,
    pub options: u32,
}

impl Descriptor {
    /// The packet goes on with the next entry.
    pub const MORE: u32 = libc::XDP_PKT_CONTD;
}

const _: () = assert!(size_of::<Descriptor>() == size_of::<libc::xdp_desc>());

/// What rings can have as entries.
trait Entry: Copy {}
impl Entry for u64 {}
impl Entry for Descriptor {}

/// How many entries each ring has: powers of two.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub fill: u32,
    pub completion: u32,
    pub receive: u32,
}

/// How a socket is to be bound.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub interface: u32,
    pub queue: u32,
    /// Packets may consist of several entries.
    pub scattered: bool,
}

/// Who moves the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The driver's device, into and out of the memory itself.
    ZeroCopy,
    /// The kernel, between its packets and the memory.
    Copy,
}

/// struct xdp_statistics: what was lost, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub dropped: u64,
    pub invalid_received: u64,
    pub invalid_sent: u64,
    pub ring_full: u64,
    pub no_frames: u64,
    pub nothing_to_send: u64,
}

/// Receives, and says what was sent.
pub struct Socket {
    receive: Consumer<Descriptor>,
    fill: Producer<u64>,
    completion: Consumer<u64>,
    /// Behind the rings, so that they are unmapped first.
    descriptor: Private,
}

impl Socket {
    /// The first socket over `area`: frames are chunks of it. The kernel keeps the pages, not the
    /// mapping.
    pub fn over(area: Span, chunk_bytes: u32, sizes: &Sizes) -> Result<Self> {
        let descriptor = open()?;
        let registration = libc::xdp_umem_reg {
            addr: area.address() as u64,
            len: area.len() as u64,
            chunk_size: chunk_bytes,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set_option(&descriptor, libc::XDP_UMEM_REG, &registration)?;
        Self::with_rings(descriptor, sizes)
    }

    /// A further one, to be bound with [`Socket::bind_beside`].
    pub fn beside(sizes: &Sizes) -> Result<Self> {
        Self::with_rings(open()?, sizes)
    }

    fn with_rings(descriptor: Private, sizes: &Sizes) -> Result<Self> {
        set_option(&descriptor, libc::XDP_UMEM_FILL_RING, &sizes.fill)?;
        set_option(&descriptor, libc::XDP_UMEM_COMPLETION_RING, &sizes.completion)?;
        set_option(&descriptor, libc::XDP_RX_RING, &sizes.receive)?;
        let offsets: libc::xdp_mmap_offsets = option(&descriptor, libc::XDP_MMAP_OFFSETS)?;
        let fill = libc::XDP_UMEM_PGOFF_FILL_RING as i64;
        let completion = libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64;
        Ok(Self {
            receive: Consumer::new(Ring::map(
                &descriptor,
                sizes.receive,
                &offsets.rx,
                libc::XDP_PGOFF_RX_RING,
            )?),
            fill: Producer::new(Ring::map(&descriptor, sizes.fill, &offsets.fr, fill)?),
            completion: Consumer::new(Ring::map(
                &descriptor,
                sizes.completion,
                &offsets.cr,
                completion,
            )?),
            descriptor,
        })
    }

    /// `EBUSY`: the queue has a socket. `EOPNOTSUPP`: not in this mode, or not `scattered`.
    pub fn bind(&self, to: &Binding, mode: Mode) -> Result<()> {
        let scattered = if to.scattered { libc::XDP_USE_SG } else { 0 };
        let mode = match mode {
            Mode::ZeroCopy => libc::XDP_ZEROCOPY,
            Mode::Copy => libc::XDP_COPY,
        };
        bind_as(&self.descriptor, to, libc::XDP_USE_NEED_WAKEUP | scattered | mode, 0)
    }

    /// In the same way as `first`, and over the same memory.
    pub fn bind_beside(&self, to: &Binding, first: &Self) -> Result<()> {
        bind_as(&self.descriptor, to, libc::XDP_SHARED_UMEM, first.descriptor() as u32)
    }

    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Whether the driver works in the memory itself; known once the socket is bound.
    pub fn is_zero_copy(&self) -> Result<bool> {
        let options: libc::xdp_options = option(&self.descriptor, libc::XDP_OPTIONS)?;
        Ok(options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }

    pub fn statistics(&self) -> Result<Statistics> {
        statistics(&self.descriptor)
    }

    /// Gives frames to receive into: how many there was room for.
    pub fn fill(&mut self, frames: &[u64]) -> usize {
        let count = self.fill.room(frames.len());
        self.fill.put(frames[..count].iter().copied());
        count
    }

    /// Frames that the kernel has not taken from the ring yet.
    pub fn filled(&mut self) -> u32 {
        self.fill.waiting()
    }

    /// Passes on up to `count` entries that have arrived, and no packet is broken up: how many. What
    /// `sink` gets after those is to be forgotten.
    pub fn receive(&mut self, count: usize, sink: impl FnMut(Descriptor)) -> usize {
        self.receive.take(count, |entry| entry.options & Descriptor::MORE == 0, sink)
    }

    /// Whether the descriptor stays readable when everything has been received, until this is
    /// called with `false`: the kernel is told of the last entry only then.
    pub fn stay_readable(&mut self, is_wanted: bool) {
        self.receive.keep(is_wanted);
    }

    /// Whether it is readable for nothing else.
    pub fn is_kept_readable(&self) -> bool {
        self.receive.is_kept()
    }

    /// Passes on the offsets of up to `count` entries that were sent.
    pub fn complete(&mut self, count: usize, sink: impl FnMut(u64)) -> usize {
        self.completion.take(count, |_| true, sink)
    }

    /// Has the driver look at the frames that it was given, where it asks for that.
    pub fn wake_to_receive(&mut self) -> Result<()> {
        if !self.fill.ring.needs_wakeup() {
            return Ok(());
        }
        // SAFETY: no memory is passed.
        let answer = check(unsafe {
            libc::syscall(
                libc::SYS_recvfrom,
                self.descriptor(),
                0usize,
                0usize,
                libc::MSG_DONTWAIT,
                0usize,
                0usize,
            )
        });
        match answer {
            Ok(_) | Err(Errno::EAGAIN | Errno::EBUSY | Errno::ENOBUFS | Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Sends, through the queue of a [`Socket`], which says what was sent.
pub struct Outlet {
    ring: Producer<Descriptor>,
    descriptor: Private,
}

impl Outlet {
    /// Of a socket that is bound like this, with room for so many entries.
    pub fn beside(socket: &Socket, to: &Binding, entries: u32) -> Result<Self> {
        let descriptor = open()?;
        set_option(&descriptor, libc::XDP_TX_RING, &entries)?;
        let offsets: libc::xdp_mmap_offsets = option(&descriptor, libc::XDP_MMAP_OFFSETS)?;
        let ring = Ring::map(&descriptor, entries, &offsets.tx, libc::XDP_PGOFF_TX_RING)?;
        bind_as(&descriptor, to, libc::XDP_SHARED_UMEM, socket.descriptor() as u32)?;
        Ok(Self { ring: Producer::new(ring), descriptor })
    }

    /// How many of the entries fit into the ring; those are to be passed to [`Outlet::send`].
    pub fn room(&mut self, wanted: usize) -> usize {
        self.ring.room(wanted)
    }

    /// Puts entries into the ring, for which there is room. The kernel reads them when it is woken.
    pub fn send(&mut self, entries: impl ExactSizeIterator<Item = Descriptor>) {
        self.ring.put(entries);
    }

    /// Has the kernel look at what is to be sent, where it asks for that. In one call it sends some
    /// thirty packets; the calls end when it does not go on.
    pub fn wake(&mut self) -> Result<()> {
        while self.ring.waiting() > 0 && self.ring.ring.needs_wakeup() {
            let before = self.ring.waiting();
            // SAFETY: no memory is passed.
            let answer = check(unsafe {
                libc::syscall(
                    libc::SYS_sendto,
                    self.descriptor.as_raw_fd(),
                    0usize,
                    0usize,
                    libc::MSG_DONTWAIT,
                    0usize,
                    0usize,
                )
            });
            match answer {
                Ok(_) | Err(Errno::EAGAIN | Errno::EBUSY | Errno::ENOBUFS | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
            if self.ring.waiting() == before {
                break;
            }
        }
        Ok(())
    }

    /// What it could not send, by the kernel's count.
    pub fn statistics(&self) -> Result<Statistics> {
        statistics(&self.descriptor)
    }
}

fn bind_as(descriptor: &Private, to: &Binding, flags: u16, shared: u32) -> Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: flags,
        sxdp_ifindex: to.interface,
        sxdp_queue_id: to.queue,
        sxdp_shared_umem_fd: shared,
    };
    // SAFETY: an address of the length that is told.
    check(unsafe {
        libc::bind(
            descriptor.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Whether this process can have such sockets.
pub fn is_there() -> Result<()> {
    open().map(drop)
}

fn open() -> Result<Private> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let descriptor = check(unsafe { libc::socket(libc::AF_XDP, kind, 0) })?;
    Ok(Private::new(own(descriptor as RawFd)))
}

fn statistics(descriptor: &Private) -> Result<Statistics> {
    let found: libc::xdp_statistics = option(descriptor, libc::XDP_STATISTICS)?;
    Ok(Statistics {
        dropped: found.rx_dropped,
        invalid_received: found.rx_invalid_descs,
        invalid_sent: found.tx_invalid_descs,
        ring_full: found.rx_ring_full,
        no_frames: found.rx_fill_ring_empty_descs,
        nothing_to_send: found.tx_ring_empty_descs,
    })
}

fn set_option<T>(descriptor: &Private, name: i32, value: &T) -> Result<()> {
    super::socket::set_option(descriptor.as_raw_fd(), libc::SOL_XDP, name, value)
}

/// For structures of numbers, of which an older kernel fills in less.
fn option<T>(descriptor: &Private, name: i32) -> Result<T> {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: there is room for as much as is told, and zeroes are valid numbers.
    unsafe {
        check(libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_XDP,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        ))?;
        Ok(value.assume_init())
    }
}

/// The memory of one ring.
struct Ring<T> {
    base: NonNull<u8>,
    bytes: usize,
    producer: NonNull<u32>,
    consumer: NonNull<u32>,
    flags: NonNull<u32>,
    entries: NonNull<T>,
    size: u32,
    _entries: PhantomData<T>,
}

// SAFETY: the mapping belongs to the value alone, as far as this process goes.
unsafe impl<T> Send for Ring<T> {}

impl<T: Entry> Ring<T> {
    fn map(
        descriptor: &Private,
        size: u32,
        offsets: &libc::xdp_ring_offset,
        place: i64,
    ) -> Result<Self> {
        assert!(size.is_power_of_two());
        let bytes = offsets.desc as usize + size as usize * size_of::<T>();
        let base = super::socket::map(descriptor.as_raw_fd(), bytes, place)?;
        // SAFETY: the kernel tells where in the mapping the parts are; all lie inside of it.
        unsafe {
            Ok(Self {
                base,
                bytes,
                producer: base.add(offsets.producer as usize).cast(),
                consumer: base.add(offsets.consumer as usize).cast(),
                flags: base.add(offsets.flags as usize).cast(),
                entries: base.add(offsets.desc as usize).cast(),
                size,
                _entries: PhantomData,
            })
        }
    }
}

impl<T> Ring<T> {
    fn producer(&self) -> &AtomicU32 {
        // SAFETY: aligned, mapped for as long as self lives, and only used as an atomic.
        unsafe { AtomicU32::from_ptr(self.producer.as_ptr()) }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.consumer.as_ptr()) }
    }

    fn needs_wakeup(&self) -> bool {
        // SAFETY: as above.
        let flags = unsafe { AtomicU32::from_ptr(self.flags.as_ptr()) };
        flags.load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    fn entry(&self, index: u32) -> NonNull<T> {
        // SAFETY: the remainder is below the number of entries.
        unsafe { self.entries.add((index & (self.size - 1)) as usize) }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by map(), and not used afterwards.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// Our end of a ring that the kernel consumes.
struct Producer<T> {
    ring: Ring<T>,
    produced: u32,
    /// How far the kernel was when we looked last.
    consumed: u32,
}

impl<T: Entry> Producer<T> {
    fn new(ring: Ring<T>) -> Self {
        Self { ring, produced: 0, consumed: 0 }
    }

    /// For how many of `wanted` entries there is room.
    fn room(&mut self, wanted: usize) -> usize {
        let room = |consumed: u32| (self.ring.size - self.produced.wrapping_sub(consumed)) as usize;
        if room(self.consumed) < wanted {
            // What the kernel has consumed it does not read any more: pairs with its release.
            self.consumed = self.ring.consumer().load(Ordering::Acquire);
        }
        wanted.min(room(self.consumed))
    }

    /// Writes entries and shows them to the kernel. There is room for them.
    fn put(&mut self, entries: impl ExactSizeIterator<Item = T>) {
        debug_assert!(
            entries.len() <= (self.ring.size - self.produced.wrapping_sub(self.consumed)) as usize
        );
        for entry in entries {
            // SAFETY: an entry that the kernel has consumed, so that only we use it.
            unsafe { self.ring.entry(self.produced).write(entry) };
            self.produced = self.produced.wrapping_add(1);
        }
        self.ring.producer().store(self.produced, Ordering::Release);
    }

    /// Entries that the kernel has not consumed yet.
    fn waiting(&mut self) -> u32 {
        self.consumed = self.ring.consumer().load(Ordering::Acquire);
        self.produced.wrapping_sub(self.consumed)
    }
}

/// Our end of a ring that the kernel produces into.
struct Consumer<T> {
    ring: Ring<T>,
    consumed: u32,
    /// How far the kernel was when we looked last.
    produced: u32,
    /// Entries that the kernel is not told to be consumed while there are no more behind them.
    kept: u32,
}

impl<T: Entry> Consumer<T> {
    fn new(ring: Ring<T>) -> Self {
        Self { ring, consumed: 0, produced: 0, kept: 0 }
    }

    /// From now on the kernel believes that the last entry is not consumed yet, or is told so.
    fn keep(&mut self, is_wanted: bool) {
        self.kept = u32::from(is_wanted);
        if !is_wanted {
            self.ring.consumer().store(self.consumed, Ordering::Release);
        }
    }

    /// Whether the kernel believes that there is something.
    fn is_kept(&self) -> bool {
        self.ring.consumer().load(Ordering::Relaxed) != self.consumed
    }

    /// Passes on up to `count` entries, and then as many as it takes to an entry after which
    /// `may_end` lets it stop. If that has not been produced yet, it goes back to the last one: what
    /// was passed on after that comes again.
    fn take(
        &mut self,
        count: usize,
        may_end: impl Fn(&T) -> bool,
        mut sink: impl FnMut(T),
    ) -> usize {
        if self.produced == self.consumed {
            self.produced = self.ring.producer().load(Ordering::Acquire);
        }
        let available = self.produced.wrapping_sub(self.consumed);
        let mut end = 0;
        for index in 0..available {
            // SAFETY: the kernel has produced it, and does not touch it before we say that it is
            // consumed.
            let entry = unsafe { self.ring.entry(self.consumed.wrapping_add(index)).read() };
            sink(entry);
            if may_end(&entry) {
                end = index + 1;
                if end as usize >= count {
                    break;
                }
            }
        }
        if end > 0 {
            self.consumed = self.consumed.wrapping_add(end);
            self.ring.consumer().store(self.consumed.wrapping_sub(self.kept), Ordering::Release);
        }
        end as usize
    }
}
