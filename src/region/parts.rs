//! A chunk that is filled piece by piece, each piece for somebody else.
//!
//! Whoever fills it holds references in stock: a piece takes one of them along, and the lock of the
//! area is taken once for many pieces.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::area::Region;
use super::claim::Claim;
use super::framed::Holder;
use super::loan::Loan;

/// References that are taken at a time.
const STOCK: u32 = 32;
/// Where room is short, a piece less than this part of the chunk moves to a chunk of its own: who
/// keeps it for long keeps no more than a few times its size.
const SMALL_DIVISOR: usize = 8;

/// To be ended with [`Region::end_parts`], or as a whole.
#[must_use]
pub struct Parts {
    claim: Claim,
    /// Bytes that pieces were made of.
    filled: usize,
    /// References to the chunk.
    stock: u32,
}

impl Parts {
    pub fn new(claim: Claim) -> Self {
        Self { claim, filled: 0, stock: 1 }
    }

    /// All of it, for one.
    pub fn into_whole(self) -> Claim {
        self.claim
    }
}

impl Region {
    /// The next `bytes` that were filled, or as many as there are.
    pub fn next_part(self: &Arc<Self>, parts: &mut Parts, bytes: usize) -> Loan {
        let Parts { claim, filled, stock } = parts;
        let bytes = bytes.min(claim.length - *filled);
        let offset = claim.offset + *filled;
        *filled += bytes;
        let is_last = *filled == claim.length;
        if bytes < claim.length / SMALL_DIVISOR
            && self.is_tight()
            && let Some(own) = self.take(bytes)
        {
            self.mapping().copy_within(offset, own.offset(), bytes);
            return own;
        }
        if *stock == 1 && !is_last {
            self.blocks().add_references(claim.chunk, STOCK);
            *stock += STOCK;
        }
        *stock -= 1;
        Loan::new(self.clone(), Holder::Chunk(claim.chunk), offset, bytes)
    }

    /// Nothing is filled in any more.
    pub fn end_parts(&self, parts: Parts) {
        let Parts { claim, filled, stock } = parts;
        if stock == 0 {
            return;
        }
        let mut blocks = self.blocks();
        let is_cut = filled > 0 && filled < claim.length;
        if is_cut {
            // What was not filled is not kept by those who have the rest.
            blocks.trim(claim.chunk, filled);
        }
        let is_free = blocks.drop_references(claim.chunk, stock);
        drop(blocks);
        if is_free || is_cut {
            self.announce_space();
        }
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
