//! Words of the program's memory that it waits on. futex(2), futex_waitv(2).

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::check;
use super::sync::step;
use crate::error::{Errno, Result};

/// Who may wake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This process, with FUTEX_PRIVATE_FLAG.
    Private,
    /// Any process, without it.
    Shared,
    /// Whichever the program uses.
    Any,
}

/// A word that its owner keeps alive until nobody waits on it any more.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    word: NonNull<AtomicU32>,
    scope: Scope,
}

// SAFETY: all that is done with the pointer is atomic, or by the kernel.
unsafe impl Send for Word {}
// SAFETY: as above.
unsafe impl Sync for Word {}

/// struct futex_waitv of linux/futex.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

const SIZE_U32: u32 = 2;
const PRIVATE: u32 = 128;

impl Word {
    /// `EFAULT` for null, `EINVAL` where no futex can be.
    ///
    /// # Safety
    /// The word stays valid until nobody waits on it any more.
    pub unsafe fn new(word: *mut u32, scope: Scope) -> Result<Self> {
        let word = NonNull::new(word.cast::<AtomicU32>()).ok_or(Errno::EFAULT)?;
        if !word.is_aligned() {
            return Err(Errno::EINVAL);
        }
        Ok(Self { word, scope })
    }

    /// A word of our own that lives as long as the process.
    pub fn of_static(word: &'static AtomicU32) -> Self {
        Self { word: NonNull::from(word), scope: Scope::Private }
    }

    pub fn address(&self) -> usize {
        self.word.as_ptr() as usize
    }

    pub fn load(&self) -> u32 {
        step();
        // SAFETY: valid by the contract of new().
        unsafe { self.word.as_ref() }.load(Ordering::SeqCst)
    }

    /// Whether the kernel reads what is expected there. `EFAULT`: it cannot read it.
    pub fn is_still(&self, expected: u32) -> Result<bool> {
        #[cfg(feature = "model")]
        return Ok(self.load() == expected);
        #[cfg(not(feature = "model"))]
        {
            let long_ago = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            match wait_until(&self.entries(expected).0[..1], Some(&long_ago)) {
                Err(Errno::ETIMEDOUT) | Ok(_) => Ok(true),
                Err(Errno::EAGAIN) => Ok(false),
                Err(errno) => Err(errno),
            }
        }
    }

    /// Wakes up to `count` of those who wait, whichever way they do.
    pub fn wake(&self, count: i32) {
        #[cfg(feature = "model")]
        super::model::wake(self.address(), count);
        let wake = |operation: i32| {
            // SAFETY: FUTEX_WAKE takes the address as a key and reads nothing.
            unsafe { libc::syscall(libc::SYS_futex, self.word.as_ptr(), operation, count) };
        };
        if self.scope != Scope::Shared {
            wake(libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG);
        }
        if self.scope != Scope::Private {
            wake(libc::FUTEX_WAKE);
        }
    }

    /// What the kernel is to be told: it waits while the word is `expected`.
    pub fn entries(&self, expected: u32) -> ([Entry; 2], usize) {
        let entry = |flags| Entry {
            value: u64::from(expected),
            address: self.address() as u64,
            flags,
            reserved: 0,
        };
        match self.scope {
            Scope::Private => ([entry(SIZE_U32 | PRIVATE), Entry::default()], 1),
            Scope::Shared => ([entry(SIZE_U32), Entry::default()], 1),
            Scope::Any => ([entry(SIZE_U32 | PRIVATE), entry(SIZE_U32)], 2),
        }
    }
}

/// linux/prctl.h, since 6.16.
const PR_FUTEX_HASH: i32 = 78;
const SET_SLOTS: usize = 1;
const GET_SLOTS: usize = 2;
const SLOTS: usize = 16;

/// Since 6.16 private futexes of a process move to a table of its own when its first thread
/// starts, and whoever waits already (only a ring can) is left behind. So the table is made
/// before a ring waits.
pub fn settle_table() {
    static IS_SETTLED: AtomicBool = AtomicBool::new(false);
    if IS_SETTLED.load(Ordering::Relaxed) {
        return;
    }
    let control = |operation: usize, argument: usize| {
        // SAFETY: no pointers. A kernel without the table does not know the call.
        check(unsafe { libc::prctl(PR_FUTEX_HASH, operation, argument, 0usize, 0usize) })
    };
    if control(GET_SLOTS, 0) == Ok(0) {
        // Refused: it exists by now.
        let _ = control(SET_SLOTS, SLOTS);
    }
    IS_SETTLED.swap(true, Ordering::Relaxed);
}

/// The most words that one thread can wait on.
pub const WORDS_MAX: usize = 128;

/// Waits until one of the words is not what is expected, or is woken: its place in the list, if
/// it was woken. For threads of the library's own.
#[cfg(not(feature = "model"))]
pub fn wait_any(entries: &[Entry]) -> Result<Option<usize>> {
    match wait_until(entries, None) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(not(feature = "model"))]
fn wait_until(entries: &[Entry], limit: Option<&libc::timespec>) -> Result<usize> {
    let limit = limit.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: as many entries as the list has; the time is null or borrowed for the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            entries.as_ptr(),
            entries.len(),
            0,
            limit,
            libc::CLOCK_MONOTONIC,
        )
    })
}

/// The same in the model.
#[cfg(feature = "model")]
pub fn wait_any(entries: &[Entry]) -> Result<Option<usize>> {
    if entries.is_empty() {
        return Err(Errno::EINVAL);
    }
    step();
    let has_changed = |entry: &Entry| {
        // SAFETY: the words that an entry is made of are valid while somebody waits.
        let word = unsafe { AtomicU32::from_ptr(entry.address as *mut u32) };
        u64::from(word.load(Ordering::SeqCst)) != entry.value
    };
    if entries.iter().any(has_changed) {
        return Ok(None);
    }
    let addresses: Vec<usize> = entries.iter().map(|entry| entry.address as usize).collect();
    Ok(super::model::wait_for_words(&addresses, None))
}

/// Whether this kernel can wait on several words (5.16).
pub fn can_wait_any() -> bool {
    // No words at all are refused as such by a kernel that knows the call.
    wait_any(&[]) != Err(Errno::ENOSYS)
}
