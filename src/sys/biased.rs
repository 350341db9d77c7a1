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
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::glance::Glimpse;
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

/// The same of the favourite, for as long as it looks at something.
pub struct Visit<'a, T> {
    biased: &'a Biased<T>,
    /// No other thread's, as a look is.
    _look: PhantomData<*const T>,
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

    /// For the favourite, while `_look` goes on. `None`: that is another thread, or this one is inside.
    #[inline(always)]
    pub fn visit<'a, L>(&'a self, own: &Own, _look: &'a Glimpse<'_, L>) -> Option<Visit<'a, T>> {
        // Read after the look has begun: who takes the mark away waits for its end.
        let is_favourite = self.favourite.load(Ordering::Relaxed) == own.mark();
        if !is_favourite || self.is_inside.load(Ordering::Relaxed) {
            return None;
        }
        self.is_inside.store(true, Ordering::Relaxed);
        Some(Visit { biased: self, _look: PhantomData })
    }

    /// As [`Biased::lock`], if it can be had at once. In a look, too.
    pub fn try_lock(&self) -> Option<Inside<'_, T>> {
        let guard = self.lock.try_lock_sound()?;
        // To end somebody's being the favourite takes long, and waiting for it in a look has no end.
        let is_free = self.favourite.load(Ordering::Relaxed) == NOBODY;
        is_free.then(|| self.enter(guard))
    }
}

impl<T> Deref for Visit<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the favourite, in a look that has not ended, and was not inside before.
        unsafe { &*self.biased.value.get() }
    }
}

impl<T> DerefMut for Visit<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in deref.
        unsafe { &mut *self.biased.value.get() }
    }
}

impl<T> Drop for Visit<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.biased.is_inside.store(false, Ordering::Relaxed);
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
        own(|own| {
            let biased = place.look(own)?;
            if let Some(mut value) = biased.visit(own, &biased) {
                *value += 1;
                return Some(*value);
            }
            let mut value = biased.try_lock()?;
            *value += 1;
            Some(*value)
        })
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
        biased.lock().favour(Some(own(Own::mark)));
        let nested = own(|own| {
            let biased = place.look(own)?;
            let _outer = biased.visit(own, &biased)?;
            Some(biased.visit(own, &biased).is_some() || biased.try_lock().is_some())
        });
        assert_eq!(nested, Some(false), "this thread visits it");
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
