//! How many messages are taken in: no more than the program fetches, once a socket that it fetches from
//! has plenty. What waits with the kernel instead costs no memory of the area, and no caches.
#![forbid(unsafe_code)]

use crate::engine::Key;

/// So many are plenty, and enough for one turn.
pub const INTAKE_MESSAGES: usize = 64;
/// For so many turns the program may have to do with others before it fetches from that one again.
const TURNS: u32 = 16;

/// Where nothing is limited, as it is at first, a turn takes in what there is.
#[derive(Default)]
pub struct Intake {
    /// Messages that the program has fetched since the last turn.
    fetched: usize,
    /// The socket that has plenty, and for how many turns that counts.
    slow: Key,
    turns_left: u32,
    /// So many buffers may be supplied.
    max: Option<usize>,
}

impl Intake {
    /// The program has fetched one, and so many are left of that socket's.
    #[inline]
    pub fn fetched(&mut self, key: Key, left: usize) {
        self.fetched += 1;
        if left >= INTAKE_MESSAGES {
            self.slow = key;
            self.turns_left = TURNS;
        } else if key == self.slow {
            self.turns_left = 0;
        }
    }

    /// One of those that may be supplied is kept for the end of the turn.
    pub fn begin_turn(&mut self) {
        let fetched = std::mem::take(&mut self.fetched);
        self.max = (self.turns_left > 0).then(|| fetched.saturating_sub(1));
        self.turns_left = self.turns_left.saturating_sub(1);
    }

    pub fn end_limit(&mut self) {
        self.max = None;
    }

    pub fn is_limited(&self) -> bool {
        self.max.is_some()
    }

    pub fn max(&self) -> usize {
        self.max.unwrap_or(usize::MAX)
    }

    pub fn supplied(&mut self, count: usize) {
        if let Some(max) = &mut self.max {
            *max = max.saturating_sub(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INTAKE_MESSAGES, Intake, TURNS};

    #[test]
    fn no_more_than_is_fetched_once_there_is_plenty() {
        let mut intake = Intake::default();
        intake.begin_turn();
        assert!(!intake.is_limited());
        (0..5).for_each(|step| intake.fetched(7, INTAKE_MESSAGES + 4 - step));
        intake.begin_turn();
        assert_eq!(intake.max(), 4);
        intake.supplied(3);
        assert_eq!(intake.max(), 1);
        // Others may have less.
        intake.fetched(8, 0);
        intake.begin_turn();
        assert_eq!(intake.max(), 0);
        intake.fetched(7, INTAKE_MESSAGES - 1);
        intake.begin_turn();
        assert_eq!(intake.max(), usize::MAX);
    }

    #[test]
    fn whom_nobody_fetches_from_counts_no_longer() {
        let mut intake = Intake::default();
        intake.fetched(7, INTAKE_MESSAGES);
        for _ in 0..TURNS {
            intake.begin_turn();
            assert!(intake.is_limited());
        }
        intake.begin_turn();
        assert!(!intake.is_limited());
    }
}
