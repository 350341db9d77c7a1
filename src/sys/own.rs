//! What each thread has of the library's, together: finding it is a call of the loader's, and a call
//! that the program makes with each datagram has time for one.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::glance::Word;

pub struct Own {
    mark: Cell<u64>,
    /// How many calls of the library the thread is in, one within the other.
    pub depth: Cell<u32>,
    /// Where it says what it looks at: see glance.rs.
    pub(super) word: Cell<Option<&'static Word>>,
    /// See [`Own::may_be_interrupted`].
    is_interrupted: Cell<bool>,
}

// Nothing is to be dropped here: so the loader's call is all there is, and never refused.
thread_local! {
    static OWN: Own = const {
        Own {
            mark: Cell::new(0),
            depth: Cell::new(0),
            word: Cell::new(None),
            is_interrupted: Cell::new(false),
        }
    };
}

/// This thread's.
#[inline(always)]
pub fn own<R>(body: impl FnOnce(&Own) -> R) -> R {
    let own = OWN.with(std::ptr::from_ref);
    // Not in there: what is done would become a function of its own.
    // SAFETY: with nothing to be dropped it is there as long as the thread, which is in `body`.
    body(unsafe { &*own })
}

impl Own {
    /// A number that no other thread of the process has or will have.
    #[inline(always)]
    pub fn mark(&self) -> u64 {
        match self.mark.get() {
            0 => self.new_mark(),
            mark => mark,
        }
    }

    /// Whether system calls of this thread that are never restarted, such as epoll_wait(2), may end
    /// with `EINTR` without a signal: see [`Interrupts`].
    pub(super) fn may_be_interrupted(&self) -> bool {
        self.is_interrupted.get()
    }

    #[cold]
    fn new_mark(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.mark.set(NEXT.fetch_add(1, Ordering::Relaxed));
        self.mark.get()
    }
}

/// Goes with a ring of the kernel's. That interrupts a thread, as a signal does, when something ends
/// that it has given to a ring of several threads, and some time after a ring that it has used is gone.
pub(super) struct Interrupts {
    /// Only one thread uses the ring, and drops it.
    is_single: bool,
}

impl Interrupts {
    /// A thread that has made the ring may be asleep when another one drops it.
    pub fn new(is_single: bool) -> Self {
        let interrupts = Self { is_single };
        interrupts.note_use();
        interrupts
    }

    /// This thread uses the ring.
    pub fn note_use(&self) {
        if !self.is_single {
            own(|own| own.is_interrupted.set(true));
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        own(|own| own.is_interrupted.set(true));
    }
}

/// Runs `body`, whose rings a helper makes and drops that has this thread's storage, but is interrupted
/// in its place.
pub fn spare<R>(body: impl FnOnce() -> R) -> R {
    own(|own| {
        let is_interrupted = own.is_interrupted.get();
        let answer = body();
        own.is_interrupted.set(is_interrupted);
        answer
    })
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    #[test]
    fn marks_are_never_given_again() {
        let mut marks: Vec<u64> = (0..8)
            .map(|_| std::thread::spawn(|| own(Own::mark)).join().expect("no panic"))
            .collect();
        assert_eq!(own(Own::mark), own(Own::mark));
        marks.push(own(Own::mark));
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 9);
    }
}
