//! The calling thread's errno, which a call that succeeds leaves as it was.

pub fn get() -> i32 {
    // SAFETY: the C library's own per-thread variable.
    unsafe { *libc::__errno_location() }
}

pub fn set(value: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value };
}

/// Does something that changes it, and puts it back.
pub fn keep<T>(body: impl FnOnce() -> T) -> T {
    let before = get();
    let value = body();
    set(before);
    value
}
