//! Where areas lie: for those who are given an address and want to know whether it is in one.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys::cell::Leaked;
use crate::sys::fork;
use crate::sys::sync::Mutex;

/// Those of one process: a child has none of its parent's areas, and does not wait for a lock that
/// somebody held when it was made.
struct Places {
    epoch: u32,
    /// Whoever looks for leaks in the child finds that somebody refers to them.
    _parent: Option<&'static Places>,
    /// How many there are, to be looked at without the lock: most programs have none.
    count: AtomicUsize,
    list: Mutex<Vec<(usize, usize)>>,
}

static PLACES: Leaked<Places> = Leaked::empty();

fn places() -> &'static Places {
    let present = PLACES.get();
    if let Some(places) = present
        && places.epoch == fork::epoch()
    {
        return places;
    }
    let fresh = Places {
        epoch: fork::epoch(),
        _parent: present,
        count: AtomicUsize::new(0),
        list: Mutex::new(Vec::new()),
    };
    PLACES.replace(present, Box::new(fresh))
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
