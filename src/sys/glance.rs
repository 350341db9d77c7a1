//! A place for something shared that is looked at so often that counting the looks would be dear.
//!
//! Who looks writes the address of what it looks at into a word of its thread's, and goes on if it
//! is still in its place. Who takes it away waits until no word has that address. Of the two one
//! has to see the other; the barrier between writing the word and looking again costs who looks
//! nothing, because who takes it away has the kernel put it into all threads of the process.
//!
//! Read first: Maged Michael, "Hazard Pointers" (2004), and membarrier(2). Where the kernel does not
//! have that, places stay empty, and so they do in the model, whose threads are none of the kernel's.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering, compiler_fence};
use std::time::Duration;

use super::cell::Leaked;
use super::own::{Own, own};
use super::wait::Uncancellable;
use super::{annotate, check};
use crate::error::{Errno, Result};

/// Holds something, or nothing.
pub struct Glance<T>(AtomicPtr<T>);

// SAFETY: what it holds comes from an Arc<T>, which goes from thread to thread if T may be used by
// several.
unsafe impl<T: Send + Sync> Sync for Glance<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Glance<T> {}

/// What a thread looks at. Never freed: it goes to another thread when this one has ended.
pub(super) struct Word {
    looks_at: AtomicPtr<()>,
    is_taken: AtomicBool,
    next: AtomicPtr<Word>,
}

static WORDS: AtomicPtr<Word> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Gives it back when the thread ends.
    static RETURN: Return = const { Return };
}

struct Return;

impl Drop for Return {
    fn drop(&mut self) {
        if let Some(word) = own(|own| own.word.take()) {
            word.is_taken.store(false, Ordering::Release);
        }
    }
}

fn words() -> impl Iterator<Item = &'static Word> {
    let follow = |place: &AtomicPtr<Word>| {
        // SAFETY: null or a word that was leaked.
        unsafe { place.load(Ordering::Acquire).as_ref() }
    };
    std::iter::successors(follow(&WORDS), move |word| follow(&word.next))
}

/// `None`: the thread is about to end.
#[cold]
fn claim_word(own: &Own) -> Option<&'static Word> {
    RETURN.try_with(|_| ()).ok()?;
    let free = words().find(|word| !word.is_taken.swap(true, Ordering::AcqRel));
    let word = free.unwrap_or_else(|| {
        let word: &'static Word = Box::leak(Box::new(Word {
            looks_at: AtomicPtr::new(ptr::null_mut()),
            is_taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        annotate::disregard(word);
        let place = ptr::from_ref(word).cast_mut();
        let mut first = WORDS.load(Ordering::Acquire);
        loop {
            word.next.store(first, Ordering::Relaxed);
            match WORDS.compare_exchange(first, place, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break word,
                Err(other) => first = other,
            }
        }
    });
    own.word.set(Some(word));
    Some(word)
}

/// In a child after fork: nobody is there who could be looking.
pub fn forget_others() {
    let own = own(|own| own.word.get());
    for word in words() {
        word.looks_at.store(ptr::null_mut(), Ordering::Relaxed);
        let is_own = own.is_some_and(|own| ptr::eq(own, word));
        word.is_taken.store(is_own, Ordering::Relaxed);
    }
}

/// For as long as it lives, the thread looks.
struct Look(&'static Word);

impl Drop for Look {
    #[inline]
    fn drop(&mut self) {
        annotate::released(ptr::from_ref(self.0).cast::<()>() as usize);
        self.0.looks_at.store(ptr::null_mut(), Ordering::Release);
    }
}

/// What is in a place, as long as this thread looks at it. Whoever has one must change no such place,
/// does not sleep, and makes no call that is a cancellation point.
pub struct Glimpse<'a, T> {
    /// A pointer, so that it is no other thread's.
    found: *const T,
    _look: Look,
    _place: PhantomData<&'a Glance<T>>,
}

impl<T> Deref for Glimpse<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: from Arc::into_raw in set(), where whoever takes it out of its place waits until
        // our word says something else, as it does when `_look` is dropped.
        unsafe { &*self.found }
    }
}

