//! Asynchronous requests whose end the channel tells: `SIGEV_EC`.
//!
//! While some are under way, the descriptor of whatever does them is in the poll set. So a thread
//! that waits on the channel wakes when one has ended, and takes the end in itself.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

use super::Channel;
use super::bell::Bell;
use super::event::{self, Event};
use super::state::State;
use crate::aio::{Letter, Mailbox, Recipient};
use crate::engine::{Key, REQUESTS, TOKEN, engine_place};
use crate::error::{Errno, Result};
use crate::sys::poll;

/// What requests have to do with a channel.
#[derive(Default)]
pub(super) struct Requests {
    mailbox: Option<Arc<Mailbox>>,
    /// What is in the poll set for them.
    watched: Option<RawFd>,
}

/// A channel as the mailbox knows it, without keeping it alive.
struct Subscriber {
    channel: Weak<Channel>,
    bell: Weak<Bell>,
}

impl Subscriber {
    fn change(&self, change: impl FnOnce(&mut State) -> Result<()>) -> Result<()> {
        let channel = self.channel.upgrade().ok_or(Errno::EBADF)?;
        let mut state = channel.enter()?;
        change(&mut state)?;
        channel.settle(&mut state)
    }
}

impl Recipient for Subscriber {
    fn ring(&self) {
        if let Some(bell) = self.bell.upgrade() {
            bell.ring();
        }
    }

    fn deliver(&self, letter: &Letter) {
        // A channel that is gone hears of nothing.
        let _ = self.change(|state| {
            state.queue.push_reserved(told(letter));
            Ok(())
        });
    }

    fn refund(&self) {
        let _ = self.change(|state| {
            state.queue.unreserve();
            Ok(())
        });
    }

    fn watch(&self, fd: RawFd) -> Result<()> {
        self.change(|state| state.watch_requests(fd))
    }
}

fn told(letter: &Letter) -> Event {
    let kind = if letter.fd.is_some() { event::AIO } else { event::LIO };
    let Letter { pointer, fd, result, errno, cookie } = *letter;
    Event { pointer, result, errno, ..Event::new(kind, fd.unwrap_or(-1), -1, cookie) }
}

impl Channel {
    /// Reserves the slot of an event that tells how a request has ended.
    pub fn reserve_for_request(&self) -> Result<Arc<Mailbox>> {
        let mut state = self.enter()?;
        self.settle(&mut state)?;
        state.queue.reserve()?;
        let mailbox = state.requests.mailbox.get_or_insert_with(|| {
            let bell = Arc::downgrade(&self.bell);
            Arc::new(Mailbox::new(Box::new(Subscriber { channel: self.me.clone(), bell })))
        });
        Ok(mailbox.clone())
    }
}

impl State {
    /// Takes in what has ended.
    #[inline]
    pub(super) fn collect(&mut self) {
        let Self { requests, queue, .. } = self;
        if let Some(mailbox) = &requests.mailbox {
            mailbox.collect(|letter| queue.push_reserved(told(&letter)));
        }
    }

    /// Whether the end of requests has been told here.
    #[inline]
    pub(super) fn has_requests(&self) -> bool {
        self.requests.mailbox.is_some()
    }

    fn watch_requests(&mut self, fd: RawFd) -> Result<()> {
        let Some(mailbox) = &self.requests.mailbox else { return Ok(()) };
        if self.requests.watched.is_none() {
            self.poll.add(fd, poll::IN, REQUESTS)?;
            self.requests.watched = Some(fd);
        }
        mailbox.begin_watch();
        Ok(())
    }

    /// Something has ended. Whoever looks next collects it; if it cannot have been for this
    /// channel, it is not to wake anybody again.
    fn requests_ready(&mut self) {
        if let Some(mailbox) = &self.requests.mailbox
            && mailbox.end_watch()
            && let Some(fd) = self.requests.watched.take()
        {
            self.poll.remove(fd, REQUESTS);
        }
    }

    /// Nothing is told any more.
    pub(super) fn close_requests(&mut self) {
        if let Some(mailbox) = &self.requests.mailbox {
            mailbox.close();
        }
    }

    /// Whether a key of the poll set is none of a source, and then sees to it.
    #[inline]
    pub(super) fn is_no_source(&mut self, key: u64) -> bool {
        key > Key::MAX as u64 && self.see_to(key)
    }

    #[cold]
    fn see_to(&mut self, key: u64) -> bool {
        match key {
            TOKEN => self.poll.lower_token(),
            REQUESTS => self.requests_ready(),
            _ => match engine_place(key) {
                Some(place) => self.engine_news(place),
                None => return false,
            },
        }
        true
    }
}
