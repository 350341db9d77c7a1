//! Calls that may block, each as a machine of steps: between two steps the caller blocks, with
//! nothing locked, so that a C thread can be cancelled there.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Association, Attached, context};
use super::vigil::Vigil;
use crate::channel::{Channel, Event, Interest, State, Step, Waiting};
use crate::engine::frame::{NAP, Sleeper};
use crate::engine::{Ask, Form, Received, Socket, receive_directly};
use crate::error::{Errno, Result};
use crate::region::area::SpaceTicket;
use crate::sys::descriptor::Counter;
use crate::sys::wait::{self, Several, Sleep, Terms};
use crate::sys::{descriptor, poll, socket as system};

/// Where a call has got to.
pub enum Progress<T> {
    Done(T),
    Block(Sleep),
}

/// A call that may block.
pub trait Blocking {
    type Output;

    /// Goes on. `slept` is how the last block ended, if there was one.
    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<Self::Output>>;

    fn terms(&self) -> Terms;
}

/// Runs a call to its end, blocking this thread where it must.
pub fn run<B: Blocking>(mut call: B) -> Result<B::Output> {
    let mut slept = None;
    loop {
        match call.step(slept)? {
            Progress::Done(output) => return Ok(output),
            Progress::Block(sleep) => slept = Some(wait::block(&sleep, &call.terms())),
        }
    }
}

/// When a wait that begins now and lasts so long will be over; `None` is never.
pub fn deadline(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| wait::now().checked_add(limit))
}

/// `ec_delay` and `ec_wait_events`.
pub struct Wait<'a>(Waiting<'a>);

impl<'a> Wait<'a> {
    /// With room for events it fetches them; without, it only waits until there are some.
    pub fn new(fd: RawFd, room: Option<&'a mut [Event]>, terms: Terms) -> Result<Self> {
        let channel = context().channel(fd)?;
        let interest = match room {
            Some([]) => return Err(Errno::EINVAL),
            Some(room) => Interest::Fetch(room),
            None => Interest::Look,
        };
        Ok(Self(Waiting::new(channel, interest, terms)))
    }
}

/// `ec_wait_events` of a thread that has the channel to itself, and finds something at once. `None`: it
/// has to go the whole way.
#[inline]
pub fn wait_in_passing(fd: RawFd, room: &mut [Event], is_for_long: bool) -> Option<usize> {
    let fetch = |channel: &Channel| channel.fetch_in_passing(room, is_for_long);
    context().glance_at_channel(fd, fetch).filter(|&count| count > 0)
}

impl Blocking for Wait<'_> {
    type Output = usize;

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<usize>> {
        Ok(match self.0.step(slept)? {
            Step::Done(count) => Progress::Done(count),
            Step::Received(_) => Progress::Done(0),
            Step::Block(sleep) => Progress::Block(sleep),
        })
    }

    fn terms(&self) -> Terms {
        *self.0.terms()
    }
}

/// `sio_recv`, `sio_recvfrom`, `sio_recvmsg`.
pub struct Receive {
    association: Arc<Association>,
    ask: Ask,
    dontwait: bool,
    terms: Terms,
    has_terms: bool,
    waiting: Option<Waiting<'static>>,
    /// The channel of a socket that is waited for by itself.
    beside: Option<Arc<Channel>>,
    /// What tells, while this thread sleeps, that the socket has moved.
    bell: Option<Arc<Counter>>,
    space: Option<SpaceTicket>,
    /// What others keep of the area and do not use has been asked for.
    has_begged: bool,
    /// While this thread waits for the socket's flow, and what it has slept on.
    sleeper: Option<Sleeper>,
    bed: Option<Arc<Several>>,
    /// It is known that the call may wait.
    may_wait: bool,
    nap: Nap,
    vigil: Vigil,
    /// What the short way has found.
    looked: Option<Result<Received>>,
}

/// Whether the socket's terms are left unasked for at the beginning of a wait: that saves two calls
/// of the kernel with each datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nap {
    Possible,
    Begun,
    Over,
}

impl Receive {
    pub fn new(fd: RawFd, size: usize, flags: i32, form: Form) -> Result<Self> {
        const KNOWN: i32 =
            system::DONTWAIT | system::TRUNC | system::CMSG_CLOEXEC | system::NOSIGNAL;
        const REFUSED: i32 =
            libc::MSG_PEEK | libc::MSG_WAITALL | libc::MSG_OOB | libc::MSG_ERRQUEUE;
        let association = context().socket(fd)?;
        if flags & !(KNOWN | REFUSED) != 0 || size == 0 || association.socket.listening {
            return Err(Errno::EINVAL);
        }
        if flags & REFUSED != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(Self {
            association,
            ask: Ask { size, flags, form },
            dontwait: flags & system::DONTWAIT != 0,
            terms: Terms::default(),
            has_terms: false,
            waiting: None,
            beside: None,
            bell: None,
            space: None,
            has_begged: false,
            sleeper: None,
            bed: None,
            may_wait: false,
            nap: Nap::Possible,
            vigil: Vigil::default(),
            looked: None,
        })
    }