impl<T: Send + Sync> Glance<T> {
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    fn place(&self) -> usize {
        ptr::from_ref(self).cast::<()>() as usize
    }

    /// Looks at what is there. `None`: nothing is, or it cannot be looked at now.
    #[inline(always)]
    pub fn look(&self, own: &Own) -> Option<Glimpse<'_, T>> {
        let found = self.0.load(Ordering::Relaxed);
        if found.is_null() {
            return None;
        }
        let word = match own.word.get() {
            Some(word) => word,
            None => claim_word(own)?,
        };
        if !word.looks_at.load(Ordering::Relaxed).is_null() {
            // One look within another.
            return None;
        }
        // What was done before is done, for who waits for that: see await_all().
        word.looks_at.store(found.cast(), Ordering::Release);
        // The processor may still turn the two around: see synchronize().
        compiler_fence(Ordering::SeqCst);
        let look = Look(word);
        if self.0.load(Ordering::Acquire) != found {
            return None;
        }
        annotate::acquired(self.place());
        Some(Glimpse { found, _look: look, _place: PhantomData })
    }

    /// Whether something is there.
    pub fn is_set(&self) -> bool {
        !self.0.load(Ordering::Relaxed).is_null()
    }

    /// Puts something there, or nothing. What was there is let go when nobody looks at it any more.
    pub fn set(&self, value: Option<Arc<T>>) {
        drop(self.replace(value));
    }

    /// Takes away what is there, and puts something in its place, or nothing.
    pub fn replace(&self, value: Option<Arc<T>>) -> Taken<T> {
        let new = value.filter(|_| is_usable()).map_or(ptr::null(), Arc::into_raw);
        annotate::released(self.place());
        Taken(self.0.swap(new.cast_mut(), Ordering::AcqRel))
    }
}

/// What was taken away, or nothing. It is let go when this is dropped, which waits until nobody looks
/// at it: not with anything locked that somebody who looks may want.
#[must_use]
pub struct Taken<T>(*mut T);

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        if !self.0.is_null() && await_others(self.0.cast()).is_ok() {
            // SAFETY: from Arc::into_raw, out of its place by one thread only, and unseen by now.
            drop(unsafe { Arc::from_raw(self.0) });
        }
    }
}

impl<T> Drop for Glance<T> {
    fn drop(&mut self) {
        let old = *self.0.get_mut();
        if !old.is_null() {
            // SAFETY: as in set(); a look would borrow the place.
            drop(unsafe { Arc::from_raw(old) });
        }
    }
}

/// Waits until nobody looks at what is not in its place any more. An error: that cannot be known,
/// so that it must stay for ever.
fn await_others(what: *mut ()) -> Result<()> {
    synchronize()?;
    for word in words() {
        if is_own(word) {
            // Waiting for oneself has no end.
            if word.looks_at.load(Ordering::Relaxed) == what {
                return Err(Errno::EDEADLK);
            }
            continue;
        }
        wait_while(|| word.looks_at.load(Ordering::Acquire) == what);
        annotate::acquired(ptr::from_ref(word).cast::<()>() as usize);
    }
    Ok(())
}

fn is_own(word: &Word) -> bool {
    own(|own| own.word.get()).is_some_and(|own| ptr::eq(own, word))
}

/// Waits until no other thread is in a look that it has begun without seeing what this one has
/// written before.
pub(super) fn await_all() {
    if synchronize().is_err() {
        // The kernel has been forbidden to help. No processor keeps a write to itself for so long.
        rest(BARRIER_REPLACEMENT);
    }
    for word in words().filter(|word| !is_own(word)) {
        let seen = word.looks_at.load(Ordering::Acquire);
        wait_while(|| !seen.is_null() && word.looks_at.load(Ordering::Acquire) == seen);
    }
}

/// Looks end soon, but not while the thread is kept off its processor by this one: where this one has
/// a priority of real time, yielding to the other is none.
fn wait_while(is_looking: impl Fn() -> bool) {
    let mut yields = 0;
    while is_looking() {
        if yields < YIELDS_MAX {
            yields += 1;
            std::thread::yield_now();
        } else {
            rest(REST);
        }
    }
}

