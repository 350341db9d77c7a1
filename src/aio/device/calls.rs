//! The calls of a driver, with nothing locked, and what they answer.
//!
//! Whoever calls has entered the device, and leaves it when the answer is in the books: once a
//! device is shut, what the books say of its requests is all there is.

use std::sync::Arc;

use super::super::cancel::Cancelled;
use super::super::helper;
use super::super::queue::{self, Queue};
use super::super::state::State;
use super::books::{Opening, Place, Stage};
use super::file;
use super::registry::Device;
use crate::error::{Errno, Result};
use crate::sys::fork;
use crate::sys::kiocb;
use crate::sys::log::{self, Level};
use crate::sys::quiet::Entered;

/// What a driver answers when it ends a request later. No errno value.
pub const QUEUED: isize = -529;

/// The outcome that a number means. A request cannot end with what says that it has not ended.
fn outcome(result: isize, bytes: usize) -> Option<Result<usize>> {
    if let Ok(count) = usize::try_from(result) {
        return (count <= bytes).then_some(Ok(count));
    }
    let number = result.checked_neg().and_then(|number| i32::try_from(number).ok())?;
    match Errno::from_raw(number) {
        Errno::UnknownErrno | Errno::EINPROGRESS => None,
        errno => Some(Err(errno)),
    }
}

/// Ends a change of the books that may have ended requests.
fn settle<'a>(queue: &'a Queue, mut state: Entered<'a, State>) {
    queue.settle(&mut state);
    helper::call_due(queue, state);
}

/// Tells drivers of the requests that were just taken on.
pub fn begin_due(queue: &Queue, mut state: Entered<'_, State>) {
    if state.devices.due.is_empty() {
        return;
    }
    let due = std::mem::take(&mut state.devices.due);
    drop(state);
    for (place, number) in due {
        begin(queue, place, number);
    }
}

/// Tells the driver of a request.
pub fn begin(queue: &Queue, place: u32, number: u64) {
    let mut state = queue.enter();
    let Some((device, found)) = find(&mut state, place, number) else { return };
    if found.stage != Stage::Waiting {
        return;
    }
    let (kiocb, operation) = (found.kiocb, found.begin);
    if device.is_gone() {
        state.end_device(place, Err(Errno::ENODEV));
        return settle(queue, state);
    }
    found.stage = Stage::Begun;
    found.calls += 1;
    state.devices.enter(&device);
    drop(state);

    let answer = device.operations.begin(operation, kiocb);

    let mut state = queue.enter();
    let is_unwanted = state.returned_from_driver(place, number, answer);
    state.devices.leave(&device);
    settle(queue, state);
    device.left();
    if is_unwanted {
        cancel(queue, place, number);
    }
}

/// The request, if it has not ended, and its device.
fn find(state: &mut State, place: u32, number: u64) -> Option<(Arc<Device>, &mut Place)> {
    let file = state.devices.find(place, number)?.file;
    let device = state.devices.files.get(&file)?.file.device.clone();
    Some((device, state.devices.find(place, number)?))
}

impl State {
    /// What the driver's function has answered: `true` if the request is to be taken back now.
    fn returned_from_driver(&mut self, place: u32, number: u64, answer: Option<isize>) -> bool {
        let found = &mut self.devices.places[place as usize];
        found.calls -= 1;
        let bytes = found.bytes;
        if self.devices.find(place, number).is_none() {
            if answer != Some(QUEUED) {
                let text = "the driver has ended it already, and answers something else";
                self.devices.note(place, format_args!("{text}"));
            }
            self.devices.rest(place);
            return false;
        }
        match answer {
            Some(QUEUED) => {
                self.devices.note(place, format_args!("queued"));
                let found = &mut self.devices.places[place as usize];
                found.stage = Stage::Held;
                found.is_unwanted
            }
            None => {
                self.end_device(place, Err(Errno::EINVAL));
                false
            }
            Some(result) => {
                let outcome = outcome(result, bytes).unwrap_or_else(|| {
                    let what = format_args!("a driver answers {result}, which is no result");
                    log::write(Level::Warn, what);
                    Err(Errno::EIO)
                });
                self.end_device(place, outcome);
                false
            }
        }
    }
}

