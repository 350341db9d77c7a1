//! How whoever polls an interface gets the attention of those that its datagrams are for.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::engine::Key;
use crate::error::Result;
use crate::sys::descriptor::Counter;
use crate::sys::sync::Mutex;
use crate::sys::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What an interface has for a socket of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Something has arrived where nothing was.
    Arrived(Key),
    /// A send with this number has ended.
    Sent(Key, u64),
}

/// The news for the sockets of one channel.
pub struct Mailbox {
    news: Mutex<Vec<News>>,
    has_news: AtomicBool,
    /// One thread only uses the channel.
    is_single: bool,
    /// Raised when there are some, but for a channel that is looking anyway.
    counter: Counter,
}

impl Mailbox {
    /// `is_single`: one thread only uses the channel.
    pub fn new(is_single: bool) -> Result<Arc<Self>> {
        let counter = Counter::new()?;
        let has_news = AtomicBool::new(false);
        Ok(Arc::new(Self { news: Mutex::default(), has_news, is_single, counter }))
    }

    pub fn is_single(&self) -> bool {
        self.is_single
    }

    /// Readable when there are news.
    pub fn fd(&self) -> RawFd {
        self.counter.fd()
    }

    /// Before the news are collected because it was readable.
    pub fn lower(&self) {
        self.counter.lower();
    }

    /// The channel is to look. Not told is one that is looking right now: it collects afterwards.
    pub fn post(self: &Arc<Self>, news: impl Iterator<Item = News>, looker: Looker<'_>) {
        self.news.lock().extend(news);
        let is_new = !self.has_news.swap(true, Ordering::SeqCst);
        if is_new && !looker.is_channel(self) {
            self.counter.raise();
        }
    }

    /// Moves the news into `into`.
    pub fn collect(&self, into: &mut Vec<News>) {
        // Looked at first: most of the time there are none.
        if self.has_news.load(Ordering::SeqCst) && self.has_news.swap(false, Ordering::SeqCst) {
            into.append(&mut self.news.lock());
        }
    }
}

/// Who looks at an interface, and is not told what it is about to see.
#[derive(Clone, Copy)]
pub enum Looker<'a> {
    Nobody,
    Channel(&'a Arc<Mailbox>),
    /// A thread that sleeps behind this door, or has: it takes what is there, and knocks for others
    /// if there is more.
    Thread(&'a Arc<Door>),
}

impl<'a> Looker<'a> {
    pub fn of_channel(mailbox: Option<&'a Arc<Mailbox>>) -> Self {
        mailbox.map_or(Self::Nobody, Self::Channel)
    }

    fn is_channel(&self, mailbox: &Arc<Mailbox>) -> bool {
        matches!(self, Self::Channel(own) if Arc::ptr_eq(own, mailbox))
    }

    pub fn is_behind(&self, door: &Arc<Door>) -> bool {
        matches!(self, Self::Thread(own) if Arc::ptr_eq(own, door))
    }
}

/// Where threads wait that sleep until something arrives for one socket.
pub struct Door {
    counter: Counter,
    /// It may be readable.
    is_raised: AtomicBool,
    sleepers: AtomicUsize,
}

/// A thread that is about to sleep, or does.
pub struct Sleeper(Arc<Door>);

impl Door {
    pub fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            counter: Counter::new()?,
            is_raised: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
        }))
    }

    /// Readable when somebody has knocked.
    pub fn fd(&self) -> RawFd {
        self.counter.fd()
    }

    /// Those who sleep are to look again, unless the caller is the only one of them.
    pub fn knock(&self, is_sleeper: bool) {
        if self.sleepers.load(Ordering::SeqCst) > usize::from(is_sleeper)
            && !self.is_raised.swap(true, Ordering::SeqCst)
        {
            self.counter.raise();
        }
    }

    /// The caller has been woken, and looks after this. Who knocks before the mark is gone may have
    /// been heard by nobody, but what it knocks for is seen by that look.
    pub fn lower(&self) {
        if self.is_raised.load(Ordering::SeqCst) {
            self.counter.lower();
            self.is_raised.swap(false, Ordering::SeqCst);
        }
    }

    /// From now on a knock is heard: look once more, then sleep.
    pub fn listen(self: &Arc<Self>) -> Sleeper {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        Sleeper(self.clone())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
