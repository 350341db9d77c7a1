//! The locks and atomics of what threads share, in one place.
//!
//! Each lock tells the tools that look for races who comes after whom (`annotate.rs`). And the
//! model (`model/`) can put its own in: there a scheduler tries the orders in which threads may go
//! on. What is no part of that, because no thread waits for it, uses those of the standard library.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

pub use self::imp::{atomic, step};
use super::annotate::{self, Section};

#[cfg(not(feature = "model"))]
mod imp {
    pub use std::sync::{Condvar, Mutex, MutexGuard, atomic};
    use std::sync::{LockResult, TryLockError};

    use crate::sys::errno;

    /// Leaves errno alone: calls that come with it are too short to put it back themselves.
    #[inline]
    pub fn lock<T>(mutex: &Mutex<T>) -> LockResult<MutexGuard<'_, T>> {
        match mutex.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(error)) => Err(error),
            Err(TryLockError::WouldBlock) => wait(mutex),
        }
    }

    /// A wait that another thread ends before the kernel has begun it fails there.
    #[cold]
    fn wait<T>(mutex: &Mutex<T>) -> LockResult<MutexGuard<'_, T>> {
        errno::keep(|| mutex.lock())
    }

    /// The kernel is about to be asked for something that other threads see: the model may go on
    /// with one of those first.
    #[inline(always)]
    pub fn step() {}
}

#[cfg(feature = "model")]
mod imp {
    use std::sync::LockResult;

    pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};

    pub fn lock<T>(mutex: &Mutex<T>) -> LockResult<MutexGuard<'_, T>> {
        mutex.lock()
    }

    pub fn step() {
        shuttle::thread::sleep(std::time::Duration::ZERO);
    }
}

/// Locks that this thread has taken so far: for tests that say what takes none.
#[cfg(test)]
pub fn locks_taken() -> u64 {
    TAKEN.with(std::cell::Cell::get)
}

#[cfg(test)]
thread_local!(static TAKEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });

#[inline(always)]
fn count_lock() {
    #[cfg(test)]
    TAKEN.with(|taken| taken.set(taken.get() + 1));
}

#[derive(Default)]
pub struct Mutex<T>(imp::Mutex<T>);

/// Fields are dropped from the first to the last.
pub struct MutexGuard<'a, T> {
    section: Section,
    inner: imp::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    fn place(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>() as usize
    }

    fn section(&self) -> Section {
        Section::begin(self.place())
    }

    /// For what a panic leaves whole, because every change is made in one step.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        count_lock();
        let inner = imp::lock(&self.0).unwrap_or_else(PoisonError::into_inner);
        MutexGuard { section: self.section(), inner }
    }

    /// `None` after a panic of a thread that held it.
    #[inline]
    pub fn lock_sound(&self) -> Option<MutexGuard<'_, T>> {
        count_lock();
        let inner = imp::lock(&self.0).ok()?;
        Some(MutexGuard { section: self.section(), inner })
    }

    /// The same without waiting: `None` as well while somebody else holds it.
    #[inline]
    pub fn try_lock_sound(&self) -> Option<MutexGuard<'_, T>> {
        count_lock();
        let inner = self.0.try_lock().ok()?;
        Some(MutexGuard { section: self.section(), inner })
    }
}

/// Whoever lets go of it last, of something with a count of references, comes after all who have
/// held it.
impl<T> Drop for Mutex<T> {
    #[inline]
    fn drop(&mut self) {
        annotate::acquired(self.place());
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[derive(Default)]
pub struct Condvar(imp::Condvar);

impl Condvar {
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { section, inner } = guard;
        let place = section.end();
        let inner = self.0.wait(inner).unwrap_or_else(PoisonError::into_inner);
        MutexGuard { section: Section::begin(place), inner }
    }

    /// As wait(), but not for longer than `time`; whether that is over.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: std::time::Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let MutexGuard { section, inner } = guard;
        let place = section.end();
        let (inner, after) =
            self.0.wait_timeout(inner, time).unwrap_or_else(PoisonError::into_inner);
        (MutexGuard { section: Section::begin(place), inner }, after.timed_out())
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A value that is found once. No thread waits for another here but for as long as that takes: not
/// for what children find in their parent's place, [`super::cell::Leaked`] is for that.
#[derive(Default)]
pub struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    fn place(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>() as usize
    }

    #[inline]
    pub fn get(&self) -> Option<&T> {
        let value = self.0.get()?;
        annotate::acquired(self.place());
        Some(value)
    }

    pub fn get_or_init(&self, find: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let value = self.0.get_or_init(|| {
            // Written behind our back once it is found.
            annotate::disregard(self);
            let value = find();
            annotate::released(self.place());
            value
        });
        annotate::acquired(self.place());
        value
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;
    use crate::sys::errno;

    #[test]
    fn who_waits_for_a_lock_finds_errno_as_it_was() {
        const ROUNDS: u64 = 10_000;
        const OWN: i32 = 12345;
        let mutex = Mutex::new(0);
        let hammer = || {
            errno::set(OWN);
            for _ in 0..ROUNDS {
                let mut value = mutex.lock();
                // Longer than others look whether it ends.
                (0..200).for_each(|_| std::hint::spin_loop());
                *value += 1;
                drop(value);
                *mutex.lock_sound().expect("no panic") += 1;
                assert_eq!(errno::get(), OWN);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(hammer);
            }
        });
        assert_eq!(*mutex.lock(), 8 * ROUNDS);
    }
}
