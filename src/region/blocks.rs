//! Who holds what in an area: the state behind its lock.
#![forbid(unsafe_code)]

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::account::Account;
use super::allocator::{Allocator, Chunk};
use crate::error::{Errno, Result};

/// A block that the program holds, by the offset of its first byte.
struct Held {
    length: usize,
    chunk: Chunk,
    account: Option<Arc<Account>>,
    role: Role,
}

#[derive(Clone, Copy)]
enum Role {
    /// Given back by itself.
    Whole,
    /// The header of a received message; its data goes with it.
    Header { data: usize },
    /// The data of a received message: may be sent, is given back with the header.
    Data,
}

/// Where no block lies. One of no bytes stands there for good: a map that is emptied gives up its
/// memory, and takes some again for the next block, which is one of each echo.
const END: usize = usize::MAX;

pub struct Blocks {
    /// All of the area.
    granules: u32,
    /// Chunks are multiples of it, and aligned to it.
    granule_bytes: usize,
    allocator: Allocator,
    /// Never empty: see [`END`].
    held: BTreeMap<usize, Held>,
    /// What was handed out last, and is not among them yet: an echo gives it back at once.
    fresh: Option<(usize, Held)>,
    /// Empty datagrams handed out: they occupy nothing, but may be given back.
    empties: usize,
    /// Bytes of blocks that were given back while they were still being sent, by chunk: they are
    /// charged to their sockets until the memory is free.
    lingering: HashMap<Chunk, Vec<(Arc<Account>, usize)>>,
    /// The program has freed the area: nothing of it is handed out any more.
    is_gone: bool,
}

impl Blocks {
    pub fn new(area_bytes: usize, granule_bytes: usize) -> Result<Self> {
        let size = u32::try_from(area_bytes / granule_bytes).map_err(|_| Errno::ENOMEM)?;
        let end = Held { length: 0, chunk: 0, account: None, role: Role::Whole };
        Ok(Self {
            granules: size,
            granule_bytes,
            allocator: Allocator::new(size),
            held: BTreeMap::from([(END, end)]),
            fresh: None,
            empties: 0,
            lingering: HashMap::new(),
            is_gone: false,
        })
    }

