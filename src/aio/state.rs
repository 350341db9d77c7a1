//! The books: every request under way, in what order they go on, and what follows from their ends.
//!
//! Invariants: a request has an entry from its acceptance until its block tells the result; what is
//! in an entry when it ends was copied there before, because the block may be gone at once. Whatever
//! is called while completions are taken in allocates nothing.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use slab::Slab;

use super::backend::{Backend, ENDED_MAX, Means, Work};
use super::device::Books;
use super::inline;
use super::lanes::{Key, Lanes};
use super::mailbox::Spent;
use super::queue::Sleepers;
use super::request::{End, Entry, Notification, Operation, Phase, Request, Rest, Route, Stream};
use crate::engine::Path;
use crate::error::{Errno, Result};
use crate::sys::cell::thread_mark;
use crate::sys::control::{Control, Ticket};
use crate::sys::descriptor;
use crate::sys::exchange::{self, Envelope};
use crate::sys::notify::Callback;
use crate::sys::poll;
use crate::sys::spare;
use crate::sys::transfer::{self, NO_OFFSET};

/// Requests of one `lio_listio`.
pub struct Group {
    /// Those that have not ended, and one while the list is still being begun.
    pub left: usize,
    pub notification: Notification,
    /// How many there are, for whoever is told.
    pub requests: usize,
    /// A thread waits for it and removes it.
    pub is_awaited: bool,
}

/// Our thread, as the books know it.
#[derive(Default)]
pub struct Helper {
    pub is_running: bool,
    pub mark: u64,
    /// Requests and lists that need it.
    pub needed: usize,
    /// Requests that it is to start.
    pub to_start: VecDeque<u32>,
    /// Functions that it is to call, each in a thread.
    pub to_call: VecDeque<Callback>,
}

const ENTRIES_MIN: usize = 64;
/// What a request takes, in all tables.
const ENTRY_BYTES: usize = 2 * size_of::<Entry>();

pub struct State {
    pub entries: Slab<Entry>,
    /// Entries for which there is room in all tables.
    ensured: usize,
    pub groups: Slab<Group>,
    pub lanes: Lanes,
    pub backend: Box<dyn Backend>,
    pub helper: Helper,
    pub devices: Books,
    /// Synchronisations that wait for writes.
    barriers: Vec<u32>,
    /// Requests that the backend did not take.
    to_retry: VecDeque<u32>,
    ended: Vec<(u32, Result<usize>)>,
    next_number: u64,
    /// Something has happened that those who sleep may want to know.
    pub has_news: bool,
    pub sleepers: Sleepers,
    /// What is known of sends without a copy.
    pub paths: HashMap<Key, Path>,
    /// The mailbox whose channel takes in what has ended, by address.
    pub collector: usize,
    spent: Vec<Spent>,
    /// The outcome of the request that is being cancelled.
    pub watched: Option<(u64, Option<Result<usize>>)>,
}

impl State {
    pub fn new(backend: Box<dyn Backend>) -> Self {
        Self {
            entries: Slab::new(),
            ensured: 0,
            groups: Slab::new(),
            lanes: Lanes::default(),
            backend,
            helper: Helper::default(),
            devices: Books::default(),
            barriers: Vec::new(),
            to_retry: VecDeque::new(),
            ended: Vec::with_capacity(ENDED_MAX),
            next_number: 1,
            has_news: false,
            sleepers: Sleepers::default(),
            paths: HashMap::new(),
            collector: 0,
            spent: Vec::new(),
            watched: None,
        }
    }

    /// The entry of a block, if it is under way.
    pub fn find(&self, control: Control) -> Option<u32> {
        let Ticket { number, slot } = control.ticket();
        let entry = self.entries.get(slot as usize)?;
        (entry.number == number && entry.request.control == control).then_some(slot)
    }

    /// Room for one more, and for as many as there are. `EAGAIN`: there is no memory for that.
    pub fn ensure_room(&mut self) -> Result<()> {
        let count = self.entries.len();
        if count < self.ensured {
            return Ok(());
        }
        let room = (2 * count).max(ENTRIES_MIN);
        // For a moment there are both, what was and what is to be.
        spare::ensure(2 * room * ENTRY_BYTES).map_err(|_| Errno::EAGAIN)?;
        self.entries.reserve(room - count);
        self.barriers.reserve(room);
        self.to_retry.reserve(room);
        self.helper.to_start.reserve(room);
        self.helper.to_call.reserve(room + self.groups.len() + 1);
        self.spent.reserve(2 * room + self.groups.len() + 1);
        self.ensured = room;
        Ok(())
    }

