//! State that signal handlers of the program may enter, too: while a thread is inside, it takes no
//! signal, so that a handler never finds the lock in the hands of the thread that it runs on.

use std::ops::{Deref, DerefMut};

use super::signal::change_mask;
use super::sync::{Mutex, MutexGuard};
use super::thread;

/// No signal is taken by this thread until it is dropped; `None`: none is anyway.
struct Calm(Option<u64>);

impl Calm {
    fn begin() -> Self {
        // Also the two that the C library uses.
        Self(thread::takes_signals().then(|| change_mask(libc::SIG_SETMASK, u64::MAX)))
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        if let Some(old) = self.0 {
            change_mask(libc::SIG_SETMASK, old);
        }
    }
}

pub struct Quiet<T>(Mutex<T>);

/// The lock is given back first, then signals are taken again.
pub struct Entered<'a, T> {
    state: MutexGuard<'a, T>,
    _calm: Calm,
}

impl<T> Quiet<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// A panic inside leaves every change done that was begun before it, so the state stays in use.
    pub fn enter(&self) -> Entered<'_, T> {
        let calm = Calm::begin();
        let state = self.0.lock();
        Entered { state, _calm: calm }
    }
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T> DerefMut for Entered<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}
