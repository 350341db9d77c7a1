//! How a channel of one thread is used, and what its descriptor need not tell therefore.
//!
//! While the thread is elsewhere somebody may poll the descriptor, and nobody can tell whether:
//! so the kernel has to raise an eventfd for what comes, which has to be lowered afterwards, and
//! that costs as much as the events themselves. A thread that does nothing but wait on its channel
//! needs none of it. Its descriptor stays readable from one wait to the next, with nothing to fetch:
//! whoever polls it after all comes in vain once, and is told exactly from then on.
#![forbid(unsafe_code)]

/// After as many waits that found something it is a habit.
const WAITS: u32 = 16;

#[derive(Default)]
pub(super) struct Habit {
    waits: u32,
    /// The program does what makes sense where the descriptor is polled.
    is_polled: bool,
    /// The last wait has found something.
    is_at_it: bool,
}

impl Habit {
    /// A wait without a time limit, or one that has slept, has found something.
    pub fn has_waited(&mut self) {
        self.waits = self.waits.saturating_add(1);
        self.is_at_it = true;
    }

    /// A wait has ended with nothing: the thread may do something else for a while.
    pub fn has_failed(&mut self) {
        self.is_at_it = false;
    }

    /// The descriptor is polled, as far as one can see.
    pub fn may_be_polled(&mut self) {
        self.is_polled = true;
    }

    /// Whether the thread will be back without looking at the descriptor.
    pub fn is_strong(&self) -> bool {
        self.is_at_it && self.waits > WAITS && !self.is_polled
    }
}
