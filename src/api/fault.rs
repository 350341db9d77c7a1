//! Faults of the library itself: a panic ends the call that it happened in, not the process.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Errno, Result};
use crate::log::{self, Level};
use crate::sys::annotate;

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

/// Runs code of the library; a panic becomes `ENOTRECOVERABLE`, and nothing unwinds out of it.
pub fn protect<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_panics();
    let depth = DEPTH.replace(DEPTH.get() + 1);
    if depth == 0 {
        annotate::pass_over(true);
    }
    let answer = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        log::write(Level::Error, format_args!("panic: {text}"));
        Err(Errno::ENOTRECOVERABLE)
    });
    DEPTH.set(depth);
    if depth == 0 {
        annotate::pass_over(false);
    }
    answer
}

/// A panic of ours writes nothing to the program's standard error: `SIO_LOG` is for that. A
/// panic outside of the guard, in a Rust program, is told as ever.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                previous(info);
            }
        }));
    });
}
