//! What tools that look for data races cannot see by themselves: which thread comes after which.
//!
//! They know pthread_mutex_lock(3) and its like. Our locks are words that threads change and sleep
//! on, so a program that hands data from thread to thread through a channel would be told of races
//! that are none. Told about here are valgrind's helgrind and drd, by the instructions that mean
//! nothing but to valgrind (valgrind.h, helgrind.h, drd.h), and the thread sanitizer of gcc and
//! clang, by functions that such a program has (sanitizer/tsan_interface.h).
//!
//! Valgrind also watches the library's own memory. What threads read there without a lock is
//! written by operations that read, change and write in one (`swap`, not `store`): those it takes
//! for reads. What is written once, before others see it, is told of with [`released`].

use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// Who watches this process.
static WATCHER: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const NOBODY: u8 = 1;
const VALGRIND: u8 = 2;
const SANITIZER: u8 = 3;

type Tell = unsafe extern "C" fn(place: *mut libc::c_void);
static TSAN_ACQUIRE: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());
static TSAN_RELEASE: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The numbers of valgrind's requests do not change.
mod request {
    pub const RUNNING_ON_VALGRIND: usize = 0x1001;
    /// To helgrind and drd.
    pub const HAPPENS_BEFORE: usize = 0x4847_0121;
    pub const HAPPENS_AFTER: usize = 0x4847_0122;
    /// To helgrind, then to drd.
    pub const SEMAPHORE_ACQUIRED: usize = 0x4847_0117;
    pub const SEMAPHORE_WAIT_PRE: usize = 0x4452_000c;
    pub const SEMAPHORE_WAIT_POST: usize = 0x4452_000d;
    pub const DO_NOT_TRACK: usize = 0x4847_0127;
    pub const START_SUPPRESSION: usize = 0x4452_0002;
    /// To drd.
    pub const RECORD_LOADS: usize = 0x4452_0006;
    pub const RECORD_STORES: usize = 0x4452_0007;
}

/// From taking a lock until it is dropped, which comes before the lock is given up.
pub struct Section(usize);

impl Section {
    /// `place` is the lock's address. The lock is held.
    #[inline(always)]
    pub fn begin(place: usize) -> Self {
        acquired(place);
        Self(place)
    }

    /// The same as dropping it; the place.
    pub fn end(self) -> usize {
        self.0
    }
}

impl Drop for Section {
    #[inline(always)]
    fn drop(&mut self) {
        released(self.0);
    }
}

/// Whether there is anybody to tell. It costs next to nothing, and stands before all that does.
#[inline(always)]
pub fn is_watched() -> bool {
    WATCHER.load(Ordering::Relaxed) != NOBODY
}

/// Whether valgrind runs this process.
pub fn is_under_valgrind() -> bool {
    is_watched() && watcher() == VALGRIND
}

/// What was done before [`released`] of the same place has been done.
#[inline(always)]
pub fn acquired(place: usize) {
    if is_watched() {
        tell_acquired(place);
    }
}

#[cold]
#[inline(never)]
fn tell_acquired(place: usize) {
    tell(place, &TSAN_ACQUIRE, &[request::HAPPENS_AFTER]);
}

/// What this thread has done is done, for those who come by this place.
#[inline(always)]
pub fn released(place: usize) {
    if is_watched() {
        tell_released(place);
    }
}

#[cold]
#[inline(never)]
fn tell_released(place: usize) {
    tell(place, &TSAN_RELEASE, &[request::HAPPENS_BEFORE]);
}

/// From now on this thread is in the library, or is not: drd, which takes every atomic operation
/// for a race with any other, is to pass over what it does there.
#[inline(always)]
pub fn pass_over(is_inside: bool) {
    if is_watched() {
        record(!is_inside);
    }
}

#[cold]
#[inline(never)]
fn record(is_wanted: bool) {
    ask_valgrind(request::RECORD_LOADS, usize::from(is_wanted), 0);
    ask_valgrind(request::RECORD_STORES, usize::from(is_wanted), 0);
}

