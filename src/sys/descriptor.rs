//! Descriptors: what they are, and the small kernel objects that the library makes for itself.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};

use super::check;
use super::sync::step;
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

/// A descriptor of our own. Unlike an `OwnedFd` it is closed without a cancellation point: whoever
/// lets go of something last closes what belongs to it, whatever call that happens in.
#[derive(Debug)]
pub struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl IntoRawFd for Descriptor {
    fn into_raw_fd(self) -> RawFd {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// Takes ownership of a descriptor that a system call has just returned.
pub(super) fn own(fd: RawFd) -> Descriptor {
    Descriptor(fd)
}

/// Closes a number. As a number is given back here, so it is taken where one is taken often: the thread
/// sanitizer sees what goes through the C library, and has to see both or neither.
pub fn close(fd: RawFd) {
    // SAFETY: no pointers. close(3) of the C library is a cancellation point.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}

/// Another number for the program's file, close-on-exec: the file is reached by it even if the
/// program closes its own and that comes to mean something else. Not for files that may have record
/// locks: closing any descriptor of a file gives up all that the process has. fcntl_locking(2).
pub fn duplicate(fd: RawFd) -> Result<Descriptor> {
    // SAFETY: no pointers; the result is a descriptor that nobody else owns.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 0) })
        .map(|fd| own(fd as RawFd))
}

/// Whether the file is a regular file or a directory: those cannot be waited for.
pub fn is_always_ready(fd: RawFd) -> Result<bool> {
    let status = nix::sys::stat::fstat(borrow(fd)?)?;
    let kind = status.st_mode & libc::S_IFMT;
    Ok(kind == libc::S_IFREG || kind == libc::S_IFDIR)
}

/// Device and number of the file behind a descriptor: tells whether it may still be the same one.
/// Files of one kind that have no inode of their own, as those of eventfd(2), share theirs.
pub fn identity(fd: RawFd) -> Result<(u64, u64)> {
    let status = nix::sys::stat::fstat(borrow(fd)?)?;
    Ok((status.st_dev, status.st_ino))
}

/// A counter that makes its descriptor readable while it is not zero. eventfd(2).
pub struct Counter(Descriptor);

impl Counter {
    pub fn new() -> Result<Self> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: no pointers; the result is a descriptor that nobody else owns.
        check(unsafe { libc::syscall(libc::SYS_eventfd2, 0, flags) })
            .map(|fd| Self(own(fd as RawFd)))
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Makes it readable. It can only fail when it has been for a very long time.
    pub fn raise(&self) {
        step();
        let one = 1u64;
        // SAFETY: eight bytes of a local.
        unsafe { libc::syscall(libc::SYS_write, self.fd(), &raw const one, 8usize) };
    }

    /// Makes it unreadable.
    pub fn lower(&self) {
        step();
        let mut count = 0u64;
        // SAFETY: eight bytes of room in a local.
        unsafe { libc::syscall(libc::SYS_read, self.fd(), &raw mut count, 8usize) };
    }
}

/// A timer of `clock`, close-on-exec and non-blocking. timerfd_create(2).
pub fn timer_create(clock: libc::clockid_t) -> Result<Descriptor> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no pointers; the result is a descriptor that nobody else owns.
    let fd = check(unsafe { libc::syscall(libc::SYS_timerfd_create, clock, flags) })?;
    Ok(own(fd as RawFd))
}

/// Arms a timer, or disarms it; `flags` as timerfd_settime(2). Returns what was set before.
pub fn timer_set(fd: RawFd, flags: i32, when: &libc::itimerspec) -> Result<libc::itimerspec> {
    let mut old = MaybeUninit::<libc::itimerspec>::uninit();
    // SAFETY: `when` is a valid reference, and there is room for the old value.
    check(unsafe { libc::timerfd_settime(fd, flags, when, old.as_mut_ptr()) })?;
    // SAFETY: success fills it in.
    Ok(unsafe { old.assume_init() })
}

/// The time until a timer expires. timerfd_gettime(2).
pub fn timer_rest(fd: RawFd) -> Result<libc::itimerspec> {
    let mut rest = MaybeUninit::<libc::itimerspec>::uninit();
    // SAFETY: there is room for the answer.
    check(unsafe { libc::timerfd_gettime(fd, rest.as_mut_ptr()) })?;
    // SAFETY: success fills it in.
    Ok(unsafe { rest.assume_init() })
}

/// Reads a counter that does not block, as the expirations of a timer of our own; `EAGAIN` when it
/// is zero, `ECANCELED` when the clock of a timer was set.
pub fn counter_read_plain(fd: RawFd) -> Result<u64> {
    let mut count = 0u64;
    // SAFETY: eight bytes of room in a local; it does not block.
    let read = check(unsafe { libc::syscall(libc::SYS_read, fd, &raw mut count, 8usize) })?;
    if read == 8 { Ok(count) } else { Err(Errno::EIO) }
}

/// Reads a counter of eight bytes and thereby resets it: an eventfd, or the expirations of a
/// timer. `EAGAIN` when it is zero, even if the descriptor blocks; `ECANCELED` when the clock of a
/// timer was set.
pub fn counter_read(fd: RawFd) -> Result<u64> {
    let mut count = 0u64;
    let piece = libc::iovec { iov_base: (&raw mut count).cast(), iov_len: 8 };
    // SAFETY: one piece with eight bytes of room; offset -1 means that the file has none.
    let mut read = check(unsafe {
        libc::syscall(libc::SYS_preadv2, fd, &raw const piece, 1, -1i64, -1i64, libc::RWF_NOWAIT)
    });
    if matches!(read, Err(Errno::EOPNOTSUPP | Errno::ENOSYS)) {
        // An older kernel: ask first, although somebody else may be faster.
        if super::poll::now(fd, libc::POLLIN)? & libc::POLLIN == 0 {
            return Err(Errno::EAGAIN);
        }
        // SAFETY: eight bytes of room in a local.
        read = check(unsafe { libc::syscall(libc::SYS_read, fd, &raw mut count, 8usize) });
    }
    if read? == 8 { Ok(count) } else { Err(Errno::EIO) }
}

/// Whether the descriptor is a counter of eight bytes. Where /proc(5) is not mounted, the first
/// read tells.
pub fn is_counter(fd: RawFd) -> Result<bool> {
    if !is_open(fd) {
        return Err(Errno::EBADF);
    }
    let Ok(name) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else { return Ok(true) };
    let name = name.to_string_lossy();
    Ok(name.ends_with("[eventfd]") || name.ends_with("[timerfd]"))
}

/// How a message queue was opened: `O_RDONLY`, `O_WRONLY` or `O_RDWR`. `EBADF`: it is none.
pub fn queue_access(fd: RawFd) -> Result<i32> {
    let mut attributes = MaybeUninit::<libc::mq_attr>::uninit();
    // SAFETY: nothing is set, and there is room for what is asked for.
    check(unsafe {
        libc::syscall(
            libc::SYS_mq_getsetattr,
            fd,
            std::ptr::null::<libc::mq_attr>(),
            attributes.as_mut_ptr(),
        )
    })?;
    Ok(status_flags(fd)? & libc::O_ACCMODE)
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::super::ring::Ring;
    use super::super::wait::Uncancellable;
    use super::*;

    #[test]
    fn closing_is_no_cancellation_point() {
        let close = || {
            let ours =
                (Counter::new(), timer_create(libc::CLOCK_MONOTONIC), Ring::new(4, 8, false));
            // SAFETY: this thread, which is not cancelled before it has been asked to be.
            unsafe { libc::pthread_cancel(libc::pthread_self()) };
            drop(ours);
            // What ends the thread has cancellation points.
            std::mem::forget(Uncancellable::begin());
        };
        std::thread::spawn(close).join().expect("no panic");
    }
}