/// No cancellation point: calls that give a block back come here.
fn rest(time: Duration) {
    let _uncancellable = Uncancellable::begin();
    std::thread::sleep(time);
}

const YIELDS_MAX: u32 = 16;
const REST: Duration = Duration::from_micros(50);
const BARRIER_REPLACEMENT: Duration = Duration::from_millis(10);
const MEMBARRIER_PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const MEMBARRIER_REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }).map(drop)
}

/// A barrier in every thread of the process: what it has written before is seen here, and what this
/// thread has written before is seen there.
fn synchronize() -> Result<()> {
    match membarrier(MEMBARRIER_PRIVATE_EXPEDITED) {
        // Not this process, but a parent of it, has said that it would.
        Err(Errno::EPERM) => {
            membarrier(MEMBARRIER_REGISTER_PRIVATE_EXPEDITED)?;
            membarrier(MEMBARRIER_PRIVATE_EXPEDITED)
        }
        answer => answer,
    }
}

/// Whether places hold what is put there.
pub(super) fn is_usable() -> bool {
    static USABLE: Leaked<bool> = Leaked::empty();
    let try_it = || {
        let registered = membarrier(MEMBARRIER_REGISTER_PRIVATE_EXPEDITED);
        registered.and_then(|()| synchronize()).is_ok()
    };
    cfg!(not(feature = "model")) && *USABLE.get_or_find(try_it)
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    fn look<T: Send + Sync, R>(place: &Glance<T>, body: impl FnOnce(&T) -> R) -> Option<R> {
        own(|own| place.look(own).map(|found| body(&found)))
    }

    struct Checked(Arc<AtomicBool>);

    impl Drop for Checked {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_is_there_is_seen_until_it_is_taken_away() {
        let place = Glance::empty();
        assert_eq!(look(&place, |value: &u32| *value), None);
        let value = Arc::new(7);
        place.set(Some(value.clone()));
        assert_eq!(look(&place, |value| *value), Some(7));
        assert_eq!(look(&place, |_| look(&place, |value| *value)), Some(None), "within another");
        place.set(None);
        assert_eq!(look(&place, |value| *value), None);
        assert_eq!(Arc::strong_count(&value), 1, "it was let go");
    }

    #[test]
    fn nothing_goes_while_somebody_looks() {
        const ROUNDS: usize = 2000;
        let place = Glance::empty();
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut seen = 0u64;
                    while !ends.load(Ordering::Relaxed) {
                        let is_gone =
                            |value: &Checked| (0..50).any(|_| value.0.load(Ordering::SeqCst));
                        match look(&place, is_gone) {
                            Some(is_gone) => {
                                assert!(!is_gone, "it was dropped while it was looked at");
                                seen += 1;
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                    seen
                });
            }
            for _ in 0..ROUNDS {
                place.set(Some(Arc::new(Checked(Arc::default()))));
            }
            ends.store(true, Ordering::Relaxed);
        });
        place.set(None);
    }

    #[test]
    fn waiting_for_the_end_of_a_look_is_no_cancellation_point() {
        let wait = || {
            // SAFETY: this thread, which is not cancelled before it has been asked to be.
            unsafe { libc::pthread_cancel(libc::pthread_self()) };
            let looks = std::cell::Cell::new(0);
            wait_while(|| looks.replace(looks.get() + 1) < 2 * YIELDS_MAX);
            // What ends the thread has cancellation points.
            std::mem::forget(Uncancellable::begin());
            looks.get()
        };
        let looks = std::thread::spawn(wait).join().expect("no panic");
        assert_eq!(looks, 2 * YIELDS_MAX + 1);
    }

    #[test]
    fn a_word_serves_one_thread_after_the_other() {
        let place = Arc::new(Glance::empty());
        place.set(Some(Arc::new(1)));
        let count = || words().count();
        let look_elsewhere = || {
            let place = place.clone();
            std::thread::spawn(move || look(&place, |value: &i32| *value)).join().expect("no panic")
        };
        assert_eq!(look_elsewhere(), Some(1));
        let before = count();
        for _ in 0..20 {
            assert_eq!(look_elsewhere(), Some(1));
        }
        // Other tests run beside this one.
        assert!(count() < before + 20);
    }
}
