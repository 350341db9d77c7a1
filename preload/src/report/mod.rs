//! Telling sio-run what becomes of requests.

mod layout;

use std::ffi::CStr;
use std::sync::atomic::Ordering;

use layout::{Counts, Report, SLOTS};

type Count = unsafe extern "C" fn(*mut Counts, usize) -> libc::c_int;

/// Takes a slot of the file's, and has the library count there.
pub fn join(path: &CStr) {
    let Some(report) = map(path) else { return };
    // SAFETY: the mapping has the size of a report and stays. What others write to as well are
    // atomics; the slot is ours alone. PR_GET_NAME writes 16 bytes. What has the name
    // sio_aio_count is that function of the C interface.
    unsafe {
        let number = (*report).programs.fetch_add(1, Ordering::Relaxed) as usize;
        if number >= SLOTS {
            return;
        }
        let slot = &raw mut (*report).slots[number];
        libc::prctl(libc::PR_GET_NAME, &raw mut (*slot).name);
        (*slot).process.store(libc::getpid() as u32, Ordering::Relaxed);
        let count = libc::dlsym(libc::RTLD_DEFAULT, c"sio_aio_count".as_ptr());
        if count.is_null() {
            return;
        }
        let count = std::mem::transmute::<*mut libc::c_void, Count>(count);
        let begun = count(&raw mut (*slot).counts, size_of::<Counts>()) == 0;
        (*slot).has_library.store(begun.into(), Ordering::Relaxed);
    }
}

/// The file, if it is what sio-run has made. It stays mapped.
fn map(path: &CStr) -> Option<*mut Report> {
    const SIZE: usize = size_of::<Report>();
    // SAFETY: plain system calls on memory of our own.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let mut status: libc::stat = std::mem::zeroed();
        let is_whole = libc::fstat(file, &mut status) == 0 && status.st_size == SIZE as i64;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let memory = if is_whole {
            libc::mmap(std::ptr::null_mut(), SIZE, protection, libc::MAP_SHARED, file, 0)
        } else {
            libc::MAP_FAILED
        };
        libc::close(file);
        (memory != libc::MAP_FAILED).then(|| memory.cast())
    }
}
