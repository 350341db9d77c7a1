//! A request as a driver in the program sees it: `struct sio_kiocb` of sio_driver.h.
//!
//! A driver may name one that has ended long ago, by mistake. So they are never freed, and it can
//! be found out of any address whether one is there.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::cell::Leaked;
use super::driver::FileBlock;
use super::transfer::Memory;

/// Words that a request has for its driver.
pub const PRIVATE_WORDS: usize = 8;

/// What the driver sees.
#[repr(C)]
pub struct Shown {
    pub operation: i32,
    pub flags: u32,
    pub position: i64,
    pub pieces: *const libc::iovec,
    pub piece_count: usize,
    pub bytes: usize,
    pub device: usize,
    pub file: *mut FileBlock,
    pub private: [usize; PRIVATE_WORDS],
}

/// What it is to see of one request.
pub struct Content {
    pub operation: i32,
    pub flags: u32,
    pub position: i64,
    /// `None`: the operation has no buffer.
    pub memory: Option<Memory>,
    pub device: usize,
    pub file: *mut FileBlock,
}

/// Of the members behind what is shown the driver knows nothing.
#[repr(C)]
pub struct Kiocb {
    shown: UnsafeCell<Shown>,
    piece: UnsafeCell<libc::iovec>,
    /// Where the books have it.
    place: AtomicU32,
}

// SAFETY: the library writes what is shown before it hands it over, and reads none of it again.
unsafe impl Send for Kiocb {}
// SAFETY: as above.
unsafe impl Sync for Kiocb {}

impl Kiocb {
    fn new() -> Self {
        let shown = Shown {
            operation: 0,
            flags: 0,
            position: 0,
            pieces: ptr::null(),
            piece_count: 0,
            bytes: 0,
            device: 0,
            file: ptr::null_mut(),
            private: [0; PRIVATE_WORDS],
        };
        Self {
            shown: UnsafeCell::new(shown),
            piece: UnsafeCell::new(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }),
            place: AtomicU32::new(0),
        }
    }

    pub fn address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    pub fn place(&self) -> u32 {
        self.place.load(Ordering::Relaxed)
    }

    pub fn set_place(&self, place: u32) {
        self.place.swap(place, Ordering::Relaxed);
    }

    /// Makes it a new request, which no driver has yet.
    pub fn fill(&self, content: &Content) {
        let memory = content.memory.unwrap_or(Memory { address: 0, length: 0 });
        let piece = libc::iovec { iov_base: memory.address as *mut _, iov_len: memory.length };
        let shown = Shown {
            operation: content.operation,
            flags: content.flags,
            position: content.position,
            pieces: self.piece.get(),
            piece_count: usize::from(content.memory.is_some()),
            bytes: memory.length,
            device: content.device,
            file: content.file,
            private: [0; PRIVATE_WORDS],
        };
        // SAFETY: a driver reads only what it was handed, and this one has not been handed over
        // since it was last the library's.
        unsafe {
            self.piece.get().write(piece);
            self.shown.get().write(shown);
        }
    }

    /// What the driver's functions are given.
    pub(super) fn shown(&self) -> *mut Shown {
        self.shown.get()
    }
}

/// Some of them, made by a process and known to its children.
struct Chunk {
    epoch: u32,
    kiocbs: Box<[Kiocb]>,
    before: Option<&'static Chunk>,
}

static CHUNKS: Leaked<Chunk> = Leaked::empty();

/// Makes more of them. One thread of a process at a time does.
pub fn make(epoch: u32, count: usize) -> &'static [Kiocb] {
    let before = CHUNKS.get();
    let kiocbs = (0..count).map(|_| Kiocb::new()).collect();
    &CHUNKS.replace(before, Box::new(Chunk { epoch, kiocbs, before })).kiocbs
}

/// The one at this address, and the epoch of the process that made it. Takes no lock.
pub fn find(address: usize) -> Option<(&'static Kiocb, u32)> {
    let mut next = CHUNKS.get();
    while let Some(chunk) = next {
        let offset = address.wrapping_sub(chunk.kiocbs.as_ptr() as usize);
        if let Some(kiocb) = chunk.kiocbs.get(offset / size_of::<Kiocb>())
            && offset.is_multiple_of(size_of::<Kiocb>())
        {
            return Some((kiocb, chunk.epoch));
        }
        next = chunk.before;
    }
    None
}
