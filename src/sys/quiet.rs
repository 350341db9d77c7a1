//! State that signal handlers of the program may enter, too: while a thread is inside, it takes no
//! signal, so that a handler never finds the lock in the hands of the thread that it runs on.

use std::ops::{Deref, DerefMut};

use super::sync::{Mutex, MutexGuard};
use super::thread;

/// The kernel's sigset_t has 64 signals; also the two that the C library uses are blocked.
static ALL: u64 = u64::MAX;
const SET_BYTES: usize = 8;

/// No signal is taken by this thread until it is dropped; `None`: none is anyway.
struct Calm(Option<u64>);

impl Calm {
    fn begin() -> Self {
        if !thread::takes_signals() {
            return Self(None);
        }
        let mut old = 0u64;
        // SAFETY: both sets are locals of the size that is told.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const ALL,
                &raw mut old,
                SET_BYTES,
            )
        };
        Self(Some(old))
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        let Some(old) = self.0 else { return };
        // SAFETY: the set that was in force before; the present one is not asked for.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const old,
                std::ptr::null_mut::<u64>(),
                SET_BYTES,
            )
        };
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