    fn granules(&self, bytes: usize) -> Option<u32> {
        u32::try_from(bytes.div_ceil(self.granule_bytes)).ok()
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub fn end(&mut self) {
        self.is_gone = true;
    }

    pub fn is_any_held(&self) -> bool {
        self.fresh.is_some() || self.held.len() > 1
    }

    /// All that the program holds.
    fn held(&mut self) -> &mut BTreeMap<usize, Held> {
        if let Some((offset, held)) = self.fresh.take() {
            self.held.insert(offset, held);
        }
        &mut self.held
    }

    /// Chunks of so many bytes come and go from now on.
    pub fn keep_size(&mut self, bytes: usize) {
        if let Some(size) = self.granules(bytes) {
            self.allocator.keep_size(size.max(1));
        }
    }

    /// Claims a chunk; the caller has the only reference. Offset in bytes.
    pub fn take(&mut self, bytes: usize) -> Option<(Chunk, usize)> {
        let chunk = self.allocator.allocate(self.granules(bytes)?.max(1))?;
        Some((chunk, self.allocator.offset(chunk) as usize * self.granule_bytes))
    }

    /// Whether less than half of it is free.
    pub fn is_tight(&self) -> bool {
        self.allocator.free_granules() < self.granules / 2
    }

    /// Cuts a chunk to what it holds if room is short; otherwise that is not worth the while.
    /// `true`: there is more room now.
    pub fn trim_if_tight(&mut self, chunk: Chunk, bytes: usize) -> bool {
        self.is_tight() && self.trim(chunk, bytes)
    }

    pub fn trim(&mut self, chunk: Chunk, bytes: usize) -> bool {
        let size = self.granules(bytes).unwrap_or(u32::MAX).max(1);
        let is_larger = size < self.allocator.size(chunk);
        if is_larger {
            self.allocator.shrink(chunk, size);
        }
        is_larger
    }

    /// More references of a caller who has one.
    pub fn add_references(&mut self, chunk: Chunk, count: u32) {
        self.allocator.add_references(chunk, count);
    }

    pub fn drop_reference(&mut self, chunk: Chunk) -> bool {
        self.drop_references(chunk, 1)
    }

    /// `true`: nobody refers to the chunk any more.
    pub fn drop_references(&mut self, chunk: Chunk, count: u32) -> bool {
        let is_free = self.allocator.drop_references(chunk, count);
        if is_free && !self.lingering.is_empty() {
            for (account, bytes) in self.lingering.remove(&chunk).into_iter().flatten() {
                account.subtract(bytes);
            }
        }
        is_free
    }

    /// Makes the program the holder of a part of a chunk, with a reference of its own.
    pub fn hand_out(
        &mut self,
        chunk: Chunk,
        offset: usize,
        length: usize,
        account: Option<Arc<Account>>,
    ) {
        if length == 0 {
            self.empties += 1;
            return;
        }
        self.allocator.add_references(chunk, 1);
        self.hand_over(chunk, offset, length, account);
    }

    /// The same with the caller's reference. There is at least one byte.
    pub fn hand_over(
        &mut self,
        chunk: Chunk,
        offset: usize,
        length: usize,
        account: Option<Arc<Account>>,
    ) {
        self.held();
        self.fresh = Some((offset, Held { length, chunk, account, role: Role::Whole }));
    }

    /// Hands out a received message: a header, and the data that goes with it.
    pub fn hand_out_message(
        &mut self,
        header: (Chunk, usize, usize),
        data: (Chunk, usize, usize),
        account: Option<Arc<Account>>,
    ) {
        let role = Role::Header { data: data.1 };
        self.allocator.add_references(header.0, 1);
        let header_block = Held { length: header.2, chunk: header.0, account: None, role };
        self.held().insert(header.1, header_block);
        if data.2 > 0 {
            self.allocator.add_references(data.0, 1);
            let data_block = Held { length: data.2, chunk: data.0, account, role: Role::Data };
            self.held().insert(data.1, data_block);
        }
    }

    /// Takes back the block that was handed out last, if this is it and nothing else is to be done.
    #[inline]
    pub fn release_fresh(&mut self, offset: usize, length: usize) -> bool {
        let is_that = |held: &Held| {
            held.length == length && matches!(held.role, Role::Whole) && held.account.is_none()
        };
        let is_simple = self.lingering.is_empty();
        let fresh =
            self.fresh.take_if(|(from, held)| is_simple && *from == offset && is_that(held));
        let Some((_, held)) = fresh else { return false };
        self.allocator.drop_references(held.chunk, 1);
        true
    }

    /// Takes a block back; `EINVAL` unless it is exactly one that was handed out.
    pub fn release(&mut self, offset: usize, length: usize) -> Result<()> {
        if length == 0 {
            self.empties = self.empties.checked_sub(1).ok_or(Errno::EINVAL)?;
            return Ok(());
        }
        let is_that = |held: &Held| held.length == length && matches!(held.role, Role::Whole);
        if let Some((_, held)) = self.fresh.take_if(|(from, held)| *from == offset && is_that(held))
        {
            self.let_go(held);
            return Ok(());
        }
        match self.held().get(&offset) {
            Some(held) if held.length == length && !matches!(held.role, Role::Data) => {}
            _ => return Err(Errno::EINVAL),
        }
        if let Some(Role::Header { data }) = self.remove(offset)
            && matches!(self.held().get(&data), Some(Held { role: Role::Data, .. }))
        {
            self.remove(data);
        }
        Ok(())
    }

    fn remove(&mut self, offset: usize) -> Option<Role> {
        let held = self.held().remove(&offset)?;
        let role = held.role;
        self.let_go(held);
        Some(role)
    }

    fn let_go(&mut self, held: Held) {
        let is_free = self.drop_reference(held.chunk);
        match held.account {
            Some(account) if is_free => account.subtract(held.length),
            Some(account) => {
                self.lingering.entry(held.chunk).or_default().push((account, held.length));
            }
            None => {}
        }
    }

    /// The block that `length` bytes at `offset` lie in.
    fn block_of(&mut self, offset: usize, length: usize) -> Result<(usize, &Held)> {
        let (&start, held) = self.held().range(..=offset).next_back().ok_or(Errno::EFAULT)?;
        let end = offset.checked_add(length).ok_or(Errno::EFAULT)?;
        if end <= start + held.length { Ok((start, held)) } else { Err(Errno::EFAULT) }
    }

    /// Refers once more to the chunk of a block that the program holds; `EFAULT` if it is none.
    pub fn lend(&mut self, offset: usize, length: usize) -> Result<Chunk> {
        let chunk = self.block_of(offset, length)?.1.chunk;
        self.allocator.add_references(chunk, 1);
        Ok(chunk)
    }

    /// A block that the program has held becomes the caller's, with the reference, who wants its
    /// first `length` bytes. `None` unless one begins there that has as many.
    pub fn lend_last(&mut self, offset: usize, length: usize) -> Option<Chunk> {
        let is_that = |held: &Held| held.length >= length && matches!(held.role, Role::Whole);
        let fresh = self.fresh.take_if(|(from, held)| *from == offset && is_that(held));
        let held = match fresh {
            Some((_, held)) => held,
            None => {
                let Entry::Occupied(entry) = self.held().entry(offset) else { return None };
                let is_that = is_that(entry.get());
                is_that.then(|| entry.remove())?
            }
        };
        if let Some(account) = held.account {
            self.lingering.entry(held.chunk).or_default().push((account, held.length));
        }
        Some(held.chunk)
    }

    /// Takes back the whole block around `offset`, as `SIO_RELEASE` asks.
    pub fn release_around(&mut self, offset: usize) {
        // Of a byte: where the block has come back already, the one before it ends there.
        let Ok((mut start, held)) = self.block_of(offset, 1) else { return };
        let mut length = held.length;
        if matches!(held.role, Role::Data) {
            let header = self
                .held()
                .iter()
                .find(|(_, held)| matches!(held.role, Role::Header { data } if data == start));
            if let Some((&header, held)) = header {
                (start, length) = (header, held.length);
            }
        }
        let released = self.release(start, length);
        debug_assert!(released.is_ok());
    }
}
