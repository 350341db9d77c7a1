//! The epoll set of a channel: what is waited for by readiness.
//!
//! epoll(7) takes a descriptor once per set; a channel takes it as often as the program likes, so
//! a second source of the same descriptor gets a small set of its own, nested in this one.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::sys::eventfd::EventFd;

use crate::error::{Errno, Result};
use crate::sys::{descriptor, poll};

/// The key of the set's own wake-up counter.
pub const TOKEN: u64 = u64::MAX;

pub struct PollSet {
    /// Made when it is needed first.
    set: Option<OwnedFd>,
    /// The set in which this one is nested, if it is not the channel's descriptor itself.
    outer: Option<RawFd>,
    nested: HashMap<u64, OwnedFd>,
    token: Option<Arc<EventFd>>,
    token_is_set: bool,
    /// Something may be ready: it is worth asking. Always, where nobody else would say so.
    pub hot: bool,
}

impl PollSet {
    /// A set that is the channel's descriptor.
    pub fn outermost() -> Result<Self> {
        let mut poll = Self::nested_in(-1);
        poll.outer = None;
        poll.hot = true;
        poll.open()?;
        Ok(poll)
    }

    /// A set that will be nested in `outer`, once it has members.
    pub fn nested_in(outer: RawFd) -> Self {
        Self {
            set: None,
            outer: Some(outer),
            nested: HashMap::new(),
            token: None,
            token_is_set: false,
            hot: false,
        }
    }

    /// The set's descriptor, if it exists already.
    pub fn fd(&self) -> Option<RawFd> {
        self.set.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn open(&mut self) -> Result<RawFd> {
        if let Some(fd) = self.fd() {
            return Ok(fd);
        }
        let set = poll::create()?;
        if let Some(outer) = self.outer {
            poll::add(outer, set.as_raw_fd(), poll::IN, TOKEN)?;
        }
        let fd = set.as_raw_fd();
        self.set = Some(set);
        Ok(fd)
    }

    pub fn add(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        let set = self.open()?;
        self.hot = true;
        match poll::add(set, fd, events, key) {
            Err(Errno::EEXIST) => {
                let inner = poll::create()?;
                poll::add(inner.as_raw_fd(), fd, events, key)?;
                poll::add(set, inner.as_raw_fd(), poll::IN, key)?;
                self.nested.insert(key, inner);
                Ok(())
            }
            other => other,
        }
    }

    pub fn modify(&mut self, fd: RawFd, events: u32, key: u64) -> Result<()> {
        let set = self.open()?;
        self.hot = true;
        let set = self.nested.get(&key).map_or(set, AsRawFd::as_raw_fd);
        poll::modify(set, fd, events, key)
    }

    /// A descriptor that the program has closed has left the set by itself: no error.
    pub fn remove(&mut self, fd: RawFd, key: u64) {
        let Some(set) = self.fd() else { return };
        let gone = match self.nested.remove(&key) {
            Some(inner) => poll::remove(set, inner.as_raw_fd()),
            None => poll::remove(set, fd),
        };
        if gone.is_err() {
            // Not there any more: nothing to undo.
        }
    }

    /// At most `most` descriptors that are ready, with their keys.
    pub fn ready(&mut self, most: usize) -> Result<Vec<(u64, u32)>> {
        let Some(set) = self.fd() else { return Ok(Vec::new()) };
        let mut room = poll::room(most.clamp(1, 256));
        let ready: Vec<_> = poll::ready(set, &mut room)?.collect();
        self.hot = self.outer.is_none() || !ready.is_empty();
        if self.nested.is_empty() {
            return Ok(ready);
        }
        let mut found = Vec::with_capacity(ready.len());
        for (key, events) in ready {
            match self.nested.get(&key) {
                Some(inner) => {
                    found.extend(poll::ready(inner.as_raw_fd(), &mut poll::room(1))?);
                }
                None => found.push((key, events)),
            }
        }
        Ok(found)
    }

    /// Makes the set readable, or not any more, whatever its members do.
    pub fn set_token(&mut self, wanted: bool) -> Result<()> {
        if self.token_is_set == wanted {
            return Ok(());
        }
        let token = self.token()?;
        if wanted { token.write(1)? } else { token.read()? as usize };
        self.token_is_set = wanted;
        Ok(())
    }

    /// The counter behind the token: a write from any thread makes the set readable once.
    pub fn token(&mut self) -> Result<Arc<EventFd>> {
        if self.token.is_none() {
            let token = Arc::new(descriptor::eventfd()?);
            self.add(descriptor::raw(&*token), poll::IN, TOKEN)?;
            self.token = Some(token);
        }
        self.token.clone().ok_or(Errno::EIO)
    }

    /// The token's key was ready: unless we hold it up ourselves, that was a call from outside.
    pub fn lower_token(&mut self) {
        if !self.token_is_set
            && let Some(token) = &self.token
        {
            let _ = token.read();
        }
    }
}
