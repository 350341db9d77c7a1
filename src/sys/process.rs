//! Processes by descriptor. pidfd_open(2), waitid(2).

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::check;
use super::descriptor::is_open;
use crate::error::{Errno, Result};

/// waitid(2): the status of an ended child, `None` while it runs. By number: the C library's
/// function is a cancellation point.
fn wait(pidfd: RawFd, options: i32) -> Result<Option<i32>> {
    // SAFETY: zero bytes are a valid siginfo_t.
    let mut information: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL | options;
    // SAFETY: room for one record, and none for the usage.
    check(unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd,
            &raw mut information,
            options,
            std::ptr::null_mut::<libc::rusage>(),
        )
    })?;
    // SAFETY: waitid fills in these members, or leaves them zero when nothing has ended.
    let (pid, status) = unsafe { (information.si_pid(), information.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    // As wait(2) packs it.
    Ok(Some(match information.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    }))
}

/// `EBADF` when the descriptor is not open, `EINVAL` when it is no pidfd.
pub fn is_pidfd(fd: RawFd) -> Result<()> {
    match peek(fd) {
        Ok(_) | Err(Errno::ECHILD) => Ok(()),
        Err(Errno::EBADF | Errno::EINVAL) if is_open(fd) => Err(Errno::EINVAL),
        Err(Errno::EINVAL) => Err(Errno::EBADF),
        Err(errno) => Err(errno),
    }
}

/// The wait status of an ended child that stays to be reaped.
pub fn peek(pidfd: RawFd) -> Result<Option<i32>> {
    wait(pidfd, libc::WNOWAIT)
}

/// Reaps a child that has ended.
pub fn reap(pidfd: RawFd) -> Result<Option<i32>> {
    wait(pidfd, 0)
}

/// struct pidfd_info of linux/pidfd.h, its first version.
#[repr(C)]
#[derive(Default)]
struct Information {
    mask: u64,
    cgroup: u64,
    identities: [u32; 11],
    exit_code: i32,
}

const _: () = assert!(size_of::<Information>() == 64);

/// `PIDFD_GET_INFO`: _IOWR(0xFF, 11, struct pidfd_info), with the size of the record above.
const GET_INFO: libc::c_ulong =
    3 << 30 | (size_of::<Information>() as libc::c_ulong) << 16 | 0xff0b;
/// `PIDFD_INFO_EXIT` (6.15).
const INFO_EXIT: u64 = 1 << 3;

/// The wait status of a process that somebody else has reaped, where the kernel keeps it.
pub fn status(pidfd: RawFd) -> Option<i32> {
    let mut information = Information { mask: INFO_EXIT, ..Information::default() };
    // SAFETY: room for a record of the size that the request names.
    let answer = check(unsafe { libc::ioctl(pidfd, GET_INFO as _, &raw mut information) });
    (answer.is_ok() && information.mask & INFO_EXIT != 0).then_some(information.exit_code)
}
