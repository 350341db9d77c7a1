//! Whether it pays to go on looking for a moment before a thread sleeps: to sleep and to be woken costs
//! more than an answer that comes at once takes.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::sys::sync::atomic::{AtomicU32, Ordering};

/// What has become of the looks so far.
pub struct Patience(AtomicU32);

/// So long a thread looks.
const MOMENT: Duration = Duration::from_micros(20);
/// A success makes up for some failures.
const SUCCESS: u32 = 2;
const FAILURE: u32 = 1;
const SCORE_MAX: u32 = 16;
const SCORE_AT_FIRST: u32 = 4;
/// Where it does not pay, it is tried so often again: once in so many waits.
const TRIED_AGAIN: u32 = 64;
/// Waits without a look are counted above the score.
const ONE_WAIT: u32 = 1 << 16;

impl Default for Patience {
    fn default() -> Self {
        Self(AtomicU32::new(SCORE_AT_FIRST))
    }
}

impl Patience {
    /// Until when to look. `None`: it does not pay.
    pub fn until(&self) -> Option<Instant> {
        let word = self.0.load(Ordering::Relaxed);
        let (score, waits) = (word % ONE_WAIT, word / ONE_WAIT);
        if score == 0 && waits < TRIED_AGAIN {
            self.0.swap(word + ONE_WAIT, Ordering::Relaxed);
            return None;
        }
        Some(Instant::now() + MOMENT)
    }

    /// What a look has come to. Threads that do this at once may overwrite each other's: it is a
    /// guess anyway.
    pub fn learn(&self, has_found: bool) {
        let score = self.0.load(Ordering::Relaxed) % ONE_WAIT;
        let score = if has_found {
            (score + SUCCESS).min(SCORE_MAX)
        } else {
            score.saturating_sub(FAILURE)
        };
        self.0.swap(score, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_nothing_stops_looking_and_tries_again_later() {
        let patience = Patience::default();
        for _ in 0..SCORE_AT_FIRST {
            assert!(patience.until().is_some());
            patience.learn(false);
        }
        for _ in 0..TRIED_AGAIN {
            assert!(patience.until().is_none());
        }
        assert!(patience.until().is_some());
        patience.learn(false);
        assert!(patience.until().is_none());
        patience.learn(true);
        assert!(patience.until().is_some());
    }
}
