//! Sockets of programs that know nothing of us, for the preloaded object: see
//! engine/frame/shared.rs and sio_preload(7).
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::context::context;
use super::region;
use super::table::Table;
use crate::engine::frame::{Alarm, Hub, Looker, Shared, open_hubs, open_shared};
use crate::engine::table::Kind;
use crate::error::{Errno, Refusal, Result};
use crate::limits::DESCRIPTOR_MAX;
use crate::region::Region;
use crate::region::map::Pages;
use crate::sys::descriptor::Counter;
use crate::sys::foreign::Foreign;
use crate::sys::per_process::PerProcess;
use crate::sys::sync::Mutex;
use crate::sys::{poll, socket, thread};

/// Enough for what arrives while a program is busy with something else.
const AREA_BYTES: usize = 16 << 20;
/// How often it is looked whether a token was lost.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// How long a datagram is held back at most.
const HOLDING_INTERVAL: Duration = Duration::from_millis(1);
/// The thread goes on looking so many times after the last one that was held back.
const LOOKS: u32 = 16;

struct Sockets {
    table: Table<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    area: Option<Arc<Region>>,
    /// Interfaces that stay open: the program may have lost the right to open them again.
    hubs: Vec<Arc<Hub>>,
    /// What the thread looks at.
    known: Vec<Arc<Shared>>,
    has_thread: bool,
    /// For the thread.
    bells: Option<Bells>,
}

#[derive(Clone)]
struct Bells {
    /// Raised when the sockets are others.
    sockets: Arc<Counter>,
    /// Rung when something is held back.
    alarm: Arc<Alarm>,
}

impl State {
    fn area(&mut self) -> std::result::Result<Arc<Region>, Refusal> {
        if let Some(area) = &self.area {
            return Ok(area.clone());
        }
        let handle = region::alloc(AREA_BYTES, Pages::Normal, Kind::AfXdp.bit());
        let area = handle.and_then(|handle| context().region(handle)).map_err(plain)?;
        area.insist_on_frames();
        Ok(self.area.insert(area).clone())
    }

    fn keep<'a>(&mut self, hubs: impl Iterator<Item = &'a Arc<Hub>>) {
        for hub in hubs {
            if !self.hubs.iter().any(|known| Arc::ptr_eq(known, hub)) {
                self.hubs.push(hub.clone());
            }
        }
    }

    fn ring(&self) {
        if let Some(bells) = &self.bells {
            bells.sockets.raise();
        }
    }

    fn bells(&mut self) -> Result<Bells> {
        if let Some(bells) = &self.bells {
            return Ok(bells.clone());
        }
        let sockets = Arc::new(Counter::new()?);
        let alarm = Arc::new(Alarm::new()?);
        Ok(self.bells.insert(Bells { sockets, alarm }).clone())
    }
}

fn sockets() -> &'static Sockets {
    static SOCKETS: PerProcess<Sockets> = PerProcess::empty();
    SOCKETS.get_or_make(|| Sockets { table: Table::new(DESCRIPTOR_MAX), state: Mutex::default() })
}

fn find(fd: RawFd) -> Result<Arc<Shared>> {
    sockets().table.get(usize::try_from(fd).map_err(|_| Errno::EBADF)?).ok_or(Errno::ENOENT)
}

fn plain(errno: Errno) -> Refusal {
    Refusal { errno, cause: errno.desc().to_owned() }
}

/// Opens the interfaces that will serve a socket.
pub fn prepare(fd: RawFd) -> std::result::Result<(), Refusal> {
    Kind::AfXdp.check()?;
    let mut state = sockets().state.lock();
    let area = state.area()?;
    let hubs = open_hubs(fd, &area)?;
    state.keep(hubs.iter());
    Ok(())
}

/// Moves a socket behind gates: the interfaces that serve it.
pub fn join(fd: RawFd) -> std::result::Result<String, Refusal> {
    let number = usize::try_from(fd).map_err(|_| plain(Errno::EBADF))?;
    let sockets = sockets();
    let mut state = sockets.state.lock();
    if sockets.table.get(number).is_some() {
        return Err(plain(Errno::EBUSY));
    }
    if state.hubs.is_empty() {
        Kind::AfXdp.check()?;
    }
    let area = state.area()?;
    let domain = socket::domain(fd).map_err(plain)?;
    let bells = state.bells().map_err(plain)?;
    let shared = open_shared(fd, domain, &area, &bells.alarm)?;
    if !state.has_thread {
        if let Err(errno) = thread::spawn("sio-token", watch) {
            shared.leave();
            return Err(plain(errno));
        }
        state.has_thread = true;
    }
    state.known.push(shared.clone());
    state.ring();
    state.keep(shared.hubs());
    let description = shared.description();
    sockets.table.set(number, Some(shared)).ok_or_else(|| plain(Errno::EMFILE))?;
    Ok(description)
}

