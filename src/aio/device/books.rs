//! The books of devices, a part of the books of requests and under their lock: which request is in
//! the hands of which driver, and which of their files are open.
//!
//! Invariants: a place with an entry is a request that has not ended. An ended one is not used
//! again while a function of the driver's runs with it, nor before many others have ended: a
//! driver that ends it twice is told so.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::request::{Operation, Phase, Request, Rest, Route};
use super::super::state::State;
use super::file::File;
use super::registry::Device;
use super::{INHERITED, begin_of};
use crate::error::{Errno, Result};
use crate::sys::cell::thread_mark;
use crate::sys::driver::Begin;
use crate::sys::fork;
use crate::sys::kiocb::{self, Content, Kiocb};
use crate::sys::log::{self, Level};
use crate::sys::spare;

/// So many end before an ended one is used again.
const RESTING: usize = 1024;

/// Room that is made at first.
const PLACES_MIN: usize = 64;
/// What one more takes while the tables grow.
const PLACE_BYTES: usize = 1024;

/// `ki_operation`: as the opcodes of lio_listio(3), and one of ours.
pub const OPERATION_READ: i32 = libc::LIO_READ;
pub const OPERATION_WRITE: i32 = libc::LIO_WRITE;
pub const OPERATION_FSYNC: i32 = 0x100;
/// `ki_flags`: the data alone.
pub const FLAG_DATASYNC: u32 = 0x1;

/// How far a request has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The driver has not been told of it.
    Waiting,
    /// The driver's function for it runs.
    Begun,
    /// The driver has it.
    Held,
    /// The driver's function that takes it back runs.
    Cancelling,
}

/// A request, or room for one.
pub struct Place {
    pub kiocb: &'static Kiocb,
    /// Its entry while it is under way.
    pub entry: Option<u32>,
    /// The number of the entry.
    pub number: u64,
    pub file: u64,
    pub begin: Begin,
    pub bytes: usize,
    position: i64,
    pub stage: Stage,
    /// Somebody wants it back, and the driver has to be asked.
    pub is_unwanted: bool,
    /// Functions of the driver's that run with it.
    pub calls: usize,
    /// How it has ended.
    pub outcome: Option<Result<usize>>,
}

/// A file of a device that has not been released.
pub struct Opening {
    pub file: Arc<File>,
    /// Requests under way.
    pub pending: usize,
    /// No descriptor is left.
    pub is_closed: bool,
    /// The driver knows that.
    pub is_released: bool,
    /// Threads that are about to close it, and see to all that follows.
    pub closers: usize,
}

/// What the thread is to do.
#[derive(Clone, Copy)]
pub enum Errand {
    /// Tell the driver of a request that had to wait.
    Begin { place: u32, number: u64 },
    /// Tell it that a file is closed.
    Release { file: u64 },
}

#[derive(Default)]
pub struct Books {
    pub places: Vec<Place>,
    /// Places that no request has had, and those of requests that have ended.
    fresh: Vec<u32>,
    resting: VecDeque<u32>,
    pub files: HashMap<u64, Opening>,
    /// Requests that the driver is told of as soon as nothing is locked.
    pub due: Vec<(u32, u64)>,
    pub errands: VecDeque<Errand>,
    /// Who is inside of which driver: handle and thread.
    callers: Vec<(u64, u64)>,
}

impl Books {
    /// This thread is about to call the driver, and [`Books::leave`]s it when the answer is in the
    /// books. `false`: the device is not there any more.
    pub fn enter(&mut self, device: &Device) -> bool {
        let is_there = !device.is_gone();
        if is_there {
            self.callers.push((device.handle, thread_mark()));
        }
        is_there
    }

    /// [`Device::left`] is next, once the books are left.
    pub fn leave(&mut self, device: &Device) {
        let caller = (device.handle, thread_mark());
        if let Some(place) = self.callers.iter().rposition(|&other| other == caller) {
            self.callers.swap_remove(place);
        }
    }

    /// Whether a thread, or any, is inside.
    pub fn is_entered(&self, handle: u64, thread: Option<u64>) -> bool {
        let is_it = |&(entered, mark): &(u64, u64)| {
            entered == handle && thread.is_none_or(|thread| thread == mark)
        };
        self.callers.iter().any(is_it)
    }

    pub fn has_errands(&self) -> bool {
        !self.errands.is_empty()
    }

    /// The requests to these files that have not ended, the last ones first.
    pub fn pending(&self, is_wanted: impl Fn(u64) -> bool) -> Vec<(u32, u64)> {
        let is_pending = |place: &&Place| place.entry.is_some() && is_wanted(place.file);
        let pending = self.places.iter().filter(is_pending);
        let mut found: Vec<_> = pending.map(|place| (place.kiocb.place(), place.number)).collect();
        found.sort_unstable_by_key(|&(_, number)| std::cmp::Reverse(number));
        found
    }

    /// The place of a request, if it has not ended.
    pub fn find(&mut self, place: u32, number: u64) -> Option<&mut Place> {
        let found = self.places.get_mut(place as usize)?;
        (found.entry.is_some() && found.number == number).then_some(found)
    }

    /// `EAGAIN`: there is no memory for one more.
    fn ensure_room(&self) -> Result<()> {
        if !self.fresh.is_empty() || self.resting.len() > RESTING {
            return Ok(());
        }
        let bytes = self.places.len().max(PLACES_MIN) * PLACE_BYTES;
        spare::ensure(bytes).map_err(|_| Errno::EAGAIN)
    }

