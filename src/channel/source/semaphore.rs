//! A POSIX semaphore: the event means that one unit is the program's. sem_overview(7).
#![forbid(unsafe_code)]

use super::super::event::{self, Event};
use super::super::words::Ticket;
use crate::engine::Key;
use crate::error::Errno;
use crate::sys::semaphore::Semaphore as System;
use crate::sys::word::Word;

/// It holds at most one unit that the program has not fetched, and waits for none meanwhile.
pub struct Semaphore {
    semaphore: System,
    pub oneshot: bool,
    /// Who posts has to wake somebody.
    is_enlisted: bool,
    /// Somebody waits on its word.
    pub is_waiting: bool,
    /// Where no engine waits for it, a thread of the library does.
    pub ticket: Option<Ticket>,
    /// Nobody can wait on its word: what stands in the queue is this, and not a unit.
    pub failure: Option<Errno>,
}

impl Semaphore {
    pub fn new(semaphore: System, oneshot: bool) -> Self {
        Self {
            semaphore,
            oneshot,
            is_enlisted: false,
            is_waiting: false,
            ticket: None,
            failure: None,
        }
    }

    /// The word that changes when there is a unit.
    pub fn word(&self) -> Word {
        self.semaphore.word()
    }

    /// Takes a unit if there is one; if not, who posts the next one knows that somebody waits.
    pub fn claim(&mut self) -> bool {
        if self.semaphore.try_take() {
            self.give_up();
            return true;
        }
        if !self.is_enlisted {
            self.semaphore.enlist();
            self.is_enlisted = true;
        }
        false
    }

    /// Waits no more.
    pub fn give_up(&mut self) {
        if std::mem::take(&mut self.is_enlisted) {
            self.semaphore.delist();
        }
    }

    /// Gives a unit back that nobody has fetched, if there is one.
    pub fn hand_back(&self) {
        if self.failure.is_none() {
            self.semaphore.post();
        }
    }

    /// A unit may have come for which we were woken and nobody else was.
    pub fn pass_on(&self) {
        if self.semaphore.has_unit() {
            self.semaphore.word().wake(1);
        }
    }

    pub fn event(&mut self, id: Key, cookie: u64) -> Event {
        let mut event = Event::new(event::SEM, -1, id, cookie);
        event.pointer = self.semaphore.address();
        if let Some(errno) = self.failure.take() {
            event.fail(errno);
        }
        event
    }
}