    /// Room for one more, so that nothing is allocated when it ends.
    fn reserve(&mut self) {
        let more = self.entries.len() + 1;
        self.entries.reserve(1);
        self.lanes.reserve();
        self.barriers.reserve(more);
        self.to_retry.reserve(more);
        self.helper.to_start.reserve(more);
        self.helper.to_call.reserve(more + self.groups.len() + 1);
        // Here memory may be freed.
        self.spent.clear();
        self.spent.reserve(2 * more + self.groups.len() + 1);
    }

    /// Enters a request; [`State::begin`] is next.
    pub fn enter(&mut self, request: &Request, rest: Rest, needs_helper: bool) -> u32 {
        self.reserve();
        let number = self.next_number;
        self.next_number += 1;
        let mut envelope =
            request.operation.call().and_then(|call| Envelope::new(call, request.memory));
        if let Some(envelope) = &mut envelope
            && rest.done > 0
        {
            envelope.skip(rest.done);
        }
        let call = request.operation.call();
        let entry = Entry {
            request: request.clone(),
            takes_all: call.is_some_and(|call| call.wants_all() && exchange::is_stream(request.fd)),
            envelope,
            is_connecting: false,
            is_refused: false,
            is_futile: false,
            is_uncopied: false,
            number,
            route: rest.route,
            done: rest.done,
            phase: Phase::Queued,
            is_cancelled: false,
            needs_helper,
            is_unaskable: false,
            ahead: 0,
            next: None,
            kept: None,
            file: needs_helper.then(|| transfer::identity(request.fd).ok()).flatten(),
        };
        let slot = self.entries.insert(entry) as u32;
        request.control.set_ticket(Ticket { number, slot });
        if needs_helper {
            self.helper.needed += 1;
        }
        if let Some(group) = request.group {
            self.groups[group as usize].left += 1;
        }
        slot
    }

    /// Starts a request that was entered, if nothing has to come before it.
    pub fn begin(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        if let Some(lane) = entry.route.lane() {
            let is_stream = matches!(entry.route, Route::Stream { .. });
            if !self.lanes.enter(lane, index, &mut self.entries) {
                // The program may close its descriptor before this one's turn comes.
                if is_stream {
                    self.lanes.keep(&lane);
                }
                return;
            }
        } else if matches!(entry.request.operation, Operation::Sync { .. }) {
            let (fd, route) = (entry.request.fd, entry.route);
            // What has ended and was not asked for is nothing to wait for.
            self.reap();
            let ahead = self.entries.iter().filter(|(_, other)| is_ahead(other, fd, route)).count();
            self.entries[index as usize].ahead = ahead;
            if ahead > 0 {
                self.barriers.push(index);
                return;
            }
        }
        match self.entries[index as usize].route {
            Route::Device { place, .. } => self.hand_over(index, place, true),
            _ => self.dispatch(index),
        }
    }

    /// Starts one whose turn it is, or has our thread do it: news of what a thread has submitted
    /// reaches the kernel's idea of that thread as a signal, which would end a sigwaitinfo(2) or
    /// an epoll_wait(2) of the program's before the notification comes.
    fn dispatch(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        if let Route::Device { place, .. } = entry.route {
            self.hand_over(index, place, false);
        } else if entry.needs_helper && self.helper.mark != thread_mark() {
            entry.phase = Phase::Handed;
            self.helper.to_start.push_back(index);
        } else {
            self.start(index);
        }
    }

    pub fn start(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        if let Route::Append { lane } = entry.route
            && !lane.is_current()
        {
            return self.end(index, Err(Errno::EBADF));
        }
        if entry.file.is_some() {
            let entry = &self.entries[index as usize];
            if entry.file != transfer::identity(self.descriptor(entry)).ok() {
                return self.end(index, Err(Errno::EBADF));
            }
        }
        let is_self_driven = self.backend.is_self_driven();
        let entry = &mut self.entries[index as usize];
        let means = match entry.call() {
            None => means(entry, is_self_driven),
            Some(call) => match self.call_means(index, call) {
                Some(means) => means,
                None => return,
            },
        };
        let entry = &mut self.entries[index as usize];
        let is_await = matches!(means, Means::Await { .. } | Means::Pause);
        entry.phase = if is_await { Phase::Polled } else { Phase::Started };
        if is_await {
            self.keep(index);
        }
        let entry = &self.entries[index as usize];
        let work = Work { fd: self.descriptor(entry), memory: entry.rest(), means };
        match self.backend.start(index, &work) {
            Ok(()) => {}
            Err(Errno::EPERM) if is_await => {
                self.entries[index as usize].is_unaskable = true;
                self.start(index);
            }
            Err(_) => {
                self.entries[index as usize].phase = Phase::Handed;
                self.to_retry.push_back(index);
            }
        }
    }

    /// What is done in parts is done with a descriptor of ours: the program may close its own.
    fn keep(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        match entry.route.lane() {
            Some(lane) => self.lanes.keep(&lane),
            None if entry.kept.is_none() => {
                entry.kept = descriptor::duplicate(entry.request.fd).ok()
            }
            None => {}
        }
    }

