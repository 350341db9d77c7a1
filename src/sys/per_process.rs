//! State of which each process has its own.
//!
//! A child after fork never touches what its parent had: a thread that it does not have may have
//! held a lock in there, or was in the middle of a change. It makes a value of its own when it
//! first needs one, and the parent's stays where it is, to tell what is inherited from what never
//! was; who looks for leaks finds that somebody refers to it.

use super::cell::Leaked;
use super::fork;
use crate::error::Result;

pub struct PerProcess<T: 'static>(Leaked<Made<T>>);

struct Made<T: 'static> {
    epoch: u32,
    value: T,
    /// The one that the parent, or its parent, had.
    inherited: Option<&'static Made<T>>,
}

impl<T: Send + Sync> PerProcess<T> {
    pub const fn empty() -> Self {
        Self(Leaked::empty())
    }

    /// This process's, if it has made one.
    #[inline]
    pub fn get(&'static self) -> Option<&'static T> {
        let made = self.0.get().filter(|made| made.epoch == fork::epoch());
        made.map(|made| &made.value)
    }

    /// This process's, made now if there was none: by several threads where they come at once, of
    /// whose values one stays.
    #[inline]
    pub fn get_or_make(&'static self, make: impl FnOnce() -> T) -> &'static T {
        match self.get() {
            Some(value) => value,
            None => self.put(make),
        }
    }

    /// The same with something that may fail.
    pub fn get_or_try(&'static self, make: impl FnOnce() -> Result<T>) -> Result<&'static T> {
        match self.get() {
            Some(value) => Ok(value),
            None => make().map(|value| self.put(|| value)),
        }
    }

    #[cold]
    fn put(&'static self, make: impl FnOnce() -> T) -> &'static T {
        // Before anything is made that a fork would have to be noticed for.
        fork::watch();
        let value = make();
        let before = self.0.get();
        if let Some(made) = before
            && made.epoch == fork::epoch()
        {
            return &made.value;
        }
        let new = Made { epoch: fork::epoch(), value, inherited: before };
        &self.0.replace(before, Box::new(new)).value
    }

    /// Those of the processes that this one comes from, the nearest one first.
    pub fn inherited(&'static self) -> impl Iterator<Item = &'static T> {
        let is_of_others = |made: &&Made<T>| made.epoch != fork::epoch();
        std::iter::successors(self.0.get(), |made| made.inherited)
            .filter(is_of_others)
            .map(|made| &made.value)
    }
}
