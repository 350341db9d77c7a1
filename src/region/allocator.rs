//! Which parts of an area are taken: a two-level segregated fit allocator whose state lies
//! outside the memory that it administers, so that a program that overruns a block cannot hurt it.
//!
//! Read first: M. Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time Systems".
//! Invariants: chunks tile the area in order of address; two neighbours are never both free;
//! a free chunk is in exactly the list that its size belongs to.
//!
//! Chunks of sizes that come and go all the time are *kept* when they become free: neither joined with
//! their neighbours nor cut again, and the one that was used last, which caches have, goes first. They
//! count as free, and are joined as soon as something does not find room.
#![forbid(unsafe_code)]

/// An index into the table of chunks.
pub type Chunk = u32;

const NONE: Chunk = u32::MAX;
/// Each power of two is divided into this many classes (log2).
const DIVISION_LOG2: u32 = 4;
const DIVISIONS: usize = 1 << DIVISION_LOG2;
const LEVELS: usize = 32;
/// How many sizes are kept, and of each how many chunks.
const KEPT_SIZES_MAX: usize = 4;
const KEPT_MAX: usize = 256;
/// What the references of a chunk that is kept say.
const KEPT: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    offset: u32,
    size: u32,
    before: Chunk,
    after: Chunk,
    previous_free: Chunk,
    next_free: Chunk,
    /// How many hold the chunk; 0 is free.
    references: u32,
}

/// All sizes and offsets are in granules.
pub struct Allocator {
    nodes: Vec<Node>,
    /// Table entries that stand for no chunk.
    unused: Vec<Chunk>,
    levels: u32,
    divisions: [u32; LEVELS],
    heads: [[Chunk; DIVISIONS]; LEVELS],
    free: u32,
    kept: Vec<Kept>,
}

/// Free chunks of one size, the last one used last.
struct Kept {
    size: u32,
    chunks: Vec<Chunk>,
}

/// The class of a size: the level and the division within it.
fn class(size: u32) -> (usize, usize) {
    if size < DIVISIONS as u32 {
        return (0, size as usize);
    }
    let log2 = size.ilog2();
    let division = (size >> (log2 - DIVISION_LOG2)) as usize & (DIVISIONS - 1);
    ((log2 - DIVISION_LOG2 + 1) as usize, division)
}

/// The smallest size whose class holds only chunks of at least `size`.
fn round_up(size: u32) -> Option<u32> {
    if size < DIVISIONS as u32 {
        return Some(size);
    }
    size.checked_add((1 << (size.ilog2() - DIVISION_LOG2)) - 1)
}

impl Allocator {
    pub fn new(size: u32) -> Self {
        let mut allocator = Self {
            nodes: Vec::new(),
            unused: Vec::new(),
            levels: 0,
            divisions: [0; LEVELS],
            heads: [[NONE; DIVISIONS]; LEVELS],
            free: 0,
            kept: Vec::new(),
        };
        let all = allocator.node(0, size, NONE, NONE);
        allocator.insert(all);
        allocator
    }

    /// Claims `size` granules with one reference; `None` when no free chunk is large enough.
    pub fn allocate(&mut self, size: u32) -> Option<Chunk> {
        if let Some(chunk) = self.take_kept(size) {
            return Some(chunk);
        }
        let found = self.find(size);
        let chunk = if found.is_none() && self.join_kept() { self.find(size)? } else { found? };
        self.unlink(chunk);
        self.nodes[chunk as usize].references = 1;
        self.cut(chunk, size);
        Some(chunk)
    }

    /// Gives back what a chunk has beyond `size` granules.
    pub fn shrink(&mut self, chunk: Chunk, size: u32) {
        debug_assert!(size > 0 && size <= self.size(chunk));
        self.cut(chunk, size);
    }

    pub fn add_references(&mut self, chunk: Chunk, count: u32) {
        self.nodes[chunk as usize].references += count;
    }

    /// Drops references; `true` when the last is among them and the chunk is free now.
    pub fn drop_references(&mut self, chunk: Chunk, count: u32) -> bool {
        let node = &mut self.nodes[chunk as usize];
        node.references -= count;
        if node.references > 0 {
            return false;
        }
        if !self.keep(chunk) {
            let chunk = self.merge(chunk);
            self.insert(chunk);
        }
        true
    }

    /// Chunks of this size come and go from now on.
    pub fn keep_size(&mut self, size: u32) {
        let is_known = self.kept.iter().any(|kept| kept.size == size);
        if !is_known && self.kept.len() < KEPT_SIZES_MAX {
            self.kept.push(Kept { size, chunks: Vec::with_capacity(KEPT_MAX) });
        }
    }

