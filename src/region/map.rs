//! The mapping behind a DMA area: page-aligned, populated, locked where that is allowed, and not
//! inherited over fork. mmap(2), mlock(2), madvise(2).

use std::ptr::{self, NonNull};

use crate::error::{Errno, Result};
use crate::sys::cell::Leaked;
use crate::sys::span::Span;

/// Which pages an area is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pages {
    Normal,
    /// Huge ones if there are any.
    PreferHuge,
    /// Huge ones or nothing.
    OnlyHuge,
}

const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Memory that is ours until it is dropped.
pub struct Mapping {
    base: NonNull<u8>,
    length: usize,
    /// Why the memory is not locked, if it is not.
    unlocked: Option<Errno>,
    has_small_pages: bool,
}

// SAFETY: the mapping belongs to no thread; what is inside is only touched through raw pointers
// by the kernel and by the program, as any memory that a C program shares between threads.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps at least `size` bytes, rounded up to whole pages.
    pub fn new(size: usize, pages: Pages) -> Result<Self> {
        let page = page_bytes();
        let length = size.checked_next_multiple_of(page).ok_or(Errno::ENOMEM)?;
        if isize::try_from(length).is_err() {
            return Err(Errno::ENOMEM);
        }
        let (base, length) = match pages {
            Pages::Normal => (map(length, 0)?, length),
            Pages::PreferHuge | Pages::OnlyHuge => {
                let huge = length.checked_next_multiple_of(HUGE_PAGE_BYTES).ok_or(Errno::ENOMEM)?;
                match map(huge, libc::MAP_HUGETLB) {
                    Ok(base) => (base, huge),
                    Err(_) if pages == Pages::PreferHuge => (map_transparent(length)?, length),
                    Err(errno) => return Err(errno),
                }
            }
        };
        let has_small_pages = pages == Pages::Normal && !is_huge_unasked();
        let mut mapping = Self { base, length, unlocked: None, has_small_pages };
        // SAFETY: all three calls name exactly our own mapping.
        unsafe {
            let address = base.as_ptr().cast();
            if libc::madvise(address, length, libc::MADV_DONTFORK) != 0 {
                return Err(Errno::last());
            }
            if libc::mlock(address, length) != 0 {
                mapping.unlocked = Some(Errno::last());
            }
        }
        Ok(mapping)
    }

    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no part of it lies in a huge page.
    pub fn has_small_pages(&self) -> bool {
        self.has_small_pages
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Why the memory could not be locked, or `None` if it is.
    pub fn unlocked(&self) -> Option<Errno> {
        self.unlocked
    }

    /// A stretch of it; panics if it does not lie inside, which would be our own mistake.
    #[inline]
    pub fn span(&self, offset: usize, length: usize) -> Span {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length));
        // SAFETY: checked to lie inside the mapping; holders keep the region, and so it, alive.
        unsafe { Span::new(self.base.as_ptr().add(offset), length) }
    }

    /// The offset of `length` bytes at `address`, if they all lie inside.
    #[inline]
    pub fn offset_of(&self, address: usize, length: usize) -> Option<usize> {
        let offset = address.checked_sub(self.base.as_ptr() as usize)?;
        (offset.checked_add(length)? <= self.length).then_some(offset)
    }

    /// Writes the header of a received message, and its one iovec behind it, at `offset`.
    pub fn write_header(&self, offset: usize, parts: &MessageParts) {
        assert!(offset.is_multiple_of(align_of::<MessageHeader>()));
        let place = self.span(offset, size_of::<MessageHeader>()).address();
        let pointer = |span: &Span| {
            if span.is_empty() { ptr::null_mut() } else { span.address().cast::<libc::c_void>() }
        };
        // SAFETY: the place is inside the mapping, aligned, and in a chunk that is not handed to
        // the program yet; a msghdr of zeroes is valid.
        unsafe {
            let header: *mut MessageHeader = place.cast();
            header.write_bytes(0, 1);
            (*header).data.iov_base = parts.data.address().cast();
            (*header).data.iov_len = parts.data.len();
            (*header).message.msg_iov = &raw mut (*header).data;
            (*header).message.msg_iovlen = 1;
            (*header).message.msg_name = pointer(&parts.name);
            (*header).message.msg_namelen = parts.name_length as libc::socklen_t;
            (*header).message.msg_control = pointer(&parts.control);
            (*header).message.msg_controllen = parts.control.len() as _;
            (*header).message.msg_flags = parts.flags;
        }
    }

    /// Copies bytes from one place of the area to another.
    pub fn copy_within(&self, from: usize, to: usize, length: usize) {
        let (from, to) = (self.span(from, length), self.span(to, length));
        // SAFETY: both spans were checked; copy() allows them to overlap.
        unsafe { ptr::copy(from.address(), to.address(), length) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the kernel holds references of its own to pages that it still
        // sends from.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// What a received message consists of.
pub struct MessageParts {
    pub data: Span,
    pub name: Span,
    /// The address's full length, which may be more than was stored.
    pub name_length: usize,
    pub control: Span,
    pub flags: i32,
}

/// What `*buf` of `sio_recvmsg` points to.
#[repr(C)]
struct MessageHeader {
    message: libc::msghdr,
    data: libc::iovec,
}

/// Bytes that [`Mapping::write_header`] writes.
pub const MESSAGE_HEADER_BYTES: usize = size_of::<MessageHeader>();
/// Bytes of the part that the program is told to give back: `sizeof(struct msghdr)`.
pub const MSGHDR_BYTES: usize = size_of::<libc::msghdr>();

/// Whether the kernel gives huge pages to those who do not ask. Where it has none, there is no file.
fn is_huge_unasked() -> bool {
    static ANSWER: Leaked<bool> = Leaked::empty();
    *ANSWER.get_or_find(|| {
        match std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled") {
            Ok(text) => text.contains("[always]"),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    })
}

fn page_bytes() -> usize {
    // SAFETY: no pointers.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn map(length: usize, flags: i32) -> Result<NonNull<u8>> {
    // SAFETY: a fresh anonymous mapping wherever the kernel likes.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    NonNull::new(base.cast()).ok_or(Errno::ENOMEM)
}

fn map_transparent(length: usize) -> Result<NonNull<u8>> {
    let base = map(length, 0)?;
    // SAFETY: our own fresh mapping; the advice may be refused without harm.
    unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_HUGEPAGE) };
    Ok(base)
}
