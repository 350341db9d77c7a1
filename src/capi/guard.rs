//! The guard around every exported function: results become -1 and errno, panics become
//! `ENOTRECOVERABLE`, and success leaves errno as it was.

use crate::api::blocking::{Blocking, Progress};
use crate::api::fault::{protect, protect_in_passing};
use crate::error::{Errno, Result};
use crate::sys::own::Own;
use crate::sys::{annotate, errno, spare, wait};

/// Ends an exported function: the value, or -1 and errno.
fn finish(answer: Result<i32>, before: i32) -> i32 {
    match answer {
        Ok(value) => {
            errno::set(before);
            value
        }
        Err(reason) => {
            errno::set(reason as i32);
            -1
        }
    }
}

/// For what may end a call before it has properly begun: a few dozen instructions that call nothing
/// of the C library, so that errno stays as it is. `None`: the call goes the whole way, as it does where
/// tools watch, which would not understand this one.
#[inline(always)]
pub fn in_passing<T>(body: impl FnOnce(&Own) -> Option<T>) -> Result<Option<T>> {
    if annotate::is_watched() {
        return Ok(None);
    }
    protect_in_passing(|own| Ok(body(own)))
}

/// Ends an exported function without having done anything.
pub fn fail(reason: Errno) -> i32 {
    errno::set(reason as i32);
    -1
}

/// For functions that return a number that is not negative.
pub fn number(body: impl FnOnce() -> Result<i32>) -> i32 {
    let _uncancellable = wait::Uncancellable::begin();
    fast(body)
}

/// The same for functions that make something new, for which there has to be memory.
pub fn growing(body: impl FnOnce() -> Result<i32>) -> i32 {
    number(|| {
        spare::ensure(spare::CALL_BYTES)?;
        body()
    })
}

/// For functions in which every microsecond counts: they must make no call of the C library that
/// is a cancellation point, as close(3) is.
pub fn fast(body: impl FnOnce() -> Result<i32>) -> i32 {
    let before = errno::get();
    finish(protect(body), before)
}

/// For the short way of a function that may block: as [`fast`]. `None`: it is to go the long way.
pub fn short(body: impl FnOnce() -> Result<Option<i32>>) -> Option<i32> {
    let before = errno::get();
    match protect(body) {
        Ok(None) => {
            errno::set(before);
            None
        }
        Ok(Some(value)) => Some(finish(Ok(value), before)),
        Err(reason) => Some(finish(Err(reason), before)),
    }
}

/// For functions that return 0.
pub fn nothing(body: impl FnOnce() -> Result<()>) -> i32 {
    number(|| body().map(|()| 0))
}

/// The same for functions that make something new.
pub fn making(body: impl FnOnce() -> Result<()>) -> i32 {
    growing(|| body().map(|()| 0))
}

/// How far a call that may block has come without blocking.
enum Begun<B, C> {
    Done(i32),
    Blocks(B, wait::Sleep, C),
}

/// For functions that may block: every step is guarded, the blocking in between is not, because
/// a thread that is cancelled there unwinds through here.
pub fn blocking<B: Blocking>(
    make: impl FnOnce() -> Result<B>,
    convert: impl FnOnce(B::Output) -> Result<i32>,
) -> i32 {
    let before = errno::get();
    // Most calls end with their first step.
    let begun = {
        let _uncancellable = wait::Uncancellable::begin();
        protect(|| {
            let mut call = make()?;
            Ok(match call.step(None)? {
                Progress::Done(output) => Begun::Done(convert(output)?),
                Progress::Block(sleep) => Begun::Blocks(call, sleep, convert),
            })
        })
    };
    match begun {
        Ok(Begun::Blocks(call, sleep, convert)) => go_on(call, sleep, convert, before),
        Ok(Begun::Done(value)) => finish(Ok(value), before),
        Err(reason) => finish(Err(reason), before),
    }
}

fn go_on<B: Blocking>(
    mut call: B,
    mut sleep: wait::Sleep,
    convert: impl FnOnce(B::Output) -> Result<i32>,
    before: i32,
) -> i32 {
    let answer = loop {
        let slept = Some(wait::block(&sleep, &call.terms()));
        let stepped = {
            let _uncancellable = wait::Uncancellable::begin();
            protect(|| call.step(slept))
        };
        match stepped {
            Ok(Progress::Done(output)) => break protect(|| convert(output)),
            Ok(Progress::Block(next)) => sleep = next,
            Err(reason) => break Err(reason),
        }
    };
    // It may be the last that holds a channel.
    let dropped = protect(|| {
        drop(call);
        Ok(())
    });
    finish(dropped.and(answer), before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::wait::{Sleep, Terms};

    /// Looks in each step whether it can be cancelled, and ends with the third.
    struct Steps(i32);

    impl Blocking for Steps {
        type Output = i32;

        fn step(&mut self, _slept: Option<Result<()>>) -> Result<Progress<i32>> {
            assert!(wait::is_uncancellable());
            self.0 += 1;
            let is_last = self.0 == 3;
            let sleep = Sleep::Poll { fd: -1, events: 0 };
            Ok(if is_last { Progress::Done(self.0) } else { Progress::Block(sleep) })
        }

        fn terms(&self) -> Terms {
            Terms { deadline: Some(wait::now()), ..Terms::default() }
        }
    }

    #[test]
    fn a_call_that_has_slept_is_cancelled_in_no_step() {
        assert_eq!(blocking(|| Ok(Steps(0)), Ok), 3);
        assert!(!wait::is_uncancellable());
    }
}
