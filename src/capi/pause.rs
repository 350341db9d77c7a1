//! pause(2), as the sample of the document that [`super::notify`] is from calls it: a callback that
//! has run already ends it. In a thread that has registered no callback it is the C library's.

use std::ffi::c_int;

use super::guard;
use crate::api::notify;
use crate::error::Errno;
use crate::sys::next;
use crate::sys::wait::{self, Sleep, Terms};

/// Waits for a signal, or until a callback of this thread's has run. See async_io_pause(3).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pause() -> c_int {
    if notify::is_owner() {
        return guard::blocking(|| notify::Pause::new(false), |()| Err(Errno::EINTR));
    }
    if !next::has_pause() {
        // A program without the dynamic loader: what pause(2) does, and its errno.
        return wait::block(&Sleep::Poll { fd: -1, events: 0 }, &Terms::default())
            .map_or(-1, |()| 0);
    }
    // SAFETY: it takes nothing.
    unsafe { next::pause() }
}
