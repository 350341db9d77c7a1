//! Empty chunks that a port has been given and fills itself: for those that copy what arrives.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{Facts, Segment};
use crate::region::Region;
use crate::sys::span::Span;

pub struct Chunks {
    area: Arc<Region>,
    /// Where data begins in a chunk, and what there is room for.
    headroom_bytes: u64,
    piece_bytes: usize,
    /// How many may be empty.
    count_max: usize,
    empty: VecDeque<u64>,
}

impl Chunks {
    pub fn new(area: &Arc<Region>, facts: &Facts) -> Self {
        Self {
            area: area.clone(),
            headroom_bytes: facts.headroom_bytes.into(),
            piece_bytes: (facts.chunk_bytes - facts.headroom_bytes) as usize,
            count_max: facts.fill_frames as usize,
            empty: VecDeque::new(),
        }
    }

    /// [`Port::fill`](super::Port::fill).
    pub fn fill(&mut self, frames: &[u64]) -> usize {
        let count = frames.len().min(self.count_max.saturating_sub(self.empty.len()));
        self.empty.extend(&frames[..count]);
        count
    }

    /// Whether there are enough of them for so many bytes.
    pub fn has_room(&self, bytes: usize) -> bool {
        bytes.div_ceil(self.piece_bytes) <= self.empty.len()
    }

    /// Puts a frame of so many bytes into chunks, of which there are enough. `copy` is called with a
    /// place and the part of the frame that belongs there.
    pub fn store(
        &mut self,
        bytes: usize,
        into: &mut Vec<Segment>,
        mut copy: impl FnMut(Span, Range<usize>),
    ) {
        for from in (0..bytes).step_by(self.piece_bytes) {
            let Some(chunk) = self.empty.pop_front() else { break };
            let part = from..bytes.min(from + self.piece_bytes);
            let (offset, length) = (chunk + self.headroom_bytes, part.len());
            let more = part.end < bytes;
            copy(self.area.mapping().span(offset as usize, length), part);
            into.push(Segment { offset, length: length as u32, more });
        }
    }
}
