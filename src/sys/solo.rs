//! Replacing a word without keeping other processors off it, where no other thread can be at it: while the
//! process has one, which the C library tells. A locked instruction waits for all writes before it, and
//! was a tenth of what a small datagram costs. It still is one instruction: the handler of a signal runs
//! before it or after it.

use super::sync::atomic::{AtomicU64, Ordering};

/// Puts `new` in the place of `old`. An error: something else is there.
#[inline(always)]
pub fn replace(word: &AtomicU64, old: u64, new: u64) -> Result<u64, u64> {
    #[cfg(all(target_arch = "x86_64", not(feature = "model")))]
    if alone::is_known() {
        return alone::replace(word, old, new);
    }
    word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire)
}

/// From now on it is looked at whether the process has but one thread, where the C library can tell.
pub fn begin() {
    #[cfg(all(target_arch = "x86_64", not(feature = "model")))]
    alone::find();
}

#[cfg(all(target_arch = "x86_64", not(feature = "model")))]
mod alone {
    use std::arch::asm;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

    /// The C library's variable, or null.
    static SINGLE_THREADED: AtomicPtr<AtomicU8> = AtomicPtr::new(ptr::null_mut());

    pub fn find() {
        // glibc has it from 2.32 on.
        let name = c"__libc_single_threaded";
        // SAFETY: a name that lives for ever.
        let place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        SINGLE_THREADED.store(place.cast(), Ordering::Relaxed);
    }

    #[inline(always)]
    pub fn is_known() -> bool {
        // SAFETY: null, or one byte that is there as long as the process, and that the C library changes
        // before there is a thread besides this one.
        let flag = unsafe { SINGLE_THREADED.load(Ordering::Relaxed).as_ref() };
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
    }

    /// As [`super::replace`], by the only thread.
    #[inline(always)]
    pub fn replace(word: &AtomicU64, old: u64, new: u64) -> Result<u64, u64> {
        let found: u64;
        // SAFETY: the word is there as long as it is borrowed, and nobody else is there to change it.
        unsafe {
            asm!(
                "cmpxchg qword ptr [{word}], {new}",
                word = in(reg) word.as_ptr(),
                new = in(reg) new,
                inout("rax") old => found,
                options(nostack),
            );
        }
        if found == old { Ok(old) } else { Err(found) }
    }
}

#[cfg(all(test, target_arch = "x86_64", not(feature = "model")))]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_the_same_with_and_without_others() {
        begin();
        for replace in [replace, alone::replace] {
            let word = AtomicU64::new(7);
            assert_eq!(replace(&word, 7, u64::MAX), Ok(7));
            assert_eq!(replace(&word, 7, 8), Err(u64::MAX));
            assert_eq!(word.load(Ordering::Relaxed), u64::MAX);
        }
    }

    #[test]
    fn a_process_with_two_threads_is_known_to_have_them() {
        begin();
        let is_known = std::thread::spawn(alone::is_known).join().expect("no panic");
        assert!(!is_known);
    }
}
