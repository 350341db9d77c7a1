//! A stretch of DMA memory, as the kernel is told of it.

use super::memory::prefetch;

/// Address and length of bytes inside a mapping. Only `region::map` makes them, from checked
/// offsets; whoever passes one to the kernel keeps the mapping alive until the kernel is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    address: *mut u8,
    length: usize,
}

// SAFETY: a span is only an address and a length; it is never dereferenced by this type.
unsafe impl Send for Span {}
// SAFETY: as above.
unsafe impl Sync for Span {}

impl Span {
    /// # Safety
    /// `address..address + length` lies in memory that outlives every use of the span.
    pub unsafe fn new(address: *mut u8, length: usize) -> Self {
        Self { address, length }
    }

    pub fn address(&self) -> *mut u8 {
        self.address
    }

    /// Has the first bytes fetched into the cache, without waiting for them.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self.address);
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        // SAFETY: by the contract of new() the memory is alive; the program must not write to a
        // block while it is being sent, and if it does it gets a mixture, as with send(2).
        unsafe { std::slice::from_raw_parts(self.address, self.length) }.to_vec()
    }

    /// A copy of the first bytes; `None` if there are not so many.
    #[inline]
    pub fn head<const N: usize>(&self) -> Option<[u8; N]> {
        // SAFETY: by the contract of new() the memory is alive, and any bytes are an array of them.
        (N <= self.length).then(|| unsafe { self.address.cast::<[u8; N]>().read() })
    }

    /// Copies the first bytes out: as many as there is room for, and not more than there are.
    pub fn read(&self, room: &mut [u8]) -> usize {
        let count = room.len().min(self.length);
        // SAFETY: by the contract of new() the memory is alive, and `room` is not DMA memory.
        unsafe { std::ptr::copy_nonoverlapping(self.address, room.as_mut_ptr(), count) };
        count
    }

    /// Copies bytes in. Panics if there is no room for them, which would be our own mistake.
    pub fn fill_from(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.length);
        // SAFETY: by the contract of new() the memory is alive; `bytes` is not DMA memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address, bytes.len()) };
    }

    /// Copies from another stretch of the same length, which may overlap this one.
    pub fn copy_from(&self, other: Self) {
        assert!(other.length <= self.length);
        // SAFETY: by the contract of new() both are alive; copy() allows them to overlap.
        unsafe { std::ptr::copy(other.address, self.address, other.length) };
    }

    /// What is left after the first `count` bytes.
    pub fn skip(&self, count: usize) -> Self {
        assert!(count <= self.length);
        Self { address: self.address.wrapping_add(count), length: self.length - count }
    }

    /// The first `count` bytes.
    pub fn first(&self, count: usize) -> Self {
        assert!(count <= self.length);
        Self { address: self.address, length: count }
    }
}