    /// The same after a look that has found this.
    pub fn after(self, looked: Option<Result<Received>>) -> Self {
        Self { looked, ..self }
    }

    fn attempt(&mut self, slept: Option<Result<()>>) -> Result<Option<Step>> {
        if let Some(waiting) = &mut self.waiting {
            let step = waiting.step(slept);
            if !matches!(step, Err(Errno::EINVAL)) || waiting.has_source() {
                return step.map(Some);
            }
            // Taken out of the channel: it is waited for where the socket is now.
            self.waiting = None;
            self.check_associated()?;
        }
        let ask = self.ask;
        let receive =
            |attached: &Arc<Attached>, state: &mut State| state.receive(attached.key, &ask);
        let received = match self.looked.take() {
            Some(looked) => looked,
            None => loop {
                let received = match self.association.in_channel(receive) {
                    Some(received) => Some(received),
                    None => self.receive_alone(),
                };
                if let Some(received) = received {
                    break received;
                }
            },
        };
        match received {
            Ok(received) => Ok(Some(Step::Received(received))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// A socket in no channel: the descriptor has to mean what it meant. `None`: it has come into one.
    fn receive_alone(&self) -> Option<Result<Received>> {
        let Association { socket, .. } = &*self.association;
        if let Some(flow) = socket.flow() {
            let listens = self.sleeper.is_some();
            return Some(flow.receive(&self.ask, socket, listens, || check_current(socket)));
        }
        if let Err(errno) = check_current(socket) {
            return Some(Err(errno));
        }
        // What comes later may be the channel's by then, and not fetched.
        let is_alone = || self.association.attached().is_none();
        receive_directly(socket, &self.ask, is_alone)
    }

    fn may_block(&self) -> Result<bool> {
        Ok(!self.dontwait && !descriptor::is_nonblocking(self.association.socket.fd)?)
    }

    fn begin_to_wait(&mut self) -> Result<()> {
        if !self.has_terms {
            self.has_terms = true;
            self.nap = Nap::Over;
            let limit = system::receive_timeout(self.association.socket.fd)?;
            self.terms.deadline = deadline(limit);
        }
        Ok(())
    }

    /// Asks the kernel whether to wait and for how long, unless that is taken for granted for the
    /// beginning: a socket of an interface that has waited a moment ago.
    fn agree_to_wait(&mut self) -> Result<()> {
        if self.may_wait {
            return Ok(());
        }
        let association = self.association.clone();
        let flow = association.socket.flow().filter(|_| association.attached().is_none());
        if self.nap == Nap::Possible
            && !self.dontwait
            && flow.is_some_and(|f| f.has_waited_lately())
        {
            self.nap = Nap::Begun;
            self.terms.deadline = deadline(Some(NAP));
        }
        if self.nap != Nap::Begun {
            if !self.may_block()? {
                return Err(Errno::EAGAIN);
            }
            self.begin_to_wait()?;
            if let Some(flow) = flow.filter(|_| self.terms.deadline.is_none()) {
                flow.has_waited();
            }
        }
        self.may_wait = true;
        Ok(())
    }

    /// What woke the thread that has slept for the socket's flow.
    fn see_to_flow(&mut self) {
        if self.nap == Nap::Begun && self.terms.expired() {
            self.nap = Nap::Over;
            self.terms.deadline = None;
        }
        if self.sleeper.is_none() {
            return;
        }
        if let Some(flow) = self.association.socket.flow() {
            match self.bed.take() {
                Some(bed) => flow.woken(&bed),
                None => flow.slept(),
            }
        }
    }

    /// The socket may have been taken out of the library while this thread slept, and the area may
    /// be free: nothing must be received then.
    fn check_associated(&self) -> Result<()> {
        if self.waiting.is_some() {
            return Ok(());
        }
        let socket = &self.association.socket;
        let known = context().socket(socket.fd);
        let is_that = |known: Arc<Association>| Arc::ptr_eq(&known, &self.association);
        let found = known.and_then(|known| is_that(known).then_some(()).ok_or(Errno::EINVAL));
        if found.is_err()
            && let Some(flow) = socket.flow()
        {
            // One call may have woken only this thread.
            flow.call(self.sleeper.is_some());
        }
        found
    }

    /// Nothing has arrived: what to wait for.
    fn wait_for_data(&mut self) -> Result<Progress<Received>> {
        self.agree_to_wait()?;
        let socket = self.association.socket.clone();
        if socket.flow().is_none() {
            self.bell = self.association.summons.bell();
        }
        self.check_associated()?;
        let is_polled = |attached: &Arc<Attached>, state: &mut State| {
            Ok((Attached::clone(attached), state.wait_alone(attached.key)?))
        };
        if let Some(found) = self.association.in_channel(is_polled) {
            let (Attached { channel, key }, is_polled) = found?;
            if !is_polled {
                let interest = Interest::Receive { key, ask: self.ask };
                self.waiting = Some(Waiting::new(channel, interest, self.terms));
                return self.step(None);
            }
            self.beside = Some(channel);
        }
        if let Some(flow) = socket.flow() {
            if self.sleeper.is_none() {
                flow.linger();
                // As with space below: first it is made sure that we are told.
                self.sleeper = Some(flow.listen());
                return self.step(None);
            }
            flow.prepare_to_sleep();
            if self.vigil.fd().is_none()
                && let Some(bed) = flow.bed()
            {
                self.bed = Some(bed.clone());
                return Ok(Progress::Block(Sleep::Several(bed)));
            }
        }
        let fd = self.vigil.fd().map_or_else(|| socket.waiting_fd(), Ok)?;
        let end = match (&self.bell, &self.beside) {
            (Some(bell), _) => Some(bell.fd()),
            (None, Some(channel)) => channel.enter()?.end_fd(),
            (None, None) => None,
        };
        Ok(Progress::Block(Sleep::Data { fd, end }))
    }

    /// The area is full: wait for a block to come back.
    fn wait_for_space(&mut self) -> Result<Progress<Received>> {
        if !std::mem::replace(&mut self.has_begged, true) {
            self.association.socket.region.reclaim();
            return self.step(None);
        }
        if !self.may_block()? {
            return Err(Errno::EAGAIN);
        }
        self.begin_to_wait()?;
        if self.terms.expired() {
            return Err(Errno::EAGAIN);
        }
        if self.space.is_none() {
            // First registered, then looked at once more: nothing that comes back is missed.
            self.space = Some(self.association.socket.region.await_space());
            return self.step(None);
        }
        self.has_begged = false;
        let ticket = self.space.take().ok_or(Errno::EIO)?;
        let sleep = Sleep::Word { word: ticket.word.clone(), expected: ticket.seen };
        self.space = Some(self.association.socket.region.await_space());
        Ok(Progress::Block(sleep))
    }

    /// The thread has been woken for nothing: whether that is the end of a datagram socket, which is shut
    /// down for receiving. recv(2) does not wait then.
    fn is_over(&mut self) -> bool {
        const EVENTS: i16 = libc::POLLIN | libc::POLLRDHUP;
        let socket = &self.association.socket;
        let found = poll::now(socket.fd, EVENTS).unwrap_or(0);
        self.vigil.learn(found, EVENTS, || socket.watched());
        socket.kind == libc::SOCK_DGRAM && found & (libc::POLLRDHUP | libc::POLLHUP) != 0
    }

    fn finish(&mut self, found: Result<Option<Step>>) -> Result<Progress<Received>> {
        match found {
            Ok(Some(Step::Received(received))) => Ok(Progress::Done(received)),
            Ok(Some(Step::Block(sleep))) => Ok(Progress::Block(sleep)),
            Ok(Some(Step::Done(_)) | None) => self.wait_for_data(),
            Err(Errno::ENOBUFS) => self.wait_for_space(),
            Err(Errno::ETIMEDOUT) if self.terms.expired() => Err(Errno::EAGAIN),
            Err(errno) => Err(errno),
        }
    }
}

impl Blocking for Receive {
    type Output = Received;

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<Received>> {
        if slept.is_some() {
            self.may_wait = false;
            self.vigil.wake();
            self.see_to_flow();
            if let Some(channel) = self.beside.take() {
                channel.enter()?;
            }
            self.check_associated()?;
        }
        let found = self.attempt(slept);
        if let (None, Some(Err(errno))) = (&self.waiting, slept)
            && matches!(found, Ok(None) | Err(Errno::ENOBUFS))
        {
            return Err(errno);
        }
        // Who waits with a channel is told by that.
        if slept.is_some() && self.waiting.is_none() && matches!(found, Ok(None)) && self.is_over()
        {
            return Ok(Progress::Done(Received::End));
        }
        if matches!(found, Ok(None)) && self.has_terms && self.terms.expired() {
            return Err(Errno::EAGAIN);
        }
        self.finish(found)
    }

    fn terms(&self) -> Terms {
        self.terms
    }
}

/// The descriptor of a socket in no channel has to mean what it meant.
pub(super) fn check_current(socket: &Socket) -> Result<()> {
    if socket.is_current() {
        return Ok(());
    }
    Err(context().current_socket(socket.fd).err().unwrap_or(Errno::EINVAL))
}
