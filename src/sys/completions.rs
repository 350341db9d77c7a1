//! The completions that a ring holds at a moment, one after the other. The last one is not given back
//! to the kernel: see `ring.rs`.

use std::mem::ManuallyDrop;

use io_uring::cqueue::CompletionQueue;

/// What [`Ring::reap_by`](super::ring::Ring::reap_by) has found.
pub struct Completions<'a> {
    queue: ManuallyDrop<CompletionQueue<'a>>,
    left: usize,
}

impl<'a> Completions<'a> {
    /// The next `count` of the queue, and then no more: there are as many.
    pub(super) fn new(queue: ManuallyDrop<CompletionQueue<'a>>, count: usize) -> Self {
        Self { queue, left: count }
    }
}

impl Iterator for Completions<'_> {
    type Item = (u64, i32, u32);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        match self.left {
            0 => return None,
            // What was before the last is given back.
            1 => self.queue.sync(),
            _ => {}
        }
        self.left -= 1;
        let entry = self.queue.next()?;
        Some((entry.user_data(), entry.result(), entry.flags()))
    }
}

impl Completions<'_> {
    /// Whether there are no more.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl Drop for Completions<'_> {
    /// What nobody wants is lost, and does not come again.
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
