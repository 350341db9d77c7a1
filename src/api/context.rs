//! What belongs to this process: which descriptor is a channel or an associated socket, and
//! which handle is an area.
//!
//! A child after fork gets a context of its own; the parent's is kept, unreachable for change, so
//! that calls on the parent's objects are told apart (`EPERM`) from calls on nothing.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;

use super::mqueue::Registration;
use super::summons::Summons;
use super::table::{Glances, Register, Table};
use super::tail::Tail;
use super::timer;
use crate::channel::{Channel, State};
use crate::engine::table::Choice;
use crate::engine::{Key, Socket};
use crate::error::{Errno, Result};
use crate::limits::{DESCRIPTOR_MAX, REGION_MAX};
use crate::region::Region;
use crate::sys::cell::Current;
use crate::sys::fork;
use crate::sys::glance::{Glimpse, Taken};
use crate::sys::own::{Own, own};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::atomic::{AtomicU32, Ordering};
use crate::sys::sync::{Mutex, MutexGuard};

/// A socket that works in an area.
pub struct Association {
    pub socket: Arc<Socket>,
    /// The engine that was picked, and why not another.
    pub choice: Choice,
    /// The bits of engines that flags insisted on.
    pub insist: u32,
    /// The `size` of `dma_assoc`.
    pub limit_bytes: usize,
    attachment: Current<Attached>,
    pub tail: Tail,
    /// For threads that sleep until something arrives, beside the engine.
    pub summons: Summons,
    /// Calls since it was last tried to have it found quickly.
    calls: AtomicU32,
}

/// The channel that a socket reports to.
#[derive(Clone)]
pub struct Attached {
    pub channel: Arc<Channel>,
    pub key: Key,
}

/// A socket as calls find it that come again and again: see [`Context::glance_at_socket`].
pub struct Quick {
    pub socket: Arc<Socket>,
    /// The channel. `None`: it is in none, and an interface serves it.
    pub attached: Option<Attached>,
}

/// To have a socket found quickly takes as long as some calls that have to look for it, and so does
/// ending that: most connections of a server that answers one question each are not worth it.
const CALLS_MIN: u32 = 16;

impl Association {
    pub fn new(socket: Arc<Socket>, choice: Choice, insist: u32, limit_bytes: usize) -> Arc<Self> {
        socket.counters.tally.set_engine(choice.kind.code());
        socket.counters.tally.set_reason(&choice.reason);
        let tail = Tail::new(socket.identity);
        Arc::new(Self {
            socket,
            choice,
            insist,
            limit_bytes,
            attachment: Current::empty(),
            tail,
            summons: Summons::default(),
            calls: AtomicU32::new(0),
        })
    }

    /// The channel, unless it has been destroyed meanwhile.
    pub fn attached(&self) -> Option<Arc<Attached>> {
        self.attachment.get().filter(|attached| !attached.channel.is_dead())
    }

    /// Does something in the channel, and ends the change. `None`: it reports to none by now.
    pub fn in_channel<R>(
        &self,
        change: impl FnOnce(&Arc<Attached>, &mut State) -> Result<R>,
    ) -> Option<Result<R>> {
        let mut before = None;
        loop {
            let attached = self.attached()?;
            let Attached { channel, key } = &*attached;
            let mut state = match channel.enter() {
                Err(Errno::EBADF) if channel.is_dead() => return None,
                Err(errno) => return Some(Err(errno)),
                Ok(state) => state,
            };
            // It may have been taken out before this thread came in: who does that says so inside.
            let is_known = before.is_some_and(|before| Arc::ptr_eq(&before, &attached));
            if state.has_socket(*key) || is_known {
                let answer = change(&attached, &mut state);
                return Some(channel.settle(&mut state).and(answer));
            }
            drop(state);
            before = Some(attached);
        }
    }

    /// Lends the same for a moment, be it destroyed or not.
    pub fn with_attached<R>(&self, look: impl FnOnce(Option<&Arc<Attached>>) -> R) -> R {
        self.attachment.with(look)
    }

    /// It reports to a channel from now on, or to none.
    pub fn attach(&self, attached: Option<Attached>) {
        let before = self.attachment.set(attached.map(Arc::new));
        self.has_moved(before.is_some());
    }

    /// It does not report like this any more, if it still does.
    pub fn leave(&self, attached: &Arc<Attached>) {
        self.attachment.clear_if(attached);
        self.has_moved(true);
    }

    /// Calls are to find it anew, and threads that sleep beside the engine to look where it is.
    fn has_moved(&self, was_attached: bool) {
        if was_attached || self.socket.flow().is_some() {
            context().end_quick(self);
        }
        self.summons.ring();
    }

