//! Faults of the library itself: a panic ends the call that it happened in, not the process.
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Errno, Result};
use crate::sys::annotate;
use crate::sys::log::{self, Level};
use crate::sys::own::{Own, own};

/// Runs code of the library; a panic becomes `ENOTRECOVERABLE`, and nothing unwinds out of it.
pub fn protect<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_panics();
    own(|own| {
        let is_first = own.depth.get() == 0;
        if is_first {
            annotate::pass_over(true);
        }
        let answer = catch(own, body);
        if is_first {
            annotate::pass_over(false);
        }
        answer
    })
}

/// The same where no tool watches, for a body that is short.
#[inline(always)]
pub fn protect_in_passing<T>(body: impl FnOnce(&Own) -> Result<T>) -> Result<T> {
    silence_panics();
    own(|own| catch(own, || body(own)))
}

#[inline(always)]
fn catch<T>(own: &Own, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let depth = own.depth.get();
    own.depth.set(depth + 1);
    let answer = catch_unwind(AssertUnwindSafe(body));
    own.depth.set(depth);
    answer.unwrap_or_else(|panic| tell(&*panic))
}

#[cold]
fn tell<T>(panic: &(dyn Any + Send)) -> Result<T> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    log::write(Level::Error, format_args!("panic: {text}"));
    Err(Errno::ENOTRECOVERABLE)
}

/// A panic of ours writes nothing to the program's standard error: `SIO_LOG` is for that. A
/// panic outside of the guard, in a Rust program, is told as ever. Nobody waits until the first
/// thread has seen to it: in a child after fork that one may be missing.
#[inline(always)]
fn silence_panics() {
    static IS_BEGUN: AtomicBool = AtomicBool::new(false);
    if !IS_BEGUN.load(Ordering::Relaxed) && !IS_BEGUN.swap(true, Ordering::Relaxed) {
        set_hook();
    }
}

#[cold]
fn set_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if own(|own| own.depth.get()) == 0 {
            previous(info);
        }
    }));
}
