//! Waiting on words of memory where no ring can: one thread of the library for a hundred of them.
//!
//! Invariant: an entry is told of at most once, and not after its ticket has been dropped.
#![forbid(unsafe_code)]

use std::sync::Weak;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::{Condvar, Mutex};
use crate::sys::word::{self, WORDS_MAX, Word};
use crate::sys::{fork, thread};

/// Who wants to know.
pub trait Listener: Send + Sync {
    /// The word of a source is not what was expected, or was woken: it was waited for with the
    /// ticket of this number. Called with no lock held.
    fn woken(&self, key: Key, ticket: u64, news: Result<()>);
}

/// One thread, and the words that it waits on.
struct Crew {
    work: Mutex<Work>,
    /// It has taken note of a change.
    noted: Condvar,
    /// Changes whenever the list does: the thread waits on it too.
    version: AtomicU32,
}

#[derive(Default)]
struct Work {
    entries: Vec<Entry>,
    noted_version: u32,
}

#[derive(Clone)]
struct Entry {
    id: u64,
    word: Word,
    expected: u32,
    key: Key,
    listener: Weak<dyn Listener>,
}

/// Of one process: a child has none of the parent's threads.
static CREWS: PerProcess<Mutex<Vec<&'static Crew>>> = PerProcess::empty();

/// A word takes up to two places in the kernel's list, and one is the crew's own.
const ENTRIES_MAX: usize = (WORDS_MAX - 1) / 2;

/// Somebody waits on a word until this is dropped or the listener is told. `ENOSYS` where the
/// kernel cannot wait on several words (before 5.16).
pub fn wait_on(
    word: Word,
    expected: u32,
    key: Key,
    listener: Weak<dyn Listener>,
) -> Result<Ticket> {
    let mut crews = CREWS.get_or_make(Mutex::default).lock();
    let free = crews.iter().find(|crew| crew.work.lock().entries.len() < ENTRIES_MAX);
    let crew = match free {
        Some(crew) => *crew,
        None => {
            if !word::can_wait_any() {
                return Err(Errno::ENOSYS);
            }
            // Never freed: its thread lives as long as the process.
            let crew: &'static Crew = Box::leak(Box::new(Crew {
                work: Mutex::default(),
                noted: Condvar::default(),
                version: AtomicU32::new(0),
            }));
            thread::spawn("sio-futex", || crew.run())?;
            crews.push(crew);
            crew
        }
    };
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut work = crew.work.lock();
    work.entries.push(Entry { id, word, expected, key, listener });
    crew.announce();
    Ok(Ticket { crew, id, epoch: fork::epoch() })
}

/// Somebody waits on a word on its owner's behalf, until it is dropped.
pub struct Ticket {
    crew: &'static Crew,
    id: u64,
    epoch: u32,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Ticket {
    /// No other ticket has or had this number.
    pub fn number(&self) -> u64 {
        self.id
    }

    /// Nobody waits any more; `false`: the listener has been told, or is being told.
    pub fn withdraw(self) -> bool {
        self.take_back()
    }

    fn take_back(&self) -> bool {
        if self.epoch != fork::epoch() {
            // The thread is the parent's, and so may be the lock.
            return false;
        }
        let mut work = self.crew.work.lock();
        let before = work.entries.len();
        work.entries.retain(|entry| entry.id != self.id);
        if work.entries.len() == before {
            return false;
        }
        // The program may free the word then: wait until the thread has let go of it.
        let version = self.crew.announce();
        while (work.noted_version.wrapping_sub(version) as i32) < 0 {
            work = self.crew.noted.wait(work);
        }
        true
    }
}

impl Crew {
    /// Gets the thread to look at its list again. The list is locked.
    fn announce(&'static self) -> u32 {
        let version = self.version.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        Word::of_static(&self.version).wake(1);
        version
    }

    fn run(&'static self) {
        let version = Word::of_static(&self.version);
        loop {
            let (seen, entries) = {
                let mut work = self.work.lock();
                work.noted_version = self.version.load(Ordering::SeqCst);
                self.noted.notify_all();
                (work.noted_version, work.entries.clone())
            };
            let mut list = vec![version.entries(seen).0[0]];
            let mut owners = vec![None];
            for (index, entry) in entries.iter().enumerate() {
                let (places, count) = entry.word.entries(entry.expected);
                list.extend(&places[..count]);
                owners.extend(std::iter::repeat_n(Some(index), count));
            }
            // Refused as a whole if one word cannot be read: each is looked at by itself.
            let answer = word::wait_any(&list);
            let woken = answer.ok().flatten().and_then(|place| owners[place]);
            self.tell(&entries, woken, answer.is_err());
        }
    }

    /// Tells the listeners of every word that has changed or that the kernel does not read, and of
    /// the one that was woken.
    fn tell(&self, entries: &[Entry], woken: Option<usize>, is_refused: bool) {
        for (index, entry) in entries.iter().enumerate() {
            let mut work = self.work.lock();
            let Some(place) = work.entries.iter().position(|known| known.id == entry.id) else {
                if woken == Some(index) {
                    // Withdrawn meanwhile, by somebody who still waits for us to let go of the word:
                    // the wake-up is another waiter's.
                    entry.word.wake(1);
                }
                continue;
            };
            let is_same = if is_refused {
                entry.word.is_still(entry.expected)
            } else {
                Ok(entry.word.load() == entry.expected)
            };
            if woken != Some(index) && is_same == Ok(true) {
                continue;
            }
            work.entries.remove(place);
            drop(work);
            if let Some(listener) = entry.listener.upgrade() {
                listener.woken(entry.key, entry.id, is_same.map(|_| ()));
            }
        }
    }
}
