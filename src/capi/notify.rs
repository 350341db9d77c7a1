//! Callback notification. Source: "Sketch of a shared DMA buffer async IO setup", and section 6 of
//! the contract. The document's `pause()` is in `pause.rs`: the system's header declares it.

use std::ffi::{c_int, c_void};

use super::guard;
use crate::api::notify;
use crate::error::Errno;

/// What the program passes through the library to its callback.
struct Context(*mut c_void);

// SAFETY: the library does not look at it; that the callback runs in another thread is documented.
unsafe impl Send for Context {}

impl Context {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

/// Runs `io_complete` once when data has arrived, then interrupts the calling thread. See
/// async_io_notify(3).
///
/// `io_complete` is null or a function that may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn async_io_notify(
    fd: c_int,
    io_complete: Option<unsafe extern "C-unwind" fn(fd: c_int, context: *mut c_void)>,
    context: *mut c_void,
) -> c_int {
    guard::making(|| {
        let complete = io_complete.ok_or(Errno::EFAULT)?;
        let context = Context(context);
        // SAFETY: by the contract of this function. It may unwind: see `thread::spawn_open`.
        notify::register(fd, Box::new(move |fd| unsafe { complete(fd, context.get()) }))
    })
}

/// Waits until a callback of the calling thread has run. See async_io_pause(3).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn async_io_pause() -> c_int {
    guard::blocking(|| notify::Pause::new(true), |()| Ok(0))
}

/// Takes back what is registered for a descriptor. See async_io_cancel(3).
#[unsafe(no_mangle)]
pub extern "C" fn async_io_cancel(fd: c_int) -> c_int {
    guard::nothing(|| notify::cancel(fd))
}
