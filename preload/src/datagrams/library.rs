//! The library's side, found by its names.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::msghdr;

type OfSocket = unsafe extern "C" fn(c_int) -> c_int;
type OfMessage = unsafe extern "C" fn(c_int, *mut msghdr, c_int) -> c_int;
type Join = unsafe extern "C" fn(c_int, *mut c_char, usize) -> c_int;

static FUNCTIONS: [(&CStr, AtomicPtr<c_void>); 8] = [
    (c"sio_shim_udp_join", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_leave", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_close", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_receive", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_send", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_next", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_prepare", AtomicPtr::new(std::ptr::null_mut())),
    (c"sio_shim_udp_holds", AtomicPtr::new(std::ptr::null_mut())),
];

/// `false`: the library is not there, or is another version.
pub fn find_all() -> bool {
    FUNCTIONS.iter().all(|(name, place)| {
        // SAFETY: a string that lives for ever.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        place.store(found, Ordering::Relaxed);
        !found.is_null()
    })
}

/// # Safety
/// What stands at this place of the list has this type, and was found.
unsafe fn function<F: Copy>(number: usize) -> F {
    let address = FUNCTIONS[number].1.load(Ordering::Relaxed);
    std::mem::transmute_copy::<*mut c_void, F>(&address)
}

/// The names of interfaces, or the reason, end up in `text`.
pub fn join(fd: c_int, text: &mut [c_char]) -> bool {
    // SAFETY: by its name; there is room for as many bytes.
    unsafe { function::<Join>(0)(fd, text.as_mut_ptr(), text.len()) == 0 }
}

/// Opens the interfaces that will serve a socket, while the program may.
pub fn prepare(fd: c_int) {
    // SAFETY: by its name.
    unsafe { function::<OfSocket>(6)(fd) };
}

pub fn leave(fd: c_int) {
    // SAFETY: by its name.
    unsafe { function::<OfSocket>(1)(fd) };
}

pub fn close(fd: c_int) {
    // SAFETY: by its name.
    unsafe { function::<OfSocket>(2)(fd) };
}

/// Whether something is held back that the program has sent.
pub fn holds(fd: c_int) -> bool {
    // SAFETY: by its name.
    unsafe { function::<OfSocket>(7)(fd) == 1 }
}

/// The bytes of the next datagram, or less than 0.
pub fn next(fd: c_int) -> c_int {
    // SAFETY: by its name.
    unsafe { function::<OfSocket>(5)(fd) }
}

/// # Safety
/// As recvmsg(2).
pub unsafe fn receive(fd: c_int, message: *mut msghdr, flags: c_int) -> c_int {
    function::<OfMessage>(3)(fd, message, flags)
}

/// # Safety
/// As sendmsg(2).
pub unsafe fn send(fd: c_int, message: *mut msghdr, flags: c_int) -> c_int {
    function::<OfMessage>(4)(fd, message, flags)
}
