//! Interrupting one thread of the program: a real-time signal that nobody else uses, with a
//! handler that does nothing. signal(7), tgkill(2).

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::fork;
use super::sync::{Mutex, MutexGuard};
use super::thread::{self, Masked};
use crate::error::{Errno, Result};

/// The signal, once there is one. A child after fork inherits its handler.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The signal: the highest real-time signal that has its default action at the first call. No lock
/// is taken, because another thread may fork meanwhile. `EAGAIN`: each of them is in use.
fn signal() -> Result<c_int> {
    let chosen = SIGNAL.load(Ordering::Acquire);
    if chosen != 0 {
        return Ok(chosen);
    }
    let mut numbers = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev();
    let own = numbers.find(|&number| claim(number)).ok_or(Errno::EAGAIN)?;
    Ok(agree(&SIGNAL, own))
}

/// Of what several threads have claimed at once, the first is the one that all of them use; the others
/// are given back. Two may have claimed the same.
fn agree(chosen: &AtomicI32, own: c_int) -> c_int {
    match chosen.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => own,
        Err(theirs) => {
            if theirs != own {
                set_action(own, libc::SIG_DFL, 0);
            }
            theirs
        }
    }
}

extern "C" fn do_nothing(_signal: c_int) {}

/// Installs the handler if nobody has installed another one.
fn claim(number: c_int) -> bool {
    let mut present = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only writes the present action.
    let is_free = unsafe {
        libc::sigaction(number, ptr::null(), present.as_mut_ptr()) == 0
            && present.assume_init().sa_sigaction == libc::SIG_DFL
    };
    let handler = do_nothing as extern "C" fn(c_int) as libc::sighandler_t;
    // A call that goes on by itself after a signal does so. Some programs have small stacks.
    is_free && set_action(number, handler, libc::SA_RESTART | libc::SA_ONSTACK)
}

fn set_action(number: c_int, handler: libc::sighandler_t, flags: c_int) -> bool {
    // SAFETY: an action of zeroes is valid, and its mask empty; the handler is a function that
    // does nothing, or SIG_DFL.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(number, &raw const action, ptr::null_mut()) == 0
    }
}

/// A thread that can be interrupted for as long as it lives.
pub struct Target {
    /// The kernel's number of it, 0 when it has ended: the kernel gives numbers out again.
    id: Mutex<libc::pid_t>,
    epoch: u32,
}

impl Target {
    /// The calling thread.
    pub fn here() -> Self {
        // SAFETY: no arguments.
        let id = unsafe { libc::syscall(libc::SYS_gettid) } as libc::pid_t;
        Self { id: Mutex::new(id), epoch: fork::epoch() }
    }

    /// A thread that cannot be interrupted.
    pub fn nobody() -> Self {
        Self { id: Mutex::new(0), epoch: fork::epoch() }
    }

    /// Whether it is of this process, and not of the one that this process is a child of.
    pub fn is_present(&self) -> bool {
        self.epoch == fork::epoch()
    }

    /// `None` in a child: somebody may have held the lock when it was made.
    fn id(&self) -> Option<MutexGuard<'_, libc::pid_t>> {
        self.is_present().then(|| self.id.lock())
    }

    /// The thread ends: its number means nothing any more.
    pub fn end(&self) {
        if let Some(mut id) = self.id() {
            *id = 0;
        }
    }

    /// Interrupts it; the handler has been called before it runs anything else of the program,
    /// unless it blocks the signal. It cannot end meanwhile, because of the lock.
    pub fn interrupt(&self) {
        if let Some(id) = self.id()
            && *id != 0
        {
            let signal = SIGNAL.load(Ordering::Acquire);
            // SAFETY: no pointers.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), *id, signal) };
        }
    }
}

/// Sees to it that the calling thread can be interrupted.
pub fn allow() -> Result<()> {
    signal().map(thread::unmask)
}

/// Puts interruptions of the calling thread off while the result lives.
pub fn postpone() -> Result<Masked> {
    signal().map(Masked::one)
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    fn has_handler(number: c_int) -> bool {
        let mut present = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: only writes the present action.
        unsafe {
            assert_eq!(libc::sigaction(number, ptr::null(), present.as_mut_ptr()), 0);
            present.assume_init().sa_sigaction != libc::SIG_DFL
        }
    }

    #[test]
    fn threads_that_choose_at_once_use_one_signal() {
        let (first, second) = (libc::SIGRTMIN() + 1, libc::SIGRTMIN() + 2);
        let chosen = AtomicI32::new(0);
        assert!(claim(first) && claim(second));
        assert_eq!(agree(&chosen, first), first);
        assert_eq!(agree(&chosen, first), first, "claimed by both before either had a handler");
        assert_eq!(agree(&chosen, second), first);
        assert!(has_handler(first) && !has_handler(second));
        set_action(first, libc::SIG_DFL, 0);
    }
}
