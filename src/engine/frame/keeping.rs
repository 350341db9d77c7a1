//! Keeping an interface's descriptors readable while something waits that was received: the channel
//! that they are in is readable by that, and the token need not be raised and lowered, by two system
//! calls, with each few datagrams. For a port it is no more than to be a little late in saying what
//! it has taken.
//!
//! Only where nobody else is woken by that: one socket, in a channel of one thread. Invariant: when
//! that thread sleeps, or leaves a channel that has nothing to tell, nothing is kept.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::door::{Looker, Mailbox, News};
use super::hub::{Hub, OutletKey, State};
use crate::engine::Key;
use crate::sys::sync::atomic::Ordering;

impl Hub {
    /// Who is told from now on.
    pub fn set_reader(&self, key: OutletKey, reader: Option<(Arc<Mailbox>, Key)>) {
        let mut state = self.lock();
        if state.is_open(key) {
            state.outlets[key.slot].reader = reader;
            state.keep_or_not(self);
        }
    }

    /// Whether the reader is told each time that something arrives.
    pub fn set_edge(&self, key: OutletKey, is_edge: bool) {
        let mut state = self.lock();
        if state.is_open(key) {
            state.outlets[key.slot].is_edge = is_edge;
            state.keep_or_not(self);
        }
    }

    /// Whether the descriptors are readable as long as the only thread of the only channel that the
    /// interface has something for has not called [`Hub::let_go`]: then the channel needs nothing else
    /// to be readable itself.
    pub fn is_kept_readable(&self) -> bool {
        self.is_kept_readable.load(Ordering::Relaxed)
    }

    /// The descriptors say from now on what is so.
    pub fn let_go(&self) {
        let mut state = self.lock();
        if self.is_kept_readable() {
            state.port.stay_readable(false);
            self.is_kept_readable.store(false, Ordering::Relaxed);
            let stays = state.stays_readable();
            state.port.stay_readable(stays);
        }
    }
}

impl State {
    /// Whether the port's descriptors may stay readable while something waits that has been received: not
    /// where that would wake anybody else.
    fn stays_readable(&self) -> bool {
        let mut outlets = self.outlets.iter();
        let only = outlets.next().filter(|_| outlets.next().is_none());
        only.is_some_and(|(_, outlet)| {
            let is_single = outlet.reader.as_ref().is_some_and(|(mailbox, _)| mailbox.is_single());
            is_single && !outlet.is_edge && outlet.gate.is_none()
        })
    }

    /// That may have changed. Who counted on it hears that there is news, and looks again.
    pub(super) fn keep_or_not(&mut self, hub: &Hub) {
        let stays = self.stays_readable();
        let was_kept = hub.is_kept_readable();
        self.port.stay_readable(false);
        hub.is_kept_readable.store(false, Ordering::Relaxed);
        self.port.stay_readable(stays);
        if was_kept {
            for (_, outlet) in &self.outlets {
                if let Some((mailbox, key)) = &outlet.reader {
                    mailbox.post(std::iter::once(News::Arrived(*key)), Looker::Nobody);
                }
            }
        }
    }
}
