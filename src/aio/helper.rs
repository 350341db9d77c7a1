//! The library's own thread: it starts and tells what nobody asks for. It exists while there is
//! something of that kind, and a moment longer.

use std::time::{Duration, Instant};

use super::queue::{Queue, Role};
use super::state::{Helper, State};
use crate::error::Result;
use crate::sys::cell::thread_mark;
use crate::sys::quiet::Entered;
use crate::sys::thread;
use crate::sys::wait::{self, Terms};

/// How long it stays with nothing to do.
const IDLE: Duration = Duration::from_secs(1);

impl Helper {
    /// Something that it alone can do.
    pub fn has_errand(&self) -> bool {
        !self.to_start.is_empty() || !self.to_call.is_empty()
    }

    fn is_needed(&self) -> bool {
        self.needed > 0 || self.has_errand()
    }
}

/// Sees to it that there is one.
pub fn ensure(queue: &'static Queue, state: &mut State) -> Result<()> {
    if !state.helper.is_running {
        thread::spawn("sio-aio", move || run(queue))?;
        state.helper.is_running = true;
    }
    Ok(())
}

/// Calls the functions that are due, from a thread that may start others.
pub fn call_due<'a>(queue: &'a Queue, mut state: Entered<'a, State>) {
    while let Some(call) = state.helper.to_call.pop_front() {
        drop(state);
        // No thread is to be had: nothing more can be done.
        let _ = call.start();
        state = queue.enter();
    }
}

fn run(queue: &'static Queue) {
    let mut role = Role::Awake;
    let mut idle = Terms::default();
    queue.enter().helper.mark = thread_mark();
    loop {
        let mut state = queue.enter();
        queue.get_up(&mut state, std::mem::replace(&mut role, Role::Awake));
        if state.sleepers.leader == 0 {
            state.reap();
        }
        while let Some(index) = state.helper.to_start.pop_front() {
            state.start(index);
        }
        state.flush();
        if let Some(call) = state.helper.to_call.pop_front() {
            queue.settle(&mut state);
            drop(state);
            let _ = call.start();
            continue;
        }
        if state.helper.is_needed() {
            idle.deadline = None;
        } else if idle.expired() {
            state.helper.is_running = false;
            state.helper.mark = 0;
            queue.settle(&mut state);
            return;
        } else if idle.deadline.is_none() {
            idle.deadline = Some(Instant::now() + IDLE);
        }
        let (taken, sleep) = if state.helper.is_needed() {
            queue.lie_down(&mut state)
        } else {
            queue.follow(&mut state)
        };
        role = taken;
        queue.settle(&mut state);
        drop(state);
        // It looks again, however the sleep ends.
        let _ = wait::block(&sleep, &idle);
    }
}
