//! What kind of file a descriptor is, as far as it decides whether a transfer can block.
//!
//! What is remembered between calls is only ever a first guess, or true of a device number and not
//! of a descriptor: descriptors are reused.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// Descriptors that were found to be in memory: worth asking first.
static IN_MEMORY: [AtomicBool; 1024] = [const { AtomicBool::new(false) }; 1024];

/// Whether it is in memory for sure; asked only of descriptors that were the last time.
pub fn is_still_in_memory(fd: RawFd) -> bool {
    let guess = &IN_MEMORY[fd as usize % IN_MEMORY.len()];
    if !guess.load(Ordering::Relaxed) {
        return false;
    }
    let is_so = transfer::has_seals(fd);
    if !is_so {
        guess.store(false, Ordering::Relaxed);
    }
    is_so
}

/// It was found to be in memory.
pub fn remember(fd: RawFd) {
    IN_MEMORY[fd as usize % IN_MEMORY.len()].store(true, Ordering::Relaxed);
}

/// Flags of open(2) that decide how a transfer is done.
const SPECIAL: i32 =
    libc::O_DIRECT | libc::O_SYNC | libc::O_DSYNC | libc::O_APPEND | libc::O_NONBLOCK;
/// For so many transfers it is taken for granted that the flags are what they were. If they are
/// not, those wait for the disk that need not: no more than that may follow.
const GRANTED: u64 = 15;
const GRANTED_BITS: u32 = 8;

/// Descriptors that had none of those flags, each with how often that may still be believed.
static PLAIN: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

fn plain(fd: RawFd) -> &'static AtomicU64 {
    &PLAIN[fd as usize % PLAIN.len()]
}

/// Whether a descriptor had no special flags a few transfers ago.
pub fn was_plain(fd: RawFd) -> bool {
    let place = plain(fd);
    let known = place.load(Ordering::Relaxed);
    let is_known = known >> GRANTED_BITS == fd as u64 && known & ((1 << GRANTED_BITS) - 1) > 0;
    if is_known {
        place.store(known - 1, Ordering::Relaxed);
    }
    is_known
}

/// The flags of a descriptor have been asked for.
pub fn remember_flags(fd: RawFd, flags: i32) {
    if flags & SPECIAL == 0 {
        plain(fd).store((fd as u64) << GRANTED_BITS | GRANTED, Ordering::Relaxed);
    }
}