    /// Room for a request: its place.
    fn allot(&mut self) -> u32 {
        if self.resting.len() > RESTING
            && let Some(place) = self.resting.pop_front()
        {
            return place;
        }
        if self.fresh.is_empty() {
            // As many as there are, so that they lie in few pieces.
            for kiocb in kiocb::make(fork::epoch(), self.places.len().max(PLACES_MIN)) {
                let place = self.places.len() as u32;
                kiocb.set_place(place);
                self.places.push(Place::new(kiocb));
                self.fresh.push(place);
            }
        }
        self.fresh.pop().unwrap_or_default()
    }

    /// An ended one may be used again, some time.
    pub fn rest(&mut self, place: u32) {
        let found = &self.places[place as usize];
        if found.entry.is_none() && found.calls == 0 {
            self.resting.push_back(place);
        }
    }

    /// What has happened to a request, for those who want to know.
    pub fn note(&self, place: u32, what: std::fmt::Arguments<'_>) {
        if log::level() < Level::Debug {
            return;
        }
        let place = &self.places[place as usize];
        let name = self.files.get(&place.file).map(|opening| &opening.file.device.name[..]);
        let name = String::from_utf8_lossy(name.unwrap_or(b"?")).into_owned();
        let address = place.kiocb.address();
        let operation = match place.begin {
            Begin::Read => "read",
            Begin::Write => "write",
            Begin::Sync => "fsync",
        };
        let Place { bytes, position, .. } = place;
        log::write(
            Level::Debug,
            format_args!(
                "device {name}: kiocb {address:#x}: {operation}, {bytes} bytes at {position}: {what}"
            ),
        );
    }
}

impl Place {
    fn new(kiocb: &'static Kiocb) -> Self {
        Self {
            kiocb,
            entry: None,
            number: 0,
            file: INHERITED,
            begin: Begin::Read,
            bytes: 0,
            position: 0,
            stage: Stage::Waiting,
            is_unwanted: false,
            calls: 0,
            outcome: None,
        }
    }

    /// Makes it a request that no driver knows of.
    fn fill(&mut self, request: &Request, file: &File) {
        // Others are no requests to a device.
        let begin = begin_of(request.operation).unwrap_or(Begin::Sync);
        let memory = (begin != Begin::Sync).then_some(request.memory);
        self.file = file.id;
        self.begin = begin;
        self.bytes = memory.map_or(0, |memory| memory.length);
        self.position = if begin == Begin::Sync { 0 } else { request.offset };
        self.stage = Stage::Waiting;
        self.is_unwanted = false;
        self.outcome = None;
        let is_data_only = request.operation == Operation::Sync { data_only: true };
        self.kiocb.fill(&Content {
            operation: match begin {
                Begin::Read => OPERATION_READ,
                Begin::Write => OPERATION_WRITE,
                Begin::Sync => OPERATION_FSYNC,
            },
            flags: if is_data_only { FLAG_DATASYNC } else { 0 },
            position: self.position,
            memory,
            device: file.device.context,
            file: file.opened.block(),
        });
    }
}

impl State {
    /// Takes a request to a device on: [`super::begin_due`] is next. `EPERM`: it is the parent's.
    pub fn take_on_device(&mut self, request: &Request, file: u64) -> Result<()> {
        if file == INHERITED {
            return Err(Errno::EPERM);
        }
        let opening = self.devices.files.get_mut(&file).filter(|opening| !opening.is_closed);
        let file = opening.ok_or(Errno::EBADF)?.file.clone();
        self.devices.ensure_room()?;
        if let Some(opening) = self.devices.files.get_mut(&file.id) {
            opening.pending += 1;
        }
        let place = self.devices.allot();
        let route = Route::Device { file: file.id, place };
        let index = self.enter(request, Rest { route, done: 0 }, false);
        let found = &mut self.devices.places[place as usize];
        found.fill(request, &file);
        found.entry = Some(index);
        found.number = self.entries[index as usize].number;
        self.devices.note(place, format_args!("received"));
        self.begin(index);
        Ok(())
    }

    /// The driver is to be told of it: at once, or by the thread if this is no place to do that.
    pub fn hand_over(&mut self, index: u32, place: u32, is_at_once: bool) {
        let entry = &mut self.entries[index as usize];
        entry.phase = Phase::Driven;
        let number = entry.number;
        if is_at_once {
            self.devices.due.push((place, number));
        } else {
            self.devices.errands.push_back(Errand::Begin { place, number });
        }
    }

    /// The end of a request to a device.
    pub fn end_device(&mut self, place: u32, outcome: Result<usize>) {
        let found = &mut self.devices.places[place as usize];
        let Some(index) = found.entry.take() else { return };
        found.outcome = Some(outcome);
        let file = found.file;
        match outcome {
            Ok(count) => self.devices.note(place, format_args!("completed: {count}")),
            Err(Errno::ECANCELED) => self.devices.note(place, format_args!("cancelled")),
            Err(errno) => self.devices.note(place, format_args!("failed: {errno}")),
        }
        self.end(index, outcome);
        self.devices.rest(place);
        if let Some(opening) = self.devices.files.get_mut(&file) {
            opening.pending -= 1;
            if opening.is_closed && opening.pending == 0 && opening.closers == 0 {
                self.devices.errands.push_back(Errand::Release { file });
            }
        }
    }
}
