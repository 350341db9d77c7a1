//! Taking requests back: `aio_cancel`.

use std::os::fd::RawFd;

use super::backend::Withdrawn;
use super::request::{Phase, Route};
use super::state::State;
use super::{device, helper, queue};
use crate::error::{Errno, Result};
use crate::sys::control::Control;
use crate::sys::transfer;

/// What `aio_cancel` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    All,
    /// At least one goes on.
    NotAll,
    /// There was nothing to cancel.
    Done,
}

impl Cancelled {
    /// The answer for both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotAll, _) | (_, Self::NotAll) => Self::NotAll,
            (Self::All, _) | (_, Self::All) => Self::All,
            _ => Self::Done,
        }
    }
}

/// How many moments a request that is being stopped may take.
const MOMENTS_MAX: usize = 20;

/// Cancels one request, or all of a descriptor. Those that are cancelled have ended, with
/// `ECANCELED`, when the call returns.
pub fn cancel(fd: RawFd, control: Option<Control>) -> Result<Cancelled> {
    transfer::open_flags(fd)?;
    let file = device::find(fd)?;
    if let Some(control) = control {
        if control.descriptor() != fd {
            return Err(Errno::EINVAL);
        }
        if !control.is_in_progress() {
            return Ok(Cancelled::Done);
        }
    }
    let Some(queue) = queue::present() else { return Ok(Cancelled::Done) };
    let mut state = queue.enter();
    state.reap();
    let wanted: Vec<(u64, u32)> = match control {
        Some(control) => {
            let found = state.find(control);
            found.map(|index| (state.entries[index as usize].number, index)).into_iter().collect()
        }
        None => {
            let entries = state.entries.iter();
            let mut found: Vec<(u64, u32)> = entries
                .filter(|(_, entry)| entry.request.fd == fd && device::is_to(entry, file.as_ref()))
                .map(|(index, entry)| (entry.number, index as u32))
                .collect();
            // The last one first: what waits behind another is not to begin now.
            found.sort_unstable_by(|left, right| right.cmp(left));
            found
        }
    };
    let mut answer = Cancelled::Done;
    let mut driven = Vec::new();
    for (number, index) in wanted {
        match state.entries.get(index as usize).map(|entry| entry.route) {
            Some(Route::Device { place, .. }) => driven.push((place, number)),
            _ => answer = answer.and(state.cancel(index, number, control.is_some())),
        }
    }
    queue.settle(&mut state);
    helper::call_due(queue, state);
    // Drivers are asked with nothing locked.
    for (place, number) in driven {
        answer = answer.and(device::cancel(queue, place, number));
    }
    Ok(answer)
}

impl State {
    /// `by_name`: it was asked for alone. A write to a stream that has been begun goes on when all
    /// of a descriptor are cancelled, as with the C library: part of it may be on its way.
    fn cancel(&mut self, index: u32, number: u64, by_name: bool) -> Cancelled {
        let Some(entry) = self.entries.get_mut(index as usize) else { return Cancelled::Done };
        if entry.number != number {
            return Cancelled::Done;
        }
        if entry.done > 0 {
            return Cancelled::NotAll;
        }
        if matches!(entry.phase, Phase::Queued | Phase::Handed) {
            self.end(index, Err(Errno::ECANCELED));
            return Cancelled::All;
        }
        if entry.is_stream_write() && !by_name {
            return Cancelled::NotAll;
        }
        entry.is_cancelled = true;
        self.watched = Some((number, None));
        let withdrawn = self.backend.withdraw(index);
        if withdrawn == Withdrawn::Now {
            self.end(index, Err(Errno::ECANCELED));
        }
        self.reap();
        for _ in 0..MOMENTS_MAX {
            if withdrawn == Withdrawn::No || self.has_watched_ended() {
                break;
            }
            self.backend.wait_briefly();
            self.reap();
        }
        match self.watched.take() {
            Some((_, Some(Err(Errno::ECANCELED)))) => Cancelled::All,
            Some((_, Some(_))) => Cancelled::Done,
            _ => {
                if withdrawn == Withdrawn::No
                    && let Some(entry) = self.entries.get_mut(index as usize)
                {
                    entry.is_cancelled = false;
                }
                Cancelled::NotAll
            }
        }
    }

    fn has_watched_ended(&self) -> bool {
        matches!(self.watched, Some((_, Some(_))))
    }
}
