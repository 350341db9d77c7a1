//! Knowing that we are in a child: a counter that a `pthread_atfork` handler moves on.
//!
//! The handler closes descriptors and replaces memory that are not for children, forgets what other
//! threads were looking at, and does nothing else, because little else is safe there. Objects
//! remember the epoch in which they were made; in a child theirs is not the present one, and calls
//! say `EPERM`.

use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};

use super::descriptor::Descriptor;
use super::tally;

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Another number than in the process that forked this one.
#[inline]
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Makes sure that forks are noticed from now on. Threads that come at once may each register the
/// handler, which a child does not mind; one that waited for another would for ever, in a child.
pub fn watch() {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    if !IS_WATCHED.load(Ordering::Acquire) {
        // SAFETY: the handler touches atomics and makes system calls, which is safe after fork in
        // any program.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
        IS_WATCHED.swap(true, Ordering::AcqRel);
    }
}

extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    super::glance::forget_others();
    tally::forget();
    for place in &PRIVATE {
        let fd = place.swap(NOBODY, Ordering::Relaxed);
        if fd != NOBODY {
            // SAFETY: the child's copy of a descriptor that the library keeps for itself.
            unsafe { libc::syscall(libc::SYS_close, fd) };
        }
    }
    for (address, bytes) in &FORGOTTEN {
        let place = address.swap(0, Ordering::Relaxed) as *mut libc::c_void;
        if !place.is_null() {
            let (protection, how) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_FIXED);
            let how = how | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: the child's view of memory that the library has mapped and keeps for ever;
            // what is found there is atomics, which may be zero.
            unsafe { libc::mmap(place, bytes.load(Ordering::Relaxed), protection, how, -1, 0) };
        }
    }
}

/// Memory that is shared with others, and that a child finds zeroes in the place of: it neither
/// writes to the parent's nor fails where it still knows the address.
static FORGOTTEN: [(AtomicUsize, AtomicUsize); FORGOTTEN_MAX] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; FORGOTTEN_MAX];
const FORGOTTEN_MAX: usize = 64;

/// From now on children have zeroes there. The memory is the library's, and never unmapped. What
/// finds no place in the list is shared with children.
pub fn forget_in_child(address: usize, bytes: usize) {
    watch();
    for (known, length) in &FORGOTTEN {
        // The length first: a child must not find an address without one.
        if known.load(Ordering::Relaxed) == 0 {
            length.store(bytes, Ordering::Relaxed);
            if known.compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

/// Descriptors that a child closes. There is one for each queue of an interface, and one for each
/// interface: a child keeps what finds no place here.
static PRIVATE: [AtomicI32; PRIVATE_MAX] = [const { AtomicI32::new(NOBODY) }; PRIVATE_MAX];
const PRIVATE_MAX: usize = 512;
const NOBODY: RawFd = -1;

/// A descriptor that no child has. The kernel takes back what such a descriptor stands for when
/// the process ends, and must not wait for its children.
pub struct Private {
    fd: Option<Descriptor>,
    place: Option<&'static AtomicI32>,
    epoch: u32,
}

impl Private {
    pub fn new(fd: Descriptor) -> Self {
        watch();
        let number = fd.as_raw_fd();
        let place = PRIVATE.iter().find(|place| {
            place.compare_exchange(NOBODY, number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        });
        Self { fd: Some(fd), place, epoch: epoch() }
    }
}

impl AsRawFd for Private {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_ref().map_or(NOBODY, AsRawFd::as_raw_fd)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.epoch != epoch() {
            // Closed long ago; the number may mean something else.
            self.fd.take().map(IntoRawFd::into_raw_fd);
        } else if let Some(place) = self.place {
            place.swap(NOBODY, Ordering::Relaxed);
        }
    }
}
