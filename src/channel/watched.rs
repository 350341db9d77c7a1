//! Sources that the engine watches for the channel, and what stands in when it cannot.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::source::{Kind as SourceKind, Semaphore, Source};
use super::state::State;
use super::words::{self, Listener};
use crate::engine::{Key, Watch};
use crate::error::{Errno, Result};
use crate::sys::poll;

impl State {
    /// The source has something to tell: its item belongs into the queue.
    pub(super) fn stand(&mut self, id: Key) {
        if let Some(source) = self.sources.get(id) {
            source.stand(id, &mut self.queue);
        }
    }

    /// It has nothing to tell any more: `true` if it had.
    pub(super) fn quiet(&mut self, id: Key) -> bool {
        let Some(source) = self.sources.get(id) else { return false };
        let was_live = std::mem::take(&mut source.is_live);
        if was_live {
            self.queue.set_live(false);
        }
        was_live
    }

    /// A source that repeats has been told: what more does it have?
    pub(super) fn stand_again(&mut self, id: Key) {
        match self.sources.get(id).map(|source| &source.kind) {
            Some(SourceKind::Socket(_)) => self.receivable(id),
            Some(SourceKind::Semaphore(_)) => self.claim_again(id),
            _ => {}
        }
    }

    /// Adds a descriptor, in the ring if the engine can watch it, or else in the poll set.
    pub fn add_descriptor(&mut self, source: Source, can_watch: bool) -> Result<Key> {
        if !can_watch {
            return self.add_polled(source);
        }
        let id = self.sources.add(source)?;
        let started = self.watch_or_poll(id);
        if started.is_err() {
            self.sources.remove(id);
        }
        started.map(|()| id)
    }

    /// Adds a source that waits on a word of memory.
    pub fn add_word(&mut self, source: Source) -> Result<Key> {
        let id = self.sources.add(source)?;
        let started = match self.sources.get(id).map(|source| &source.kind) {
            Some(SourceKind::Semaphore(_)) => self.claim(id),
            _ => self.watch_word(id),
        };
        if started.is_err() {
            // Undone in whatever order it came about.
            let _ = self.remove(id);
        }
        started.map(|()| id)
    }

