//! Processes: a child has the same sockets, and another program in this process too.

use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicI32, Ordering};

use super::{CANDIDATE, JOINED, KIND, STATES, changed, give_back, leave, shared, try_to_change};
use crate::next;

/// Another one is a child that has our memory, for a while. vfork(2)
static PROCESS: AtomicI32 = AtomicI32::new(0);

pub fn begin() {
    // SAFETY: no pointers but to functions of ours.
    unsafe {
        PROCESS.store(libc::getpid(), Ordering::Relaxed);
        libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child));
    }
}

/// Sockets that both processes will have are given back. They may come again to the one that is
/// left with them.
extern "C" fn before_fork() {
    while !try_to_change() {
        std::thread::yield_now();
    }
    shared::forked();
    for (fd, state) in STATES.iter().enumerate() {
        if state.load(Ordering::Relaxed) & KIND == JOINED {
            give_back(fd as c_int, state, CANDIDATE, "fork(2)");
        }
    }
}

extern "C" fn after_fork() {
    changed();
}

extern "C" fn in_child() {
    // SAFETY: no pointers.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    changed();
}

/// What this program has received stays with the kernel for the next one.
fn prepare() {
    // SAFETY: no pointers.
    if !super::is_on() || PROCESS.load(Ordering::Relaxed) != unsafe { libc::getpid() } {
        return;
    }
    (0..STATES.len() as c_int).filter(|fd| super::has_joined(*fd)).for_each(|fd| {
        leave(fd, "execve(2)");
    });
}

type Strings = *const *const c_char;

/// # Safety
/// As execve(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execve(
    path: *const c_char,
    words: Strings,
    variables: Strings,
) -> c_int {
    prepare();
    next::execve(path, words, variables)
}

/// # Safety
/// As execv(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execv(path: *const c_char, words: Strings) -> c_int {
    prepare();
    next::execv(path, words)
}

/// # Safety
/// As execvp(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execvp(file: *const c_char, words: Strings) -> c_int {
    prepare();
    next::execvp(file, words)
}

/// # Safety
/// As execvpe(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execvpe(
    file: *const c_char,
    words: Strings,
    variables: Strings,
) -> c_int {
    prepare();
    next::execvpe(file, words, variables)
}

/// # Safety
/// As fexecve(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn fexecve(fd: c_int, words: Strings, variables: Strings) -> c_int {
    prepare();
    next::fexecve(fd, words, variables)
}
