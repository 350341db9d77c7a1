//! Functions of POSIX that the library exports under their own names: they stand in front of the
//! C library's, which get whatever has nothing to do with event channels, unchanged.
//!
//! What passes through is no business of `guard`: no panic can come of it, errno is the C
//! library's, and timer_settime, timer_gettime and timer_getoverrun stay async-signal-safe.

use std::ffi::c_int;

use libc::{clockid_t, itimerspec, mqd_t, sigevent, timer_t};

use super::{convert, guard};
use crate::api::{mqueue, timer};
use crate::error::Errno;
use crate::sys::next;

/// A timer. See sigev_ec(7) and timer_create(2).
///
/// The pointers are as timer_create(2) has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timer_create(
    clock: clockid_t,
    event: *mut sigevent,
    id: *mut timer_t,
) -> c_int {
    // SAFETY: by the contract of this function.
    let Some((ec, cookie)) = (unsafe { convert::channel_of(event) }) else {
        // SAFETY: the same.
        return unsafe { next::timer_create(clock, event, id) };
    };
    guard::making(|| {
        convert::not_null(id)?;
        let made = timer::create(ec, clock, cookie)?;
        // SAFETY: by the contract of this function.
        unsafe { convert::write(id, made as timer_t) }
    })
}

/// Arms a timer or disarms it. See sigev_ec(7) and timer_settime(2).
///
/// The pointers are as timer_settime(2) has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timer_settime(
    id: timer_t,
    flags: c_int,
    when: *const itimerspec,
    old: *mut itimerspec,
) -> c_int {
    if !timer::is_ours(id as usize) {
        // SAFETY: by the contract of this function.
        return unsafe { next::timer_settime(id, flags, when, old) };
    }
    guard::nothing(|| {
        // SAFETY: by the contract of this function.
        let when = unsafe { when.as_ref() }.ok_or(Errno::EFAULT)?;
        let before = timer::set(id as usize, flags, when)?;
        if !old.is_null() {
            // SAFETY: by the contract of this function.
            unsafe { old.write(before) };
        }
        Ok(())
    })
}

/// The time until a timer expires. See sigev_ec(7) and timer_gettime(2).
///
/// The pointer is as timer_gettime(2) has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timer_gettime(id: timer_t, rest: *mut itimerspec) -> c_int {
    if !timer::is_ours(id as usize) {
        // SAFETY: by the contract of this function.
        return unsafe { next::timer_gettime(id, rest) };
    }
    // SAFETY: by the contract of this function.
    guard::nothing(|| unsafe { convert::write(rest, timer::rest(id as usize)?) })
}

/// Expirations that the last event told beyond the first. See sigev_ec(7) and timer_getoverrun(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timer_getoverrun(id: timer_t) -> c_int {
    if !timer::is_ours(id as usize) {
        // SAFETY: by the contract of this function.
        return unsafe { next::timer_getoverrun(id) };
    }
    guard::number(|| timer::overrun(id as usize))
}

/// Deletes a timer. See sigev_ec(7) and timer_delete(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timer_delete(id: timer_t) -> c_int {
    if !timer::is_ours(id as usize) {
        // SAFETY: by the contract of this function.
        return unsafe { next::timer_delete(id) };
    }
    guard::nothing(|| timer::delete(id as usize))
}

/// Tells when a message comes into an empty queue. See sigev_ec(7) and mq_notify(3).
///
/// The pointer is as mq_notify(3) has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mq_notify(queue: mqd_t, event: *const sigevent) -> c_int {
    // SAFETY: by the contract of this function.
    if let Some((ec, cookie)) = unsafe { convert::channel_of(event) } {
        return guard::making(|| mqueue::notify(ec, queue, cookie));
    }
    // SAFETY: by the contract of this function.
    let answer = unsafe { next::mq_notify(queue, event) };
    if answer == 0 && event.is_null() && mqueue::is_used() {
        return guard::nothing(|| {
            mqueue::withdrawn(queue);
            Ok(())
        });
    }
    answer
}
