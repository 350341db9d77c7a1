//! Being told of a message in an empty queue. mq_notify(3); in the kernel, ipc/mqueue.c.
//!
//! The kernel offers what the C library makes SIGEV_THREAD of: it is given a netlink socket and a
//! record of 32 bytes, and sends the record to the socket, with what has happened as its last byte.
//! The registration ends with that.

use std::os::fd::RawFd;

use super::check;
use crate::error::{Errno, Result};

/// NOTIFY_COOKIE_LEN of the kernel.
const RECORD_BYTES: usize = 32;
/// NOTIFY_WOKENUP: the other byte, NOTIFY_REMOVED, says that the registration was taken back.
const ARRIVED: u8 = 1;

/// This process is registered with a queue. Dropping it takes that back.
pub struct Notification {
    queue: RawFd,
    socket: RawFd,
    has_ended: bool,
}

/// How a registration has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The queue was empty, and a message came.
    Arrived,
    /// By mq_notify without a notification, or because the process has closed the queue.
    Withdrawn,
}

impl Notification {
    /// `EBUSY`: somebody is registered already.
    pub fn new(queue: RawFd) -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let socket =
            check(unsafe { libc::syscall(libc::SYS_socket, libc::AF_NETLINK, kind, 0) })? as RawFd;
        let mut made = Self { queue, socket, has_ended: true };
        let record = [0u8; RECORD_BYTES];
        // SAFETY: a sigevent is plain data for which zeroes are valid.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD;
        event.sigev_signo = socket;
        event.sigev_value.sival_ptr = record.as_ptr().cast_mut().cast();
        // SAFETY: the event and the record are locals that the kernel copies.
        check(unsafe { libc::syscall(libc::SYS_mq_notify, queue, &raw const event) })?;
        made.has_ended = false;
        Ok(made)
    }

    pub fn queue(&self) -> RawFd {
        self.queue
    }

    /// Readable when the registration has ended.
    pub fn fd(&self) -> RawFd {
        self.socket
    }

    /// How it has ended, if it has; told once.
    pub fn take(&mut self) -> Option<End> {
        let mut record = [0u8; RECORD_BYTES];
        // SAFETY: as many bytes of room as are said; the sender's address is not asked for.
        let answer = check(unsafe {
            let (room, none) = (record.as_mut_ptr(), std::ptr::null_mut::<u8>());
            libc::syscall(libc::SYS_recvfrom, self.fd(), room, RECORD_BYTES, 0, none, none)
        });
        if matches!(answer, Err(Errno::EAGAIN | Errno::EINTR)) {
            return None;
        }
        self.has_ended = true;
        let arrived = answer == Ok(RECORD_BYTES) && record[RECORD_BYTES - 1] == ARRIVED;
        Some(if arrived { End::Arrived } else { End::Withdrawn })
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        // While nothing was told the process has not closed the queue: the number is still its.
        if !self.has_ended && self.take().is_none() {
            // SAFETY: a null pointer takes the registration back.
            unsafe { libc::syscall(libc::SYS_mq_notify, self.queue, std::ptr::null::<u8>()) };
        }
        // SAFETY: the descriptor is ours. Not by close(3p), a cancellation point: an event may be
        // under way to the program.
        unsafe { libc::syscall(libc::SYS_close, self.socket) };
    }
}
