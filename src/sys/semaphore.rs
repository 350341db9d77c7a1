//! POSIX semaphores without a thread that blocks in sem_wait(3).
//!
//! On 64-bit machines a `sem_t` of glibc is, since 2.21, a word of 64 bits, then whether it is
//! private: the lower half counts units and is the futex, the upper half counts who waits, and
//! sem_post(3) wakes only if somebody does. Processes share semaphores across versions, so this
//! does not change; it is checked once all the same.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::annotate;
use super::cell::Leaked;
use super::word::{Scope, Word};
use crate::error::{Errno, Result};

/// A semaphore that its owner keeps alive until nobody waits for it any more.
#[derive(Clone, Copy)]
pub struct Semaphore {
    data: NonNull<AtomicU64>,
    scope: Scope,
}

// SAFETY: all that is done with the pointer is atomic, or by the kernel.
unsafe impl Send for Semaphore {}

const UNITS: u64 = u32::MAX as u64;
const WAITER: u64 = 1 << 32;
const PRIVATE_OFFSET_BYTES: usize = 8;

impl Semaphore {
    /// `EFAULT` for null, `EINVAL` where no semaphore can be, `EOPNOTSUPP` where the C library's
    /// are made otherwise.
    ///
    /// # Safety
    /// An initialized semaphore that is not destroyed before nobody waits for it any more.
    pub unsafe fn new(semaphore: *mut libc::sem_t) -> Result<Self> {
        let data = NonNull::new(semaphore.cast::<AtomicU64>()).ok_or(Errno::EFAULT)?;
        if !data.is_aligned() {
            return Err(Errno::EINVAL);
        }
        static IS_KNOWN: Leaked<bool> = Leaked::empty();
        if !*IS_KNOWN.get_or_find(is_known) {
            return Err(Errno::EOPNOTSUPP);
        }
        // SAFETY: by the contract of this function, and the layout that was just checked.
        Ok(unsafe { Self::known(data) })
    }

    /// # Safety
    /// As new(), with a layout that is known.
    unsafe fn known(data: NonNull<AtomicU64>) -> Self {
        // SAFETY: by the contract of this function; it does not change after sem_init(3).
        let is_shared = unsafe { data.byte_add(PRIVATE_OFFSET_BYTES).cast::<i32>().read() } != 0;
        Self { data, scope: if is_shared { Scope::Shared } else { Scope::Private } }
    }

    fn data(&self) -> &AtomicU64 {
        // SAFETY: valid by the contract of new().
        unsafe { self.data.as_ref() }
    }

    pub fn address(&self) -> usize {
        self.data.as_ptr() as usize
    }

    /// The word that is 0 while there is no unit.
    pub fn word(&self) -> Word {
        let half = self.data.as_ptr().cast::<u32>();
        // SAFETY: the lower half of a little-endian word that is valid by the contract of new().
        unsafe { Word::new(half, self.scope) }.expect("aligned and not null")
    }

    pub fn has_unit(&self) -> bool {
        self.data().load(Ordering::Acquire) & UNITS != 0
    }

    /// sem_trywait(3).
    pub fn try_take(&self) -> bool {
        let take = |data| (data & UNITS != 0).then(|| data - 1);
        let taken = self.data().fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok();
        if taken {
            annotate::semaphore_acquired(self.address());
        }
        taken
    }

    /// From now on sem_post(3) wakes.
    pub fn enlist(&self) {
        self.data().fetch_add(WAITER, Ordering::AcqRel);
    }

    /// Undoes it.
    pub fn delist(&self) {
        self.data().fetch_sub(WAITER, Ordering::AcqRel);
    }

    /// sem_post(3).
    pub fn post(&self) {
        // SAFETY: valid by the contract of new(). It fails only at SEM_VALUE_MAX, and the unit
        // was there before.
        unsafe { libc::sem_post(self.data.as_ptr().cast()) };
    }
}

/// Does to semaphores of our own what will be done to the program's, and looks at what comes of it.
fn is_known() -> bool {
    if !cfg!(all(target_env = "gnu", target_pointer_width = "64", target_endian = "little")) {
        return false;
    }
    let check = |shared: bool| {
        let mut semaphore = MaybeUninit::<libc::sem_t>::zeroed();
        let pointer = semaphore.as_mut_ptr();
        // SAFETY: a semaphore of our own in a local, destroyed before the local goes.
        unsafe {
            if libc::sem_init(pointer, i32::from(shared), 2) != 0 {
                return false;
            }
            let Some(data) = NonNull::new(pointer.cast::<AtomicU64>()) else { return false };
            let ours = Semaphore::known(data);
            let mut is_right = data.as_ref().load(Ordering::Relaxed) == 2
                && (ours.scope == Scope::Shared) == shared
                && ours.try_take();
            ours.enlist();
            libc::sem_post(pointer);
            is_right &= data.as_ref().load(Ordering::Relaxed) == WAITER | 2;
            ours.delist();
            is_right &= libc::sem_trywait(pointer) == 0 && libc::sem_trywait(pointer) == 0;
            is_right &= !ours.try_take() && libc::sem_trywait(pointer) == -1;
            libc::sem_destroy(pointer);
            is_right
        }
    };
    // Changes errno, which is put back by whoever guards the call.
    check(false) && check(true)
}
