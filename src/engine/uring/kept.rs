//! Memory that the kernel still reads when its ring goes: sent without a copy, by sockets that have
//! left, and not acknowledged by their peers. It must not be given to anybody else until then.
//!
//! Who tells of that is gone with the ring. But the kernel ends a ring only when the last of what it
//! was given has ended, also if nobody has it open any more, and it lets go of the ring's files then.
//! So the ring takes one end of a pipe along, and a thread waits for that to be closed.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;

use io_uring::cqueue;

use super::Uring;
use crate::engine::Piece;
use crate::error::Result;
use crate::sys::hangup;
use crate::sys::log::{self, Level};
use crate::sys::thread;
use crate::sys::wait::{self, Sleep, Terms};

type Kept = Arc<Vec<Piece>>;

impl Drop for Uring {
    /// The ring is closed last, after everything on it has been cancelled: the channel detaches
    /// every socket before it lets the engine go.
    fn drop(&mut self) {
        for group in &self.groups {
            let _ = self.ring.unregister_buffer_ring(group.id);
        }
        self.leave_kept();
    }
}

impl Uring {
    /// The ring is about to be closed.
    pub(super) fn leave_kept(&mut self) {
        let Self { ring, operations, .. } = self;
        if operations.iter().all(|(_, operation)| operation.kept.is_none()) {
            return;
        }
        // Most of it has been let go of meanwhile. An error leaves the rest to the thread.
        let _ = ring.run_deferred();
        ring.reap(|data, _, flags| {
            if cqueue::notif(flags) {
                drop(operations.try_remove(data as usize));
            }
        });
        let kept: Vec<Kept> = operations.drain().filter_map(|operation| operation.kept).collect();
        if kept.is_empty() {
            return;
        }
        let kept = Arc::new(kept);
        if let Err(errno) = self.keep_until_end(kept.clone()) {
            log::write(Level::Error, format_args!("memory is lost to its area: {errno:?}"));
            // What is lost harms nobody; what is sent in its place would.
            mem::forget(kept);
        }
    }

    fn keep_until_end(&self, kept: Arc<Vec<Kept>>) -> Result<()> {
        let (end, watch) = hangup::pair()?;
        self.ring.take_along(&end)?;
        thread::spawn("sio-kept", move || {
            while !watch.is_hung_up() {
                // Whatever ends the wait, it is looked at again.
                let _ = wait::block(&Sleep::Poll { fd: watch.fd(), events: 0 }, &Terms::default());
            }
            drop(kept);
        })
    }
}
