//! What the kernel does for threads that wait, and the clock, as the model has them: all its
//! threads are one to the kernel, so none may block there.
//!
//! A futex is a list here. Descriptors are the kernel's own: a thread that waits for one looks
//! again and again, and lets others go on in between. If nobody ever wakes it, the run has no end,
//! which is how the scheduler finds a wake-up that was lost.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, Thread};

use super::wait::{Sleep, Terms};
use crate::error::{Errno, Result};

/// A thread that waits on a word.
struct Waiter {
    address: usize,
    thread: Thread,
    is_woken: bool,
}

/// What a run starts with afresh.
struct Machine {
    /// In the order in which they came; a thread has one entry for each of its words.
    waiters: Vec<Waiter>,
    now: Option<Instant>,
    /// What the library keeps for the life of a process.
    kept: Vec<Box<dyn FnOnce() + Send>>,
}

static MACHINE: Mutex<Machine> = Mutex::new(Machine::new());

/// How often a wait with a time limit looks, on the average, before its time is over.
const LOOKS: u32 = 6;

impl Machine {
    const fn new() -> Self {
        Self { waiters: Vec::new(), now: None, kept: Vec::new() }
    }
}

fn machine() -> MutexGuard<'static, Machine> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run of the model begins, as if in a process of its own.
pub fn begin() {
    let last = std::mem::replace(&mut *machine(), Machine::new());
    last.kept.into_iter().for_each(|forget| forget());
    machine().now = Some(Instant::now());
}

/// A pointer to something that is never freed: it points nowhere when the next run begins.
pub fn forget_at_the_next_run<T: Send + Sync>(pointer: &'static AtomicPtr<T>) {
    let forget = || pointer.store(ptr::null_mut(), Ordering::SeqCst);
    machine().kept.push(Box::new(forget));
}

/// Stands still, but for waits that time out.
pub fn now() -> Instant {
    machine().now.unwrap_or_else(Instant::now)
}

/// Whether the time of this wait is over now: then it is so for everybody.
fn times_out(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else { return false };
    let mut machine = machine();
    if machine.now.is_some_and(|now| now < deadline) && !thread_rng().gen_ratio(1, LOOKS) {
        return false;
    }
    machine.now = machine.now.max(Some(deadline));
    true
}

/// `super::wait::block`.
pub fn block(sleep: &Sleep, terms: &Terms) -> Result<()> {
    match sleep {
        Sleep::Word { word, expected } => {
            let address = std::ptr::from_ref(&**word) as usize;
            // The last place to go on elsewhere is before the word is read, so that reading it
            // and getting into the list are one, as they are in the kernel.
            if word.load(Ordering::SeqCst) == *expected {
                wait_for_words(&[address], terms.deadline);
            }
            Ok(())
        }
        Sleep::Poll { .. }
        | Sleep::Data { .. }
        | Sleep::Several(_)
        | Sleep::Set(..)
        | Sleep::Ring { .. } => loop {
            thread::yield_now();
            let at_once = Terms { deadline: machine().now, mask: None };
            match super::wait::enter(sleep, &at_once) {
                Ok(0) if !matches!(sleep, Sleep::Ring { .. }) => {}
                Ok(_) => return Ok(()),
                Err(Errno::ETIME | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
            if times_out(terms.deadline) {
                return Ok(());
            }
        },
    }
}

/// Waits until one of the words is woken: which one. `None`: the time is over.
pub fn wait_for_words(addresses: &[usize], deadline: Option<Instant>) -> Option<usize> {
    let me = thread::current();
    machine().waiters.extend(addresses.iter().map(|&address| Waiter {
        address,
        thread: me.clone(),
        is_woken: false,
    }));
    loop {
        if deadline.is_some() {
            thread::yield_now()
        } else {
            thread::park()
        }
        let woken = machine()
            .waiters
            .iter()
            .filter(|waiter| waiter.thread.id() == me.id())
            .position(|waiter| waiter.is_woken);
        if woken.is_some() || times_out(deadline) {
            machine().waiters.retain(|waiter| waiter.thread.id() != me.id());
            return woken;
        }
    }
}

/// FUTEX_WAKE.
pub fn wake(address: usize, count: i32) {
    super::sync::step();
    let woken: Vec<Thread> = machine()
        .waiters
        .iter_mut()
        .filter(|waiter| waiter.address == address && !waiter.is_woken)
        .take(usize::try_from(count).unwrap_or(0))
        .map(|waiter| {
            waiter.is_woken = true;
            waiter.thread.clone()
        })
        .collect();
    woken.iter().for_each(Thread::unpark);
}
