//! Knowing that we are in a child: a counter that a `pthread_atfork` handler moves on.
//!
//! The handler does nothing else, because nothing else is safe there. Objects remember the epoch
//! in which they were made; in a child theirs is not the present one, and calls say `EPERM`.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The number of forks between the process that loaded the library and this one.
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Makes sure that forks are noticed from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only touches an atomic, which is safe after fork in any program.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    });
}

extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}
