//! Whether there is memory for what a call is about to allocate. An allocation that fails ends the
//! process; so a call that makes something new asks before, and fails with `ENOMEM` instead.
//!
//! What is found may be gone when it is wanted, if other threads allocate meanwhile.

use std::hint::black_box;

use crate::error::{Errno, Result};

/// What a call that makes one thing allocates at most, apart from tables that grow.
pub const CALL_BYTES: usize = 96 * 1024;

/// `ENOMEM`: there are not so many bytes.
pub fn ensure(bytes: usize) -> Result<()> {
    // SAFETY: memory of any size, which is given back.
    let is_there = unsafe {
        let memory = black_box(libc::malloc(bytes));
        libc::free(memory);
        !memory.is_null()
    };
    if is_there { Ok(()) } else { Err(Errno::ENOMEM) }
}
