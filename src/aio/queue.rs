//! The requests of this process: one set of books, with who sleeps until something in them ends.
//!
//! A child after fork has books of its own: requests are not inherited.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::backend::{self, Backend, Glance};
use super::lanes::Key;
use super::mailbox::Mailbox;
use super::request::{Request, Rest, Route, Stream};
use super::state::State;
use super::{device, helper};
use crate::engine::table::{self, Kind};
use crate::error::{Errno, Result};
use crate::sys::cell::thread_mark;
use crate::sys::futex;
use crate::sys::per_process::PerProcess;
use crate::sys::quiet::{Entered, Quiet};
use crate::sys::spare;
use crate::sys::sync::atomic::AtomicU32;
use crate::sys::tally::{self, Way};
use crate::sys::wait::{Sleep, Uncancellable};

/// Who waits. The leader sleeps in the backend, the others on a word that every end moves on.
#[derive(Default)]
pub struct Sleepers {
    /// The leader's thread, or 0.
    pub leader: u64,
    /// They come with the books locked, and may go without.
    followers: Arc<AtomicUsize>,
}

impl Sleepers {
    pub fn has_followers(&self) -> bool {
        self.followers.load(Ordering::Acquire) > 0
    }
}

pub struct Queue {
    state: Quiet<State>,
    /// Lanes in use, to be looked at without the lock.
    lanes: AtomicUsize,
    word: Arc<AtomicU32>,
    /// As the books have them.
    followers: Arc<AtomicUsize>,
    glance: Glance,
    /// The backend's, which is readable when it has something.
    pub fd: Option<RawFd>,
}

/// What the books and a backend are made of.
const QUEUE_BYTES: usize = 1 << 20;
static QUEUE: PerProcess<Queue> = PerProcess::empty();

/// The queue of this process, if it has had one request that could not be done at once.
pub fn present() -> Option<&'static Queue> {
    QUEUE.get()
}

pub fn queue() -> Result<&'static Queue> {
    present().map_or_else(make, Ok)
}

/// A table asks for randomness and a refusal for its reason, which are cancellation points; aio_read(3)
/// is none.
#[cold]
fn make() -> Result<&'static Queue> {
    let _uncancellable = Uncancellable::begin();
    QUEUE.get_or_try(|| {
        spare::ensure(QUEUE_BYTES)?;
        let mut backend = build()?;
        let (glance, fd) = (backend.glance(), backend.fd());
        let state = State::new(backend);
        Ok(Queue {
            followers: state.sleepers.followers.clone(),
            state: Quiet::new(state),
            lanes: AtomicUsize::new(0),
            word: Arc::new(AtomicU32::new(0)),
            glance,
            fd,
        })
    })
}

/// Chosen as the engine of a channel is. Where there is no ring after all, threads do the work: a
/// smaller one may have been tried before, or the process has forbidden itself more. Descriptors
/// that are used up are the program's to know of.
fn build() -> Result<Box<dyn Backend>> {
    let choice = table::choose(0)?;
    let (kind, reason, backend): (_, _, Box<dyn Backend>) = match choice.kind {
        Kind::Uring => match backend::Ring::new() {
            Ok(ring) => (choice.kind, choice.reason, Box::new(ring)),
            Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => return Err(errno),
            Err(errno) if table::is_required() => return Err(errno),
            Err(errno) => {
                let reason = format!("{}: {errno:?}: no ring for requests", choice.kind.name());
                (Kind::Epoll, reason, Box::new(backend::Threads::new()))
            }
        },
        Kind::Epoll | Kind::AfXdp | Kind::PacketMmap => {
            (choice.kind, choice.reason, Box::new(backend::Threads::new()))
        }
    };
    tally::tell(kind.name(), &reason);
    Ok(backend)
}

/// Whether nothing waits in any lane.
pub fn is_idle() -> bool {
    present().is_none_or(|queue| queue.lanes.load(Ordering::Acquire) == 0)
}

/// Whether a request for this lane has to wait.
pub fn is_occupied(lane: Option<Key>) -> bool {
    match (lane, present()) {
        (Some(lane), Some(queue)) if queue.lanes.load(Ordering::Acquire) > 0 => {
            queue.enter().lanes.is_occupied(&lane)
        }
        _ => false,
    }
}

/// Takes in what has ended, if there is something and nobody else is about to. For a program that
/// asks again and again; costs next to nothing when there is nothing.
pub fn poke() {
    let Some(queue) = present() else { return };
    if !(queue.glance)() {
        return;
    }
    let mut state = queue.enter();
    let leader = state.sleepers.leader;
    if leader == 0 || leader == thread_mark() {
        state.reap();
        if leader != 0 {
            // A signal handler, while its own thread is about to sleep.
            state.backend.kick();
        }
        queue.settle(&mut state);
    }
}

/// Whether the backend has something that nobody has taken in. What it says may be old.
pub fn has_completions() -> bool {
    present().is_some_and(|queue| (queue.glance)())
}

/// Takes in what has ended, on behalf of the channel that this mailbox belongs to.
pub fn reap_for(mailbox: &Mailbox) {
    let Some(queue) = present() else { return };
    let mut state = queue.enter();
    state.collector = std::ptr::from_ref(mailbox).addr();
    state.reap();
    state.collector = 0;
    if state.sleepers.leader == thread_mark() {
        // A signal handler, while its own thread is about to sleep.
        state.backend.kick();
    }
    queue.settle(&mut state);
}

/// A thread of the backend's has done a piece of work.
pub fn bring(index: u32, outcome: Result<usize>) {
    change(|state| {
        state.backend.put(index, outcome);
        if state.is_awaited(index) {
            state.reap();
        }
    });
}