    fn watch_or_poll(&mut self, id: Key) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let watch = source.watch().ok_or(Errno::EINVAL)?;
        match self.engines[0].watch(id, watch) {
            Err(Errno::EOPNOTSUPP) => self.poll_instead(id),
            Ok(()) => {
                self.set_watched(id, true);
                Ok(())
            }
            other => other,
        }
    }

    fn set_watched(&mut self, id: Key, wanted: bool) {
        match self.sources.get(id).map(|source| &mut source.kind) {
            Some(SourceKind::Descriptor(descriptor)) => descriptor.is_watched = wanted,
            Some(SourceKind::Counter(counter)) => counter.is_watched = wanted,
            _ => {}
        }
        self.sources.renew_card(id);
    }

    fn poll_instead(&mut self, id: Key) -> Result<()> {
        self.set_watched(id, false);
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let fd = source.polled_fd().ok_or(Errno::EINVAL)?;
        let events = source.polled_events();
        self.poll.add_plain(fd, events, id as u64)
    }

    /// `ec_modify` of a descriptor: other events, on other terms.
    pub(super) fn modify_descriptor(&mut self, id: Key, events: u32) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let SourceKind::Descriptor(descriptor) = &mut source.kind else {
            return Err(Errno::EINVAL);
        };
        if !descriptor.is_watched {
            // Once in the poll set, it stays there.
            self.poll.modify(descriptor.fd, events, id as u64)?;
            descriptor.events = events;
        } else {
            descriptor.events = events;
            let is_watchable = descriptor.is_watchable();
            self.engines[0].unwatch(id, &mut self.poll, &mut self.notices)?;
            self.take_notices();
            if is_watchable { self.watch_or_poll(id)? } else { self.poll_instead(id)? }
        }
        // What was seen under the old terms is looked at again under the new ones.
        self.quiet(id);
        if let Some(Source { kind: SourceKind::Descriptor(descriptor), .. }) = self.sources.get(id)
        {
            descriptor.pending = 0;
        }
        self.stash.retain(|event| event.source != id);
        Ok(())
    }

    /// `ec_modify` of a word: armed again, with what is expected now. A wake-up that nobody has
    /// fetched is passed on, as when the source goes.
    pub(super) fn rearm_word(&mut self, id: Key) -> Result<()> {
        let is_watched = self.sources.get(id).is_some_and(|source| source.is_watched());
        let has_fired = is_watched && self.unwatch(id)?;
        if (self.quiet(id) || has_fired)
            && let Some(source) = self.sources.get(id)
        {
            source.pass_on();
        }
        self.watch_word(id)
    }

    /// Takes a unit of a semaphore, or waits for one, unless there is one that was not fetched.
    pub(super) fn claim(&mut self, id: Key) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let SourceKind::Semaphore(semaphore) = &mut source.kind else {
            return Err(Errno::EINVAL);
        };
        let failure = semaphore.failure.take();
        if (source.is_live && failure.is_none()) || semaphore.is_waiting {
            return Ok(());
        }
        if semaphore.claim() {
            self.stand(id);
            return Ok(());
        }
        semaphore.is_waiting = true;
        let watched = self.watch_word(id);
        if watched.is_ok() {
            // It goes on: a failure that nobody has fetched is none any more.
            self.quiet(id);
        } else if let Some(semaphore) = self.semaphore(id) {
            semaphore.is_waiting = false;
            semaphore.failure = failure;
            semaphore.give_up();
        }
        watched
    }

    /// The same while events are fetched: those are not lost because a source cannot go on. It
    /// tells that itself, and waits for nothing until it is armed again.
    fn claim_again(&mut self, id: Key) {
        if let Err(errno) = self.claim(id)
            && let Some(semaphore) = self.semaphore(id)
        {
            semaphore.failure = Some(errno);
            self.stand(id);
        }
    }

    /// The semaphore that a source is, if it is one.
    fn semaphore(&mut self, id: Key) -> Option<&mut Semaphore> {
        match &mut self.sources.get(id)?.kind {
            SourceKind::Semaphore(semaphore) => Some(semaphore),
            _ => None,
        }
    }

    /// Somebody waits on the source's word from now on: the engine, or else a thread of ours.
    fn watch_word(&mut self, id: Key) -> Result<()> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let Some(Watch::Word { word, expected }) = source.watch() else {
            return Err(Errno::EINVAL);
        };
        let ticket = match self.engines[0].watch(id, Watch::Word { word, expected }) {
            Ok(()) => None,
            Err(Errno::EOPNOTSUPP) => {
                let listener: Arc<dyn Listener> = self.bell.clone();
                Some(words::wait_on(word, expected, id, Arc::downgrade(&listener))?)
            }
            Err(errno) => return Err(errno),
        };
        match self.sources.get(id).map(|source| &mut source.kind) {
            Some(SourceKind::Word(word)) => {
                word.is_waiting = true;
                word.ticket = ticket;
            }
            Some(SourceKind::Semaphore(semaphore)) => semaphore.ticket = ticket,
            _ => {}
        }
        Ok(())
    }

    /// Nobody watches for the source any more: `true` if it has fired, and nobody is told.
    pub(super) fn unwatch(&mut self, id: Key) -> Result<bool> {
        let source = self.sources.get(id).ok_or(Errno::ENOENT)?;
        let ticket = match &mut source.kind {
            SourceKind::Word(word) => word.ticket.take(),
            SourceKind::Semaphore(semaphore) => semaphore.ticket.take(),
            _ => None,
        };
        if let Some(ticket) = ticket {
            return Ok(!ticket.withdraw());
        }
        let has_fired = self.engines[0].unwatch(id, &mut self.poll, &mut self.notices)?;
        self.take_notices();
        Ok(has_fired)
    }

    /// A thread of ours says that the source's word is not what it was, unless that is old: the
    /// source may have been armed anew while the thread was on its way.
    pub(super) fn woken(&mut self, id: Key, ticket: u64, news: Result<()>) {
        let current = match self.sources.get(id).map(|source| &source.kind) {
            Some(SourceKind::Word(word)) => &word.ticket,
            Some(SourceKind::Semaphore(semaphore)) => &semaphore.ticket,
            _ => return,
        };
        if current.as_ref().is_some_and(|current| current.number() == ticket) {
            self.watched(id, news.map(|()| 0));
        }
    }

    /// The engine has news of what it watches.
    pub(super) fn watched(&mut self, id: Key, news: Result<u64>) {
        let Some(source) = self.sources.get(id) else { return };
        match (&mut source.kind, news) {
            (SourceKind::Descriptor(descriptor), Ok(events)) => descriptor.pending |= events as u32,
            (SourceKind::Counter(counter), Ok(count)) => {
                counter.pending = counter.pending.saturating_add(count);
            }
            (_, news) => return self.watched_otherwise(id, news),
        }
        source.stand(id, &mut self.queue);
    }

    /// The same for what happens once in a while.
    fn watched_otherwise(&mut self, id: Key, news: Result<u64>) {
        let Some(source) = self.sources.get(id) else { return };
        match (&mut source.kind, news) {
            // It cannot be watched after all. Where even the poll set refuses it, readiness is
            // told for good, so that the program finds out what is wrong.
            (SourceKind::Descriptor(_) | SourceKind::Counter(_), Err(_)) => {
                if self.poll_instead(id).is_ok() {
                    return;
                }
                self.set_pending_error(id);
            }
            (SourceKind::Word(word), news) => {
                word.is_waiting = false;
                word.ticket = None;
                word.failure = news.err();
            }
            (SourceKind::Semaphore(semaphore), _) => {
                semaphore.is_waiting = false;
                semaphore.ticket = None;
                return self.claim_again(id);
            }
            _ => return,
        }
        self.stand(id);
    }

    fn set_pending_error(&mut self, id: Key) {
        if let Some(Source { kind: SourceKind::Descriptor(descriptor), .. }) = self.sources.get(id)
        {
            descriptor.pending |= poll::ERR;
        }
    }
}