    /// It does not report to that channel any more, if it still does.
    pub fn part_from(&self, channel: &Arc<Channel>) -> bool {
        let attached = self.attachment.get();
        let attached = attached.filter(|attached| Arc::ptr_eq(&attached.channel, channel));
        if let Some(attached) = &attached {
            // Not if it has come into another channel meanwhile.
            self.leave(attached);
        }
        attached.is_some()
    }

    /// As it is to be found quickly from the beginning to the end: a socket that an interface serves.
    fn always_quick(&self) -> Option<Arc<Quick>> {
        self.socket.flow()?;
        let attached = self.attached().map(|attached| Attached::clone(&attached));
        Some(Arc::new(Quick { socket: self.socket.clone(), attached }))
    }

    /// One more call had to look for it; `true`: the next ones should not have to.
    pub fn count_call(&self) -> bool {
        let calls = self.calls.load(Ordering::Relaxed) + 1;
        self.calls.store(calls % CALLS_MIN, Ordering::Relaxed);
        calls == CALLS_MIN
    }
}

pub struct Context {
    channels: Table<Channel>,
    sockets: Table<Association>,
    regions: Table<Region>,
    /// Channels, sockets that are used much, and areas, once more.
    quick_channels: Glances<Channel>,
    quick_sockets: Glances<Quick>,
    quick_regions: Glances<Region>,
    /// What timer_create has made, by id; what mq_notify has registered, by queue.
    pub timers: Register<timer::Handle>,
    pub queues: Register<Registration>,
    /// Serialises changes of the tables; readers take nothing.
    handles: Mutex<Handles>,
    /// One thread at a time frees an area.
    frees: Mutex<()>,
}

#[derive(Default)]
struct Handles {
    next_slot: usize,
    free_slots: Vec<usize>,
    generation: u64,
}

const SLOT_BITS: u32 = 16;
const _: () = assert!(REGION_MAX == 1 << SLOT_BITS);

static CONTEXT: PerProcess<Context> = PerProcess::empty();

/// The context of this process.
#[inline]
pub fn context() -> &'static Context {
    CONTEXT.get_or_make(|| Context {
        channels: Table::new(DESCRIPTOR_MAX),
        sockets: Table::new(DESCRIPTOR_MAX),
        regions: Table::new(REGION_MAX),
        quick_channels: Glances::new(DESCRIPTOR_MAX),
        quick_sockets: Glances::new(DESCRIPTOR_MAX),
        quick_regions: Glances::new(REGION_MAX),
        timers: Register::new(),
        queues: Register::new(),
        handles: Mutex::new(Handles::default()),
        frees: Mutex::default(),
    })
}

fn index(fd: RawFd) -> Result<usize> {
    usize::try_from(fd).map_err(|_| Errno::EBADF)
}

impl Context {
    fn lock(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock()
    }

    /// The channel behind a descriptor: `EBADF` if it is none, `EPERM` if it is the parent's.
    pub fn channel(&self, fd: RawFd) -> Result<Arc<Channel>> {
        let index = index(fd)?;
        if let Some(channel) = self.channels.get(index) {
            return Ok(channel);
        }
        let inherited = CONTEXT.inherited().any(|context| context.channels.get(index).is_some());
        Err(if inherited { Errno::EPERM } else { Errno::EBADF })
    }

    pub fn add_channel(&self, channel: &Arc<Channel>) -> Result<()> {
        let index = index(channel.fd())?;
        let old = self.channels.set(index, Some(channel.clone())).ok_or(Errno::EMFILE)?;
        self.quick_channels.set(index, channel.clone());
        // The program has closed a channel with close(2): its number is ours now, and dropping
        // the old one would close it again.
        std::mem::forget(old);
        Ok(())
    }

    pub fn remove_channel(&self, fd: RawFd) {
        if let Ok(index) = index(fd) {
            self.quick_channels.clear(index);
            self.channels.set(index, None);
        }
    }

    /// Looks at the channel behind a descriptor. `None`: there is none, or not now, or not like this.
    #[inline]
    pub fn glance_at_channel<R>(&self, fd: RawFd, body: impl FnOnce(&Channel) -> R) -> Option<R> {
        let index = usize::try_from(fd).ok()?;
        // In the model there are no glances, but what is done in one is tried there.
        if cfg!(feature = "model") {
            return self.channels.with(index, |channel| channel.map(|channel| body(channel)));
        }
        own(|own| self.quick_channels.look(own, index).map(|channel| body(&channel)))
    }

