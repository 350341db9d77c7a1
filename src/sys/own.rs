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
    /// The ring that may interrupt it: see [`Own::may_be_interrupted`].
    ring: Cell<RingName>,
}

/// Of all rings that several threads use.
pub type RingName = u64;
const NO_RING: RingName = 0;
/// Several may, or one that is gone.
const ANY_RING: RingName = RingName::MAX;

// Nothing is to be dropped here: so the loader's call is all there is, and never refused.
thread_local! {
    static OWN: Own = const {
        Own {
            mark: Cell::new(0),
            depth: Cell::new(0),
            word: Cell::new(None),
            ring: Cell::new(NO_RING),
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
    /// with `EINTR` without a signal: see [`Interrupts`]. `idle`: a ring that is used no more meanwhile by
    /// this thread, and has ended all that it was given.
    pub(super) fn may_be_interrupted(&self, idle: Option<RingName>) -> bool {
        let ring = self.ring.get();
        ring != NO_RING && Some(ring) != idle
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
    /// `None`: only one thread uses the ring, and drops it.
    name: Option<RingName>,
}

impl Interrupts {
    /// A thread that has made the ring may be asleep when another one drops it.
    pub fn new(is_single: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = (!is_single).then(|| NEXT.fetch_add(1, Ordering::Relaxed));
        let interrupts = Self { name };
        interrupts.note_use();
        interrupts
    }

    pub fn name(&self) -> Option<RingName> {
        self.name
    }

    /// This thread uses the ring.
    pub fn note_use(&self) {
        if let Some(name) = self.name {
            own(|own| {
                let is_first = matches!(own.ring.get(), NO_RING) || own.ring.get() == name;
                own.ring.set(if is_first { name } else { ANY_RING });
            });
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        own(|own| own.ring.set(ANY_RING));
    }
}

/// Runs `body`, whose rings a helper makes and drops that has this thread's storage, but is interrupted
/// in its place.
pub fn spare<R>(body: impl FnOnce() -> R) -> R {
    own(|own| {
        let ring = own.ring.get();
        let answer = body();
        own.ring.set(ring);
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
