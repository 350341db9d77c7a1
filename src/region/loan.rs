//! A reference to memory of an area: what is received into, sent from or kept.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::account::Account;
use super::allocator::Chunk;
use super::area::Region;
use super::claim::Claim;
use super::framed::Holder;
use super::frames::Frame;
use crate::sys::span::Span;

/// A reference to a chunk: the memory is not given to anybody else until it is dropped.
pub struct Loan {
    region: Arc<Region>,
    holder: Holder,
    offset: usize,
    length: usize,
}

impl Loan {
    pub(super) fn new(region: Arc<Region>, holder: Holder, offset: usize, length: usize) -> Self {
        Self { region, holder, offset, length }
    }

    /// The reference for the caller, if it is one to a chunk.
    pub fn into_claim(mut self) -> Option<Claim> {
        let Holder::Chunk(chunk) = self.holder else { return None };
        self.holder = Holder::Nothing;
        Some(Claim { chunk, offset: self.offset, length: self.length })
    }

    /// Takes over the bytes that follow in the same chunk; gives others back.
    pub fn join(&mut self, next: Loan) -> Option<Loan> {
        let is_next = match (self.holder, next.holder) {
            (Holder::Chunk(one), Holder::Chunk(other)) => one == other,
            _ => false,
        };
        if !is_next
            || self.offset + self.length != next.offset
            || !Arc::ptr_eq(&self.region, &next.region)
        {
            return Some(next);
        }
        self.length += next.length;
        None
    }

    pub fn span(&self) -> Span {
        self.region.mapping().span(self.offset, self.length)
    }

    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where the bytes lie in the area.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Keeps only the first `bytes`: the rest of the chunk is free at once.
    pub fn trim(&mut self, bytes: usize) {
        self.length = bytes;
        if let Holder::Chunk(chunk) = self.holder {
            let is_more = self.region.blocks().trim(chunk, bytes);
            if is_more {
                // Somebody may have looked for room meanwhile.
                self.region.announce_space();
            }
        }
    }

    /// The chunk behind room to receive into: frames are never that, only lent.
    pub(super) fn chunk(&self) -> Chunk {
        match self.holder {
            Holder::Chunk(chunk) => chunk,
            Holder::Frame(_) | Holder::Nothing => {
                unreachable!("a frame is handed out as a whole")
            }
        }
    }

    /// The frame that the bytes lie in, if they lie in one.
    pub fn frame(&self) -> Option<Frame> {
        match self.holder {
            Holder::Frame(frame) => Some(frame),
            Holder::Chunk(_) | Holder::Nothing => None,
        }
    }

    /// The reference is somebody else's from now on: that of headers in front of the bytes.
    pub fn leave_frame(&mut self) {
        debug_assert!(matches!(self.holder, Holder::Frame(_)));
        self.holder = Holder::Nothing;
    }

    /// Part of the bytes.
    pub fn part(&self, from: usize, bytes: usize) -> Span {
        self.span().skip(from).first(bytes)
    }

    /// Makes the program the holder of `bytes` of the chunk that begin at `from`, and returns
    /// their address. `account` already knows of them.
    pub fn hand_out(&self, from: usize, bytes: usize, account: Option<Arc<Account>>) -> usize {
        let span = self.region.mapping().span(self.offset + from, bytes);
        let mut blocks = self.region.blocks();
        blocks.hand_out(self.chunk(), self.offset + from, bytes, account);
        span.address() as usize
    }

    /// The same for the last of them: the reference becomes the program's.
    pub fn hand_over(mut self, from: usize, bytes: usize, account: Option<Arc<Account>>) -> usize {
        let span = self.region.mapping().span(self.offset + from, bytes);
        if bytes == 0 {
            return self.hand_out(from, bytes, account);
        }
        let chunk = self.chunk();
        self.region.blocks().hand_over(chunk, self.offset + from, bytes, account);
        self.holder = Holder::Nothing;
        span.address() as usize
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        match self.holder {
            Holder::Nothing => {}
            Holder::Frame(frame) => self.region.drop_frame(frame),
            Holder::Chunk(chunk) => {
                if self.region.blocks().drop_reference(chunk) {
                    self.region.announce_space();
                }
            }
        }
    }
}
