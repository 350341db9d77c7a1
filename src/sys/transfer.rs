//! Reading and writing at the program's own addresses, as asynchronous requests name them; and
//! what has to be known of a file to do it without blocking.
//!
//! The addresses are the program's affair: the kernel answers a wrong one with `EFAULT`.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::check;
use super::signal::{SET_BYTES, change_mask};
use crate::error::{Errno, Result};

/// The current position, or none: pread2(2) and io_uring.
pub const NO_OFFSET: i64 = -1;

/// What the kernel transfers at most in one go; read(2). It looks whether all that it is asked for could
/// be memory, also what it would not touch.
pub const BYTES_MAX: usize = 0x7fff_f000;

/// Memory of the program's.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub address: usize,
    pub length: usize,
}

impl Memory {
    pub const NONE: Self = Self { address: 0, length: 0 };

    pub fn skip(self, bytes: usize) -> Self {
        Self { address: self.address.wrapping_add(bytes), length: self.length - bytes }
    }

    fn piece(self) -> libc::iovec {
        libc::iovec { iov_base: self.address as *mut _, iov_len: self.length.min(BYTES_MAX) }
    }
}

/// The flags of open(2) that are in force.
pub fn open_flags(fd: RawFd) -> Result<i32> {
    // SAFETY: F_GETFL takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFL) }).map(|flags| flags as i32)
}

/// Whether a file is in memory alone: the only ones that have seals. Cheaper than to ask what file
/// system it is on. fcntl(2).
pub fn has_seals(fd: RawFd) -> bool {
    // SAFETY: F_GET_SEALS takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GET_SEALS) }).is_ok()
}

/// What the file system is asked of a file: kind, device and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub mode: u32,
    pub device: u64,
    pub inode: u64,
    /// Of a device file, the device.
    pub special: u64,
}

impl Identity {
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

/// Looks by statx(2), without the times: a look at the time of the last change has the kernel note
/// the next write as a change of its own, to the nanosecond, which takes that write half its time again.
pub fn identity(fd: RawFd) -> Result<Identity> {
    let mut status = MaybeUninit::<libc::statx>::uninit();
    // SAFETY: an empty name, and room for what is asked for, which is read only if it was written.
    let answer = check(unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_TYPE | libc::STATX_INO,
            status.as_mut_ptr(),
        )
    });
    match answer {
        Ok(_) => {}
        // Forbidden, by whoever has not heard of it.
        Err(Errno::ENOSYS | Errno::EPERM) => return identity_with_times(fd),
        Err(errno) => return Err(errno),
    }
    // SAFETY: written by the kernel.
    let status = unsafe { status.assume_init() };
    Ok(Identity {
        mode: status.stx_mode.into(),
        device: libc::makedev(status.stx_dev_major, status.stx_dev_minor),
        inode: status.stx_ino,
        special: libc::makedev(status.stx_rdev_major, status.stx_rdev_minor),
    })
}

fn identity_with_times(fd: RawFd) -> Result<Identity> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: as above.
    let status = unsafe {
        check(libc::fstat(fd, status.as_mut_ptr()))?;
        status.assume_init()
    };
    Ok(Identity {
        mode: status.st_mode,
        device: status.st_dev,
        inode: status.st_ino,
        special: status.st_rdev,
    })
}

/// The magic number of the file system that a file is on.
pub fn file_system(fd: RawFd) -> Result<u32> {
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: as above.
    unsafe {
        check(libc::fstatfs(fd, status.as_mut_ptr()))?;
        Ok(status.assume_init().f_type as u32)
    }
}

/// pread(2); may block.
pub fn read_at(fd: RawFd, memory: Memory, offset: i64) -> Result<usize> {
    // SAFETY: the memory is the program's for this request, by the contract of the call.
    check(unsafe {
        libc::syscall(libc::SYS_pread64, fd, memory.address, memory.length.min(BYTES_MAX), offset)
    })
}

/// pread(2) for files: `ESPIPE` from what has no offsets, `EOPNOTSUPP` from devices whose drivers
/// know no flags, as most of those that wait for something to come. To a read the flag means nothing.
pub fn read_file(fd: RawFd, memory: Memory, offset: i64) -> Result<usize> {
    read_with(fd, memory, offset, libc::RWF_DSYNC as i64)
}

