//! Telling sio-run what becomes of requests.

mod layout;

use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicPtr, Ordering};

pub use layout::TEXT_BYTES;
use layout::{Counts, Report, SLOTS, Slot};

/// Ours.
static SLOT: AtomicPtr<Slot> = AtomicPtr::new(std::ptr::null_mut());

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
        SLOT.store(slot, Ordering::Relaxed);
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

/// Writes a text to its place, with a null byte at its end.
///
/// # Safety
/// The place is a text of the slot's. Who reads it meanwhile reads some of both.
unsafe fn write(place: *mut [u8; TEXT_BYTES], text: &[u8]) {
    let count = text.len().min(TEXT_BYTES - 1);
    let place = place.cast::<u8>();
    place.copy_from(text.as_ptr(), count);
    place.add(count).write(0);
}

fn bytes(text: &[c_char; TEXT_BYTES]) -> &[u8] {
    // SAFETY: the same bytes.
    let all = unsafe { std::slice::from_raw_parts(text.as_ptr().cast::<u8>(), TEXT_BYTES) };
    all.split(|byte| *byte == 0).next().unwrap_or(all)
}

/// A UDP socket is served by these interfaces.
pub fn joined(interfaces: &[c_char; TEXT_BYTES]) {
    let slot = SLOT.load(Ordering::Relaxed);
    if !slot.is_null() {
        // SAFETY: the slot stays mapped, and is ours.
        unsafe {
            write(&raw mut (*slot).sockets.interfaces, bytes(interfaces));
            (*slot).sockets.joined.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One has to stay with the kernel.
pub fn refused(why: &[c_char; TEXT_BYTES]) {
    let slot = SLOT.load(Ordering::Relaxed);
    if !slot.is_null() {
        // SAFETY: as above.
        unsafe {
            write(&raw mut (*slot).sockets.refused_why, bytes(why));
            (*slot).sockets.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One was given back to the kernel.
pub fn left(why: &str) {
    let slot = SLOT.load(Ordering::Relaxed);
    if !slot.is_null() {
        // SAFETY: as above.
        unsafe {
            write(&raw mut (*slot).sockets.left_why, why.as_bytes());
            (*slot).sockets.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}