    pub fn descriptor(&self, entry: &Entry) -> RawFd {
        let of_lane = || self.lanes.kept(&entry.route.lane()?);
        entry.kept.as_ref().map(AsRawFd::as_raw_fd).or_else(of_lane).unwrap_or(entry.request.fd)
    }

    /// Takes in what has ended, and starts what may begin because of it.
    pub fn reap(&mut self) {
        loop {
            let mut ended = std::mem::take(&mut self.ended);
            self.has_news |= self.backend.reap(&mut ended);
            let is_idle = ended.is_empty();
            for (index, outcome) in ended.drain(..) {
                self.returned(index, outcome);
            }
            self.ended = ended;
            for _ in 0..self.to_retry.len() {
                if let Some(index) = self.to_retry.pop_front() {
                    self.start(index);
                }
            }
            if self.backend.is_refused() {
                // Our thread may sleep where nobody can wake it any more.
                while let Some(index) = self.helper.to_start.pop_front() {
                    self.start(index);
                }
            }
            let has_refused = self.backend.flush();
            if is_idle && !has_refused {
                return;
            }
        }
    }

    /// What was begun goes out.
    pub fn flush(&mut self) {
        let has_refused = self.backend.flush();
        if has_refused || self.backend.is_refused() && !self.helper.to_start.is_empty() {
            self.reap();
        }
    }

    /// Whether somebody or something waits for a request: it is not left until it is asked for.
    pub fn is_awaited(&self, index: u32) -> bool {
        let Some(entry) = self.entries.get(index as usize) else { return false };
        self.sleepers.has_followers()
            || !self.barriers.is_empty()
            || entry.request.notification.is_due_unasked()
            || entry.request.group.is_some()
            || matches!(entry.route, Route::Append { .. } | Route::Stream { .. })
    }

    /// The backend is done with a request, which may not be the end of it.
    pub fn returned(&mut self, index: u32, outcome: Result<usize>) {
        let entry = &mut self.entries[index as usize];
        if let Some(call) = entry.call() {
            return self.called(index, call, outcome);
        }
        match outcome {
            Ok(_) | Err(Errno::ETIME) if entry.phase == Phase::Polled => self.go_on(index),
            Ok(count) => {
                entry.done += count;
                let is_short = count > 0 && entry.done < entry.request.memory.length;
                if is_short && entry.is_stream_write() && !entry.is_cancelled {
                    self.start(index);
                } else {
                    let done = entry.done;
                    self.end(index, Ok(done));
                }
            }
            // Not our doing: the thread that submitted it has ended.
            Err(Errno::ECANCELED | Errno::EINTR) if !entry.is_cancelled => self.start(index),
            Err(_) if entry.done > 0 => {
                let done = entry.done;
                self.end(index, Ok(done));
            }
            Err(Errno::EINTR) => self.end(index, Err(Errno::ECANCELED)),
            Err(errno) => self.end(index, Err(errno)),
        }
    }

    /// A stream has something to read, or room for something to write.
    fn go_on(&mut self, index: u32) {
        let fd = self.descriptor(&self.entries[index as usize]);
        let entry = &mut self.entries[index as usize];
        let Route::Stream { stream, .. } = entry.route else { return self.start(index) };
        let memory = entry.rest();
        let is_write = entry.is_write();
        let answer = if is_write {
            inline::write_stream_now(fd, stream, memory, false)
        } else {
            inline::read_stream_now(fd, stream, memory)
        };
        match answer {
            Ok(count) => {
                entry.done += count;
                if is_write && count < memory.length {
                    return self.start(index);
                }
                let done = entry.done;
                self.end(index, Ok(done));
            }
            Err(Errno::EAGAIN) if !is_write && exchange::is_shut_down(fd) => {
                let done = entry.done;
                self.end(index, Ok(done));
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {
                let events = if is_write { libc::POLLOUT } else { libc::POLLIN };
                let found = poll::now(fd, events).unwrap_or(0);
                entry.is_futile = poll::is_error_alone(found, events);
                self.start(index);
            }
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                entry.is_unaskable = true;
                self.start(index);
            }
            Err(_) if entry.done > 0 => {
                let done = entry.done;
                self.end(index, Ok(done));
            }
            Err(errno) => self.end(index, Err(errno)),
        }
    }

