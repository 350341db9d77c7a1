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
}

// Nothing is to be dropped here: so the loader's call is all there is, and never refused.
thread_local! {
    static OWN: Own =
        const { Own { mark: Cell::new(0), depth: Cell::new(0), word: Cell::new(None) } };
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

    #[cold]
    fn new_mark(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.mark.set(NEXT.fetch_add(1, Ordering::Relaxed));
        self.mark.get()
    }
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