    fn keep(&mut self, chunk: Chunk) -> bool {
        let size = self.size(chunk);
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.size == size) else { return false };
        let is_wanted = kept.chunks.len() < KEPT_MAX;
        if is_wanted {
            kept.chunks.push(chunk);
            self.nodes[chunk as usize].references = KEPT;
            self.free += size;
        }
        is_wanted
    }

    fn take_kept(&mut self, size: u32) -> Option<Chunk> {
        let chunk = self.kept.iter_mut().find(|kept| kept.size == size)?.chunks.pop()?;
        self.nodes[chunk as usize].references = 1;
        self.free -= size;
        Some(chunk)
    }

    /// What is kept becomes room for anything; `false`: there was none.
    fn join_kept(&mut self) -> bool {
        let mut was_any = false;
        for index in 0..self.kept.len() {
            while let Some(chunk) = self.kept[index].chunks.pop() {
                was_any = true;
                self.free -= self.size(chunk);
                self.nodes[chunk as usize].references = 0;
                let chunk = self.merge(chunk);
                self.insert(chunk);
            }
        }
        was_any
    }

    pub fn offset(&self, chunk: Chunk) -> u32 {
        self.nodes[chunk as usize].offset
    }

    pub fn size(&self, chunk: Chunk) -> u32 {
        self.nodes[chunk as usize].size
    }

    /// Granules that are free, in however many chunks.
    pub fn free_granules(&self) -> u32 {
        self.free
    }

    fn find(&self, size: u32) -> Option<Chunk> {
        if let Some((level, division)) = round_up(size).map(class) {
            let divisions = self.divisions[level] & (u32::MAX << division);
            if divisions != 0 {
                return Some(self.heads[level][divisions.trailing_zeros() as usize]);
            }
            let above = u32::MAX.checked_shl(level as u32 + 1).unwrap_or(0);
            let levels = self.levels & above;
            if levels != 0 {
                let level = levels.trailing_zeros() as usize;
                return Some(self.heads[level][self.divisions[level].trailing_zeros() as usize]);
            }
        }
        // The size's own class has smaller ones too: only now, when nothing else is left, is it
        // worth looking through.
        let (level, division) = class(size);
        let mut chunk = self.heads[level][division];
        while chunk != NONE {
            let node = &self.nodes[chunk as usize];
            if node.size >= size {
                return Some(chunk);
            }
            chunk = node.next_free;
        }
        None
    }

    /// Splits off what a used chunk has beyond `size`, and frees it.
    fn cut(&mut self, chunk: Chunk, size: u32) {
        let Node { offset, size: whole, after, .. } = self.nodes[chunk as usize];
        if whole == size {
            return;
        }
        let rest = self.node(offset + size, whole - size, chunk, after);
        if after != NONE {
            self.nodes[after as usize].before = rest;
        }
        let node = &mut self.nodes[chunk as usize];
        node.after = rest;
        node.size = size;
        let rest = self.merge(rest);
        self.insert(rest);
    }

    /// Joins a chunk that nobody holds with its free neighbours.
    fn merge(&mut self, chunk: Chunk) -> Chunk {
        let mut chunk = chunk;
        let before = self.nodes[chunk as usize].before;
        if before != NONE && self.nodes[before as usize].references == 0 {
            self.unlink(before);
            self.swallow_next(before);
            chunk = before;
        }
        let after = self.nodes[chunk as usize].after;
        if after != NONE && self.nodes[after as usize].references == 0 {
            self.unlink(after);
            self.swallow_next(chunk);
        }
        chunk
    }

    fn swallow_next(&mut self, chunk: Chunk) {
        let next = self.nodes[chunk as usize].after;
        let Node { size, after, .. } = self.nodes[next as usize];
        let node = &mut self.nodes[chunk as usize];
        node.size += size;
        node.after = after;
        if after != NONE {
            self.nodes[after as usize].before = chunk;
        }
        self.unused.push(next);
    }

    fn node(&mut self, offset: u32, size: u32, before: Chunk, after: Chunk) -> Chunk {
        let node = Node {
            offset,
            size,
            before,
            after,
            previous_free: NONE,
            next_free: NONE,
            references: 0,
        };
        if let Some(chunk) = self.unused.pop() {
            self.nodes[chunk as usize] = node;
            return chunk;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as Chunk
    }

    fn insert(&mut self, chunk: Chunk) {
        let size = self.nodes[chunk as usize].size;
        let (level, division) = class(size);
        let head = self.heads[level][division];
        let node = &mut self.nodes[chunk as usize];
        node.previous_free = NONE;
        node.next_free = head;
        if head != NONE {
            self.nodes[head as usize].previous_free = chunk;
        }
        self.heads[level][division] = chunk;
        self.divisions[level] |= 1 << division;
        self.levels |= 1 << level;
        self.free += size;
    }

    fn unlink(&mut self, chunk: Chunk) {
        let Node { size, previous_free, next_free, .. } = self.nodes[chunk as usize];
        let (level, division) = class(size);
        if next_free != NONE {
            self.nodes[next_free as usize].previous_free = previous_free;
        }
        if previous_free != NONE {
            self.nodes[previous_free as usize].next_free = next_free;
        } else {
            self.heads[level][division] = next_free;
            if next_free == NONE {
                self.divisions[level] &= !(1 << division);
                if self.divisions[level] == 0 {
                    self.levels &= !(1 << level);
                }
            }
        }
        self.free -= size;
    }
}

#[cfg(test)]
#[path = "allocator_tests.rs"]
mod tests;
