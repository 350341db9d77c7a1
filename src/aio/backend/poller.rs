//! One thread that waits for all streams, so that thousands of pending receives are no thousand
//! threads. What is ready is transferred by the books (`State::returned`), without blocking.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use crate::aio::queue;
use crate::error::{Errno, Result};
use crate::sys::descriptor::Descriptor;
use crate::sys::wait::{self, Sleep, Terms};
use crate::sys::{poll, thread};

/// What is taken from the set in one go.
const BATCH: usize = 64;
/// How long it stays with nothing to do.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Poller {
    set: Option<Descriptor>,
    is_running: bool,
    /// Requests in the set by serial number, with the descriptor that stands for them: what the
    /// thread has heard may be out of date when it gets to say it.
    awaited: HashMap<u64, (u32, RawFd)>,
    next_serial: u64,
}

impl Poller {
    /// Sees to it that there is a set, a thread, and room for one more.
    pub fn prepare(&mut self) -> Result<()> {
        let set = match &self.set {
            Some(set) => set.as_raw_fd(),
            None => self.set.insert(poll::create()?).as_raw_fd(),
        };
        if !self.is_running {
            thread::spawn("sio-aio-poller", move || run(set))?;
            self.is_running = true;
        }
        self.awaited.reserve(1);
        Ok(())
    }

    /// Waits for a descriptor once. `EPERM`: that cannot be.
    pub fn add(&mut self, index: u32, fd: RawFd, is_write: bool) -> Result<()> {
        self.prepare()?;
        let set = self.set.as_ref().ok_or(Errno::EAGAIN)?.as_raw_fd();
        self.next_serial += 1;
        let serial = self.next_serial;
        let events = if is_write { poll::OUT } else { poll::IN };
        // EEXIST: the same number is in the set for the other direction.
        poll::add(set, fd, events | poll::ONESHOT, serial).map_err(|errno| match errno {
            Errno::EEXIST => Errno::EPERM,
            other => other,
        })?;
        self.awaited.insert(serial, (index, fd));
        Ok(())
    }

    /// Waits no more; `false`: it did not.
    pub fn remove(&mut self, index: u32) -> bool {
        let found = self.awaited.iter().find(|(_, (other, _))| *other == index);
        let Some(serial) = found.map(|(serial, _)| *serial) else { return false };
        self.ready(serial).is_some()
    }

    /// A descriptor is ready: whose it is, if that still waits.
    pub fn ready(&mut self, serial: u64) -> Option<u32> {
        let (index, fd) = self.awaited.remove(&serial)?;
        if let Some(set) = &self.set {
            // The descriptor may be the program's, and closed.
            let _ = poll::remove(set.as_raw_fd(), fd);
        }
        Some(index)
    }

    /// The thread has had nothing to do for a while: whether it may end.
    pub fn may_rest(&mut self) -> bool {
        let may = self.awaited.is_empty();
        if may {
            self.is_running = false;
        }
        may
    }
}

fn run(set: RawFd) {
    let mut room = [poll::NOTHING; BATCH];
    loop {
        let terms = Terms { deadline: Some(Instant::now() + IDLE), mask: None };
        let _ = wait::block(&Sleep::Poll { fd: set, events: libc::POLLIN }, &terms);
        let mut is_idle = true;
        if let Ok(ready) = poll::ready(set, &mut room) {
            for (serial, _) in ready {
                is_idle = false;
                queue::bring_ready(serial);
            }
        }
        if is_idle && queue::may_rest() {
            return;
        }
    }
}
