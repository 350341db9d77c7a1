//! Threads that end while a ring watches the poll set for them.
//!
//! The kernel takes back what a thread has asked for, a moment after the thread has gone. That
//! completion may come to a channel at which nobody looks, and its descriptor would be readable with
//! nothing to fetch. So a thread takes it back itself before it goes.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;

use super::Channel;
use super::state::State;

thread_local! {
    static WATCHED: Watched = const { Watched(RefCell::new(Vec::new())) };
}

/// The channels that a ring watches, or has watched, for this thread.
struct Watched(RefCell<Vec<Weak<Channel>>>);

impl Drop for Watched {
    fn drop(&mut self) {
        for channel in self.0.take().iter().filter_map(Weak::upgrade) {
            // A panic would end the process here.
            let _ = catch_unwind(AssertUnwindSafe(|| channel.part()));
        }
    }
}

/// Remembers a channel until this thread ends. In the model all threads are one to the kernel.
pub fn remember(channel: &Weak<Channel>) {
    if cfg!(feature = "model") {
        return;
    }
    // A thread that is ending already is not remembered for.
    let _ = WATCHED.try_with(|watched| {
        let mut channels = watched.0.borrow_mut();
        if !channels.iter().any(|known| Weak::ptr_eq(known, channel)) {
            channels.retain(|known| known.strong_count() > 0);
            channels.push(channel.clone());
        }
    });
}

impl Channel {
    /// This thread will not come again.
    fn part(&self) {
        let Ok(mut state) = self.enter() else { return };
        // Errors here are the next caller's to see.
        if state.poll.is_watched_here() && state.part().is_ok_and(|is_alone| is_alone) {
            let _ = self.settle(&mut state);
        }
    }
}

impl State {
    /// Takes back what the ring watches for this thread; `false`: others wait, whom the completion
    /// wakes, and who ask again. What this thread asked for now would end with it.
    fn part(&mut self) -> crate::error::Result<bool> {
        self.engines[0].give_up_poll_set(&self.poll)?;
        let is_alone = !self.sleepers.is_anyone_coming();
        if is_alone {
            self.engines[0].rest(false, &mut self.poll, &mut self.notices)?;
            self.take_notices();
        }
        Ok(is_alone)
    }
}
