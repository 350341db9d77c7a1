//! Where areas lie: for those who are given an address and want to know whether it is in one.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys::per_process::PerProcess;
use crate::sys::sync::Mutex;

/// Those of one process: a child has none of its parent's areas.
#[derive(Default)]
struct Places {
    /// How many there are, to be looked at without the lock: most programs have none.
    count: AtomicUsize,
    list: Mutex<Vec<(usize, usize)>>,
}

static PLACES: PerProcess<Places> = PerProcess::empty();

fn places() -> &'static Places {
    PLACES.get_or_make(Places::default)
}

/// An area of so many bytes.
pub(super) fn add(start: usize, bytes: usize) {
    let Places { count, list, .. } = places();
    let mut list = list.lock();
    list.push((start, bytes));
    count.swap(list.len(), Ordering::Relaxed);
}

pub(super) fn remove(start: usize) {
    let Places { count, list, .. } = places();
    let mut list = list.lock();
    list.retain(|(base, _)| *base != start);
    count.swap(list.len(), Ordering::Relaxed);
}

/// Whether all of these bytes lie in one area.
pub fn hold(address: usize, bytes: usize) -> bool {
    let is_within = |&(base, size): &(usize, usize)| {
        address >= base && address - base <= size && bytes <= size - (address - base)
    };
    let Places { count, list, .. } = places();
    count.load(Ordering::Relaxed) > 0 && list.lock().iter().any(is_within)
}
