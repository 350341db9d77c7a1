//! Cells for shared state: a pointer that is read without a lock, and state that is guarded
//! either by a mutex or by the rule that one thread only may touch it.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use arc_swap::ArcSwapOption;

use super::annotate;
use super::own::{Own, own};
use super::sync::{Mutex, MutexGuard};
use crate::error::{Errno, Result};

/// A value that is set a few times in the life of a process and never freed.
pub struct Leaked<T: 'static>(AtomicPtr<T>);

impl<T: Send + Sync> Leaked<T> {
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: the pointer is null or came from Box::leak, which is never undone.
        let value = unsafe { self.0.load(Ordering::Acquire).as_ref() };
        annotate::acquired(self.place());
        value
    }

    fn place(&self) -> usize {
        ptr::from_ref(self).cast::<()>() as usize
    }

    /// The value, found now if it never was: by several threads where they come at once, of whom
    /// one is believed. None waits for another, who could be missing in a child after fork.
    #[inline]
    pub fn get_or_find(&'static self, find: impl FnOnce() -> T) -> &'static T {
        self.get().unwrap_or_else(|| self.replace(None, Box::new(find())))
    }

    /// Puts `new` in the place of `old`; if somebody else was faster, theirs stands.
    pub fn replace(&'static self, old: Option<&'static T>, new: Box<T>) -> &'static T {
        let expected = old.map_or(ptr::null_mut(), |old| ptr::from_ref(old).cast_mut());
        let new = Box::into_raw(new);
        annotate::released(self.place());
        match self.0.compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                #[cfg(feature = "model")]
                super::model::forget_at_the_next_run(&self.0);
                // SAFETY: from a box a moment ago, and never freed from now on.
                unsafe { &*new }
            }
            Err(theirs) => {
                annotate::acquired(self.place());
                // SAFETY: nobody has seen ours; theirs is one that replace() stored earlier.
                unsafe {
                    drop(Box::from_raw(new));
                    &*theirs
                }
            }
        }
    }
}

/// A place for something shared that changes while it is read without a lock.
pub struct Current<T>(ArcSwapOption<T>);

/// Where valgrind watches, one thread at a time uses such places: how they work inside is not
/// ours to explain.
fn one_at_a_time() -> Option<MutexGuard<'static, ()>> {
    static EXPLAINED: Mutex<()> = Mutex::new(());
    annotate::is_under_valgrind().then(|| EXPLAINED.lock())
}

impl<T> Current<T> {
    pub fn empty() -> Self {
        Self(ArcSwapOption::empty())
    }

    pub fn get(&self) -> Option<Arc<T>> {
        if annotate::is_watched() { self.get_watched() } else { self.0.load_full() }
    }

    /// Lends what is there for a moment, without counting one more who has it.
    pub fn with<R>(&self, look: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        if annotate::is_watched() {
            return look(self.get_watched().as_ref());
        }
        look(self.0.load().as_ref())
    }

    #[cold]
    fn get_watched(&self) -> Option<Arc<T>> {
        let _guard = one_at_a_time();
        let value = self.0.load_full();
        annotate::acquired(self.place());
        value
    }

    /// Returns what was there.
    pub fn set(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        let _guard = one_at_a_time();
        annotate::released(self.place());
        let old = self.0.swap(value);
        annotate::acquired(self.place());
        old
    }

    /// Empties it, unless something else is there by now.
    pub fn clear_if(&self, value: &Arc<T>) {
        let _guard = one_at_a_time();
        annotate::released(self.place());
        self.0.compare_and_swap(value, None);
    }

    fn place(&self) -> usize {
        ptr::from_ref(self).cast::<()>() as usize
    }
}

/// Whoever lets go of it comes after who has put in what goes with it.
impl<T> Drop for Current<T> {
    fn drop(&mut self) {
        annotate::acquired(self.place());
    }
}

/// A number that no other thread of the process has or will have.
pub fn thread_mark() -> u64 {
    own(Own::mark)
}

/// State that any thread may enter, one at a time, or that one thread owns (`EC_SINGLE`).
pub enum Guarded<T> {
    Shared(Mutex<T>),
    Single(Owned<T>),
}

/// State of the thread that made it: entering takes no lock.
pub struct Owned<T> {
    owner: u64,
    entered: Cell<bool>,
    poisoned: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: everything inside is touched only after `owner` was found to be the calling thread.
unsafe impl<T: Send> Sync for Owned<T> {}

/// The right to touch the state until it is dropped.
pub enum Entered<'a, T> {
    Shared(MutexGuard<'a, T>),
    Single(&'a Owned<T>),
}

impl<T> Guarded<T> {
    pub fn shared(value: T) -> Self {
        Self::Shared(Mutex::new(value))
    }

    pub fn single(value: T) -> Self {
        Self::Single(Owned {
            owner: thread_mark(),
            entered: Cell::new(false),
            poisoned: Cell::new(false),
            value: UnsafeCell::new(value),
        })
    }

    /// The same, if it can be had at once.
    #[inline]
    pub fn try_enter(&self) -> Option<Entered<'_, T>> {
        match self {
            Self::Shared(mutex) => mutex.try_lock_sound().map(Entered::Shared),
            Self::Single(_) => self.enter().ok(),
        }
    }

    /// The same by a thread that knows what is its own.
    #[inline(always)]
    pub fn try_enter_of(&self, own: &Own) -> Option<Entered<'_, T>> {
        match self {
            Self::Shared(mutex) => mutex.try_lock_sound().map(Entered::Shared),
            Self::Single(owned) => owned.enter(own.mark()).ok(),
        }
    }

    /// `EPERM` from a thread that is not the owner, `ENOTRECOVERABLE` after a panic inside.
    pub fn enter(&self) -> Result<Entered<'_, T>> {
        match self {
            Self::Shared(mutex) => {
                mutex.lock_sound().map(Entered::Shared).ok_or(Errno::ENOTRECOVERABLE)
            }
            Self::Single(owned) => owned.enter(thread_mark()),
        }
    }
}

impl<T> Owned<T> {
    #[inline(always)]
    fn enter(&self, mark: u64) -> Result<Entered<'_, T>> {
        if self.owner != mark {
            return Err(Errno::EPERM);
        }
        if self.poisoned.get() || self.entered.replace(true) {
            return Err(Errno::ENOTRECOVERABLE);
        }
        Ok(Entered::Single(self))
    }
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(guard) => guard,
            // SAFETY: `entered` was false before, so this is the only guard, in the owner's thread.
            Self::Single(owned) => unsafe { &*owned.value.get() },
        }
    }
}

impl<T> DerefMut for Entered<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match self {
            Self::Shared(guard) => guard,
            // SAFETY: as in deref.
            Self::Single(owned) => unsafe { &mut *owned.value.get() },
        }
    }
}

impl<T> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        if let Self::Single(owned) = self {
            if std::thread::panicking() {
                owned.poisoned.set(true);
            }
            owned.entered.set(false);
        }
    }
}
