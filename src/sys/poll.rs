//! epoll(7) and poll(2), by number.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::check;
use super::descriptor::{Descriptor, own};
use super::sync::step;
use crate::error::{Errno, Result};

pub const IN: u32 = libc::EPOLLIN as u32;
pub const OUT: u32 = libc::EPOLLOUT as u32;
pub const ERR: u32 = libc::EPOLLERR as u32;
pub const HUP: u32 = libc::EPOLLHUP as u32;
pub const RDHUP: u32 = libc::EPOLLRDHUP as u32;
pub const EDGE: u32 = libc::EPOLLET as u32;
pub const ONESHOT: u32 = libc::EPOLLONESHOT as u32;

/// What poll(2) is asked for, as epoll(7) has it: the numbers are the same.
pub fn events(events: i16) -> u32 {
    u32::from(events.cast_unsigned())
}

/// A new epoll set, close-on-exec.
pub fn create() -> Result<Descriptor> {
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC) })
        .map(|fd| own(fd as RawFd))
}

fn control(set: RawFd, operation: i32, fd: RawFd, events: u32, key: u64) -> Result<()> {
    let mut event = libc::epoll_event { events, u64: key };
    // SAFETY: the event is a local that the kernel copies.
    check(unsafe { libc::syscall(libc::SYS_epoll_ctl, set, operation, fd, &raw mut event) })
        .map(drop)
}

pub fn add(set: RawFd, fd: RawFd, events: u32, key: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_ADD, fd, events, key).map_err(|errno| match errno {
        // The set itself by another number, which is a circle like any other.
        Errno::EINVAL => Errno::ELOOP,
        errno => errno,
    })
}

pub fn modify(set: RawFd, fd: RawFd, events: u32, key: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_MOD, fd, events, key)
}

pub fn remove(set: RawFd, fd: RawFd) -> Result<()> {
    control(set, libc::EPOLL_CTL_DEL, fd, 0, 0)
}

/// What is ready now, as (key, events); never blocks.
pub fn ready<'a>(
    set: RawFd,
    room: &'a mut [libc::epoll_event],
) -> Result<impl Iterator<Item = (u64, u32)> + use<'a>> {
    let count = fill(set, room)?;
    Ok(room[..count].iter().map(|event| (event.u64, event.events)))
}

/// The same, in the program's own records: how many.
pub fn fill(set: RawFd, room: &mut [libc::epoll_event]) -> Result<usize> {
    step();
    // SAFETY: the slice is valid for as many events as are asked for.
    check(unsafe {
        libc::syscall(libc::SYS_epoll_pwait, set, room.as_mut_ptr(), room.len(), 0, 0usize, 8usize)
    })
}

/// No event.
pub const NOTHING: libc::epoll_event = libc::epoll_event { events: 0, u64: 0 };

/// Room for `count` events.
pub fn room(count: usize) -> Vec<libc::epoll_event> {
    vec![NOTHING; count]
}

/// Descriptors of which poll(2) says the same all the time. What changes is told of by a set of them.
pub struct Changes(Descriptor);

impl Changes {
    pub fn of(fds: impl IntoIterator<Item = RawFd>, events: u32) -> Result<Self> {
        let set = create()?;
        for fd in fds {
            add(set.as_raw_fd(), fd, events | EDGE, 0)?;
        }
        Ok(Self(set))
    }

    /// Readable when something has changed since [`Changes::take`].
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// What has changed is about to be looked at.
    pub fn take(&self) {
        let mut room = [NOTHING; 32];
        // An error leaves it readable.
        while fill(self.fd(), &mut room) == Ok(room.len()) {}
    }
}

/// Sleeps until one of the descriptors is readable, for no longer than the limit if there is one, or
/// until it is woken for another reason.
pub fn wait_for_any(fds: &[RawFd], limit: Option<Duration>) {
    let polled = |fd: &RawFd| libc::pollfd { fd: *fd, events: IN as i16, revents: 0 };
    let mut polled: Vec<libc::pollfd> = fds.iter().map(polled).collect();
    let mut limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: as many as the vector has; a time of our own or none, and no mask.
    unsafe {
        libc::syscall(libc::SYS_ppoll, polled.as_mut_ptr(), polled.len(), limit, 0usize, 8usize)
    };
}

/// Whether what poll(2) has found of `events` is an error and nothing else: it tells of that whatever it
/// is asked for, as long as the error queue has something.
pub fn is_error_alone(found: i16, events: i16) -> bool {
    found & events == 0 && found & libc::POLLERR != 0
}

/// Whether a socket is shut down for receiving, by either end.
pub fn is_hung_up(fd: RawFd) -> bool {
    const OVER: i16 = libc::POLLRDHUP | libc::POLLHUP;
    now(fd, OVER).is_ok_and(|found| found & OVER != 0)
}

/// What of `events` is ready on one descriptor now; never blocks.
pub fn now(fd: RawFd, events: i16) -> Result<i16> {
    let mut polled = libc::pollfd { fd, events, revents: 0 };
    let mut zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one valid pollfd and a valid timespec.
    check(unsafe {
        libc::syscall(libc::SYS_ppoll, &raw mut polled, 1usize, &raw mut zero, 0usize, 8usize)
    })?;
    Ok(polled.revents)
}
