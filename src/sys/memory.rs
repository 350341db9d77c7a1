//! What processor and kernel are told about memory that is about to be used: hints, which change
//! nothing that a program could see but the time it takes.

/// Has the line of the cache fetched in which that begins, without waiting for it.
#[inline]
pub fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing that the program could see.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch(place.cast(), _MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Who goes about in much memory in no order finds little of it in the tables that processors keep of
/// pages: asks for large ones, of which they keep more. Before the memory is used for the first time.
pub fn prefer_large_pages(place: *const (), bytes: usize) {
    const LARGE: usize = 2 << 20;
    let from = (place as usize).next_multiple_of(LARGE);
    let to = (place as usize + bytes) / LARGE * LARGE;
    if from < to {
        // SAFETY: within memory of the caller's, which stays as it is.
        unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_change_nothing() {
        let mut room: Vec<u64> = Vec::with_capacity(1 << 20);
        prefer_large_pages(room.as_ptr().cast(), room.capacity() * size_of::<u64>());
        prefer_large_pages(room.as_ptr().cast(), 1);
        room.resize(1 << 20, 2006);
        prefetch(&room[1 << 19]);
        assert!(room.iter().all(|&word| word == 2006));
    }
}
