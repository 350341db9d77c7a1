//! Waiting for callbacks: `async_io_pause`, and pause(2) in a thread that has registered one.
//!
//! Each such thread has a word. Whoever completes a registration and whoever waits change it by
//! one atomic operation each, so no completion falls between a look and a wait. The signal is for
//! a thread that waits in some other call: one that waits here is woken by its word, with the
//! signal blocked, so that a call that is interrupted was interrupted by the program's own.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::blocking::{Blocking, Progress};
use crate::error::{Errno, Result};
use crate::sys::interrupt::{self, Target};
use crate::sys::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use crate::sys::thread::Masked;
use crate::sys::wait::{Sleep, Terms};
use crate::sys::{fork, futex};

/// What the word says.
const IDLE: u32 = 0;
/// The thread waits.
const WAITING: u32 = 1;
/// A callback has run and the thread is being interrupted: in a moment the word is `DONE`. Whoever
/// waits for that has the signal behind it and not before it.
const RINGING: u32 = 2;
/// A callback has run since the thread was told last.
const DONE: u32 = 3;

/// A thread that registers callbacks.
pub struct Owner {
    target: Target,
    word: Arc<AtomicU32>,
    /// Registrations that have not ended.
    registered: AtomicUsize,
}

/// The entry of a thread: it ends with it.
struct Entry(Arc<Owner>);

impl Drop for Entry {
    fn drop(&mut self) {
        EPOCH.set(None);
        self.0.target.end();
    }
}

thread_local! {
    static ENTRY: RefCell<Option<Entry>> = const { RefCell::new(None) };
    /// The epoch in which this thread got its entry. It has no destructor, so that pause(2) in a
    /// signal handler can look at it: nothing is allocated.
    static EPOCH: Cell<Option<u32>> = const { Cell::new(None) };
    /// In a callback: the thread that registered it.
    static BEHALF: RefCell<Option<Arc<Owner>>> = const { RefCell::new(None) };
}

/// Whether this thread has registered a callback in this process.
pub fn is_owner() -> bool {
    EPOCH.get() == Some(fork::epoch())
}

/// While it lives, what this thread registers belongs to another: a callback that registers again
/// does so for the thread that waits.
pub struct Behalf;

impl Behalf {
    pub fn of(owner: &Arc<Owner>) -> Self {
        BEHALF.set(Some(owner.clone()));
        Self
    }
}

impl Drop for Behalf {
    fn drop(&mut self) {
        BEHALF.set(None);
    }
}

impl Owner {
    fn new(target: Target) -> Arc<Self> {
        let word = Arc::new(AtomicU32::new(IDLE));
        Arc::new(Self { target, word, registered: AtomicUsize::new(0) })
    }

    /// Who a registration that is made now belongs to.
    pub fn of_registration() -> Result<Arc<Self>> {
        let behalf = BEHALF.try_with(|owner| owner.borrow().clone()).ok().flatten();
        if let Some(owner) = behalf.filter(|owner| owner.target.is_present()) {
            return Ok(owner);
        }
        interrupt::allow()?;
        if let Some(owner) = Self::present() {
            return Ok(owner);
        }
        let owner = Self::new(Target::here());
        let entry = Entry(owner.clone());
        // What was there is of the process that this one is a child of.
        match ENTRY.try_with(|place| place.replace(Some(entry))) {
            Ok(old) => drop(old),
            // The thread is about to end: nobody will wait.
            Err(_) => return Ok(Self::new(Target::nobody())),
        }
        EPOCH.set(Some(fork::epoch()));
        Ok(owner)
    }

    /// The calling thread's own.
    fn present() -> Option<Arc<Self>> {
        if !is_owner() {
            return None;
        }
        ENTRY.try_with(|place| place.try_borrow().ok()?.as_ref().map(|e| e.0.clone())).ok()?
    }

    pub fn add(&self) {
        self.registered.fetch_add(1, SeqCst);
    }

    /// A callback has run.
    pub fn complete(&self) {
        if !self.target.is_present() {
            return;
        }
        if self.word.swap(RINGING, SeqCst) != WAITING {
            self.target.interrupt();
        }
        self.word.store(DONE, SeqCst);
        self.registered.fetch_sub(1, SeqCst);
        futex::wake(&self.word, i32::MAX);
    }

    /// A registration was taken back: perhaps there is nothing left to wait for.
    pub fn remove(&self) {
        if self.registered.fetch_sub(1, SeqCst) == 1 && self.stop_waiting() {
            futex::wake(&self.word, i32::MAX);
        }
    }

    fn take_done(&self) -> bool {
        self.word.compare_exchange(DONE, IDLE, SeqCst, SeqCst).is_ok()
    }

    /// What the word says while there is something to wait for; `None` when it is done.
    fn begin_to_wait(&self) -> Option<u32> {
        match self.word.compare_exchange(IDLE, WAITING, SeqCst, SeqCst) {
            Ok(_) => Some(WAITING),
            Err(DONE) => None,
            Err(other) => Some(other),
        }
    }

    fn stop_waiting(&self) -> bool {
        self.word.compare_exchange(WAITING, IDLE, SeqCst, SeqCst).is_ok()
    }
}

/// `async_io_pause` and pause(2): until a callback of this thread's has run, or a handler of the
/// program's, which is `EINTR`.
pub struct Pause {
    owner: Arc<Owner>,
    /// Without any registration nothing will come: `EDEADLK`.
    is_strict: bool,
    _postponed: Masked,
}

impl Pause {
    pub fn new(is_strict: bool) -> Result<Self> {
        let owner = Owner::present().ok_or(Errno::EDEADLK)?;
        Ok(Self { owner, is_strict, _postponed: interrupt::postpone()? })
    }
}

impl Blocking for Pause {
    type Output = ();

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<()>> {
        let Self { owner, is_strict, .. } = self;
        if owner.take_done() {
            return Ok(Progress::Done(()));
        }
        if let Some(Err(errno)) = slept {
            return Err(errno);
        }
        let Some(expected) = owner.begin_to_wait() else { return self.step(None) };
        // Looked at while the word says that we wait: whoever takes the last one back sees it.
        let is_in_vain = *is_strict && owner.registered.load(SeqCst) == 0;
        if is_in_vain && owner.stop_waiting() {
            return Err(Errno::EDEADLK);
        }
        Ok(Progress::Block(Sleep::Word { word: owner.word.clone(), expected }))
    }

    fn terms(&self) -> Terms {
        Terms::default()
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.owner.stop_waiting();
    }
}
