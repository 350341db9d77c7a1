//! Where areas lie: for those who are given an address and want to know whether it is in one.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys::sync::Mutex;

/// How many there are, to be looked at without the lock: most programs have none.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static PLACES: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// An area of so many bytes.
pub(super) fn add(start: usize, bytes: usize) {
    let mut places = PLACES.lock();
    places.push((start, bytes));
    COUNT.swap(places.len(), Ordering::Relaxed);
}

pub(super) fn remove(start: usize) {
    let mut places = PLACES.lock();
    places.retain(|(base, _)| *base != start);
    COUNT.swap(places.len(), Ordering::Relaxed);
}

/// Whether all of these bytes lie in one area.
pub fn hold(address: usize, bytes: usize) -> bool {
    let is_within = |&(base, size): &(usize, usize)| {
        address >= base && address - base <= size && bytes <= size - (address - base)
    };
    COUNT.load(Ordering::Relaxed) > 0 && PLACES.lock().iter().any(is_within)
}