/// What this thread does in between is not what it seems to the thread sanitizer: descriptors of a
/// helper's own have numbers that are something else here.
pub fn look_away(is_begin: bool) {
    type Ignore = unsafe extern "C" fn(file: *const libc::c_char, line: libc::c_int);
    if !is_watched() || watcher() != SANITIZER {
        return;
    }
    let names = if is_begin {
        [c"AnnotateIgnoreReadsBegin", c"AnnotateIgnoreWritesBegin"]
    } else {
        [c"AnnotateIgnoreWritesEnd", c"AnnotateIgnoreReadsEnd"]
    };
    for name in names {
        // SAFETY: a name that lives for ever.
        let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if !function.is_null() {
            // SAFETY: the sanitizer's function, which takes the place of the call in a source.
            unsafe {
                let ignore = std::mem::transmute::<*mut libc::c_void, Ignore>(function);
                ignore(c"libsio".as_ptr(), 0);
            }
        }
    }
}

/// A unit of the program's semaphore was taken without sem_wait(3).
pub fn semaphore_acquired(semaphore: usize) {
    if is_watched() {
        use request::{SEMAPHORE_ACQUIRED, SEMAPHORE_WAIT_POST, SEMAPHORE_WAIT_PRE};
        let requests = [SEMAPHORE_ACQUIRED, SEMAPHORE_WAIT_PRE, SEMAPHORE_WAIT_POST];
        tell(semaphore, &TSAN_ACQUIRE, &requests);
    }
}

/// Memory of ours whose readers need no lock: valgrind is not to judge it.
pub fn disregard<T>(place: &T) {
    if is_watched() {
        let (address, bytes) = (std::ptr::from_ref(place) as usize, size_of::<T>());
        ask_valgrind(request::DO_NOT_TRACK, address, bytes);
        ask_valgrind(request::START_SUPPRESSION, address, bytes);
    }
}

fn tell(place: usize, to_sanitizer: &AtomicPtr<libc::c_void>, to_valgrind: &[usize]) {
    match watcher() {
        VALGRIND => {
            for &code in to_valgrind {
                request(code, place, 0);
            }
        }
        SANITIZER => {
            let function = to_sanitizer.load(Ordering::Acquire);
            // SAFETY: the address of the sanitizer's function, which takes any address for a name.
            unsafe { std::mem::transmute::<*mut libc::c_void, Tell>(function)(place as *mut _) }
        }
        _ => {}
    }
}

fn ask_valgrind(code: usize, first: usize, second: usize) {
    if watcher() == VALGRIND {
        request(code, first, second);
    }
}

/// Who watches, found out once.
fn watcher() -> u8 {
    match WATCHER.load(Ordering::Acquire) {
        UNKNOWN => find(),
        known => known,
    }
}

#[cold]
fn find() -> u8 {
    let look_up = |name: &std::ffi::CStr| {
        // SAFETY: a name that lives for ever.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
    };
    let (acquire, release) = (look_up(c"__tsan_acquire"), look_up(c"__tsan_release"));
    let found = if request(request::RUNNING_ON_VALGRIND, 0, 0) != 0 {
        VALGRIND
    } else if acquire.is_null() || release.is_null() {
        NOBODY
    } else {
        TSAN_ACQUIRE.swap(acquire, Ordering::AcqRel);
        TSAN_RELEASE.swap(release, Ordering::AcqRel);
        SANITIZER
    };
    WATCHER.swap(found, Ordering::AcqRel);
    found
}

/// Asks valgrind for something; 0 where nobody is asked.
#[cfg(target_arch = "x86_64")]
fn request(code: usize, first: usize, second: usize) -> usize {
    let arguments = [code, first, second, 0, 0, 0];
    let answer;
    // SAFETY: rdi is turned by 128 bits, which changes nothing, and rbx is exchanged with itself.
    // Valgrind takes that for a call with the arguments behind rax and an answer in rdx.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") 0usize => answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(target_arch = "aarch64")]
fn request(code: usize, first: usize, second: usize) -> usize {
    let arguments = [code, first, second, 0, 0, 0];
    let answer;
    // SAFETY: x12 is turned by 128 bits, which changes nothing, and x10 is put where it is.
    // Valgrind takes that for a call with the arguments behind x4 and an answer in x3.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") arguments.as_ptr(),
            inout("x3") 0usize => answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn request(_code: usize, _first: usize, _second: usize) -> usize {
    0
}
