//! A ring between one thread that puts and one that takes, which share nothing while there is
//! room and while there is something to take: each keeps what it knows of the other in a cache
//! line of its own, and looks at the other's line only when that is used up.
//!
//! Read first: Van Jacobson and Bob Felderman, "Speeding up Networking" (linux.conf.au 2006), whose
//! net channels these are. Invariants: `taken <= put <= taken + capacity`; a slot belongs to the
//! putter from `put` on, and to the taker below it.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

use super::annotate;
use super::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Two lines, because processors fetch them in pairs.
#[repr(align(128))]
struct Line<T>(T);

struct Shared<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// Numbers of values that were ever put and taken, which go round.
    put: Line<AtomicU32>,
    taken: Line<AtomicU32>,
    /// The taker wants to be told of the next value.
    is_awaited: Line<AtomicBool>,
}

// SAFETY: a slot is only touched by the end that it belongs to, see above, and there is one of each;
// values go from thread to thread, hence Send.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Shared<T> {
    #[inline(always)]
    fn slot(&self, number: u32) -> *mut MaybeUninit<T> {
        self.slots[number as usize & (self.slots.len() - 1)].get()
    }

    fn place(&self) -> usize {
        std::ptr::from_ref(&self.put).cast::<()>() as usize
    }
}

/// The end that puts.
pub struct Putter<T> {
    shared: Arc<Shared<T>>,
    /// Values that were put, published or not.
    put: u32,
    published: u32,
    /// As many were taken when that was looked at last.
    taken_seen: u32,
}

/// The end that takes.
pub struct Taker<T> {
    shared: Arc<Shared<T>>,
    taken: u32,
    published: u32,
    put_seen: u32,
}

/// A ring with room for `capacity` values, a power of two. The taker awaits the first one.
pub fn relay<T: Copy + Send>(capacity: u32) -> (Putter<T>, Taker<T>) {
    assert!(capacity.is_power_of_two());
    let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let shared = Arc::new(Shared {
        slots,
        put: Line(AtomicU32::new(0)),
        taken: Line(AtomicU32::new(0)),
        is_awaited: Line(AtomicBool::new(true)),
    });
    annotate::disregard(&shared.put);
    annotate::disregard(&shared.taken);
    let putter = Putter { shared: shared.clone(), put: 0, published: 0, taken_seen: 0 };
    (putter, Taker { shared, taken: 0, published: 0, put_seen: 0 })
}

impl<T: Copy + Send> Putter<T> {
    #[inline(always)]
    fn has_room(&mut self) -> bool {
        let capacity = self.shared.slots.len() as u32;
        if self.put.wrapping_sub(self.taken_seen) < capacity {
            return true;
        }
        self.taken_seen = self.shared.taken.0.load(Ordering::Acquire);
        self.put.wrapping_sub(self.taken_seen) < capacity
    }

    /// Whether so many values wait that the taker has enough to do.
    pub fn is_crowded(&mut self) -> bool {
        let enough = self.shared.slots.len() as u32 / 16;
        if self.put.wrapping_sub(self.taken_seen) < enough {
            return false;
        }
        self.taken_seen = self.shared.taken.0.load(Ordering::Acquire);
        self.put.wrapping_sub(self.taken_seen) >= enough
    }

    /// Puts a value, which the taker sees after [`Putter::publish`]. `false`: there is no room.
    #[inline(always)]
    pub fn put(&mut self, value: T) -> bool {
        if !self.has_room() {
            return false;
        }
        // SAFETY: taken long ago or never used, and not published again yet: it is ours.
        unsafe { (*self.shared.slot(self.put)).write(value) };
        self.put = self.put.wrapping_add(1);
        true
    }

    /// Whether something was put and not published.
    pub fn is_unpublished(&self) -> bool {
        self.put != self.published
    }

    /// Shows what was put to the taker. `true`: it waits, and has to be told.
    pub fn publish(&mut self) -> bool {
        self.published = self.put;
        annotate::released(self.shared.place());
        // Before the flag is looked at: see Taker::wait_for_more.
        self.shared.put.0.swap(self.put, Ordering::SeqCst);
        let is_awaited = &self.shared.is_awaited.0;
        is_awaited.load(Ordering::SeqCst) && is_awaited.swap(false, Ordering::SeqCst)
    }
}

