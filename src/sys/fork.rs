//! Knowing that we are in a child: a counter that a `pthread_atfork` handler moves on.
//!
//! The handler closes descriptors that are not for children, forgets what other threads were looking
//! at, and does nothing else, because little else is safe there. Objects remember the epoch in which
//! they were made; in a child theirs is not the present one, and calls say `EPERM`.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The number of forks between the process that loaded the library and this one.
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Makes sure that forks are noticed from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler touches atomics and makes system calls, which is safe after fork in
        // any program.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    });
}

extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    super::glance::forget_others();
    for place in &PRIVATE {
        let fd = place.swap(NOBODY, Ordering::Relaxed);
        if fd != NOBODY {
            // SAFETY: the child's copy of a descriptor that the library keeps for itself.
            unsafe { libc::syscall(libc::SYS_close, fd) };
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
    fd: Option<OwnedFd>,
    place: Option<&'static AtomicI32>,
    epoch: u32,
}

impl Private {
    pub fn new(fd: OwnedFd) -> Self {
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
