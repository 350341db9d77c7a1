//! A chunk that is filled piece by piece, each piece for somebody else.
//!
//! Whoever fills it holds references in stock: a piece takes one of them along, and the lock of the
//! area is taken once for many pieces.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::allocator::Chunk;
use super::area::{Loan, Region};
use super::framed::Holder;
use crate::sys::span::Span;

/// References that are taken at a time.
const STOCK: u32 = 32;
/// Where room is short, a piece less than this part of the chunk moves to a chunk of its own: who
/// keeps it for long keeps no more than a few times its size.
const SMALL_DIVISOR: usize = 8;

pub struct Parts {
    region: Arc<Region>,
    chunk: Chunk,
    offset: usize,
    length: usize,
    /// Bytes that pieces were made of.
    filled: usize,
    /// References to the chunk.
    stock: u32,
}

impl Parts {
    /// `None`: what is lent is no chunk.
    pub fn new(whole: Loan) -> Option<Self> {
        let (region, chunk, offset, length) = whole.into_chunk()?;
        Some(Self { region, chunk, offset, length, filled: 0, stock: 1 })
    }

    pub fn span(&self) -> Span {
        self.region.mapping().span(self.offset, self.length)
    }

    /// The next `bytes` that were filled, or as many as there are.
    pub fn next(&mut self, bytes: usize) -> Loan {
        let bytes = bytes.min(self.length - self.filled);
        let offset = self.offset + self.filled;
        self.filled += bytes;
        let is_last = self.filled == self.length;
        if bytes < self.length / SMALL_DIVISOR
            && self.region.is_tight()
            && let Some(own) = self.region.take(bytes)
        {
            self.region.mapping().copy_within(offset, own.offset(), bytes);
            return own;
        }
        if self.stock == 1 && !is_last {
            self.region.blocks().add_references(self.chunk, STOCK);
            self.stock += STOCK;
        }
        self.stock -= 1;
        Loan::new(self.region.clone(), Holder::Chunk(self.chunk), offset, bytes)
    }

    /// All of it, for one.
    pub fn into_whole(mut self) -> Loan {
        self.filled = self.length;
        self.stock -= 1;
        Loan::new(self.region.clone(), Holder::Chunk(self.chunk), self.offset, self.length)
    }
}

/// A copy of the end of one and all of another, in a chunk of its own. `None`: there is no room.
pub fn merge(first: &Loan, from: usize, second: &Loan) -> Option<Loan> {
    let region = first.region();
    let bytes = first.len() - from;
    let whole = region.take(bytes + second.len())?;
    region.mapping().copy_within(first.offset() + from, whole.offset(), bytes);
    region.mapping().copy_within(second.offset(), whole.offset() + bytes, second.len());
    Some(whole)
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.stock == 0 {
            return;
        }
        let mut blocks = self.region.blocks();
        let is_cut = self.filled > 0 && self.filled < self.length;
        if is_cut {
            // What was not filled is not kept by those who have the rest.
            blocks.trim(self.chunk, self.filled);
        }
        let is_free = blocks.drop_references(self.chunk, self.stock);
        drop(blocks);
        if is_free || is_cut {
            self.region.announce_space();
        }
    }
}
