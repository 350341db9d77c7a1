//! Switched off: the program begins once more, without us and without the library.
//!
//! The names of the library's have been bound by now, and they stay bound. So the only way to leave a
//! program as it is without us is to begin it anew.

use std::ffi::{CStr, c_char};

const PRELOADED: &CStr = c"LD_PRELOAD";
const OURS: [&[u8]; 2] = [b"libsio_preload.so", b"libsio.so"];
/// Longer paths, and longer lists, are left alone.
const BYTES_MAX: usize = 4096;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether an entry of the list is one that sio-run has put there.
fn is_ours(entry: &[u8]) -> bool {
    let name = entry.rsplit(|byte| *byte == b'/').next().unwrap_or(entry);
    OURS.iter().any(|ours| name.starts_with(ours))
}

/// The list without us, with a null byte at its end; `None` if nothing of it is ours.
fn without_us(list: &[u8], rest: &mut [u8; BYTES_MAX]) -> Option<usize> {
    if list.len() >= BYTES_MAX {
        return None;
    }
    let (mut length, mut found) = (0, false);
    let entries = list.split(|byte| *byte == b':' || *byte == b' ');
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if is_ours(entry) {
            found = true;
            continue;
        }
        if length > 0 {
            rest[length] = b':';
            length += 1;
        }
        rest[length..length + entry.len()].copy_from_slice(entry);
        length += entry.len();
    }
    rest[length] = 0;
    found.then_some(length)
}

/// Begins the program again without us. Returns if that cannot be done; then the environment is
/// without us nevertheless, for what the program starts.
///
/// # Safety
/// `arguments` are those of main(), which has not begun.
pub unsafe fn leave(arguments: *const *const c_char) {
    let list = libc::getenv(PRELOADED.as_ptr());
    if list.is_null() {
        return;
    }
    let mut rest = [0; BYTES_MAX];
    let Some(length) = without_us(CStr::from_ptr(list).to_bytes(), &mut rest) else { return };
    let changed = if length == 0 {
        libc::unsetenv(PRELOADED.as_ptr())
    } else {
        libc::setenv(PRELOADED.as_ptr(), rest.as_ptr().cast(), 1)
    };
    // The loader was called as a program: it would not know what to load.
    let is_loader = libc::getauxval(libc::AT_BASE) == 0;
    if changed != 0 || is_loader {
        return;
    }
    let mut path = [0 as c_char; BYTES_MAX];
    let length = libc::readlink(c"/proc/self/exe".as_ptr(), path.as_mut_ptr(), path.len() - 1);
    if length > 0 {
        libc::execve(path.as_ptr(), arguments, environ);
    }
}
