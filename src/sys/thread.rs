//! Threads of the library's own: they take no signals, which are the program's.

use std::ffi::{CStr, CString, c_int, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
#[cfg(not(feature = "model"))]
use std::sync::{Arc, OnceLock};

use super::annotate;
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
        let mut set = MaybeUninit::uninit();
        // SAFETY: writes the whole set.
        let set = unsafe {
            libc::sigfillset(set.as_mut_ptr());
            set.assume_init()
        };
        Self { old: change_mask(libc::SIG_BLOCK, &set), _stays: PhantomData }
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
    begin(name, || drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))))
}

/// A run of the model does not wait for its end, as a process does not.
#[cfg(feature = "model")]
fn start(_name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    drop(shuttle::future::spawn(async { body() }));
    Ok(())
}

/// In the model the order of what is found out once does not matter.
#[cfg(feature = "model")]
pub fn aside<T: Send + Sync + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    Ok(body())
}

/// Runs `body` in a thread of its own and waits until that has gone. Not with pthread_join(3),
/// which is a cancellation point, and returns when the thread can still be seen.
#[cfg(not(feature = "model"))]
pub fn aside<T: Send + Sync + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let answer = Arc::new(OnceLock::new());
    let theirs = answer.clone();
    spawn("sio-aside", move || {
        // SAFETY: no argument.
        let number = unsafe { libc::gettid() };
        let _ = theirs.set((body(), number));
    })?;
    let number = answer.wait().1;
    // SAFETY: signal 0 only asks whether the thread is there.
    while unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), number, 0) } == 0 {
        std::thread::yield_now();
    }
    // Nobody else has it any more.
    Arc::into_inner(answer).and_then(OnceLock::into_inner).map(|(value, _)| value).ok_or(Errno::EIO)
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
    // SAFETY: a string of at most 15 bytes and its end; a longer one is cut.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    drop(name);
    body();
    ptr::null_mut()
}
