//! What becomes of the requests of POSIX AIO, counted where the program wants to see it. The talk
//! has nothing of the kind; a fallback that nobody sees is a fallback that nobody mends.

use std::ffi::c_int;
use std::ptr::NonNull;

use super::guard;
use super::types::sio_aio_counts as CountsRecord;
use crate::error::Errno;
use crate::sys::tally::{self, Counts};

/// Counts requests of POSIX AIO there from now on. See sio_aio_count(3).
///
/// `counts` points to `size` bytes that stay valid as long as the process lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_aio_count(counts: *mut CountsRecord, size: usize) -> c_int {
    guard::nothing(|| {
        let place = NonNull::new(counts.cast::<Counts>()).ok_or(Errno::EFAULT)?;
        if size < size_of::<Counts>() || !place.is_aligned() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: large enough, aligned, and valid by the contract of this function.
        unsafe { tally::count_in(place) };
        Ok(())
    })
}