/// The same, when it has only waited for it.
pub fn bring_ready(serial: u64) {
    change(|state| {
        if let Some(index) = state.backend.ready(serial) {
            state.returned(index, Ok(0));
        }
        state.reap();
    });
}

/// Whether a thread of the backend's that has nothing to do may end.
pub fn may_rest() -> bool {
    present().is_none_or(|queue| queue.enter().backend.may_rest())
}

fn change(body: impl FnOnce(&mut State)) {
    let Some(queue) = present() else { return };
    let mut state = queue.enter();
    body(&mut state);
    queue.settle(&mut state);
    helper::call_due(queue, state);
}

impl Queue {
    pub fn enter(&self) -> Entered<'_, State> {
        self.state.enter()
    }

    /// Enters a request that could not be done at once. `EAGAIN`: there is no thread to be had.
    pub fn accept(&'static self, request: &Request, rest: Rest) -> Result<()> {
        request.notification.expect(self.fd)?;
        let mut state = self.enter();
        let accepted = self.take_on(&mut state, request, rest);
        self.begun(state);
        accepted.inspect_err(|_| request.notification.expect_no_more())
    }

    /// The same, for several: [`Queue::settle`] is next.
    pub fn take_on(&'static self, state: &mut State, request: &Request, rest: Rest) -> Result<()> {
        state.ensure_room()?;
        if let Route::Device { file, .. } = rest.route {
            return state.take_on_device(request, file);
        }
        let is_stream = matches!(rest.route, Route::Stream { .. });
        state.backend.prepare(state.entries.len() + 1, is_stream)?;
        let is_group_told = |group: u32| state.groups[group as usize].notification.needs_thread();
        let is_told =
            request.notification.needs_thread() || request.group.is_some_and(is_group_told);
        // A channel that tells of a request also sees to it that it goes on.
        let mut needs_helper = !state.backend.is_self_driven()
            && (is_told
                || !request.notification.is_event() && has_sequel(state, &rest.route, request));
        if needs_helper && let Err(errno) = helper::ensure(self, state) {
            if is_told {
                return Err(errno);
            }
            // It goes on whenever the program asks.
            needs_helper = false;
        }
        let index = state.enter(request, rest, needs_helper);
        state.begin(index);
        tally::add(if state.backend.is_self_driven() { Way::Threads } else { Way::Ring });
        Ok(())
    }

    /// Leaves the books after something was begun.
    pub fn begun(&'static self, mut state: Entered<'static, State>) {
        self.settle(&mut state);
        let is_refused = state.backend.is_refused();
        device::begin_due(self, state);
        if is_refused {
            helper::call_due(self, self.enter());
        }
    }

    /// Ends a change of the books: what was begun goes out, and whoever should look is woken.
    pub fn settle(&self, state: &mut State) {
        state.flush();
        if state.devices.has_errands() {
            device::ring();
        }
        self.lanes.swap(state.lanes.len(), Ordering::Release);
        let me = thread_mark();
        let has_news = std::mem::take(&mut state.has_news);
        let leader = state.sleepers.leader;
        let has_errand = state.helper.has_errand() && state.helper.mark != me;
        let helper_leads = leader != 0 && leader == state.helper.mark;
        if state.sleepers.has_followers() && (has_news || has_errand && !helper_leads) {
            self.word.fetch_add(1, Ordering::Release);
            futex::wake(&self.word, i32::MAX);
        }
        if leader != 0 && leader != me && (has_news || has_errand && helper_leads) {
            state.backend.kick();
            state.flush();
        }
    }

    /// Sleeps until something ends, as leader if there is none.
    pub fn lie_down(&self, state: &mut State) -> (Role, Sleep) {
        if state.sleepers.leader == 0
            && let Some(sleep) = state.backend.sleep()
        {
            state.sleepers.leader = thread_mark();
            return (Role::Leader, sleep);
        }
        self.follow(state)
    }

    /// As [`Queue::lie_down`] of a signal handler, on top of its own thread that sleeps as leader.
    pub fn lie_on_top(&self, state: &mut State) -> (Role, Sleep) {
        match state.backend.sleep() {
            Some(sleep) => (Role::Nested, sleep),
            None => self.follow(state),
        }
    }

    /// Sleeps until something ends, with the books locked up to the moment when it is counted.
    pub fn follow(&self, _locked: &mut State) -> (Role, Sleep) {
        self.followers.fetch_add(1, Ordering::AcqRel);
        let expected = self.word.load(Ordering::Acquire);
        (Role::Follower, Sleep::Word { word: self.word.clone(), expected })
    }

    /// Is awake again.
    pub fn get_up(&self, state: &mut State, role: Role) {
        match role {
            Role::Awake => {}
            Role::Leader => {
                state.sleepers.leader = 0;
                // One of the others has to lead.
                state.has_news = true;
            }
            // The leader below may find nothing in the ring of what it waits for.
            Role::Nested => state.backend.kick(),
            Role::Follower => self.leave(),
        }
    }

    /// A follower is awake again. When whoever leads stops, all of them are woken: one that need
    /// not look any more takes nothing from the others.
    pub fn leave(&self) {
        self.followers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How a thread sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Awake,
    Leader,
    Nested,
    Follower,
}

/// Whether a write cannot be finished by the backend alone: another one has to be started after
/// it, or it goes on in parts. The other side may wait for that without this program asking.
fn has_sequel(state: &State, route: &Route, request: &Request) -> bool {
    let Route::Stream { stream, lane } = route else { return false };
    request.operation.is_write()
        && (*stream == Stream::Pipe || lane.is_some_and(|lane| state.lanes.is_occupied(&lane)))
}
