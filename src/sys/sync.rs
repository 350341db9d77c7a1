//! The locks and atomics of what threads share, in one place, so that the model (`model/`) can put
//! its own in: there a scheduler tries the orders in which threads may go on. What is no part of
//! that, because no thread waits for it, uses those of the standard library.

pub use self::imp::{Condvar, Mutex, MutexGuard, atomic, step};

#[cfg(not(feature = "model"))]
mod imp {
    pub use std::sync::{Condvar, Mutex, MutexGuard, atomic};

    /// The kernel is about to be asked for something that other threads see: the model may go on
    /// with one of those first.
    #[inline(always)]
    pub fn step() {}
}

#[cfg(feature = "model")]
mod imp {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};

    pub fn step() {
        shuttle::thread::sleep(std::time::Duration::ZERO);
    }
}
