//! What happens when the loader has loaded us, before the program begins.

use std::ffi::{CStr, c_char, c_int};

use crate::{datagrams, next, off, report, sockets};

/// `off` keeps out of this program and of what it starts.
const SWITCH: &CStr = c"SIO_PRELOAD";
/// Where sio-run wants to see what becomes of requests.
const REPORT: &CStr = c"SIO_REPORT";

/// Set where TCP may be bypassed.
const BYPASS: &CStr = c"SIO_BYPASS";

/// Set where UDP sockets may be served by interfaces.
const DATAGRAMS: &CStr = c"SIO_UDP";
/// After how many datagrams of a socket.
const THRESHOLD: &CStr = c"SIO_UDP_AFTER";

/// The value of a variable of the environment.
fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the program has not begun, so nobody changes the environment meanwhile.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

extern "C" fn start(_count: c_int, arguments: *const *const c_char) {
    // SAFETY: errno is this thread's; the loader passes what main() will get.
    unsafe {
        let before = *libc::__errno_location();
        begin(arguments);
        *libc::__errno_location() = before;
    }
}

/// # Safety
/// `arguments` are those of main(), which has not begun.
unsafe fn begin(arguments: *const *const c_char) {
    if variable(SWITCH) == Some(c"off") {
        return off::leave(arguments);
    }
    next::find_all();
    if let Some(table) = variable(BYPASS) {
        sockets::turn_on(table);
    }
    if let Some(path) = variable(REPORT) {
        report::join(path);
    }
    if variable(DATAGRAMS).is_some() {
        let threshold = variable(THRESHOLD).and_then(|text| text.to_str().ok()?.parse().ok());
        datagrams::turn_on(threshold);
    }
}

/// Run by the loader, after the constructors of what we depend on.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn(c_int, *const *const c_char) = start;
