//! The completions that a ring holds at a moment, some at a time. The last one is not given back to
//! the kernel: see `ring.rs`.

use std::mem::{ManuallyDrop, MaybeUninit};

use io_uring::cqueue::{self, CompletionQueue, Entry};

/// So many are looked at before the first of them is dealt with.
const BATCH: usize = 32;

/// What [`Ring::reap_by`](super::ring::Ring::reap_by) has found.
pub struct Completions<'a> {
    queue: ManuallyDrop<CompletionQueue<'a>>,
    /// As many are in the queue.
    left: usize,
    /// Those that have been taken from it: from `at` on, up to `end`.
    batch: [MaybeUninit<Entry>; BATCH],
    at: usize,
    end: usize,
    /// Counts the last ones of operations.
    ended: Option<&'a mut u64>,
}

impl<'a> Completions<'a> {
    /// The next `count` of the queue, and then no more: there are as many.
    pub(super) fn new(
        queue: ManuallyDrop<CompletionQueue<'a>>,
        count: usize,
        ended: Option<&'a mut u64>,
    ) -> Self {
        let batch = [const { MaybeUninit::uninit() }; BATCH];
        Self { queue, left: count, batch, at: 0, end: 0, ended }
    }

    /// The next ones: none if there are no more.
    #[inline(always)]
    pub fn next_few(&mut self) -> &[Entry] {
        if self.at == self.end && self.left > 0 {
            self.take_from_queue();
        }
        let few = &self.batch[self.at..self.end];
        // SAFETY: the queue has filled the batch up to `end`.
        unsafe { &*(std::ptr::from_ref(few) as *const [Entry]) }
    }

    fn take_from_queue(&mut self) {
        if self.left == 1 {
            // What was before the last is given back.
            self.queue.sync();
        }
        let count = (self.left - 1).clamp(1, BATCH);
        self.at = 0;
        let found = self.queue.fill(&mut self.batch[..count]);
        if let Some(ended) = &mut self.ended {
            **ended += found.iter().filter(|entry| !cqueue::more(entry.flags())).count() as u64;
        }
        self.end = found.len();
        self.left -= count;
    }

    /// So many of them are done with.
    #[inline(always)]
    pub fn pass(&mut self, count: usize) {
        self.at = self.end.min(self.at + count);
    }

    /// Passes user data, result and flags of each on.
    pub(super) fn for_each(mut self, mut sink: impl FnMut(u64, i32, u32)) {
        while !self.is_empty() {
            let few = self.next_few();
            let count = few.len();
            few.iter().for_each(|entry| sink(entry.user_data(), entry.result(), entry.flags()));
            self.pass(count);
        }
    }

    /// Whether there are no more.
    pub fn is_empty(&self) -> bool {
        self.left == 0 && self.at == self.end
    }
}

impl Drop for Completions<'_> {
    /// What nobody wants is lost, and does not come again.
    fn drop(&mut self) {
        while self.left > 0 {
            self.take_from_queue();
        }
    }
}
