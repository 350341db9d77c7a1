//! Processes: a child has the same sockets, another program in this process too, and one that ends
//! takes nothing with it that it has sent.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

use super::{
    CANDIDATE, JOINED, KIND, STATES, changed, give_back, leave, library, receive, shared,
    try_to_change,
};
use crate::next;

/// Another one is a child that has our memory, for a while. vfork(2)
static PROCESS: AtomicI32 = AtomicI32::new(0);

const YIELDS_MAX: u32 = 16;
const REST: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };

pub fn begin() {
    // SAFETY: no pointers but to functions of ours.
    unsafe {
        PROCESS.store(libc::getpid(), Ordering::Relaxed);
        libc::atexit(at_exit);
        libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child));
    }
}

/// Sockets that both processes will have are given back. They may come again to the one that is
/// left with them.
extern "C" fn before_fork() {
    lend(|_| true);
}

/// By number: the C library's sleep is a cancellation point, and fork(2) and _exit(2) are none.
fn rest(time: &libc::timespec) {
    // SAFETY: a valid time.
    unsafe { libc::syscall(libc::SYS_nanosleep, time, std::ptr::null_mut::<libc::timespec>()) };
}

/// Gives back those that another process will have; nobody joins until `changed`.
fn lend(is_lent: impl Fn(c_int) -> bool) {
    for tries in 0.. {
        if try_to_change() {
            break;
        }
        // A thread of real-time priority yields to no other.
        match tries {
            0..YIELDS_MAX => std::thread::yield_now(),
            _ => rest(&REST),
        }
    }
    shared::forked();
    for (fd, state) in STATES.iter().enumerate() {
        if state.load(Ordering::Relaxed) & KIND == JOINED && is_lent(fd as c_int) {
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
    receive::nobody_waits();
    changed();
}

pub fn is_own_process() -> bool {
    // SAFETY: no pointers.
    super::is_on() && PROCESS.load(Ordering::Relaxed) == unsafe { libc::getpid() }
}

/// The library's thread sends what is held back within a millisecond. That is waited for, for a
/// while, without a lock: this may be a signal handler.
pub extern "C" fn at_exit() {
    const PAUSE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 100_000 };
    const TRIES: u32 = 100;
    if !is_own_process() {
        return;
    }
    let holds = |fd: c_int| super::has_joined(fd) && library::holds(fd);
    for _ in 0..TRIES {
        if !(0..STATES.len() as c_int).any(holds) {
            return;
        }
        rest(&PAUSE);
    }
}

unsafe fn end(status: c_int) -> ! {
    at_exit();
    loop {
        next::_exit(status);
        libc::syscall(libc::SYS_exit_group, status);
    }
}

/// # Safety
/// As _exit(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn _exit(status: c_int) -> ! {
    end(status)
}

/// # Safety
/// As _Exit(3).
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
unsafe extern "C-unwind" fn _Exit(status: c_int) -> ! {
    end(status)
}

/// What this program has received stays with the kernel for the next one.
pub fn prepare() {
    if !is_own_process() {
        return;
    }
    (0..STATES.len() as c_int).filter(|fd| super::has_joined(*fd)).for_each(|fd| {
        leave(fd, "execve(2)");
    });
}

type Strings = *const *const c_char;

/// Calls after which another program runs in this process.
macro_rules! executing {
    ($(fn $name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        /// # Safety
        /// As exec(3).
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> c_int {
            prepare();
            next::$name($($argument),*)
        }
    )*};
}

executing! {
    fn execve(path: *const c_char, words: Strings, variables: Strings);
    fn execv(path: *const c_char, words: Strings);
    fn execvp(file: *const c_char, words: Strings);
    fn execvpe(file: *const c_char, words: Strings, variables: Strings);
    fn fexecve(fd: c_int, words: Strings, variables: Strings);
}

/// execl(3) and its relatives, after `prepare`.
macro_rules! with_any_arguments {
    ($($name:ident = $number:literal, $before:ident;)*) => {$(
        extern "C" fn $before() -> *const c_void {
            prepare();
            next::variadic($number)
        }

        passed_on!($name, $before);
    )*};
}

with_any_arguments! {
    execl = 0, before_execl;
    execle = 1, before_execle;
    execlp = 2, before_execlp;
}

/// Before a process is made that has the descriptors that are not closed for it. File actions may
/// give it any of them.
fn lend_to_spawned(has_actions: bool) -> bool {
    let is_ours = is_own_process();
    if is_ours {
        lend(|fd| {
            // SAFETY: no pointers.
            let flags = unsafe { next::fcntl(fd, libc::F_GETFD, std::ptr::null_mut()) };
            has_actions || flags & libc::FD_CLOEXEC == 0
        });
    }
    is_ours
}

type Actions = *const libc::posix_spawn_file_actions_t;
type Attributes = *const libc::posix_spawnattr_t;

/// posix_spawn(3) and posix_spawnp(3).
macro_rules! spawning {
    ($($name:ident)*) => {$(
        /// # Safety
        /// As posix_spawn(3).
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            process: *mut libc::pid_t,
            file: *const c_char,
            actions: Actions,
            attributes: Attributes,
            words: Strings,
            variables: Strings,
        ) -> c_int {
            let was_lent = lend_to_spawned(!actions.is_null());
            let answer = next::$name(process, file, actions, attributes, words, variables);
            if was_lent {
                changed();
            }
            answer
        }
    )*};
}

spawning! { posix_spawn posix_spawnp }