fn remove(fd: RawFd) -> Result<Arc<Shared>> {
    let sockets = sockets();
    let mut state = sockets.state.lock();
    let shared = find(fd)?;
    state.known.retain(|known| !Arc::ptr_eq(known, &shared));
    state.ring();
    sockets.table.set(fd as usize, None);
    Ok(shared)
}

/// Gives a socket back to the kernel, with all that has arrived for it.
pub fn leave(fd: RawFd) -> Result<()> {
    // First: who finds it until then waits for the end of that.
    find(fd)?.leave();
    remove(fd).map(drop)
}

/// A socket is about to be closed.
pub fn close(fd: RawFd) -> Result<()> {
    remove(fd)?.close();
    Ok(())
}

/// Receives without waiting. `ENOENT`: the socket is the kernel's.
pub fn receive(fd: RawFd, message: &Foreign, flags: i32) -> Result<usize> {
    find(fd)?.receive(message, flags).unwrap_or(Err(Errno::ENOENT))
}

/// Sends by an interface. `ENOENT`: the kernel has to do it.
pub fn send(fd: RawFd, message: &Foreign, flags: i32) -> Result<usize> {
    find(fd)?.send(message, flags).unwrap_or(Err(Errno::ENOENT))
}

/// The bytes of the next datagram. `ENOENT`: the kernel knows.
pub fn next_bytes(fd: RawFd) -> Result<usize> {
    find(fd)?.next_bytes().ok_or(Errno::ENOENT)
}

/// Whether a socket holds something back.
pub fn holds(fd: RawFd) -> bool {
    find(fd).is_ok_and(|shared| shared.is_holding())
}

/// Forgets sockets that were closed without a word: their numbers may mean others by now.
fn drop_the_closed() {
    let sockets = sockets();
    let mut state = sockets.state.lock();
    let closed: Vec<_> = state.known.extract_if(.., |shared| !shared.is_current()).collect();
    for shared in &closed {
        let number = shared.fd() as usize;
        if sockets.table.get(number).is_some_and(|known| Arc::ptr_eq(&known, shared)) {
            sockets.table.set(number, None);
        }
    }
    drop(state);
    closed.iter().for_each(|shared| shared.close());
}

/// The thread that looks whether a token was lost: the kernel drops datagrams for reasons of its own,
/// and then nobody would hear of those that follow. It also lets go of what sockets hold back. It
/// sleeps while nothing arrives, and ends with the last socket.
fn watch() {
    let mut rest = Rest { looks: 0 };
    loop {
        drop_the_closed();
        let mut state = sockets().state.lock();
        let known = state.known.clone();
        let Some(bells) = state.bells.clone().filter(|_| !known.is_empty()) else {
            state.has_thread = false;
            return;
        };
        drop(state);
        bells.sockets.lower();
        let mut hubs: Vec<&Arc<Hub>> = Vec::new();
        for hub in known.iter().flat_map(|shared| shared.hubs()) {
            if !hubs.iter().any(|other| Arc::ptr_eq(other, hub)) {
                hubs.push(hub);
            }
        }
        hubs.iter().for_each(|hub| hub.service(Looker::Nobody));
        let is_early = known.iter().fold(false, |early, shared| shared.check_token() | early);
        let watched = hubs.iter().flat_map(|hub| hub.watched()).copied();
        let fds: Vec<RawFd> = watched.chain([bells.sockets.fd()]).collect();
        // While this thread sleeps it holds nothing.
        drop(known);
        if !is_early {
            rest.until(&bells.alarm, &fds, None);
        }
        rest.until(&bells.alarm, &[], Some(Instant::now() + LOOK_INTERVAL));
    }
}

/// How the thread waits.
struct Rest {
    /// It looks so many times more before it sleeps.
    looks: u32,
}

impl Rest {
    /// Waits until a descriptor is readable or a token is awaited, or for the end, and meanwhile
    /// lets go of what is held back.
    fn until(&mut self, alarm: &Alarm, fds: &[RawFd], end: Option<Instant>) {
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let known = || sockets().state.lock().known.clone();
            if self.looks > 0 {
                sleep(HOLDING_INTERVAL);
                let has_held = known().iter().fold(false, |any, shared| shared.release() | any);
                self.looks = if has_held { LOOKS } else { self.looks - 1 };
                continue;
            }
            alarm.goes_to_sleep();
            let awaits_token =
                || end.is_none() && known().iter().any(|shared| shared.awaits_token());
            if !known().iter().any(|shared| shared.is_holding()) && !awaits_token() {
                let fds: Vec<RawFd> = fds.iter().copied().chain([alarm.fd()]).collect();
                poll::wait_for_any(&fds, left);
            }
            let was_woken = alarm.has_slept();
            if awaits_token() {
                return;
            }
            if was_woken || known().iter().any(|shared| shared.is_holding()) {
                self.looks = LOOKS;
            } else if end.is_none() {
                return;
            }
        }
    }
}
