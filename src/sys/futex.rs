//! Waking a thread that waits on a word of memory. futex(2).

use super::sync::atomic::AtomicU32;

/// Wakes up to `count` threads that wait on the word.
#[cfg(not(feature = "model"))]
pub fn wake(word: &AtomicU32, count: i32) {
    // SAFETY: the word is alive for the call; FUTEX_WAKE reads nothing else.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            count,
        )
    };
}

#[cfg(feature = "model")]
pub fn wake(word: &AtomicU32, count: i32) {
    super::model::wake(std::ptr::from_ref(word) as usize, count);
}
