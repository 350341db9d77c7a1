//! Threads of the library's own: they take no signals, which are the program's.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use super::annotate;
#[cfg(not(feature = "model"))]
use super::next;
use crate::error::{Errno, Result};

/// While it lives, signals do not reach this thread. A thread inherits the mask of the one that
/// starts it.
pub struct Masked {
    old: libc::sigset_t,
    /// The mask is this thread's.
    _stays: PhantomData<*const ()>,
}

impl Masked {
    /// All signals.
    pub fn all() -> Self {
        Self { old: change_mask(libc::SIG_BLOCK, &every_signal()), _stays: PhantomData }
    }

    /// One of them.
    pub fn one(signal: c_int) -> Self {
        Self { old: change_mask(libc::SIG_BLOCK, &set_of(signal)), _stays: PhantomData }
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        change_mask(libc::SIG_SETMASK, &self.old);
    }
}

/// Lets a signal reach this thread.
pub fn unmask(signal: c_int) {
    change_mask(libc::SIG_UNBLOCK, &set_of(signal));
}

/// But those that the C library keeps for itself.
fn every_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: writes the whole set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn set_of(signal: c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

/// Changes the mask of this thread; what it was before.
fn change_mask(how: c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = MaybeUninit::uninit();
    // SAFETY: reads one set and writes the other; it fails only if `how` is not one of the three.
    unsafe {
        libc::pthread_sigmask(how, set, old.as_mut_ptr());
        old.assume_init()
    }
}

thread_local!(static TAKES_SIGNALS: Cell<bool> = const { Cell::new(true) });

/// Whether this thread may take signals: not if [`spawn`] has started it.
pub fn takes_signals() -> bool {
    TAKES_SIGNALS.get()
}

/// Starts a thread that ends with `body`; a panic ends it, and nothing else.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    start(name, || {
        annotate::pass_over(true);
        body();
    })
}

#[cfg(not(feature = "model"))]
fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let name = CString::new(name).unwrap_or_default();
    begin(name, || {
        TAKES_SIGNALS.set(false);
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)));
    })
}

/// A run of the model does not wait for its end, as a process does not.
#[cfg(feature = "model")]
fn start(_name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    drop(shuttle::future::spawn(async { body() }));
    Ok(())
}

/// In the model the order of what is found out once does not matter.
#[cfg(feature = "model")]
pub fn aside<T>(body: impl FnOnce() -> T) -> Result<T> {
    Ok(body())
}

/// Runs `body` in a process of its own that shares this one's memory, while this thread stands
/// still; vfork(2) is the same with other words. What the kernel does when such a helper has gone,
/// it does to the helper. A thread would serve as well, but the C library takes a process that has
/// had one for one with threads: from then on each call that is a cancellation point costs more.
#[cfg(not(feature = "model"))]
pub fn aside<T>(body: impl FnOnce() -> T) -> Result<T> {
    let _masked = Masked::all();
    let stack = Stack::new()?;
    let mut errand = Errand { body: Some(body), answer: None };
    let argument: *mut Errand<_, _> = &mut errand;
    annotate::look_away(true);
    // SAFETY: the helper runs on a stack of its own, and this thread, whose thread-local storage
    // it uses, goes on when it has gone. Descriptors that it opens are its own.
    let number = unsafe {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK;
        let (entry, top, argument) = (entry(&argument), stack.top(), argument.cast());
        if next::has_clone() {
            next::clone(entry, top, flags, argument)
        } else {
            libc::clone(entry, top, flags, argument)
        }
    };
    let refused = Errno::last();
    annotate::look_away(false);
    if number < 0 {
        return Err(refused);
    }
    // Without SIGCHLD at its end it is no child that the program's wait(2) would find.
    // SAFETY: no status is asked for.
    while unsafe { libc::syscall(libc::SYS_wait4, number, 0, libc::__WCLONE, 0) } < 0
        && Errno::last() == Errno::EINTR
    {}
    errand.answer.ok_or(Errno::EIO)
}

/// What is done aside, and what came of it.
#[cfg(not(feature = "model"))]
struct Errand<Body, T> {
    body: Option<Body>,
    answer: Option<T>,
}

/// Where a helper with that errand begins.
#[cfg(not(feature = "model"))]
fn entry<Body: FnOnce() -> T, T>(_: &*mut Errand<Body, T>) -> extern "C" fn(*mut c_void) -> c_int {
    extern "C" fn run<Body: FnOnce() -> T, T>(argument: *mut c_void) -> c_int {
        // SAFETY: the errand of the thread that stands still meanwhile.
        let errand = unsafe { &mut *argument.cast::<Errand<Body, T>>() };
        let body = errand.body.take();
        let attempt = std::panic::AssertUnwindSafe(|| body.map(|body| body()));
        errand.answer = std::panic::catch_unwind(attempt).ok().flatten();
        0
    }
    run::<Body, T>
}

/// A stack for a helper.
#[cfg(not(feature = "model"))]
struct Stack(*mut c_void);

#[cfg(not(feature = "model"))]
impl Stack {
    const BYTES: usize = 512 * 1024;

    fn new() -> Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a fresh mapping wherever the kernel likes.
        let base = unsafe { libc::mmap(ptr::null_mut(), Self::BYTES, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(Self(base)) }
    }

    /// It grows from here towards lower addresses.
    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::BYTES)
    }
}

#[cfg(not(feature = "model"))]
impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, whose user has gone.
        unsafe { libc::munmap(self.0, Self::BYTES) };
    }
}

/// Name and body of a thread on their way to it.
struct Start<Body>(CString, Body);

unsafe extern "C-unwind" {
    /// The C library's; libc's declaration does not let the thread be unwound.
    pub(super) fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
}

/// As [`spawn`], for a body that calls functions of the program's: they may end their thread with
/// pthread_exit(3), which unwinds the stack, and Rust's own threads abort the process then.
/// Nothing catches a panic, so the body must not let one out.
pub fn spawn_open(name: &'static CStr, body: impl FnOnce() + Send + 'static) -> Result<()> {
    begin(name.to_owned(), body)
}

/// Not by the standard library, whose threads look after their stacks with a lock of their own:
/// helgrind would tell the program of that.
fn begin<Body: FnOnce() + Send + 'static>(name: CString, body: Body) -> Result<()> {
    let _masked = Masked::all();
    let argument = Box::into_raw(Box::new(Start(name, body)));
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are initialized, used and destroyed; `run` takes the box over if the
    // thread starts, and we take it back if it does not.
    let error = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        let start = run::<Body>;
        let error =
            pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), start, argument.cast());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if error != 0 {
            drop(Box::from_raw(argument));
        }
        error
    };
    if error == 0 { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// Of what the thread was started with, nothing stays in allocated memory: a child after fork has
/// not got the thread, and whoever looks for leaks there would find that nobody refers to it.
extern "C-unwind" fn run<Body: FnOnce()>(argument: *mut c_void) -> *mut c_void {
    // SAFETY: the box that begin() made for this thread.
    let Start(name, body) = unsafe { *Box::from_raw(argument.cast::<Start<Body>>()) };
    // Whoever has started it may be where even the C library's own signals are kept off (see
    // `quiet`). With those blocked here, setuid(2) would wait for this thread for ever.
    change_mask(libc::SIG_SETMASK, &every_signal());
    // SAFETY: a string of at most 15 bytes and its end; a longer one is cut.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    drop(name);
    body();
    ptr::null_mut()
}
