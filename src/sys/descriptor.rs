//! Descriptors: what they are, and the small kernel objects that the library makes for itself.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::check;
use crate::error::{Errno, Result};

/// Lends a number to a call that wants a typed descriptor.
pub fn borrow<'a>(fd: RawFd) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the value is not -1, and it is used for one system call only; a number that is no
    // descriptor is answered by the kernel with EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Whether the descriptor is open.
pub fn is_open(fd: RawFd) -> bool {
    status_flags(fd).is_ok()
}

fn status_flags(fd: RawFd) -> Result<i32> {
    // SAFETY: F_GETFL takes no pointer.
    check(unsafe { libc::fcntl(fd, libc::F_GETFL) }).map(|flags| flags as i32)
}

/// Whether `O_NONBLOCK` is set.
pub fn is_nonblocking(fd: RawFd) -> Result<bool> {
    Ok(status_flags(fd)? & libc::O_NONBLOCK != 0)
}

/// Another number for the same file, close-on-exec.
pub fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: no pointers; the result is a descriptor that nobody else owns.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }).map(|fd| own(fd as RawFd))
}

/// Whether the file is a regular file or a directory: those cannot be waited for.
pub fn is_always_ready(fd: RawFd) -> Result<bool> {
    let status = nix::sys::stat::fstat(borrow(fd)?)?;
    let kind = status.st_mode & libc::S_IFMT;
    Ok(kind == libc::S_IFREG || kind == libc::S_IFDIR)
}

/// A counter that makes its descriptor readable while it is not zero. eventfd(2).
pub struct Counter(EventFd);

impl Counter {
    pub fn new() -> Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        EventFd::from_value_and_flags(0, flags).map(Self)
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Makes it readable. It can only fail when it has been for a very long time.
    pub fn raise(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of a local.
        unsafe { libc::syscall(libc::SYS_write, self.fd(), &raw const one, 8usize) };
    }

    /// Makes it unreadable.
    pub fn lower(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes of room in a local.
        unsafe { libc::syscall(libc::SYS_read, self.fd(), &raw mut count, 8usize) };
    }
}

/// A timer of `clock`, close-on-exec and non-blocking. timerfd_create(2).
pub fn timer_create(clock: libc::clockid_t) -> Result<OwnedFd> {
    // SAFETY: no pointers; the result is a descriptor that nobody else owns.
    let fd = check(unsafe { libc::timerfd_create(clock, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) })?
        as RawFd;
    Ok(own(fd))
}

/// Arms a timer; `flags` as timerfd_settime(2).
pub fn timer_set(fd: RawFd, flags: i32, when: &libc::itimerspec) -> Result<()> {
    // SAFETY: `when` is a valid reference, the old value is not asked for.
    check(unsafe { libc::timerfd_settime(fd, flags, when, std::ptr::null_mut()) }).map(drop)
}

/// Expirations since the last read; `EAGAIN` when there is none, `ECANCELED` when the clock was set.
pub fn timer_read(fd: RawFd) -> Result<u64> {
    let mut count = MaybeUninit::<u64>::uninit();
    // SAFETY: eight bytes of room for a read of eight bytes.
    let read = check(unsafe { libc::syscall(libc::SYS_read, fd, count.as_mut_ptr(), 8usize) })?;
    // SAFETY: timerfd reads are all eight bytes or an error.
    if read == 8 { Ok(unsafe { count.assume_init() }) } else { Err(Errno::EIO) }
}

/// Takes ownership of a descriptor that a system call has just returned.
pub(super) fn own(fd: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: called only with numbers fresh from the kernel.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Closes a number that the library has accepted on the program's behalf and cannot hand over.
pub fn close(fd: RawFd) {
    // SAFETY: the descriptor was never shown to the program.
    unsafe { libc::close(fd) };
}
