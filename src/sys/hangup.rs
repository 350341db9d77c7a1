//! A descriptor for the program of which the library sees when it is closed.
//!
//! The program has the reading end of a pipe, the library the writing end: that is in an error
//! when no descriptor is left for the other, wherever duplicates of it have gone. pipe(7), poll(2).

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};

use super::descriptor::{Descriptor, own};
use super::transfer::{self, Identity, Memory};
use super::{check, poll};
use crate::error::{Errno, Result};

/// The library's end.
pub struct Watch {
    end: Descriptor,
    /// The pipe: the same for every duplicate of the program's descriptor.
    pub identity: Identity,
}

/// A new descriptor for the program, and its watch.
pub fn pair() -> Result<(Descriptor, Watch)> {
    let mut ends = [0; 2];
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: room for two descriptors.
    check(unsafe { libc::syscall(libc::SYS_pipe2, ends.as_mut_ptr(), flags) })?;
    let (theirs, end) = (own(ends[0]), own(ends[1]));
    let identity = transfer::identity(ends[0])?;
    Ok((theirs, Watch { end, identity }))
}

impl Watch {
    pub fn fd(&self) -> RawFd {
        self.end.as_raw_fd()
    }

    /// Makes the program's descriptors readable, or not. `EOPNOTSUPP`: it cannot be undone where
    /// proc(5) is not mounted.
    pub fn set_readable(&self, is_readable: bool) -> Result<()> {
        let mut bytes = 0i32;
        // SAFETY: room for the answer.
        check(unsafe { libc::ioctl(self.fd(), libc::FIONREAD, &raw mut bytes) })?;
        match (is_readable, bytes) {
            (true, 0) => {
                let byte = Memory { address: c"".as_ptr() as usize, length: 1 };
                // There is room for it, but perhaps nobody who could read it any more.
                match transfer::without_broken_pipe_signal(1, || transfer::write(self.fd(), byte)) {
                    Ok(_) | Err(Errno::EPIPE) => Ok(()),
                    Err(errno) => Err(errno),
                }
            }
            (true, _) | (false, 0) => Ok(()),
            (false, _) => self.empty(),
        }
    }

    /// Takes out what is in the pipe, by an end that is opened for it: one that stayed open would
    /// hide that the program's are closed.
    fn empty(&self) -> Result<()> {
        let path = CString::new(format!("/proc/thread-self/fd/{}", self.fd())).unwrap_or_default();
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: a string that outlives the call.
        let end = check(unsafe {
            libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0)
        });
        let end = match end {
            Ok(fd) => own(fd as RawFd),
            Err(Errno::ENOENT | Errno::EACCES) => return Err(Errno::EOPNOTSUPP),
            Err(errno) => return Err(errno),
        };
        let mut byte = 0u8;
        // SAFETY: room for one byte. The end does not block.
        while check(unsafe {
            libc::syscall(libc::SYS_read, end.as_raw_fd(), &raw mut byte, 1usize)
        }) == Ok(1)
        {}
        Ok(())
    }

    /// Whether all descriptors of the program's are closed.
    pub fn is_hung_up(&self) -> bool {
        poll::now(self.fd(), 0).is_ok_and(|events| events & libc::POLLERR != 0)
    }
}
