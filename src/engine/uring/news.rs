//! Reaping; and what watches tell by the thousand, handed on from where the kernel has written it
//! to where it is wanted, with nothing in between.
#![forbid(unsafe_code)]

use io_uring::cqueue;

use super::{Uring, watch};
use crate::engine::{Notice, PollSet, Taker};
use crate::sys::completions::Completions;
use crate::sys::counters::Counters;

/// What watches tell that go on watching, as far as it has come.
pub struct News<'a> {
    /// Nobody takes any, while this is `None`.
    completions: Option<Completions<'a>>,
    counters: &'a mut Option<Counters>,
    /// The user data of the watch that is being given up; 0: there is none.
    leaving: u64,
    /// Where that goes which is no news of a watch, or which nobody has taken.
    others: &'a mut Vec<(u64, i32, u32)>,
}

/// What a watch tells.
pub struct Value<'a> {
    counters: &'a mut Option<Counters>,
    result: i32,
    flags: u32,
}

impl Value<'_> {
    /// The value of [`Notice::Watched`]. What a counter has had is had by whoever asks.
    #[inline(always)]
    pub fn take(self) -> u64 {
        watch::value(self.counters, self.result, self.flags)
    }
}

impl News<'_> {
    /// Passes them on one by one, until `take` does not want what it is given: a name, which is the
    /// key if it is that of a watch, and no key otherwise.
    #[inline(always)]
    pub fn each(&mut self, mut take: impl FnMut(u64, Value<'_>) -> bool) {
        // For as long as this takes, it is a matter of registers.
        let Some(mut completions) = self.completions.take() else { return };
        for (data, result, flags) in completions.by_ref() {
            let goes_on = cqueue::more(flags) && result >= 0 && data != self.leaving;
            let value = Value { counters: self.counters, result, flags };
            if !goes_on || !take(watch::name(data), value) {
                self.others.push((data, result, flags));
                // A message is one of many, and the next one is one as well.
                if goes_on && watch::is_user_data(data) {
                    break;
                }
            }
        }
        self.completions = Some(completions);
    }

    fn is_empty(&self) -> bool {
        self.completions.as_ref().is_none_or(Completions::is_empty)
    }
}

impl Uring {
    /// Takes in what has completed. Without a `taker` the news of watches are kept.
    pub(super) fn reap(
        &mut self,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
        mut taker: Option<&mut dyn Taker>,
    ) -> usize {
        let Self { ring, counters, told, leaving, completions: others, .. } = self;
        let leaving = leaving.map_or(0, watch::user_data);
        let count = ring.reap_by(|completions| {
            let completions = Some(completions);
            let mut news = News { completions, counters, leaving, others };
            while !news.is_empty() {
                match &mut taker {
                    Some(with_room) => {
                        if !with_room.take(&mut news) {
                            taker = None;
                        }
                    }
                    None => news.each(|name, value| {
                        let key = watch::key_of(name);
                        told.extend(key.map(|key| (key, value.take())));
                        key.is_some()
                    }),
                }
            }
        });
        if let Some(counters) = counters {
            counters.publish();
        }
        self.completed += count as u64;
        if !self.completions.is_empty() {
            self.complete_all(poll, notices);
        }
        count
    }

    #[inline(never)]
    fn complete_all(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let mut completions = std::mem::take(&mut self.completions);
        for (data, result, flags) in completions.drain(..) {
            self.complete(data, result, flags, poll, notices);
        }
        // Kept for its memory.
        self.completions = completions;
    }
}
