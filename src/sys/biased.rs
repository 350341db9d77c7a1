//! State behind a lock, but for one thread, the *favourite*, which goes in while it looks at
//! something (glance.rs), without an operation that a processor would have to lock.
//!
//! Who takes the lock and is not the favourite ends that: it takes the mark away, and waits until no
//! thread is in a look that it began before it could see that. The barrier that this takes is put
//! into the favourite by the kernel, so who is not the favourite pays for it. Favoured is who comes
//! again and again where others hardly ever do.
//!
//! Invariants: one thread at a time is inside: the holder of the lock, once no other is the favourite
//! any more; or the favourite, while nobody has taken the mark away. `is_inside` tells a thread that
//! it is inside already.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use super::own::{Own, own};
use super::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::{Mutex, MutexGuard};
use super::{annotate, glance};

const NOBODY: u64 = 0;

pub struct Biased<T> {
    lock: Mutex<()>,
    /// The mark of the favourite.
    favourite: AtomicU64,
    is_inside: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time is inside, see above; values go from thread to thread, hence Send.
unsafe impl<T: Send> Sync for Biased<T> {}

/// The right to touch the state until it is dropped: the lock is held.
pub struct Inside<'a, T> {
    biased: &'a Biased<T>,
    /// Behind: what ends with the drop ends under the lock.
    _guard: MutexGuard<'a, ()>,
}

/// The favourite's, or that of the holder of the lock.
struct Visit<'a>(&'a AtomicBool);

impl<'a> Visit<'a> {
    /// `None`: this thread is inside.
    #[inline(always)]
    fn begin(is_inside: &'a AtomicBool) -> Option<Self> {
        if is_inside.load(Ordering::Relaxed) {
            return None;
        }
        is_inside.store(true, Ordering::Relaxed);
        Some(Self(is_inside))
    }
}

impl Drop for Visit<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl<T> Biased<T> {
    pub fn new(value: T) -> Self {
        Self {
            lock: Mutex::new(()),
            favourite: AtomicU64::new(NOBODY),
            is_inside: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// For what a panic leaves whole, as [`Mutex::lock`]. Not in a look.
    pub fn lock(&self) -> Inside<'_, T> {
        self.enter(self.lock.lock())
    }

    fn enter<'a>(&'a self, guard: MutexGuard<'a, ()>) -> Inside<'a, T> {
        let favourite = self.favourite.load(Ordering::Relaxed);
        if favourite != NOBODY && favourite != own(Own::mark) {
            self.favourite.swap(NOBODY, Ordering::AcqRel);
            glance::await_all();
        }
        let was_inside = self.is_inside.load(Ordering::Relaxed);
        // Who was interrupted by a signal here, and has come back from its handler.
        assert!(!was_inside, "entered by a thread that is inside");
        self.is_inside.store(true, Ordering::Relaxed);
        Inside { biased: self, _guard: guard }
    }

    /// Does something with the state if it can be had at once. In a look.
    #[inline(always)]
    pub fn in_passing<R>(&self, own: &Own, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        // Read after the look has begun: who takes the mark away waits for its end.
        if own.is_looking() && self.favourite.load(Ordering::Relaxed) == own.mark() {
            let _visit = Visit::begin(&self.is_inside)?;
            // SAFETY: the favourite, in a look; not inside before, by the line above.
            return Some(body(unsafe { &mut *self.value.get() }));
        }
        self.try_lock().map(|mut inside| body(&mut inside))
    }

    #[inline(never)]
    fn try_lock(&self) -> Option<Inside<'_, T>> {
        let guard = self.lock.try_lock_sound()?;
        // To end somebody's being the favourite takes long, and waiting for it in a look has no end.
        let is_free = self.favourite.load(Ordering::Relaxed) == NOBODY;
        is_free.then(|| self.enter(guard))
    }
}

impl<T> Inside<'_, T> {
    /// This thread, with that mark, is the favourite from now on; nobody is without a mark.
    pub fn favour(&mut self, mark: Option<u64>) {
        let mark = mark.filter(|_| glance::is_usable() && !annotate::is_watched());
        let mark = mark.unwrap_or(NOBODY);
        if self.biased.favourite.load(Ordering::Relaxed) != mark {
            self.biased.favourite.swap(mark, Ordering::AcqRel);
        }
    }
}

impl<T> Deref for Inside<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the holder of the lock, and nobody else is the favourite.
        unsafe { &*self.biased.value.get() }
    }
}

impl<T> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in deref.
        unsafe { &mut *self.biased.value.get() }
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        self.biased.is_inside.store(false, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sys::glance::Glance;
    use crate::sys::sync::locks_taken;

    fn visit(place: &Glance<Biased<u64>>) -> Option<u64> {
        let step = |own: &Own, biased: &Biased<u64>| {
            biased.in_passing(own, |value| {
                *value += 1;
                *value
            })
        };
        own(|own| place.look_of(own, |biased| step(own, biased)))?
    }

    #[test]
    fn the_favourite_takes_no_lock_until_another_thread_has_come() {
        let biased = Arc::new(Biased::new(0));
        let place = Glance::empty();
        place.set(Some(biased.clone()));
        assert_eq!(visit(&place), Some(1), "anybody may, with the lock");
        biased.lock().favour(Some(own(Own::mark)));
        let before = locks_taken();
        assert_eq!(visit(&place), Some(2));
        assert_eq!(locks_taken(), before);
        let other = std::thread::scope(|scope| scope.spawn(|| visit(&place)).join());
        assert_eq!(other.expect("no panic"), None, "it would have to wait");
        std::thread::scope(|scope| {
            scope.spawn(|| *biased.lock() += 1);
        });
        assert_eq!(visit(&place), Some(4));
        assert_eq!(locks_taken(), before + 1, "nobody is the favourite any more");
        let nested = own(|own| place.look_of(own, |biased| biased.in_passing(own, |_| ())));
        assert_eq!(nested, Some(Some(())));
        biased.lock().favour(Some(own(Own::mark)));
        let inside = biased.lock();
        assert_eq!(visit(&place), None, "this thread is inside");
        drop(inside);
        assert_eq!(visit(&place), Some(5));
    }

    #[test]
    fn one_thread_at_a_time_is_inside() {
        const ROUNDS: u64 = 3000;
        let biased = Arc::new(Biased::new(0));
        let place = Glance::empty();
        place.set(Some(biased.clone()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut visits = 0;
                while visits < 200 * ROUNDS {
                    match visit(&place) {
                        Some(_) => visits += 1,
                        None => biased.lock().favour(Some(own(Own::mark))),
                    }
                }
            });
            for _ in 0..ROUNDS {
                let mut value = biased.lock();
                // Two steps, between which nobody else may take one.
                let before = *value;
                std::hint::spin_loop();
                *value = before + 1;
            }
        });
        assert_eq!(*biased.lock(), 201 * ROUNDS);
    }
}