impl<T: Copy + Send> Taker<T> {
    fn look(&mut self) -> bool {
        if self.taken == self.put_seen {
            self.put_seen = self.shared.put.0.load(Ordering::SeqCst);
            annotate::acquired(self.shared.place());
        }
        self.taken != self.put_seen
    }

    fn first(&self) -> T {
        // SAFETY: published, and not taken, as the caller has seen: it is ours, and was written.
        unsafe { (*self.shared.slot(self.taken)).assume_init() }
    }

    /// The next value, which stays where it is.
    pub fn peek(&self) -> Option<T> {
        if self.taken == self.put_seen {
            let put = self.shared.put.0.load(Ordering::SeqCst);
            annotate::acquired(self.shared.place());
            if put == self.taken {
                return None;
            }
        }
        Some(self.first())
    }

    /// Takes the next value.
    pub fn take(&mut self) -> Option<T> {
        if !self.look() {
            self.give_back();
            return None;
        }
        let value = self.first();
        self.took_one();
        Some(value)
    }

    /// Takes the next value, if it is a wanted one and another one waits behind it.
    #[inline(always)]
    pub fn take_unless_last(&mut self, is_wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        if self.put_seen.wrapping_sub(self.taken) < 2 && self.len() < 2 {
            return None;
        }
        let value = self.first();
        if !is_wanted(&value) {
            return None;
        }
        self.took_one();
        Some(value)
    }

    fn took_one(&mut self) {
        self.taken = self.taken.wrapping_add(1);
        // The putter hears of room now and then: it does not need it at once.
        if self.taken.wrapping_sub(self.published) * 4 >= self.shared.slots.len() as u32 {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if self.published != self.taken {
            self.published = self.taken;
            self.shared.taken.0.swap(self.taken, Ordering::AcqRel);
        }
    }

    /// How many values wait.
    pub fn len(&mut self) -> usize {
        self.put_seen = self.shared.put.0.load(Ordering::SeqCst);
        annotate::acquired(self.shared.place());
        self.put_seen.wrapping_sub(self.taken) as usize
    }

    pub fn is_empty(&mut self) -> bool {
        !self.look()
    }

    /// There was nothing: asks to be told of the next value. `false`: there is one by now, and
    /// nobody may tell.
    pub fn wait_for_more(&mut self) -> bool {
        self.shared.is_awaited.0.swap(true, Ordering::SeqCst);
        // Either the putter sees the flag, or we see what it has put.
        if self.is_empty() {
            return true;
        }
        self.shared.is_awaited.0.swap(false, Ordering::SeqCst);
        false
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    #[test]
    fn the_ends_agree_on_what_fits() {
        let (mut putter, mut taker) = relay(4);
        for round in 0..10u32 {
            for value in 0..4 {
                assert!(putter.put(round * 4 + value));
            }
            assert!(!putter.put(99));
            assert_eq!(taker.take(), None, "not published");
            putter.publish();
            assert_eq!((taker.len(), taker.peek()), (4, Some(round * 4)));
            assert_eq!(taker.take_unless_last(|_| false), None);
            assert_eq!(taker.take_unless_last(|_| true), Some(round * 4));
            for value in 1..4 {
                assert_eq!(taker.take(), Some(round * 4 + value));
            }
            assert_eq!(taker.take(), None);
            assert!(putter.put(0));
            putter.publish();
            assert_eq!(taker.take_unless_last(|_| true), None, "it is the last one");
            assert_eq!(taker.take(), Some(0));
        }
    }

    #[test]
    fn the_taker_is_told_once() {
        let (mut putter, mut taker) = relay(4);
        assert!(putter.put(1) && putter.publish());
        assert!(putter.put(2) && !putter.publish());
        assert!(!taker.wait_for_more(), "something is there");
        assert_eq!((taker.take(), taker.take(), taker.take()), (Some(1), Some(2), None));
        assert!(taker.wait_for_more());
        assert!(putter.put(3) && putter.publish());
    }

    #[test]
    fn threads_get_everything_in_order() {
        const COUNT: u32 = 200_000;
        let (mut putter, mut taker) = relay(64);
        let other = std::thread::spawn(move || {
            let mut next = 0;
            while next < COUNT {
                while next < COUNT && putter.put(u64::from(next) * 3) {
                    next += 1;
                }
                putter.publish();
                std::thread::yield_now();
            }
        });
        let mut expected = 0;
        while expected < COUNT {
            match taker.take() {
                Some(value) => {
                    assert_eq!(value, u64::from(expected) * 3);
                    expected += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        other.join().expect("the putter");
    }
}