    /// The association of a descriptor: `EINVAL` if it has none, `EPERM` if the parent has.
    pub fn socket(&self, fd: RawFd) -> Result<Arc<Association>> {
        let index = index(fd)?;
        if let Some(association) = self.sockets.get(index) {
            return Ok(association);
        }
        Err(self.why_no_socket(fd, index))
    }

    /// Looks at the socket behind a descriptor, if an interface serves it, or if it is attached to a
    /// channel and was used again and again. `None`: not now, or not like this.
    #[inline(always)]
    pub fn glance_at_socket(&self, own: &Own, fd: RawFd) -> Option<Glimpse<'_, Quick>> {
        self.quick_sockets.look(own, usize::try_from(fd).ok()?)
    }

    /// From now on the socket of a channel is found by [`Context::glance_at_socket`].
    #[cold]
    pub fn begin_quick(&self, fd: RawFd) {
        let Ok(index) = index(fd) else { return };
        // Whoever changes something of what is looked at here comes for the lock afterwards.
        let _guard = self.lock();
        if self.quick_sockets.has(index) {
            return;
        }
        if let Some(association) = self.sockets.get(index)
            && let Some(attached) = association.attached()
            && !association.tail.is_busy()
        {
            let attached = Some(Attached::clone(&attached));
            let quick = Quick { socket: association.socket.clone(), attached };
            self.quick_sockets.set(index, Arc::new(quick));
        }
    }

    /// The socket is not any more what was to be found quickly: if an interface serves it, it is found
    /// as it is now.
    pub fn end_quick(&self, association: &Association) {
        let Ok(index) = index(association.socket.fd) else { return };
        let guard = self.lock();
        let quick = || self.quick_sockets.replace(index, association.always_quick());
        let taken = self.knows(association).then(quick);
        // Before whoever looks is waited for, and a channel may go.
        drop(guard);
        drop(taken);
    }

    /// Looks at the area behind a handle. `None`: not now, or not like this.
    #[inline(always)]
    pub fn glance_at_region(&self, own: &Own, handle: u64) -> Option<Glimpse<'_, Region>> {
        let slot = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        self.quick_regions.look(own, slot).filter(|region| region.handle() == handle)
    }

    /// Lends the association of a descriptor for a moment, if it has one.
    pub fn with_socket<R>(
        &self,
        fd: RawFd,
        look: impl FnOnce(Option<&Arc<Association>>) -> R,
    ) -> R {
        match usize::try_from(fd) {
            Ok(index) => self.sockets.with(index, look),
            Err(_) => look(None),
        }
    }

    #[cold]
    fn why_no_socket(&self, fd: RawFd, index: usize) -> Errno {
        let is_inherited = |context: &Context| {
            context.sockets.get(index).is_some_and(|found| found.socket.is_current())
        };
        if !crate::sys::descriptor::is_open(fd) {
            Errno::EBADF
        } else if CONTEXT.inherited().any(is_inherited) {
            Errno::EPERM
        } else {
            Errno::EINVAL
        }
    }

    /// As [`Context::socket`], but made sure that the descriptor still means that socket.
    pub fn current_socket(&self, fd: RawFd) -> Result<Arc<Association>> {
        let association = self.socket(fd)?;
        if association.socket.is_current() {
            return Ok(association);
        }
        Err(Self::why_not_current(fd))
    }

    /// What a call says of a descriptor that does not mean the socket of its association any more.
    pub fn why_not_current(fd: RawFd) -> Errno {
        if crate::sys::descriptor::is_open(fd) { Errno::EINVAL } else { Errno::EBADF }
    }

    /// Enters a new association, or gives the one that is there already. `EINVAL`: the area is gone.
    pub fn add_socket(&self, association: &Arc<Association>) -> Result<Option<Arc<Association>>> {
        let _guard = self.lock();
        let Ok(index) = index(association.socket.fd) else { return Ok(None) };
        if let Some(old) = self.sockets.get(index) {
            return Ok(Some(old));
        }
        association.socket.region.associate()?;
        self.sockets.set(index, Some(association.clone()));
        if let Some(quick) = association.always_quick() {
            self.quick_sockets.set(index, quick);
        }
        Ok(None)
    }

    /// It reports to a channel from now on, whose lock is held. `EINVAL`: another thread has taken it out
    /// of the table; `EBUSY`: another thread has attached it.
    pub fn attach(&self, association: &Arc<Association>, attached: Attached) -> Result<()> {
        // What was there goes without the lock: it may be the last of a channel.
        let (present, before);
        {
            let _guard = self.lock();
            if !self.knows(association) {
                return Err(Errno::EINVAL);
            }
            present = association.attached();
            if present.is_some() {
                return Err(Errno::EBUSY);
            }
            before = association.attachment.set(Some(Arc::new(attached)));
        }
        association.has_moved(before.is_some());
        Ok(())
    }

    fn knows(&self, association: &Association) -> bool {
        let Ok(index) = index(association.socket.fd) else { return false };
        let is_that = |found: &Arc<Association>| ptr::eq(&raw const **found, association);
        self.sockets.with(index, |found| found.is_some_and(is_that))
    }

    /// Takes an association out, unless another thread has attached it to a channel: `false`. `EINVAL`:
    /// another thread has taken it out.
    pub fn remove_alone(&self, association: &Arc<Association>) -> Result<bool> {
        let (present, taken);
        {
            let guard = self.lock();
            if !self.knows(association) {
                return Err(Errno::EINVAL);
            }
            present = association.attached();
            if present.is_some() {
                return Ok(false);
            }
            taken = self.take_socket(association, &guard);
        }
        Self::let_go(association, taken);
        Ok(true)
    }

    /// Takes an association out, if it is still the one in the table.
    pub fn remove_socket(&self, association: &Arc<Association>) {
        let guard = self.lock();
        let taken = self.take_socket(association, &guard);
        drop(guard);
        Self::let_go(association, taken);
    }

    /// What was taken out is let go without the lock: whoever looks is waited for, and a channel may go.
    /// Only then does nobody receive into the area any more.
    fn let_go(association: &Association, taken: Option<Option<Taken<Quick>>>) {
        if let Some(quick) = taken {
            drop(quick);
            association.socket.region.disassociate();
        }
    }

    /// `None`: it is not there any more. Otherwise [`Context::let_go`] is to follow.
    fn take_socket(
        &self,
        association: &Arc<Association>,
        _guard: &MutexGuard<'_, Handles>,
    ) -> Option<Option<Taken<Quick>>> {
        let index = index(association.socket.fd).ok().filter(|_| self.knows(association))?;
        let taken = self.quick_sockets.take(index);
        self.sockets.set(index, None);
        association.socket.end_receives();
        association.summons.ring();
        if let Some(flow) = association.socket.flow() {
            flow.call(false);
        }
        Some(taken)
    }

    /// The area behind a handle: `EINVAL` if it is none, `EPERM` if it is the parent's.
    pub fn region(&self, handle: u64) -> Result<Arc<Region>> {
        let slot = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        let find = |context: &Context| {
            context.regions.get(slot).filter(|region| region.handle() == handle)
        };
        if let Some(region) = find(self) {
            return Ok(region);
        }
        let inherited = CONTEXT.inherited().any(|context| find(context).is_some());
        Err(if inherited { Errno::EPERM } else { Errno::EINVAL })
    }

    /// Makes an area with a handle that was never used before.
    pub fn add_region(&self, make: impl FnOnce(u64) -> Result<Arc<Region>>) -> Result<Arc<Region>> {
        let (slot, handle) = {
            let mut handles = self.lock();
            let slot = match handles.free_slots.pop() {
                Some(slot) => slot,
                None if handles.next_slot < REGION_MAX => {
                    handles.next_slot += 1;
                    handles.next_slot - 1
                }
                None => return Err(Errno::ENOMEM),
            };
            handles.generation += 1;
            // Never 0, and in a child never a number that the parent has given.
            let generation = u64::from(fork::epoch()) << 32 | handles.generation;
            (slot, generation << SLOT_BITS | slot as u64)
        };
        let made = make(handle);
        match &made {
            Ok(region) => {
                self.regions.set(slot, Some(region.clone()));
                self.quick_regions.set(slot, region.clone());
            }
            Err(_) => self.lock().free_slots.push(slot),
        }
        made
    }

    /// Takes an area out. `EBUSY`: somebody uses it; `EINVAL`: another thread was faster, and its place
    /// may be another's by now.
    pub fn remove_region(&self, region: &Arc<Region>) -> Result<()> {
        let slot = (region.handle() & ((1 << SLOT_BITS) - 1)) as usize;
        let _only = self.frees.lock();
        let quick = {
            let _guard = self.lock();
            let found = self.regions.get(slot).filter(|found| Arc::ptr_eq(found, region));
            found.ok_or(Errno::EINVAL)?;
            self.quick_regions.take(slot)
        };
        // Whoever looks is waited for, who may want the lock. From here on nobody reserves in passing.
        drop(quick);
        let mut handles = self.lock();
        if let Err(errno) = region.end() {
            self.quick_regions.set(slot, region.clone());
            return Err(errno);
        }
        self.regions.set(slot, None);
        handles.free_slots.push(slot);
        Ok(())
    }
}
