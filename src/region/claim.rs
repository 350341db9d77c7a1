//! References to chunks for those who have the area anyway: moving one about costs nothing, where a
//! [`Loan`] counts one more who has the area.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::allocator::Chunk;
use super::area::Region;
use super::framed::Holder;
use super::loan::Loan;
use crate::sys::span::Span;
use crate::sys::stat::layout::area as count;

/// A reference to a chunk. It is to be given back to the area, or to become something else: dropping
/// it does neither.
#[must_use]
pub struct Claim {
    pub(super) chunk: Chunk,
    pub(super) offset: usize,
    pub(super) length: usize,
}

impl Claim {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Region {
    /// Chunks of so many bytes come and go from now on.
    pub fn keep_size(&self, bytes: usize) {
        self.blocks().keep_size(bytes);
    }

    /// Fresh chunks to receive into: at most `wanted`, for `each`.
    pub fn claim_many(&self, bytes: usize, wanted: usize, mut each: impl FnMut(Claim)) {
        if self.framed.is_some() {
            (0..wanted)
                .map_while(|_| self.take_chunk(bytes))
                .for_each(|(chunk, offset)| each(Claim { chunk, offset, length: bytes }));
            return;
        }
        let mut blocks = self.blocks();
        let mut taken = 0;
        for (chunk, offset) in (0..wanted).map_while(|_| blocks.take(bytes)) {
            each(Claim { chunk, offset, length: bytes });
            taken += 1;
        }
        self.tally.add(count::TAKEN, taken);
        self.tally.add(count::REFUSED, u64::from((taken as usize) < wanted));
        self.look_at_room(&blocks);
    }

    pub fn give_back(&self, claim: Claim) {
        let is_free = self.blocks().drop_reference(claim.chunk);
        if is_free {
            self.announce_space();
        }
    }

    /// What lies there.
    pub fn claimed(&self, claim: &Claim) -> Span {
        self.mapping().span(claim.offset, claim.length)
    }

    /// Keeps only the first `bytes`, and gives the rest of the chunk back if room is short.
    pub fn cut(&self, claim: &mut Claim, bytes: usize) {
        claim.length = bytes;
        if self.is_tight() {
            let is_more = self.blocks().trim_if_tight(claim.chunk, bytes);
            if is_more {
                self.announce_space();
            }
        }
    }

    /// Makes the program the holder of `bytes` that begin at `from`, in the place of the caller:
    /// their address. Nobody has booked them.
    pub fn hand_over(&self, claim: Claim, from: usize, bytes: usize) -> usize {
        let offset = claim.offset + from;
        let address = self.mapping().span(offset, bytes).address() as usize;
        let mut blocks = self.blocks();
        if bytes > 0 {
            blocks.hand_over(claim.chunk, offset, bytes, None);
            return address;
        }
        blocks.hand_out(claim.chunk, offset, 0, None);
        drop(blocks);
        self.give_back(claim);
        address
    }

    pub fn lend_claim(self: &Arc<Self>, claim: Claim) -> Loan {
        Loan::new(self.clone(), Holder::Chunk(claim.chunk), claim.offset, claim.length)
    }
}
