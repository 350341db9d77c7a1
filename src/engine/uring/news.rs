//! Reaping; and what watches tell by the thousand, handed on from where the kernel has written it
//! to where it is wanted, with nothing in between.
#![forbid(unsafe_code)]

use io_uring::cqueue;

use super::{Uring, watch};
use crate::engine::{Notice, PollSet, Taker, Told};
use crate::sys::completions::Completions;
use crate::sys::counters::Counters;

/// What watches tell that go on watching, as far as it has come.
pub struct News<'a> {
    completions: Completions<'a>,
    counters: &'a mut Option<Counters>,
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
    /// What a counter has had is had by whoever asks.
    #[inline(always)]
    pub fn take(self) -> Told {
        watch::told(self.counters, self.result, self.flags)
    }
}

impl News<'_> {
    /// Passes them on, each with its place and the number of that, as long as there are places and
    /// `tell` takes what it is given: a name, which is the key if it is that of a watch, and no key
    /// otherwise. Returns how many were taken.
    #[inline(always)]
    pub fn fill<T>(
        &mut self,
        places: &mut [T],
        mut tell: impl FnMut(u64, Value<'_>, &mut T, usize) -> bool,
    ) -> usize {
        let Self { completions, counters, .. } = self;
        let mut filled = 0;
        loop {
            let few = completions.next_few();
            let first = filled;
            for (entry, place) in few.iter().zip(&mut places[first..]) {
                let (result, flags) = (entry.result(), entry.flags());
                let value = Value { counters, result, flags };
                let goes_on = cqueue::more(flags) && result >= 0;
                if !goes_on || !tell(watch::name(entry.user_data()), value, place, filled) {
                    break;
                }
                filled += 1;
            }
            let is_over = few.is_empty() || filled - first < few.len();
            completions.pass(filled - first);
            if is_over {
                return filled;
            }
        }
    }

    /// Passes the next one on: if it is news of a watch, and `take` takes it, in the same way.
    /// `false`: it does not, or there are no more.
    #[inline(always)]
    pub fn next(&mut self, take: impl FnOnce(u64, Value<'_>) -> bool) -> bool {
        let Self { completions, counters, others } = self;
        let Some(entry) = completions.next_few().first() else { return false };
        let (data, result, flags) = (entry.user_data(), entry.result(), entry.flags());
        completions.pass(1);
        let goes_on = cqueue::more(flags) && result >= 0;
        if goes_on && take(watch::name(data), Value { counters, result, flags }) {
            return true;
        }
        others.push((data, result, flags));
        // A message is one of many, and the next one is one as well.
        if goes_on && watch::is_user_data(data) {
            return false;
        }
        self.pass_others();
        true
    }

    /// What is of no watch comes many at a time: that which follows goes along.
    fn pass_others(&mut self) {
        let Self { completions, others, .. } = self;
        let is_other = |entry: &&cqueue::Entry| !watch::is_user_data(entry.user_data());
        let before = others.len();
        let few = completions.next_few().iter().take_while(is_other);
        others.extend(few.map(|entry| (entry.user_data(), entry.result(), entry.flags())));
        completions.pass(others.len() - before);
    }

    fn is_empty(&self) -> bool {
        self.completions.is_empty()
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
        // What comes of a watch that is being given up is no news.
        let leaving = *leaving;
        if leaving.is_some() {
            taker = None;
        }
        let count = ring.reap_by(|completions| {
            let mut news = News { completions, counters, others };
            while !news.is_empty() {
                match &mut taker {
                    Some(with_room) => {
                        if !with_room.take(&mut news) {
                            taker = None;
                        }
                    }
                    None => drop(news.next(|name, value| {
                        let key = watch::key_of(name).filter(|&key| Some(key) != leaving);
                        told.extend(key.map(|key| (key, value.take().value())));
                        key.is_some()
                    })),
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