/// pwrite(2); may block.
pub fn write_at(fd: RawFd, memory: Memory, offset: i64) -> Result<usize> {
    // SAFETY: as above.
    check(unsafe {
        libc::syscall(libc::SYS_pwrite64, fd, memory.address, memory.length.min(BYTES_MAX), offset)
    })
}

/// read(2); may block, unless the descriptor does not.
pub fn read(fd: RawFd, memory: Memory) -> Result<usize> {
    // SAFETY: as above.
    check(unsafe {
        libc::syscall(libc::SYS_read, fd, memory.address, memory.length.min(BYTES_MAX))
    })
}

/// write(2); may block, unless the descriptor does not; may raise `SIGPIPE`.
pub fn write(fd: RawFd, memory: Memory) -> Result<usize> {
    // SAFETY: as above.
    check(unsafe {
        libc::syscall(libc::SYS_write, fd, memory.address, memory.length.min(BYTES_MAX))
    })
}

/// As wide as a register: the last argument of a call stands in memory, and who watches sees the
/// other half of an `i32` there, which nobody has written.
const NOWAIT: i64 = libc::RWF_NOWAIT as i64;

/// Reads what is there: `EAGAIN` if nothing is, `EOPNOTSUPP` if this file cannot say so.
pub fn read_now(fd: RawFd, memory: Memory, offset: i64) -> Result<usize> {
    read_with(fd, memory, offset, NOWAIT)
}

/// preadv2(2) of one piece.
fn read_with(fd: RawFd, memory: Memory, offset: i64, flags: i64) -> Result<usize> {
    let piece = memory.piece();
    // SAFETY: as above; the piece is a local.
    check(unsafe {
        libc::syscall(
            libc::SYS_preadv2,
            fd,
            &raw const piece,
            1usize,
            offset,
            if offset < 0 { -1i64 } else { 0 },
            flags,
        )
    })
}

/// Writes what there is room for, on the same terms; may raise `SIGPIPE`.
pub fn write_now(fd: RawFd, memory: Memory, offset: i64) -> Result<usize> {
    let piece = memory.piece();
    // SAFETY: as above.
    check(unsafe {
        libc::syscall(
            libc::SYS_pwritev2,
            fd,
            &raw const piece,
            1usize,
            offset,
            if offset < 0 { -1i64 } else { 0 },
            NOWAIT,
        )
    })
}

/// recv(2) with `MSG_DONTWAIT`.
pub fn receive_now(fd: RawFd, memory: Memory) -> Result<usize> {
    // SAFETY: as above; no address is asked for.
    check(unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            fd,
            memory.address,
            memory.length.min(BYTES_MAX),
            libc::MSG_DONTWAIT,
            0usize,
            0usize,
        )
    })
}

/// send(2) with `MSG_DONTWAIT`; never raises `SIGPIPE`.
pub fn send_now(fd: RawFd, memory: Memory) -> Result<usize> {
    // SAFETY: as above; no address is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_sendto,
            fd,
            memory.address,
            memory.length.min(BYTES_MAX),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            0usize,
            0usize,
        )
    })
}

/// fsync(2) or fdatasync(2).
pub fn synchronise(fd: RawFd, data_only: bool) -> Result<usize> {
    let call = if data_only { libc::SYS_fdatasync } else { libc::SYS_fsync };
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(call, fd) })
}

static PIPE: u64 = 1 << (libc::SIGPIPE - 1);

fn pending() -> u64 {
    let mut set = 0u64;
    // SAFETY: a local of the size that is told.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, SET_BYTES) };
    set
}

/// Writes up to so many bytes, with `SIGPIPE` blocked for this thread, and takes the one away that the
/// write raised: an asynchronous request tells of a broken pipe in its result alone.
pub fn without_broken_pipe_signal(
    bytes: usize,
    write: impl FnOnce() -> Result<usize>,
) -> Result<usize> {
    let old = change_mask(libc::SIG_BLOCK, PIPE);
    // One that was not blocked would have been delivered.
    let was_pending = old & PIPE != 0 && pending() & PIPE != 0;
    let answer = write();
    // Where it breaks in the middle, what was written before is the answer.
    let may_be_broken = answer.map_or_else(|errno| errno == Errno::EPIPE, |count| count < bytes);
    if may_be_broken && !was_pending {
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: as above; nothing is told about the signal that is taken.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const PIPE,
                std::ptr::null_mut::<libc::siginfo_t>(),
                &raw const none,
                SET_BYTES,
            )
        };
    }
    change_mask(libc::SIG_SETMASK, old);
    answer
}
