//! Timers that report to a channel: what timer_create makes of SIGEV_EC, and the calls on it.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::context::context;
use super::source::change;
use crate::channel::source::{Kind as SourceKind, Source, Timer};
use crate::channel::{Channel, State};
use crate::engine::Key;
use crate::error::{Errno, Result};

/// The highest bit but one of the id of each of our timers. The kernel's ids are an `int`; the C
/// library's own, for SIGEV_THREAD, have the highest bit set.
const MARK_SHIFT: u32 = usize::BITS - 2;

/// Ids are never used twice; a child goes on where its parent was.
static NEXT: AtomicUsize = AtomicUsize::new(1 << MARK_SHIFT);

/// Whether the id is one that only [`create`] gives.
pub fn is_ours(id: usize) -> bool {
    id >> MARK_SHIFT == 1
}

/// A timer as its creator knows it: the source may be gone before it is deleted.
pub struct Handle {
    channel: Weak<Channel>,
    key: Key,
    timer: Weak<Timer>,
}

impl Handle {
    /// Does something with the timer: `None` if its source or its channel is gone.
    fn visit<T>(&self, body: impl FnOnce(&mut State, &Timer) -> Result<T>) -> Result<Option<T>> {
        let (Some(channel), Some(timer)) = (self.channel.upgrade(), self.timer.upgrade()) else {
            return Ok(None);
        };
        let mut state = match channel.enter() {
            Err(Errno::EBADF) => return Ok(None),
            entered => entered?,
        };
        // Another thread may hold on to the timer, and its source's number may be another's now.
        if !state.timer(self.key).is_some_and(|found| Arc::ptr_eq(found, &timer)) {
            return Ok(None);
        }
        let answer = body(&mut state, &timer)?;
        channel.settle(&mut state)?;
        Ok(Some(answer))
    }
}

/// `EINVAL`: there is no such timer, in this process, or it has lost its channel.
fn visit<T>(id: usize, body: impl FnOnce(Key, &mut State, &Timer) -> Result<T>) -> Result<T> {
    let handle = context().timers.get(id).ok_or(Errno::EINVAL)?;
    handle.visit(|state, timer| body(handle.key, state, timer))?.ok_or(Errno::EINVAL)
}

/// `timer_create` with SIGEV_EC: a timer that is not armed, as a source of the channel.
pub fn create(fd: RawFd, clock: i32, cookie: u64) -> Result<usize> {
    drop(context().channel(fd)?.enter()?);
    let timer = Arc::new(Timer::new(clock)?);
    let source = Source::new(cookie, SourceKind::Timer(timer.clone()));
    let handle = change(fd, |channel, state| {
        let key = state.add_polled(source)?;
        Ok(Handle { channel: Arc::downgrade(channel), key, timer: Arc::downgrade(&timer) })
    })?;
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    context().timers.set(id, handle);
    Ok(id)
}

/// `timer_settime`: returns what was set before.
pub fn set(id: usize, flags: i32, when: &libc::itimerspec) -> Result<libc::itimerspec> {
    if flags & !libc::TIMER_ABSTIME != 0 {
        return Err(Errno::EINVAL);
    }
    visit(id, |key, state, timer| {
        let old = timer.set(flags, when)?;
        state.take_back(key);
        Ok(old)
    })
}

/// `timer_gettime`.
pub fn rest(id: usize) -> Result<libc::itimerspec> {
    visit(id, |_, _, timer| timer.rest())
}

/// `timer_getoverrun`.
pub fn overrun(id: usize) -> Result<i32> {
    visit(id, |_, _, timer| Ok(timer.overrun()))
}

/// `timer_delete`: the source goes with it, if it is still there.
pub fn delete(id: usize) -> Result<()> {
    let timers = &context().timers;
    let handle = timers.get(id).ok_or(Errno::EINVAL)?;
    let removed = handle.visit(|state, _| {
        // Another thread may have been faster.
        timers.remove(id).ok_or(Errno::EINVAL)?;
        state.remove(handle.key).map(drop)
    })?;
    match removed {
        Some(()) => Ok(()),
        None => timers.remove(id).map(drop).ok_or(Errno::EINVAL),
    }
}
