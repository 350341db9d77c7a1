//! The thread that sees descriptors of devices closed, and calls drivers where nobody else should:
//! what has to happen because a driver has ended something does not happen in the thread that told
//! so, which may hold locks of the driver's. It exists while a device is open, and a moment longer.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::books::Errand;
use super::registry::Devices;
use super::{calls, file};
use crate::aio::queue;
use crate::error::Result;
use crate::sys::wait::{self, Sleep, Terms};
use crate::sys::{poll, thread};

/// How long it stays with no device open.
const IDLE: Duration = Duration::from_secs(1);
/// Closed descriptors that are looked at in one go.
const HANGUPS: usize = 16;
/// What the bell is called in the set; files have other numbers.
const BELL: u64 = 0;

#[derive(Default)]
pub struct Service {
    is_running: bool,
    /// Files that are open, or not released.
    files: usize,
}

/// There is something for the thread to do.
pub fn ring() {
    if let Some(devices) = Devices::present() {
        devices.bell.raise();
    }
}

impl Devices {
    /// A file is about to be opened: there is a thread from now on. `EAGAIN`: there is not.
    pub fn employ(&'static self) -> Result<()> {
        let mut service = self.service.lock();
        if !service.is_running {
            thread::spawn("sio-device", move || self.serve())?;
            service.is_running = true;
        }
        service.files += 1;
        Ok(())
    }

    /// A file is gone.
    pub fn dismiss(&self) {
        let mut service = self.service.lock();
        service.files -= 1;
        if service.files == 0 {
            self.bell.raise();
        }
    }

    fn serve(&self) {
        let mut room = poll::room(HANGUPS);
        let mut terms = Terms::default();
        let sleep = Sleep::Poll { fd: self.set.as_raw_fd(), events: libc::POLLIN };
        loop {
            let hung_up: Vec<u64> = poll::ready(self.set.as_raw_fd(), &mut room)
                .map(|ready| ready.map(|(id, _)| id).collect())
                .unwrap_or_default();
            if let Some(queue) = queue::present() {
                if hung_up.contains(&BELL) {
                    self.bell.lower();
                }
                for &id in hung_up.iter().filter(|&&id| id != BELL) {
                    file::wind_up(queue, id);
                }
                self.run_errands(queue);
            }
            let mut service = self.service.lock();
            if service.files > 0 {
                terms.deadline = None;
            } else if terms.expired() {
                service.is_running = false;
                return;
            } else if terms.deadline.is_none() {
                terms.deadline = Some(Instant::now() + IDLE);
            }
            drop(service);
            // It looks again, however the sleep ends.
            let _ = wait::block(&sleep, &terms);
        }
    }

    fn run_errands(&self, queue: &queue::Queue) {
        loop {
            let errand = queue.enter().devices.errands.pop_front();
            match errand {
                Some(Errand::Begin { place, number }) => calls::begin(queue, place, number),
                Some(Errand::Release { file }) => file::release(queue, file),
                None => return,
            }
        }
    }
}
