//! How others get a channel's attention without taking its lock: areas whose blocks have come
//! back, sockets that were found closed, threads that wait on words for it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::words::Listener;
use crate::engine::Key;
use crate::error::Result;
use crate::sys::descriptor::Counter;
use crate::sys::sync::Mutex;
use crate::sys::sync::atomic::{AtomicBool, Ordering};

pub struct Bell {
    rung: AtomicBool,
    token: Arc<Counter>,
    errands: Mutex<Vec<Errand>>,
}

/// What there is to do for whoever enters the channel next.
pub enum Errand {
    /// Another channel wants what this one keeps of an area and does not use.
    Spare(u64),
    /// An area went while only another thread could have given up the channel's part of it.
    Retire(u64),
    /// The socket of a source was closed without a word and has been found out.
    Abandon(Key),
    /// The word that a source waits for, with the ticket of this number.
    Woken(Key, u64, Result<()>),
}

impl Bell {
    pub fn new(token: Arc<Counter>) -> Self {
        Self { rung: AtomicBool::new(false), token, errands: Mutex::default() }
    }

    /// Somebody may go on: the channel is to look.
    pub fn ring(&self) {
        self.rung.swap(true, Ordering::AcqRel);
        self.token.raise();
    }

    pub fn ring_for(&self, errand: Errand) {
        self.errands.lock().push(errand);
        self.ring();
    }

    /// The same for what is asked for once, however often that is.
    pub fn ring_for_room(&self, area: u64) {
        let mut errands = self.errands.lock();
        let is_asked = |errand: &Errand| matches!(errand, Errand::Spare(known) if *known == area);
        if !errands.iter().any(is_asked) {
            errands.push(Errand::Spare(area));
        }
        drop(errands);
        self.ring();
    }

    /// Whether somebody has rung.
    #[inline(always)]
    pub fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// What others have asked for; `None` when nobody has rung. Whoever rings raises the token
    /// afterwards, so nothing is missed if this is looked at last before sleeping.
    #[inline(always)]
    pub fn answer(&self) -> Option<Vec<Errand>> {
        // Looked at first: most of the time nobody has, and a locked operation is not cheap.
        if self.is_rung() { self.answer_ring() } else { None }
    }

    #[cold]
    fn answer_ring(&self) -> Option<Vec<Errand>> {
        let has_rung = self.rung.swap(false, Ordering::AcqRel);
        has_rung.then(|| std::mem::take(&mut *self.errands.lock()))
    }
}

impl Listener for Bell {
    fn woken(&self, key: Key, ticket: u64, news: Result<()>) {
        self.ring_for(Errand::Woken(key, ticket, news));
    }
}
