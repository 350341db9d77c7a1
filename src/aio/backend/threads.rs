//! Threads, where there is no ring to be had: workers for what may block on a disk, and one thread
//! that waits for all streams (`poller.rs`).
//!
//! They take jobs under a lock of their own and bring what has ended to the books, which are
//! entered first. What nobody waits for stays there until somebody asks, as it does in a ring. Nothing here runs in a signal handler of the program's: these threads take none.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::poller::Poller;
use super::{Backend, ENDED_MAX, Glance, Means, PAUSE, Withdrawn, Work};
use crate::aio::queue;
use crate::error::{Errno, Result};
use crate::sys::spare;
use crate::sys::sync::{Condvar, Mutex, MutexGuard};
use crate::sys::thread;
use crate::sys::transfer::{self, Identity};
use crate::sys::wait::Sleep;

/// Jobs that are done at the same time.
const WORKERS_MAX: usize = 16;
/// What a request takes here, while the tables grow.
const REQUEST_BYTES: usize = 3 * size_of::<Job>();
const REQUESTS_MIN: usize = 64;
/// How long a worker stays with nothing to do.
const IDLE: Duration = Duration::from_secs(1);

pub struct Threads {
    crew: Arc<Crew>,
    poller: Poller,
    /// What has been done and nobody has asked for.
    ended: Vec<(u32, Result<usize>)>,
    has_ended: Arc<AtomicBool>,
}

#[derive(Default)]
struct Crew {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    workers: usize,
    idle: usize,
    /// Those that may wait for as long as a peer likes: they do not count.
    waiting_for_peers: usize,
}

#[derive(Clone, Copy)]
struct Job {
    index: u32,
    work: Work,
    /// The file that the descriptor means: it may have come to mean another one.
    identity: Option<Identity>,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock()
    }

    /// Sees to it that there is somebody to do what waits.
    fn staff(self: &Arc<Self>) -> Result<()> {
        let mut jobs = self.lock();
        while jobs.idle < jobs.waiting.len().max(1)
            && jobs.workers < WORKERS_MAX + jobs.waiting_for_peers
        {
            let crew = self.clone();
            match thread::spawn("sio-aio-worker", move || crew.work()) {
                Ok(()) => {
                    jobs.workers += 1;
                    // It will be, and takes a job first.
                    jobs.idle += 1;
                }
                Err(errno) if jobs.workers == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// The life of a worker.
    fn work(&self) {
        while let Some(job) = self.take() {
            let is_open_ended = matches!(job.work.means, Means::Call(_) | Means::Pause);
            self.lock().waiting_for_peers += usize::from(is_open_ended);
            let outcome = job.run();
            self.lock().waiting_for_peers -= usize::from(is_open_ended);
            queue::bring(job.index, outcome);
            self.lock().idle += 1;
        }
    }

    /// The next job; `None`: there has been none for a while.
    fn take(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                jobs.idle -= 1;
                return Some(job);
            }
            let (after, is_over) = self.changed.wait_timeout(jobs, IDLE);
            jobs = after;
            if is_over && jobs.waiting.is_empty() {
                jobs.idle -= 1;
                jobs.workers -= 1;
                return None;
            }
        }
    }
}

impl Job {
    fn run(&self) -> Result<usize> {
        let Work { fd, memory, means } = self.work;
        if self.identity != identify(fd) {
            return Err(Errno::EBADF);
        }
        match means {
            Means::Read { offset, .. } if offset < 0 => transfer::read(fd, memory),
            Means::Read { offset, .. } => transfer::read_at(fd, memory, offset),
            Means::Write { offset, .. } if offset < 0 => transfer::write(fd, memory),
            Means::Write { offset, .. } => match transfer::write_at(fd, memory, offset) {
                // A file with an offset for reading only.
                Err(Errno::ESPIPE) => transfer::write(fd, memory),
                answer => answer,
            },
            Means::Sync { data_only } => transfer::synchronise(fd, data_only),
            Means::Call(call) | Means::Uncopied(call) => call.wait(fd, memory),
            Means::Pause => {
                std::thread::sleep(PAUSE);
                Ok(0)
            }
            // Streams are waited for, not written to from here.
            Means::Send | Means::Await { .. } => Err(Errno::EINVAL),
        }
    }
}

/// What a descriptor means now.
fn identify(fd: RawFd) -> Option<Identity> {
    transfer::identity(fd).ok()
}

impl Threads {
    pub fn new() -> Self {
        Self {
            crew: Arc::default(),
            poller: Poller::default(),
            ended: Vec::new(),
            has_ended: Arc::default(),
        }
    }
}

impl Backend for Threads {
    fn is_self_driven(&self) -> bool {
        true
    }

    fn prepare(&mut self, requests: usize, is_stream: bool) -> Result<()> {
        spare::ensure(requests.max(REQUESTS_MIN) * REQUEST_BYTES).map_err(|_| Errno::EAGAIN)?;
        {
            let mut jobs = self.crew.lock();
            let more = requests.saturating_sub(jobs.waiting.len());
            jobs.waiting.reserve(more);
        }
        self.ended.reserve(requests.saturating_sub(self.ended.len()));
        if is_stream { self.poller.prepare() } else { self.crew.staff() }
    }

    fn start(&mut self, index: u32, work: &Work) -> Result<()> {
        if let Means::Await { is_write } = work.means {
            return self.poller.add(index, work.fd, is_write);
        }
        let identity = identify(work.fd);
        self.crew.lock().waiting.push_back(Job { index, work: *work, identity });
        if let Err(errno) = self.crew.staff() {
            self.crew.lock().waiting.pop_back();
            return Err(errno);
        }
        self.crew.changed.notify_one();
        Ok(())
    }

    fn flush(&mut self) -> bool {
        false
    }

    fn reap(&mut self, ended: &mut Vec<(u32, Result<usize>)>) -> bool {
        let count = self.ended.len().min(ENDED_MAX);
        ended.extend(self.ended.drain(..count));
        self.has_ended.swap(!self.ended.is_empty(), Ordering::Release);
        false
    }

    fn withdraw(&mut self, index: u32) -> Withdrawn {
        if self.poller.remove(index) {
            return Withdrawn::Now;
        }
        let mut jobs = self.crew.lock();
        let before = jobs.waiting.len();
        jobs.waiting.retain(|job| job.index != index);
        if jobs.waiting.len() < before { Withdrawn::Now } else { Withdrawn::No }
    }

    fn wait_briefly(&mut self) {}

    fn sleep(&mut self) -> Option<Sleep> {
        None
    }

    fn kick(&mut self) {}

    fn glance(&mut self) -> Glance {
        let has_ended = self.has_ended.clone();
        Box::new(move || has_ended.load(Ordering::Acquire))
    }

    fn put(&mut self, index: u32, outcome: Result<usize>) {
        self.ended.push((index, outcome));
        self.has_ended.swap(true, Ordering::Release);
    }

    fn ready(&mut self, serial: u64) -> Option<u32> {
        self.poller.ready(serial)
    }

    fn may_rest(&mut self) -> bool {
        self.poller.may_rest()
    }
}
