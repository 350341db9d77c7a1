//! What the kernel could read of the program's memory. The kernel answers a call with a bad address by
//! `EFAULT`, so what we look at before it does must not end the program.

use std::ffi::c_long;

/// The least there is. An address is looked at once in each page.
const PAGE_BYTES: usize = 4096;
/// As the kernel has it, which compares sizes.
const SIGNALS_BYTES: usize = 8;
/// Nothing that can be done with a set of signals.
const NO_CHANGE: c_long = -1;

/// Whether there are so many bytes at an address that can be read. errno stays as it was.
pub fn can_read(address: usize, length: usize) -> bool {
    let Some(end) = address.checked_add(length) else { return false };
    let mut at = address & !(SIGNALS_BYTES - 1);
    while at < end {
        // No set of signals at all is no fault.
        if at == 0 || !is_there(at) {
            return false;
        }
        let Some(next) = (at & !(PAGE_BYTES - 1)).checked_add(PAGE_BYTES) else { return true };
        at = next;
    }
    true
}

/// The kernel reads the set of signals, and only then finds that it is to do nothing with it.
fn is_there(address: usize) -> bool {
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel says EFAULT where nothing can be read, and changes nothing; errno is this
    // thread's.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::syscall(libc::SYS_rt_sigprocmask, NO_CHANGE, address, none, SIGNALS_BYTES);
        let is_there = *errno != libc::EFAULT;
        *errno = before;
        is_there
    }
}