/// `sio_complete`: the driver has ended a request. `EALREADY`: it had, or does not have it.
pub fn complete(address: usize, result: isize) -> Result<()> {
    let (kiocb, epoch) = kiocb::find(address).ok_or(Errno::EINVAL)?;
    if epoch != fork::epoch() {
        return Err(Errno::EPERM);
    }
    let queue = queue::present().ok_or(Errno::EINVAL)?;
    let mut state = queue.enter();
    let place = kiocb.place();
    let found = state.devices.places.get(place as usize).ok_or(Errno::EINVAL)?;
    if found.entry.is_none() || found.stage == Stage::Waiting {
        return Err(Errno::EALREADY);
    }
    let outcome = outcome(result, found.bytes).ok_or(Errno::EINVAL)?;
    state.end_device(place, outcome);
    settle(queue, state);
    Ok(())
}

/// Takes a request back: at once if the driver does not know of it, otherwise if the driver can.
pub fn cancel(queue: &Queue, place: u32, number: u64) -> Cancelled {
    let mut state = queue.enter();
    let Some((device, found)) = find(&mut state, place, number) else { return Cancelled::Done };
    match found.stage {
        Stage::Waiting => {
            state.end_device(place, Err(Errno::ECANCELED));
            settle(queue, state);
            return Cancelled::All;
        }
        // Once the function for it has returned.
        Stage::Begun => {
            found.is_unwanted = true;
            return Cancelled::NotAll;
        }
        Stage::Cancelling => return Cancelled::NotAll,
        Stage::Held => {}
    }
    // A device that is being unregistered takes all of its requests back.
    if !state.devices.enter(&device) {
        return Cancelled::NotAll;
    }
    let fate = take_back(queue, state, &device, place, number);
    queue.enter().devices.leave(&device);
    device.left();
    fate
}

/// Asks the driver for a request that it has.
fn take_back(
    queue: &Queue,
    mut state: Entered<'_, State>,
    device: &Device,
    place: u32,
    number: u64,
) -> Cancelled {
    let found = &mut state.devices.places[place as usize];
    found.stage = Stage::Cancelling;
    found.calls += 1;
    let kiocb = found.kiocb;
    drop(state);

    let answer = device.operations.cancel(kiocb);

    let mut state = queue.enter();
    let found = &mut state.devices.places[place as usize];
    found.calls -= 1;
    let fate = match state.devices.find(place, number) {
        Some(_) if answer == Some(0) => {
            state.end_device(place, Err(Errno::ECANCELED));
            Cancelled::All
        }
        Some(found) => {
            found.stage = Stage::Held;
            found.is_unwanted = false;
            state.devices.note(place, format_args!("not cancelled"));
            Cancelled::NotAll
        }
        None => {
            let is_cancelled =
                state.devices.places[place as usize].outcome == Some(Err(Errno::ECANCELED));
            state.devices.rest(place);
            if is_cancelled { Cancelled::All } else { Cancelled::Done }
        }
    };
    settle(queue, state);
    fate
}

/// The requests of a device that is shut end, and its files are released.
pub fn abandon(queue: &Queue, device: &Arc<Device>) {
    let is_of = |opening: &&mut Opening| Arc::ptr_eq(&opening.file.device, device);
    let mut state = queue.enter();
    let files: Vec<u64> =
        state.devices.files.values_mut().filter(is_of).map(|opening| opening.file.id).collect();
    let pending = state.devices.pending(|file| files.contains(&file));
    drop(state);
    for (place, number) in pending {
        let mut state = queue.enter();
        if state.devices.find(place, number).is_some_and(|found| found.stage == Stage::Held) {
            take_back(queue, state, device, place, number);
            state = queue.enter();
        }
        if state.devices.find(place, number).is_some() {
            state.end_device(place, Err(Errno::ENODEV));
        }
        settle(queue, state);
    }
    for file in files {
        let mut state = queue.enter();
        let Some(opening) = state.devices.files.get_mut(&file) else { continue };
        let is_first = !std::mem::replace(&mut opening.is_released, true);
        let opened = opening.file.clone();
        drop(state);
        if is_first {
            device.operations.release(&opened.opened);
        }
        // It may have been closed meanwhile.
        file::release(queue, file);
    }
}
