//! Where the ends of requests lie until the event channel that tells them looks.
//!
//! Letters are put while the books are locked, perhaps by a signal handler of the program's: that
//! allocates nothing and takes no lock but the one in here. The channel collects them together
//! with whatever the backend has, so a program that waits on a channel needs no thread of ours.
//! Order of locks: the channel, the books, the letters.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::queue;
use super::request::Notification;
use crate::error::Result;
use crate::sys::exchange::Envelope;
use crate::sys::quiet::Quiet;
use crate::sys::sync::atomic::{AtomicBool, Ordering};

/// The end of a request, or of a list.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    /// The program's address of the block, or of the list.
    pub pointer: usize,
    /// None for a list.
    pub fd: Option<RawFd>,
    pub result: i64,
    pub errno: i32,
    pub cookie: u64,
}

/// An event channel, as requests know it.
pub trait Recipient: Send + Sync {
    /// There are letters. Takes no lock, allocates nothing.
    fn ring(&self);

    /// Tells one at once, in the slot that was reserved for it.
    fn deliver(&self, letter: &Letter);

    /// Gives the slot back: there will be no letter.
    fn refund(&self);

    /// Has the channel look whenever the descriptor is readable.
    fn watch(&self, fd: RawFd) -> Result<()>;
}

struct Content {
    letters: VecDeque<Letter>,
    /// Letters that are still to come, or to be collected.
    owed: usize,
    /// The channel sees by itself when the backend has something.
    is_watched: bool,
    /// The channel is no more.
    is_closed: bool,
}

pub struct Mailbox {
    content: Quiet<Content>,
    has_letters: AtomicBool,
    recipient: Box<dyn Recipient>,
}

impl Mailbox {
    pub fn new(recipient: Box<dyn Recipient>) -> Self {
        let content =
            Content { letters: VecDeque::new(), owed: 0, is_watched: false, is_closed: false };
        Self { content: Quiet::new(content), has_letters: AtomicBool::new(false), recipient }
    }

    pub fn recipient(&self) -> &dyn Recipient {
        &*self.recipient
    }

    /// A letter will come that nobody asks for: room for it, and somebody to see it.
    pub fn expect(&self, backend: Option<RawFd>) -> Result<()> {
        let is_watched = {
            let mut content = self.content.enter();
            content.owed += 1;
            let more = content.owed - content.letters.len();
            content.letters.reserve(more);
            content.is_watched
        };
        match backend {
            Some(fd) if !is_watched => {
                self.recipient.watch(fd).inspect_err(|_| self.expect_no_more())
            }
            _ => Ok(()),
        }
    }

    /// One that was expected will not come.
    pub fn expect_no_more(&self) {
        self.content.enter().owed -= 1;
    }

    /// The channel watches the backend from now on.
    pub fn begin_watch(&self) {
        self.content.enter().is_watched = true;
    }

    /// Whether the channel need not watch any more: nothing is expected.
    pub fn end_watch(&self) -> bool {
        let mut content = self.content.enter();
        let may = content.owed == 0;
        content.is_watched &= !may;
        may
    }

    /// Puts one that was expected, with the books locked. `is_rung`: whoever collects is here.
    pub fn put(&self, letter: Letter, is_rung: bool) {
        let mut content = self.content.enter();
        if content.is_closed {
            return;
        }
        content.letters.push_back(letter);
        self.has_letters.swap(true, Ordering::AcqRel);
        if !is_rung {
            // Under the lock: until it is closed, the channel is there.
            self.recipient.ring();
        }
    }

    /// Takes in what the backend has, for whomever, and then the letters.
    pub fn collect(&self, take: impl FnMut(Letter)) {
        if !self.has_letters.load(Ordering::Acquire) && !queue::has_completions() {
            return;
        }
        queue::reap_for(self);
        if self.has_letters.swap(false, Ordering::AcqRel) {
            let mut content = self.content.enter();
            let count = content.letters.len();
            content.letters.drain(..).for_each(take);
            content.owed -= count;
        }
    }

    /// The channel is destroyed: no letter is put any more.
    pub fn close(&self) {
        let mut content = self.content.enter();
        content.is_closed = true;
        content.letters = VecDeque::new();
    }
}

impl Notification {
    /// Gets ready for an end that comes later.
    pub fn expect(&self, backend: Option<RawFd>) -> Result<()> {
        match self {
            Self::Event { mailbox, .. } => mailbox.expect(backend),
            _ => Ok(()),
        }
    }

    /// Undoes [`Notification::expect`].
    pub fn expect_no_more(&self) {
        if let Self::Event { mailbox, .. } = self {
            mailbox.expect_no_more();
        }
    }

    /// There will be nothing to tell.
    pub fn forgo(&self) {
        if let Self::Event { mailbox, .. } = self {
            mailbox.recipient().refund();
        }
    }
}

/// What is done with, and is to be dropped where memory may be freed.
pub enum Spent {
    Mailbox { _of: Arc<Mailbox> },
    Envelope { _of: Box<Envelope> },
}
