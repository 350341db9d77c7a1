//! Where segments lie: in shared memory, or in private memory.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

use super::layout::Segment;
use crate::sys::fork;

/// Read and written by its owner.
const OWNER_ONLY: libc::c_int = 0o600;

/// Whether others may look at all.
pub fn is_wanted() -> bool {
    !cfg!(feature = "model") && std::env::var_os("SIO_STAT").is_none_or(|value| value != "0")
}

/// Memory that others of the same user find, and that goes with this process. `None`: the system
/// has none, or no more.
pub fn shared() -> Option<&'static Segment> {
    const SIZE: usize = size_of::<Segment>();
    // SAFETY: plain system calls. The memory is attached for the rest of the process's life, large
    // enough, aligned to a page, zero, which is a valid segment, and made of atomics.
    unsafe {
        let id = libc::shmget(libc::IPC_PRIVATE, SIZE, OWNER_ONLY);
        if id < 0 {
            return None;
        }
        let place = libc::shmat(id, std::ptr::null(), 0);
        // It goes when nobody has it any more; until then it can be found and attached.
        libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
        if place as isize == -1 {
            return None;
        }
        fork::forget_in_child(place as usize, SIZE);
        Some(&*place.cast::<Segment>())
    }
}

/// The same where nobody sees it.
pub fn private() -> &'static Segment {
    let layout = Layout::new::<Segment>();
    // SAFETY: the layout is not empty; zeroes are a valid segment; it is never freed.
    unsafe {
        let place = alloc_zeroed(layout).cast::<Segment>();
        if place.is_null() {
            handle_alloc_error(layout);
        }
        &*place
    }
}
