//! How a program is told that something has ended: a signal, or a function in a thread of its own.
//! sigevent(3type).

use std::ffi::c_void;
use std::mem::MaybeUninit;

use super::check;
use super::thread::pthread_create;
use crate::error::{Errno, Result};

/// siginfo_t for a queued signal, as far as it is filled in.
#[repr(C)]
struct Queued {
    signal: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    process: i32,
    user: u32,
    value: usize,
    _rest: [u64; 12],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());

/// Queues a signal to this process, or to one thread of it, as the end of an asynchronous request.
pub fn signal(signal: i32, value: usize, thread: Option<i32>) -> Result<()> {
    // SAFETY: no pointers.
    let (process, user) = unsafe { (libc::getpid(), libc::getuid()) };
    let told = Queued {
        signal,
        errno: 0,
        code: libc::SI_ASYNCIO,
        _pad: 0,
        process,
        user,
        value,
        _rest: [0; 12],
    };
    // SAFETY: `told` has the layout of siginfo_t and outlives the call.
    check(unsafe {
        match thread {
            None => libc::syscall(libc::SYS_rt_sigqueueinfo, process, signal, &raw const told),
            Some(thread) => {
                libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, &raw const told)
            }
        }
    })
    .map(drop)
}

/// Whether there is a signal of that number; 0 is none.
pub fn is_signal(signal: i32) -> bool {
    (1..=libc::SIGRTMAX()).contains(&signal)
}

/// A function of the program's, `sigev_notify_function`, with what it is to be given.
#[derive(Clone, Copy)]
pub struct Callback {
    function: Option<unsafe extern "C-unwind" fn(usize)>,
    attributes: *const libc::pthread_attr_t,
    value: usize,
}

// SAFETY: the program gives function, attributes and value away for use in another thread.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    /// From the numbers in a sigevent.
    ///
    /// # Safety
    /// `function` is null or a `void (*)(union sigval)`; `attributes` is null or stays valid until
    /// the function has been called.
    pub unsafe fn new(function: usize, attributes: usize, value: usize) -> Self {
        // SAFETY: by the contract of this function; an Option of a function pointer may be null.
        let function = unsafe {
            std::mem::transmute::<usize, Option<unsafe extern "C-unwind" fn(usize)>>(function)
        };
        Self { function, attributes: attributes as *const _, value }
    }

    /// Starts a thread that calls it, with the program's attributes, or else a detached one.
    pub fn start(self) -> Result<()> {
        let call = Box::into_raw(Box::new(self));
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        let mut own = MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: attributes of our own are made before and destroyed after their use; the box is
        // the new thread's, or ours again if there is none.
        let error = unsafe {
            let mut attributes = self.attributes;
            if attributes.is_null() {
                libc::pthread_attr_init(own.as_mut_ptr());
                libc::pthread_attr_setdetachstate(own.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
                attributes = own.as_ptr();
            }
            let error = pthread_create(thread.as_mut_ptr(), attributes, run, call.cast());
            if self.attributes.is_null() {
                libc::pthread_attr_destroy(own.as_mut_ptr());
            }
            if error != 0 {
                drop(Box::from_raw(call));
            }
            error
        };
        if error == 0 { Ok(()) } else { Err(Errno::from_raw(error)) }
    }
}

/// The program's function may end the thread, which unwinds through here: nothing is left to drop.
extern "C-unwind" fn run(call: *mut c_void) -> *mut c_void {
    // SAFETY: the box that start() made for this thread.
    let Callback { function, value, .. } = *unsafe { Box::from_raw(call.cast::<Callback>()) };
    // SAFETY: an empty set that is a local; the thread was started with all signals blocked, and
    // the function is to run with none, as it does with the C library.
    unsafe {
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        if let Some(function) = function {
            function(value);
        }
    }
    std::ptr::null_mut()
}
