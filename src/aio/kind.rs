//! What kind of file a descriptor is, as far as it decides whether a transfer can block.
//!
//! What is remembered between calls is only ever a first guess, or true of a device number and not
//! of a descriptor: descriptors are reused.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::sys::transfer::{self, Identity};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory: no transfer blocks for long.
    Memory,
    /// A write without O_DIRECT or O_SYNC goes into the page cache, but the file system cannot be
    /// asked to do so only if it need not block.
    Cached,
    /// Any other file with offsets.
    File,
    Directory,
    Socket,
    Pipe,
    /// It has to be tried whether it has offsets.
    Other,
}

/// linux/magic.h.
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
const HUGETLBFS: u32 = 0x9584_58f6;
const EXT: u32 = 0xef53;
const F2FS: u32 = 0xf2f5_2010;
const OVERLAYFS: u32 = 0x794c_7630;

/// Major number 1: null, zero and full.
const MEMORY_DEVICES: [u64; 3] = [0x103, 0x105, 0x107];

pub fn of(fd: RawFd) -> Result<(Kind, Identity)> {
    let identity = transfer::identity(fd)?;
    let kind = match identity.kind() {
        libc::S_IFREG => of_device(fd, identity.device)?,
        libc::S_IFBLK => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFCHR if MEMORY_DEVICES.contains(&identity.special) => Kind::Memory,
        _ => Kind::Other,
    };
    Ok((kind, identity))
}

/// File systems by device number: the number, and the kind in the topmost bits. A number may be
/// used again after an unmount; then a transfer blocks that need not, or the other way round.
static DEVICES: [AtomicU64; 16] = [const { AtomicU64::new(u64::MAX) }; 16];
const KIND_SHIFT: u32 = 62;

fn of_device(fd: RawFd, device: u64) -> Result<Kind> {
    let place = &DEVICES[(device ^ device >> 8) as usize % DEVICES.len()];
    let known = place.load(Ordering::Relaxed);
    if known & !(3 << KIND_SHIFT) == device {
        return Ok(match known >> KIND_SHIFT {
            0 => Kind::Memory,
            1 => Kind::Cached,
            _ => Kind::File,
        });
    }
    let (kind, bits) = match transfer::file_system(fd)? {
        TMPFS | RAMFS | HUGETLBFS => (Kind::Memory, 0),
        EXT | F2FS | OVERLAYFS => (Kind::Cached, 1),
        _ => (Kind::File, 2),
    };
    if device >> KIND_SHIFT == 0 {
        place.store(device | bits << KIND_SHIFT, Ordering::Relaxed);
    }
    Ok(kind)
}

/// For so many transfers what was found out of a descriptor is taken for granted.
const GRANTED: u64 = 15;
const GRANTED_BITS: u32 = 8;

/// Descriptors of which something was found out, each with how often that may still be believed.
struct Found([AtomicU64; 256]);

impl Found {
    const fn none() -> Self {
        Self([const { AtomicU64::new(u64::MAX) }; 256])
    }

    fn place(&self, fd: RawFd) -> &AtomicU64 {
        &self.0[fd as usize % self.0.len()]
    }

    fn grant(&self, fd: RawFd) {
        self.place(fd).store((fd as u64) << GRANTED_BITS | GRANTED, Ordering::Relaxed);
    }

    /// Believes it once more; `false`: it has to be found out again.
    fn believe(&self, fd: RawFd) -> bool {
        let place = self.place(fd);
        let known = place.load(Ordering::Relaxed);
        let may = known >> GRANTED_BITS == fd as u64 && known & ((1 << GRANTED_BITS) - 1) > 0;
        if may {
            place.store(known - 1, Ordering::Relaxed);
        }
        may
    }

    /// Whether it was so, long ago perhaps.
    fn was(&self, fd: RawFd) -> bool {
        self.place(fd).load(Ordering::Relaxed) >> GRANTED_BITS == fd as u64
    }

    fn forget(&self, fd: RawFd) {
        self.place(fd).store(u64::MAX, Ordering::Relaxed);
    }
}

/// Those that were in memory.
static IN_MEMORY: Found = Found::none();

/// Whether it is in memory for sure; asked only of descriptors that were the last time.
pub fn is_still_in_memory(fd: RawFd) -> bool {
    if !IN_MEMORY.was(fd) {
        return false;
    }
    let is_so = transfer::has_seals(fd);
    if is_so {
        IN_MEMORY.grant(fd)
    } else {
        IN_MEMORY.forget(fd)
    }
    is_so
}

/// Whether it was in memory a few transfers ago.
pub fn was_in_memory(fd: RawFd) -> bool {
    IN_MEMORY.believe(fd)
}

/// It was found to be in memory.
pub fn remember(fd: RawFd) {
    IN_MEMORY.grant(fd);
}

/// It is something else by now.
pub fn forget(fd: RawFd) {
    IN_MEMORY.forget(fd);
    CACHED.forget(fd);
}

/// Flags of open(2) that decide how a transfer is done.
const SPECIAL: i32 =
    libc::O_DIRECT | libc::O_SYNC | libc::O_DSYNC | libc::O_APPEND | libc::O_NONBLOCK;

/// Those that had none of these flags. If they have one by now, those wait for the disk that need
/// not.
static PLAIN: Found = Found::none();

/// Whether a descriptor had no special flags a few transfers ago.
pub fn was_plain(fd: RawFd) -> bool {
    PLAIN.believe(fd)
}

/// Those whose file system takes writes into the page cache.
static CACHED: Found = Found::none();

/// Whether writes went into the page cache a few transfers ago.
pub fn was_cached(fd: RawFd) -> bool {
    CACHED.believe(fd)
}

/// Writes go into the page cache, with flags that have been asked for.
pub fn remember_cached(fd: RawFd, flags: i32) {
    CACHED.grant(fd);
    remember_flags(fd, flags);
}

/// The flags of a descriptor have been asked for.
pub fn remember_flags(fd: RawFd, flags: i32) {
    if flags & SPECIAL == 0 {
        PLAIN.grant(fd);
    }
}
