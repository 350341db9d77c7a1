//! What a ring is told of beforehand: memory, files, and the buffers that the kernel receives into.
//! Read first: io_uring_register(2), io_uring_register_buf_ring(3).

use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Ring, errno};
use crate::error::{Errno, Result};
use crate::sys::descriptor::Descriptor;
use crate::sys::span::Span;

impl Ring {
    /// Registers a table of `count` empty slots for buffers.
    pub fn register_buffer_table(&self, count: u32) -> Result<()> {
        self.inner.submitter().register_buffers_sparse(count).map_err(|error| errno(&error))
    }

    /// Puts memory into a slot of the table, or nothing.
    pub fn register_buffer(&self, slot: u32, span: Option<Span>) -> Result<()> {
        let buffer = span.map_or(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }, |span| {
            libc::iovec { iov_base: span.address().cast(), iov_len: span.len() }
        });
        // SAFETY: the area outlives its registration: it is taken back before it is unmapped, and
        // the kernel holds its own reference to the pages.
        unsafe { self.inner.submitter().register_buffers_update(slot, &[buffer], None) }
            .map_err(|error| errno(&error))
    }

    /// Registers a table of `count` empty slots for files (5.19).
    pub fn register_file_table(&self, count: u32) -> Result<()> {
        self.inner.submitter().register_files_sparse(count).map_err(|error| errno(&error))
    }

    /// Puts a file into a slot of the table, or nothing. It stays open for that, but no descriptor
    /// of it is closed afterwards: record locks of the program's stay.
    pub fn register_file(&self, slot: u32, fd: Option<RawFd>) -> Result<()> {
        let answer = self.inner.submitter().register_files_update(slot, &[fd.unwrap_or(-1)]);
        answer.map(drop).map_err(|error| errno(&error))
    }

    /// Has the ring keep a file open until the kernel has ended it: when it was closed, and nothing
    /// that it was given is under way any more. There are no other files in its table from then on.
    pub fn take_along(&self, file: &Descriptor) -> Result<()> {
        // It fails only where there is no table.
        let _ = self.inner.submitter().unregister_files();
        let files = [file.as_raw_fd()];
        self.inner.submitter().register_files(&files).map_err(|error| errno(&error))
    }

    /// Registers a ring through which buffers are handed to multishot receives. With
    /// `incremental` a buffer is used until it is full; otherwise it is used once.
    pub fn buffer_ring(&self, group: u16, entries: u16, incremental: bool) -> Result<BufferRing> {
        let ring = BufferRing::map(entries)?;
        // SAFETY: the memory is mapped until the BufferRing is dropped; the group is
        // unregistered, or the io_uring closed, before that.
        unsafe {
            self.inner.submitter().register_buf_ring_with_flags(
                ring.base.as_ptr() as u64,
                entries,
                group,
                if incremental { BUFFER_RING_INCREMENTAL } else { 0 },
            )
        }
        .map_err(|error| errno(&error))?;
        Ok(ring)
    }

    pub fn unregister_buffer_ring(&self, group: u16) -> Result<()> {
        self.inner.submitter().unregister_buf_ring(group).map_err(|error| errno(&error))
    }
}

/// Memory shared with the kernel that tells it which buffers it may fill.
/// struct io_uring_buf_ring: entries of 16 bytes; the tail is bytes 14 and 15 of the first.
pub struct BufferRing {
    base: NonNull<u8>,
    bytes: usize,
    mask: u16,
    tail: u16,
}

// SAFETY: the memory belongs to the value alone, as far as this process goes.
unsafe impl Send for BufferRing {}

const BUFFER_ENTRY_BYTES: usize = 16;
/// IOU_PBUF_RING_INC, since 6.12.
const BUFFER_RING_INCREMENTAL: u16 = 2;
const TAIL_OFFSET_BYTES: usize = 14;

impl BufferRing {
    fn map(entries: u16) -> Result<Self> {
        assert!(entries.is_power_of_two());
        let bytes = usize::from(entries) * BUFFER_ENTRY_BYTES;
        // SAFETY: a fresh anonymous mapping; the kernel rounds the length up to pages.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // SAFETY: our own mapping; a child must not get a copy-on-write view of it.
        unsafe { libc::madvise(base, bytes, libc::MADV_DONTFORK) };
        let base = NonNull::new(base.cast()).ok_or(Errno::ENOMEM)?;
        Ok(Self { base, bytes, mask: entries - 1, tail: 0 })
    }

    /// Adds a buffer; the kernel sees it after [`BufferRing::publish`].
    pub fn provide(&mut self, span: Span, id: u16) {
        let index = usize::from(self.tail & self.mask);
        // SAFETY: the index is below the number of entries; the fields are those of
        // struct io_uring_buf (addr, len, bid); the last two bytes are not touched, because
        // those of entry 0 are the tail.
        unsafe {
            let entry = self.base.as_ptr().add(index * BUFFER_ENTRY_BYTES);
            entry.cast::<u64>().write(span.address() as u64);
            entry.add(8).cast::<u32>().write(span.len() as u32);
            entry.add(12).cast::<u16>().write(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Makes the added buffers visible.
    pub fn publish(&mut self) {
        // SAFETY: aligned, inside the mapping, and read by the kernel with acquire semantics:
        // the release pairs with it, so that entries are written before they are seen.
        unsafe {
            let tail = self.base.as_ptr().add(TAIL_OFFSET_BYTES).cast::<u16>();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: mapped by map(), not used afterwards; the kernel has its own reference.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
