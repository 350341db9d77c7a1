//! Signals that are taken, not handled, or not taken now. signalfd(2), sigprocmask(2).

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::check;
use super::descriptor::{Descriptor, own};
use crate::error::{Errno, Result};

/// One delivery.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub number: i32,
    /// `si_value`.
    pub value: usize,
    /// `si_pid`.
    pub sender: u32,
}

impl Taken {
    /// Standard signals are merged while they are pending, real-time ones are queued. signal(7).
    pub fn is_standard(&self) -> bool {
        // The kernel's number: the C library keeps the first two for itself.
        const KERNEL_REALTIME_MIN: i32 = 32;
        self.number < KERNEL_REALTIME_MIN
    }
}

/// The signals of a set that can be waited for: none of them stops or kills unasked.
fn wanted(set: &libc::sigset_t) -> Option<libc::sigset_t> {
    let mut wanted = *set;
    let mut is_empty = true;
    // SAFETY: the set is a local copy of a valid one.
    unsafe {
        libc::sigdelset(&raw mut wanted, libc::SIGKILL);
        libc::sigdelset(&raw mut wanted, libc::SIGSTOP);
        for number in 1..=libc::SIGRTMAX() {
            is_empty &= libc::sigismember(&raw const wanted, number) != 1;
        }
    }
    (!is_empty).then_some(wanted)
}

/// A descriptor that is readable while a signal of the set is pending.
pub fn descriptor(set: &libc::sigset_t) -> Result<Descriptor> {
    let wanted = wanted(set).ok_or(Errno::EINVAL)?;
    let (call, flags) = (libc::SYS_signalfd4, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
    // SAFETY: a valid set, of which the kernel reads the first bytes; the result is a descriptor that
    // nobody else owns.
    let fd = check(unsafe { libc::syscall(call, -1, &raw const wanted, SET_BYTES, flags) })?;
    Ok(own(fd as RawFd))
}

/// The kernel's sigset_t has 64 signals.
pub(super) const SET_BYTES: usize = 8;

/// Changes which signals this thread takes, as sigprocmask(2) has it; the set that was in force.
pub(super) fn change_mask(how: i32, set: u64) -> u64 {
    let mut old = 0;
    // SAFETY: both sets are locals of the size that is told.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set, &raw mut old, SET_BYTES)
    };
    old
}

/// How many are asked for in one system call.
const BATCH: usize = 32;

/// Takes at most `most` pending signals; never blocks.
pub fn take(fd: RawFd, most: usize) -> Vec<Taken> {
    let mut room = [const { MaybeUninit::<libc::signalfd_siginfo>::uninit() }; BATCH];
    let bytes = size_of::<libc::signalfd_siginfo>();
    let most = most.min(BATCH);
    // SAFETY: the array has room for as many records as are asked for.
    let read = check(unsafe { libc::syscall(libc::SYS_read, fd, room.as_mut_ptr(), most * bytes) });
    let count = read.unwrap_or(0) / bytes;
    let taken = room[..count].iter().map(|record| {
        // SAFETY: the kernel has written this many whole records.
        let record = unsafe { record.assume_init_ref() };
        Taken {
            number: record.ssi_signo as i32,
            value: record.ssi_ptr as usize,
            sender: record.ssi_pid,
        }
    });
    taken.collect()
}