    /// The end of a request: those behind it go on, its block tells, the program is told.
    pub fn end(&mut self, index: u32, outcome: Result<usize>) {
        if let Some(lane) = self.entries[index as usize].route.lane()
            && let Some(next) = self.lanes.leave(lane, index, &mut self.entries)
        {
            self.dispatch(next);
        }
        let mut entry = self.entries.remove(index as usize);
        if let Some(mut envelope) = entry.envelope.take() {
            if outcome.is_ok() {
                envelope.tell();
            }
            self.spent.push(Spent::Envelope { _of: envelope });
        }
        if entry.phase == Phase::Handed {
            self.helper.to_start.retain(|&handed| handed != index);
            self.to_retry.retain(|&handed| handed != index);
        }
        self.barriers.retain(|&barrier| barrier != index);
        if entry.is_write() {
            self.pass_barriers(&entry);
        }
        if let Some((number, outcome_of_watched)) = &mut self.watched
            && *number == entry.number
        {
            *outcome_of_watched = Some(outcome);
        }
        self.has_news = true;
        entry.request.control.finish(outcome);
        let end = entry.request.end(outcome);
        self.tell(entry.request.notification, &end);
        if entry.needs_helper {
            self.helper.needed -= 1;
        }
        if let Some(group) = entry.request.group {
            self.leave_group(group);
        }
    }

    fn pass_barriers(&mut self, write: &Entry) {
        for place in 0..self.barriers.len() {
            let barrier = &mut self.entries[self.barriers[place] as usize];
            if is_ahead(write, barrier.request.fd, barrier.route) && write.number < barrier.number {
                barrier.ahead -= 1;
            }
        }
        while let Some(place) =
            self.barriers.iter().position(|&barrier| self.entries[barrier as usize].ahead == 0)
        {
            let index = self.barriers.remove(place);
            self.dispatch(index);
        }
    }

    pub fn add_group(&mut self, group: Group) -> u32 {
        self.groups.insert(group) as u32
    }

    /// One request fewer to wait for.
    pub fn leave_group(&mut self, index: u32) {
        let group = &mut self.groups[index as usize];
        group.left -= 1;
        if group.left > 0 {
            return;
        }
        self.has_news = true;
        if group.is_awaited {
            return;
        }
        let group = self.groups.remove(index as usize);
        if group.notification.needs_thread() {
            self.helper.needed -= 1;
        }
        self.tell(group.notification, &End::List { requests: group.requests });
    }

    /// Signals are sent by whoever is here; a function needs a thread, which a signal handler must
    /// not start; a channel finds its event when it looks.
    fn tell(&mut self, notification: Notification, end: &End) {
        match notification {
            Notification::Call(callback) => self.helper.to_call.push_back(callback),
            Notification::Event { mailbox, cookie, list } => {
                let is_here = Arc::as_ptr(&mailbox).addr() == self.collector;
                mailbox.put(end.letter(cookie, list), is_here);
                self.spent.push(Spent::Mailbox { _of: mailbox });
            }
            other => other.send(end),
        }
    }
}

/// Whether a synchronisation of the descriptor that comes now has to wait for it.
fn is_ahead(entry: &Entry, fd: i32, route: Route) -> bool {
    let is_same = match (entry.route, route) {
        (Route::Device { file: one, .. }, Route::Device { file: other, .. }) => one == other,
        (Route::Device { .. }, _) | (_, Route::Device { .. }) => false,
        _ => entry.request.fd == fd,
    };
    is_same && entry.is_write() && !entry.is_stream_write()
}

/// How a request is done; `waits_for_streams`: by the library, when the stream is ready.
fn means(entry: &Entry, waits_for_streams: bool) -> Means {
    let offset = entry.request.offset.saturating_add(entry.done as i64);
    let is_write = entry.is_write();
    match (entry.request.operation, entry.route) {
        (Operation::Sync { data_only }, _) => Means::Sync { data_only },
        (_, Route::Stream { .. }) if entry.is_futile => Means::Pause,
        (_, Route::Stream { stream, .. })
            if !entry.is_unaskable
                && (waits_for_streams || is_write && is_for_us(stream, entry.request.fd)) =>
        {
            Means::Await { is_write }
        }
        (Operation::Write, Route::Stream { stream: Stream::Socket, .. }) => Means::Send,
        (Operation::Read, Route::Stream { .. }) => {
            Means::Read { offset: NO_OFFSET, offload: false }
        }
        (Operation::Write, Route::Stream { .. }) => {
            Means::Write { offset: NO_OFFSET, offload: false }
        }
        (operation, route) => {
            let offload = matches!(route, Route::File { offload: true });
            match operation {
                Operation::Read => Means::Read { offset, offload },
                _ => Means::Write { offset, offload },
            }
        }
    }
}

/// Whether the ring would write amiss where there is no room at once: a pipe takes a part and raises a
/// signal, and the bytes of a message are gone when it tries again (see `socket.rs`).
fn is_for_us(stream: Stream, fd: RawFd) -> bool {
    match stream {
        Stream::Pipe => true,
        Stream::Socket => !exchange::is_stream(fd),
        Stream::Other => false,
    }
}
