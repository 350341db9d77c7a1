//! Watching descriptors, counters and words of memory on the ring, for sources of the channel.
//!
//! An edge-triggered descriptor is a multishot poll, a counter a multishot read into buffers of
//! eight bytes, a word a futex wait. None has an entry in the table of operations: the user data
//! is the source's key, and a watch is not given up before its last completion has come.
//!
//! Only on a ring that one thread uses. On others the kernel interrupts the thread that has armed a
//! watch each time it fires: a call of the program's such as epoll_wait(2) would end with `EINTR`,
//! and threads that wait for the event would have to wait until that thread gets a processor.
#![forbid(unsafe_code)]

use io_uring::{cqueue, opcode, types};

use super::{CANCEL_STEPS_MAX, Uring};
use crate::engine::{Key, Notice, PollSet, Told, Watch};
use crate::error::{Errno, Result};
use crate::sys::counters::Counters;
use crate::sys::word::{self, Entry};

/// Marks the user data of a watch; the rest of it is the key.
const WATCH: u64 = 1 << 62;
/// The events of poll(2), without the flags of epoll(7).
const POLL_EVENTS: u32 = 0xffff;
/// The group of buffers for counters: the others are numbered from 0.
const COUNTERS: u16 = u16::MAX;

pub(super) struct Watched {
    what: What,
    is_armed: bool,
    /// It fired when nobody wanted to know any more.
    has_fired: bool,
}

enum What {
    Edge { fd: i32, events: u32 },
    Counter { fd: i32 },
    Word(Box<([Entry; 2], usize)>),
}

pub(super) fn user_data(key: Key) -> u64 {
    WATCH | key as u64
}

/// Whether a completion is that of a watch.
#[inline(always)]
pub(super) fn is_user_data(data: u64) -> bool {
    data >> Key::BITS == WATCH >> Key::BITS
}

/// Whose it is.
pub(super) fn key(data: u64) -> Key {
    data as Key
}

/// The same for what may be no watch: then it is the name of nothing.
#[inline(always)]
pub(super) fn name(data: u64) -> u64 {
    data ^ WATCH
}

/// The key that a name is, if it is one.
pub(super) fn key_of(name: u64) -> Option<Key> {
    Key::try_from(name).ok()
}

/// What it tells.
#[inline(always)]
pub(super) fn told(counters: &mut Option<Counters>, result: i32, flags: u32) -> Told {
    match (cqueue::buffer_select(flags), counters) {
        (Some(id), Some(counters)) => Told::Count(counters.take(id)),
        _ => Told::Ready(result as u32),
    }
}

impl Uring {
    pub(super) fn start_watch(&mut self, key: Key, watch: Watch) -> Result<()> {
        if self.gong.is_none() {
            return Err(Errno::EOPNOTSUPP);
        }
        let features = &self.features;
        let what = match watch {
            Watch::Edge { fd, events } if features.poll_multishot => {
                What::Edge { fd, events: events & POLL_EVENTS }
            }
            Watch::Counter { fd } if features.read_multishot => {
                if self.counters.is_none() {
                    self.counters = Some(Counters::new(&self.ring, COUNTERS)?);
                }
                What::Counter { fd }
            }
            Watch::Word { word, expected } if features.futex => {
                word::settle_table();
                What::Word(Box::new(word.entries(expected)))
            }
            _ => return Err(Errno::EOPNOTSUPP),
        };
        if let (What::Edge { fd, .. } | What::Counter { fd }, Some(gong)) = (&what, &mut self.gong)
        {
            gong.expect(*fd);
        }
        let watched = Watched { what, is_armed: false, has_fired: false };
        self.watches.insert(key, watched);
        self.to_watch.push(key);
        Ok(())
    }

    /// Arms what is to be armed; goes out with the next submission.
    pub(super) fn start_watches(&mut self) -> Result<()> {
        while let Some(key) = self.to_watch.pop() {
            let Some(watched) = self.watches.get_mut(key) else { continue };
            if watched.is_armed {
                continue;
            }
            let entry = match &watched.what {
                What::Edge { fd, events } => {
                    opcode::PollAdd::new(types::Fd(*fd), *events).multi(true).build()
                }
                What::Counter { fd } => {
                    // Eight bytes at the current position: a counter has none.
                    opcode::ReadMulti::new(types::Fd(*fd), 0, COUNTERS).offset(u64::MAX).build()
                }
                What::Word(entries) => {
                    opcode::FutexWaitV::new(entries.0.as_ptr().cast(), entries.1 as u32).build()
                }
            };
            watched.is_armed = true;
            if let Err(errno) = self.ring.push(&entry.user_data(user_data(key))) {
                if let Some(watched) = self.watches.get_mut(key) {
                    watched.is_armed = false;
                }
                self.to_watch.push(key);
                return Err(errno);
            }
        }
        Ok(())
    }

    /// A completion of a watch.
    pub(super) fn watch_completed(
        &mut self,
        key: Key,
        result: i32,
        flags: u32,
        notices: &mut Vec<Notice>,
    ) {
        let told = told(&mut self.counters, result, flags);
        if let Some(counters) = &mut self.counters {
            counters.publish();
        }
        let is_leaving = self.leaving == Some(key);
        let Some(watched) = self.watches.get_mut(key) else { return };
        let has_ended = !cqueue::more(flags);
        watched.is_armed &= !has_ended;
        let failure = if result < 0 { Some(Errno::from_raw(-result)) } else { None };
        if is_leaving {
            watched.has_fired |= failure != Some(Errno::ECANCELED);
            return;
        }
        let news = match (&watched.what, failure) {
            // The thread that submitted it has ended, or the buffers were all in use.
            (_, Some(Errno::ECANCELED | Errno::ENOBUFS | Errno::EINTR)) => None,
            // Not what was expected: that is what was waited for.
            (What::Word(_), Some(Errno::EAGAIN)) => Some(Ok(0)),
            (_, Some(Errno::EAGAIN)) => None,
            (_, Some(errno)) => Some(Err(errno)),
            (What::Edge { .. } | What::Counter { .. }, None) => Some(Ok(told.value())),
            (What::Word(_), None) => Some(Ok(0)),
        };
        let is_over = matches!(news, Some(Err(_))) || matches!(watched.what, What::Word(_));
        if has_ended && (!is_over || news.is_none()) {
            self.to_watch.push(key);
        } else if has_ended {
            self.watches.remove(key);
        }
        notices.extend(news.map(|news| Notice::Watched(key, news)));
    }

    /// Gives a watch up, and waits until the kernel has: `true` if it has fired meanwhile.
    pub(super) fn end_watch(
        &mut self,
        key: Key,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<bool> {
        self.leaving = Some(key);
        self.come_in();
        let ended = self.cancel_watch(key, poll, notices);
        self.leaving = None;
        ended?;
        Ok(self.watches.remove(key).is_some_and(|watched| watched.has_fired))
    }

    fn cancel_watch(
        &mut self,
        key: Key,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let is_armed = |uring: &Self| uring.watches.get(key).is_some_and(|found| found.is_armed);
        for step in 0..CANCEL_STEPS_MAX {
            if !is_armed(self) {
                break;
            }
            if step == 0 {
                self.cancel(user_data(key))?;
                self.ring.submit_and_run()?;
            } else {
                self.ring.wait_briefly(10)?;
            }
            self.reap(poll, notices, None);
        }
        Ok(())
    }
}
