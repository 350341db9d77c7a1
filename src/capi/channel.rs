//! Event channels. Source: the talk, "Event Handling Solutions" and "Using Event Channels".

use std::ffi::{c_int, c_uint};

use super::types::{EC_SINGLE, ec_t, event_data_t};
use super::{convert, guard};
use crate::api::blocking::{Wait, wait_in_passing};
use crate::api::channel;
use crate::channel::{Event, Options};
use crate::error::Errno;
use crate::sys::wait::{Terms, act_on_cancellation};

const CAPACITY_SHIFT: u32 = 24;

/// A new event channel: its descriptor. See ec_create(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_create(flags: c_uint) -> ec_t {
    guard::growing(|| {
        if flags & !(EC_SINGLE | 0xff << CAPACITY_SHIFT) != 0 {
            return Err(Errno::EINVAL);
        }
        let single = flags & EC_SINGLE != 0;
        channel::create(Options { single, capacity_log2: flags >> CAPACITY_SHIFT })
    })
}

/// Destroys a channel. See ec_destroy(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_destroy(ec: ec_t) -> c_int {
    guard::nothing(|| channel::destroy(ec))
}

/// Fetches one event; never blocks. See ec_next_event(3).
///
/// `d` is null or points to room for an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_next_event(ec: ec_t, d: *mut event_data_t) -> c_int {
    // SAFETY: by the contract of this function.
    guard::fast(|| channel::next_events(ec, unsafe { convert::events(d, 1) }?).map(|_| 0))
}

/// The descriptor that is readable while an event is queued. See ec_to_fd(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_to_fd(ec: ec_t) -> c_int {
    guard::number(|| channel::to_fd(ec))
}

/// Waits until an event is queued, and leaves it there. See ec_delay(3).
///
/// `tout` is null or points to a timespec.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ec_delay(ec: ec_t, tout: *mut libc::timespec) -> c_int {
    act_on_cancellation();
    guard::blocking(
        || {
            // SAFETY: by the contract of this function.
            let terms = unsafe { convert::terms(tout, std::ptr::null()) }?;
            Wait::new(ec, None, Terms { ..terms })
        },
        |_| Ok(0),
    )
}

/// Fetches up to `n` events; never blocks. See ec_next_events(3).
///
/// `d` is null or points to room for `n` events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_next_events(ec: ec_t, d: *mut event_data_t, n: c_int) -> c_int {
    guard::fast(|| {
        // SAFETY: by the contract of this function.
        channel::next_events(ec, unsafe { convert::events(d, n) }?).map(|count| count as c_int)
    })
}

/// Waits for events and fetches up to `n`. See ec_wait_events(3).
///
/// `d` points to room for `n` events; `tout` and `mask` are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ec_wait_events(
    ec: ec_t,
    d: *mut event_data_t,
    n: c_int,
    tout: *const libc::timespec,
    mask: *const libc::sigset_t,
) -> c_int {
    act_on_cancellation();
    let in_passing = || {
        // SAFETY: by the contract of this function.
        let room = unsafe { convert::events(d, n) }?;
        // SAFETY: as above.
        let is_for_long = unsafe { convert::limit(tout) }?.is_none();
        Ok(wait_in_passing(ec, room, is_for_long).map(|count| count as c_int))
    };
    if let Some(answer) = guard::short(in_passing) {
        return answer;
    }
    guard::blocking(
        // SAFETY: by the contract of this function.
        || unsafe {
            let room = convert::events(d, n)?;
            Wait::new(ec, Some(room), convert::terms(tout, mask)?)
        },
        |count| Ok(count as c_int),
    )
}

/// Queues an event of the program's own. See ec_post(3).
///
/// `d` is null or points to an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_post(ec: ec_t, d: *const event_data_t) -> c_int {
    guard::fast(|| {
        convert::not_null(d)?;
        // SAFETY: not null, and of the same layout by assertion.
        channel::post(ec, unsafe { d.cast::<Event>().read() }).map(|()| 0)
    })
}

/// Wakes up to `n` waiting threads without an event. See ec_wake(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_wake(ec: ec_t, n: c_int) -> c_int {
    guard::nothing(|| channel::wake(ec, n))
}

/// Sends out what was accepted. See ec_flush(3).
#[unsafe(no_mangle)]
pub extern "C" fn ec_flush(ec: ec_t) -> c_int {
    guard::nothing(|| channel::flush(ec))
}
