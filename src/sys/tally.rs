//! Counts of asynchronous requests, kept in memory of the program's that others may look at: a
//! page that another process has mapped as well tells of a program that was killed, too.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::per_process::PerProcess;
use super::stat::{self, layout::Header};

const ENGINE_BYTES: usize = 16;
const REASON_BYTES: usize = 104;

/// How a request is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    AtOnce,
    Ring,
    Threads,
}

/// `struct sio_aio_counts`.
#[repr(C)]
pub struct Counts {
    ways: [AtomicU64; 3],
    pub engine: [u8; ENGINE_BYTES],
    pub reason: [u8; REASON_BYTES],
}

static COUNTS: AtomicPtr<Counts> = AtomicPtr::new(ptr::null_mut());
/// Where sio-stat looks; null before the first request, and in a child before its first one.
static SEEN: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// What does the requests that are not done at once, and why not another; empty until there was
/// one. Nothing waits for this lock, so it is none of the model's.
static BEHIND: PerProcess<Mutex<(&str, String)>> = PerProcess::empty();

fn behind() -> MutexGuard<'static, (&'static str, String)> {
    BEHIND.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child begins anew. Safe in a handler of pthread_atfork(3).
pub fn forget() {
    SEEN.store(ptr::null_mut(), Ordering::Relaxed);
}

fn seen() -> &'static Header {
    // SAFETY: null, or of a segment, which is never freed.
    unsafe { SEEN.load(Ordering::Acquire).as_ref() }.unwrap_or_else(begin)
}

#[cold]
fn begin() -> &'static Header {
    let header = stat::requests();
    SEEN.swap(ptr::from_ref(header).cast_mut(), Ordering::AcqRel);
    header
}

/// One more.
pub fn add(way: Way) {
    seen().requests.0[way as usize].fetch_add(1, Ordering::Relaxed);
    // SAFETY: null, or valid for ever by the contract of count_in.
    if let Some(counts) = unsafe { COUNTS.load(Ordering::Acquire).as_ref() } {
        counts.ways[way as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells what does the requests that are not done at once, and why nothing better does.
pub fn tell(engine: &'static str, reason: &str) {
    let mut behind = behind();
    *behind = (engine, reason.to_owned());
    write(&behind);
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    seen().behind.set(&format!("{engine}{why}"));
}

/// Counts there from now on.
///
/// # Safety
/// The memory stays valid as long as the process lives, and nothing but this library writes to it.
pub unsafe fn count_in(counts: NonNull<Counts>) {
    let behind = behind();
    COUNTS.store(counts.as_ptr(), Ordering::Release);
    write(&behind);
}

/// The caller has the lock, so that two do not write at once.
fn write((engine, reason): &(&str, String)) {
    let counts = COUNTS.load(Ordering::Acquire);
    if counts.is_null() {
        return;
    }
    // SAFETY: valid by the contract of count_in; each text is cut so that a null byte is left.
    unsafe {
        write_text((&raw mut (*counts).engine).cast(), engine, ENGINE_BYTES);
        write_text((&raw mut (*counts).reason).cast(), reason, REASON_BYTES);
    }
}

/// # Safety
/// There is room for `room` bytes.
unsafe fn write_text(place: *mut u8, text: &str, room: usize) {
    let length = text.len().min(room - 1);
    // SAFETY: by the contract of this function.
    unsafe {
        place.write_bytes(0, room);
        place.copy_from_nonoverlapping(text.as_ptr(), length);
    }
}
