//! Threads of the library's own: they take no signals, which are the program's.

use std::mem::MaybeUninit;

use crate::error::{Errno, Result};

/// Starts a thread that ends with `body`.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset writes the set that pthread_sigmask reads; the old one is written to a
    // local, and put back below. A thread inherits the mask of the one that starts it.
    let old = unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
        old.assume_init()
    };
    let started = std::thread::Builder::new().name(name.to_string()).spawn(body);
    // SAFETY: the mask that was in force a moment ago.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut()) };
    started.map(drop).map_err(|_| Errno::EAGAIN)
}
