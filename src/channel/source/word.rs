//! A word of memory that threads wait on. futex(2).
#![forbid(unsafe_code)]

use super::super::event::{self, Event};
use super::super::words::Ticket;
use crate::engine::Key;
use crate::error::Errno;
use crate::sys::word::Word as Address;

/// One event when the word has changed or is woken; then nothing until it is armed again.
pub struct Word {
    pub word: Address,
    pub expected: u32,
    /// Somebody waits on it: it is armed.
    pub is_waiting: bool,
    /// Where no engine waits for it, a thread of the library does.
    pub ticket: Option<Ticket>,
    /// The kernel could not wait for it.
    pub failure: Option<Errno>,
}

impl Word {
    pub fn new(word: Address, expected: u32) -> Self {
        Self { word, expected, is_waiting: false, ticket: None, failure: None }
    }

    pub fn event(&self, id: Key, cookie: u64) -> Event {
        let mut event = Event::new(event::FUTEX, -1, id, cookie);
        event.pointer = self.word.address();
        if let Some(errno) = self.failure {
            event.fail(errno);
        }
        event
    }
}
