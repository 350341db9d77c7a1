//! Whether there is memory for what a call is about to allocate. An allocation that fails ends the
//! process; so a call that makes something new asks before, and fails with `ENOMEM` instead.
//!
//! What is found may be gone when it is wanted, if other threads allocate meanwhile.

use std::hint::black_box;
use std::ptr;

use crate::error::{Errno, Result};

/// What a call that makes one thing allocates at most, apart from tables that grow.
pub const CALL_BYTES: usize = 96 * 1024;

/// From here on malloc(3) maps memory for each block, and moves the limit upwards when one is given
/// back: then tables that grow would be copied within the heap, and leave holes of their size there.
const MAPPED_BYTES_MIN: usize = 128 * 1024;

/// `ENOMEM`: there are not so many bytes.
pub fn ensure(bytes: usize) -> Result<()> {
    let is_there = if bytes < MAPPED_BYTES_MIN { can_allocate(bytes) } else { can_map(bytes) };
    if is_there { Ok(()) } else { Err(Errno::ENOMEM) }
}

fn can_allocate(bytes: usize) -> bool {
    // SAFETY: memory of any size, which is given back.
    unsafe {
        let memory = black_box(libc::malloc(bytes));
        libc::free(memory);
        !memory.is_null()
    }
}

fn can_map(bytes: usize) -> bool {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: memory that nobody else knows, which is given back.
    unsafe {
        let memory = libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0);
        memory != libc::MAP_FAILED && libc::munmap(memory, bytes) == 0
    }
}
