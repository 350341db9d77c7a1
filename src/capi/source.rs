//! What a channel waits for. Source: the talk, "Problems", which lists what epoll cannot.

use std::ffi::{c_int, c_uint};

use super::types::{EC_ABSTIME, EC_CANCEL_ON_SET, EC_ONESHOT, ec_t};
use super::{convert, guard};
use crate::api::source;
use crate::error::Errno;
use crate::sys::semaphore::Semaphore;
use crate::sys::word::{Scope, Word};

/// A descriptor as a source. See ec_add_fd(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_add_fd(
    ec: ec_t,
    fd: c_int,
    poll_events: c_uint,
    flags: c_uint,
    cookie: u64,
) -> c_int {
    guard::growing(|| source::add_fd(ec, fd, poll_events, convert::source_flags(flags)?, cookie))
}

/// A timer as a source. See ec_add_timer(3).
///
/// `when` is null or points to an itimerspec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_add_timer(
    ec: ec_t,
    clock: libc::clockid_t,
    when: *const libc::itimerspec,
    flags: c_uint,
    cookie: u64,
) -> c_int {
    guard::growing(|| {
        if flags & !(EC_ABSTIME | EC_CANCEL_ON_SET) != 0 {
            return Err(Errno::EINVAL);
        }
        // SAFETY: by the contract of this function.
        let when = unsafe { when.as_ref() }.ok_or(Errno::EFAULT)?;
        source::add_timer(ec, clock, when, flags as i32, cookie)
    })
}

/// A message queue as a source. See ec_add_mq(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_add_mq(ec: ec_t, mq: libc::mqd_t, flags: c_uint, cookie: u64) -> c_int {
    guard::growing(|| source::add_queue(ec, mq, convert::source_flags(flags)?, cookie))
}

/// Signals as a source. See ec_add_signal(3).
///
/// `set` is null or points to a set of signals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_add_signal(
    ec: ec_t,
    set: *const libc::sigset_t,
    flags: c_uint,
    cookie: u64,
) -> c_int {
    guard::growing(|| {
        convert::no_flags(flags)?;
        // SAFETY: by the contract of this function.
        source::add_signals(ec, unsafe { set.as_ref() }.ok_or(Errno::EFAULT)?, cookie)
    })
}

/// A word of memory as a source. See ec_add_futex(3).
///
/// `word` is null or points to a word that stays valid until the source is removed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_add_futex(
    ec: ec_t,
    word: *mut u32,
    expected: u32,
    flags: c_uint,
    cookie: u64,
) -> c_int {
    guard::growing(|| {
        convert::no_flags(flags & !EC_ONESHOT)?;
        // SAFETY: by the contract of this function.
        source::add_word(ec, unsafe { Word::new(word, Scope::Any) }?, expected, cookie)
    })
}

/// A semaphore as a source. See ec_add_sem(3).
///
/// `sem` is null or points to a semaphore that is not destroyed before the source is removed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_add_sem(
    ec: ec_t,
    sem: *mut libc::sem_t,
    flags: c_uint,
    cookie: u64,
) -> c_int {
    guard::growing(|| {
        let flags = convert::source_flags(flags)?;
        // SAFETY: by the contract of this function.
        source::add_semaphore(ec, unsafe { Semaphore::new(sem) }?, flags, cookie)
    })
}

/// The end of a process as a source. See ec_add_process(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_add_process(ec: ec_t, pidfd: c_int, flags: c_uint, cookie: u64) -> c_int {
    guard::growing(|| {
        convert::no_flags(flags)?;
        source::add_process(ec, pidfd, cookie)
    })
}

/// A listening socket as a source of connections. See ec_add_accept(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_add_accept(ec: ec_t, listen_fd: c_int, flags: c_uint, cookie: u64) -> c_int {
    guard::growing(|| source::add_accept(ec, listen_fd, convert::source_flags(flags)?, cookie))
}

/// An associated socket as a source. See ec_add_socket(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_add_socket(ec: ec_t, sock: c_int, flags: c_uint, cookie: u64) -> c_int {
    guard::growing(|| source::add_socket(ec, sock, convert::source_flags(flags)?, cookie))
}

/// Changes what a source waits for, and arms it again. See ec_modify(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_modify(ec: ec_t, source: c_int, poll_events: c_uint, flags: c_uint) -> c_int {
    guard::nothing(|| source::modify(ec, source, poll_events, convert::source_flags(flags)?))
}

/// Removes a source and its events. See ec_remove(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_remove(ec: ec_t, source: c_int) -> c_int {
    guard::nothing(|| source::remove(ec, source))
}
