//! The C library's own functions whose names the library exports as well.
//!
//! By its plain name such a function is ours: whoever means the C library's calls it here. dlsym(3)
//! is not async-signal-safe and some of these functions are, so all are looked up when the library
//! is loaded. The look-up is repeated by the constructors of others that call before.

use std::ffi::{c_int, c_void};

use libc::{clockid_t, itimerspec, mqd_t, sigevent, timer_t};

use super::by_name::Next;

functions! {
    fn timer_create(clock: clockid_t, event: *mut sigevent, id: *mut timer_t) -> c_int;
    fn timer_settime(
        id: timer_t,
        flags: c_int,
        when: *const itimerspec,
        old: *mut itimerspec
    ) -> c_int;
    fn timer_gettime(id: timer_t, rest: *mut itimerspec) -> c_int;
    fn timer_getoverrun(id: timer_t) -> c_int;
    fn timer_delete(id: timer_t) -> c_int;
    fn mq_notify(queue: mqd_t, event: *const sigevent) -> c_int;
    fn pause() -> c_int;
    fn clone(
        entry: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void
    ) -> c_int;
}

/// Whether there is one: not in a program that was linked without the dynamic loader.
pub fn has_pause() -> bool {
    !known::pause.address().is_null()
}

/// The same of clone(2), which the library does not export, but the thread sanitizer: its own takes
/// a helper that shares our memory for a child with memory of its own.
pub fn has_clone() -> bool {
    !known::clone.address().is_null()
}

/// Run by the loader, before the program and before whatever depends on the library.
#[used]
#[unsafe(link_section = ".init_array")]
static FIND_ALL: extern "C" fn() = find_all;

extern "C" fn find_all() {
    find_known();
}
