//! Calls that may block, each as a machine of steps: between two steps the caller blocks, with
//! nothing locked, so that a C thread can be cancelled there.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Association, context};
use crate::channel::{Channel, Event, Interest, Step, Waiting};
use crate::engine::frame::{Brief, DirectlySent, Flow, NAP, Sleeper};
use crate::engine::{
    Ask, Form, Pieces, Received, Request, Socket, receive_directly, send_directly,
};
use crate::error::{Errno, Result};
use crate::limits::IOVECS_MAX;
use crate::region::area::SpaceTicket;
use crate::sys::message::Address;
use crate::sys::wait::{self, Several, Sleep, Terms};
use crate::sys::{descriptor, socket as system};

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
    /// The channel of a socket that is waited for by itself, for its end.
    beside: Option<Arc<Channel>>,
    space: Option<SpaceTicket>,
    /// While this thread waits for the socket's flow, and what it has slept on.
    sleeper: Option<Sleeper>,
    bed: Option<Arc<Several>>,
    /// It is known that the call may wait.
    may_wait: bool,
    nap: Nap,
    /// What the short way has found.
    looked: Option<Result<Received>>,
}

/// `sio_recv` and `sio_recvfrom` where an interface serves the socket and several datagrams wait:
/// nobody but the caller need know. `None`: it has to go the whole way.
#[inline]
pub fn receive_in_passing(fd: RawFd, size: usize, flags: i32, form: Form) -> Option<Brief> {
    const KNOWN: i32 = system::DONTWAIT | system::TRUNC | system::CMSG_CLOEXEC | system::NOSIGNAL;
    if flags & !KNOWN != 0 || size == 0 || form == Form::Message {
        return None;
    }
    let ask = Ask { size, flags, form };
    let look = |association: &Association| {
        let socket = &association.socket;
        socket.flow()?.receive_in_passing(&ask, socket)
    };
    context().glance_at_socket(fd, look).flatten()
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
            space: None,
            sleeper: None,
            bed: None,
            may_wait: false,
            nap: Nap::Possible,
            looked: None,
        })
    }

    /// The same after a look that has found this.
    pub fn after(self, looked: Option<Result<Received>>) -> Self {
        Self { looked, ..self }
    }

    fn attempt(&mut self, slept: Option<Result<()>>) -> Result<Option<Step>> {
        if let Some(waiting) = &mut self.waiting {
            return waiting.step(slept).map(Some);
        }
        let attached = self.association.attached();
        let received = match (self.looked.take(), attached) {
            (Some(looked), _) => looked,
            (None, Some(attached)) => {
                let mut state = attached.channel.enter()?;
                let received = state.receive(attached.key, &self.ask);
                attached.channel.settle(&mut state)?;
                received
            }
            (None, None) => self.receive_alone(),
        };
        match received {
            Ok(received) => Ok(Some(Step::Received(received))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// A socket in no channel: the descriptor has to mean what it meant.
    fn receive_alone(&self) -> Result<Received> {
        let socket = &self.association.socket;
        if let Some(flow) = socket.flow() {
            let listens = self.sleeper.is_some();
            return flow.receive(&self.ask, socket, listens, || check_current(socket));
        }
        check_current(socket)?;
        receive_directly(socket, &self.ask)
    }

    fn may_block(&self) -> Result<bool> {
        Ok(!self.dontwait && !descriptor::is_nonblocking(self.association.socket.fd)?)
    }

    fn begin_to_wait(&mut self) -> Result<()> {
        if !self.has_terms {
            self.has_terms = true;
            if self.nap == Nap::Begun {
                self.nap = Nap::Over;
            }
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
        let known = context().socket(self.association.socket.fd)?;
        if Arc::ptr_eq(&known, &self.association) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Nothing has arrived: what to wait for.
    fn wait_for_data(&mut self) -> Result<Progress<Received>> {
        self.agree_to_wait()?;
        if let Some(attached) = self.association.attached() {
            let is_polled = attached.channel.enter()?.is_polled(attached.key)?;
            if !is_polled {
                let interest = Interest::Receive { key: attached.key, ask: self.ask };
                let mut waiting = Waiting::new(attached.channel.clone(), interest, self.terms);
                let step = waiting.step(None);
                self.waiting = Some(waiting);
                return self.finish(step.map(Some));
            }
            self.beside = Some(attached.channel.clone());
        }
        let socket = self.association.socket.clone();
        if let Some(flow) = socket.flow() {
            if self.sleeper.is_none() {
                flow.linger();
                // As with space below: first it is made sure that we are told.
                self.sleeper = Some(flow.listen());
                return self.step(None);
            }
            flow.prepare_to_sleep();
            if let Some(bed) = flow.bed() {
                self.bed = Some(bed.clone());
                return Ok(Progress::Block(Sleep::Several(bed)));
            }
        }
        let fd = socket.waiting_fd()?;
        let end = match &self.beside {
            Some(channel) => channel.enter()?.end_fd(),
            None => None,
        };
        Ok(Progress::Block(Sleep::Data { fd, end }))
    }

    /// The area is full: wait for a block to come back.
    fn wait_for_space(&mut self) -> Result<Progress<Received>> {
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
        let ticket = self.space.take().ok_or(Errno::EIO)?;
        let sleep = Sleep::Word { word: ticket.word.clone(), expected: ticket.seen };
        self.space = Some(self.association.socket.region.await_space());
        Ok(Progress::Block(sleep))
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
        let is_interrupted = matches!(slept, Some(Err(_))) && self.waiting.is_none();
        if slept.is_some() {
            self.may_wait = false;
            self.see_to_flow();
            if let Some(channel) = self.beside.take() {
                channel.enter()?;
            }
            self.check_associated()?;
        }
        let found = self.attempt(slept);
        if let (true, Some(Err(errno))) = (is_interrupted, slept)
            && matches!(found, Ok(None) | Err(Errno::ENOBUFS))
        {
            return Err(errno);
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
fn check_current(socket: &Socket) -> Result<()> {
    if socket.is_current() {
        return Ok(());
    }
    Err(context().current_socket(socket.fd).err().unwrap_or(Errno::EINVAL))
}

/// One part of what is to be sent: address and length, as the program gave them.
pub type Part = (usize, usize);

/// What `sio_send`, `sio_sendto` or `sio_sendmsg` were asked for.
pub struct Outgoing<'a> {
    pub parts: &'a [Part],
    pub name: Option<Box<Address>>,
    pub control: Vec<u8>,
    /// The flags for the kernel.
    pub flags: i32,
    /// `SIO_RELEASE` and `SIO_QUIET`.
    pub release: bool,
    pub quiet: bool,
}

/// A send: accepted by a channel at once, or done by a socket in no channel.
pub struct Send {
    association: Arc<Association>,
    request: Option<Request>,
    /// Blocks to release when it has been accepted, by offset.
    release: Vec<usize>,
    sent: usize,
    length: usize,
    dontwait: bool,
    terms: Terms,
    has_terms: bool,
}

impl Send {
    pub fn new(fd: RawFd, asked: Outgoing<'_>) -> Result<Self> {
        const KNOWN: i32 = system::DONTWAIT
            | system::NOSIGNAL
            | system::MORE
            | libc::MSG_EOR
            | libc::MSG_CONFIRM
            | libc::MSG_DONTROUTE;
        const REFUSED: i32 = libc::MSG_OOB | libc::MSG_FASTOPEN | MSG_ZEROCOPY;
        const MSG_ZEROCOPY: i32 = 0x400_0000;
        let association = context().socket(fd)?;
        let socket = &association.socket;
        if asked.flags & !(KNOWN | REFUSED) != 0 || socket.listening {
            return Err(Errno::EINVAL);
        }
        if asked.flags & REFUSED != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if asked.parts.len() > IOVECS_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let length = asked.parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.1));
        let length = length.filter(|&sum| i32::try_from(sum).is_ok()).ok_or(Errno::EINVAL)?;
        let mut pieces = Pieces::with_capacity(asked.parts.len());
        for &(address, bytes) in asked.parts {
            // An empty message may have no memory at all.
            if bytes > 0 {
                pieces.push(socket.region.lend(address, bytes)?);
            }
        }
        if length == 0 && socket.is_stream() {
            return Err(Errno::EINVAL);
        }
        let release = if asked.release {
            pieces.iter().map(crate::region::Loan::offset).collect()
        } else {
            Vec::new()
        };
        let request = Request {
            pieces,
            length,
            address: asked.parts.first().map_or(0, |part| part.0),
            name: asked.name,
            control: asked.control,
            flags: asked.flags & !(system::DONTWAIT | system::NOSIGNAL),
            quiet: asked.quiet,
        };
        Ok(Self {
            association,
            request: Some(request),
            release,
            sent: 0,
            length,
            dontwait: asked.flags & system::DONTWAIT != 0,
            terms: Terms::default(),
            has_terms: false,
        })
    }

    fn accepted(&self) -> Progress<usize> {
        for &offset in &self.release {
            self.association.socket.region.release_around(offset);
        }
        Progress::Done(self.length)
    }

    fn may_block(&self) -> Result<bool> {
        Ok(!self.dontwait && !descriptor::is_nonblocking(self.association.socket.fd)?)
    }

    /// Nothing has been sent and nothing can be: whether to wait, and how long.
    fn begin_to_wait(&mut self, slept: Option<Result<()>>) -> Result<()> {
        if !self.may_block()? {
            self.association.socket.counters.count_refused();
            return Err(Errno::EAGAIN);
        }
        if let Some(Err(errno)) = slept {
            return Err(errno);
        }
        if !self.has_terms {
            self.has_terms = true;
            self.terms.deadline = deadline(system::send_timeout(self.association.socket.fd)?);
        }
        if self.terms.expired() { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// A socket in no channel that a port serves.
    fn send_by_flow(
        &mut self,
        flow: &Flow,
        socket: &Socket,
        slept: Option<Result<()>>,
    ) -> Result<Progress<usize>> {
        let request = self.request.as_ref().ok_or(Errno::EIO)?;
        match flow.send(socket, request) {
            Ok(DirectlySent { copied }) => {
                socket.counters.count_sent_directly(self.length, copied);
                Ok(self.accepted())
            }
            Err(Errno::EAGAIN) => {
                self.begin_to_wait(slept)?;
                Ok(Progress::Block(Sleep::Poll { fd: socket.fd, events: libc::POLLOUT }))
            }
            // The port is full.
            Err(Errno::ENOBUFS) => {
                self.begin_to_wait(slept)?;
                flow.slept();
                flow.prepare_to_sleep();
                Ok(Progress::Block(Sleep::Poll { fd: flow.output_fd()?, events: libc::POLLIN }))
            }
            Err(errno) => Err(errno),
        }
    }

    /// A socket in no channel.
    fn send_alone(&mut self, slept: Option<Result<()>>) -> Result<Progress<usize>> {
        let socket = self.association.socket.clone();
        if self.sent == 0 {
            check_current(&socket)?;
        }
        if let Some(flow) = socket.flow().cloned() {
            return self.send_by_flow(&flow, &socket, slept);
        }
        if self.association.tail.is_busy() {
            self.begin_to_wait(slept)?;
            return Ok(Progress::Block(self.association.tail.sleep()));
        }
        let request = self.request.as_ref().ok_or(Errno::EIO)?;
        loop {
            match send_directly(&socket, request, self.sent) {
                Ok(bytes) => {
                    self.sent += bytes;
                    if self.sent == self.length {
                        socket.counters.count_sent_directly(self.length, true);
                        return Ok(self.accepted());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        // All or nothing: what has begun is finished.
        if self.sent > 0 {
            self.terms.deadline = None;
            if !self.may_block()? {
                let tail = &self.association.tail;
                if tail.take_over(socket.fd, request, self.sent).is_ok() {
                    socket.counters.count_sent_directly(self.length, true);
                    return Ok(self.accepted());
                }
                // No thread or descriptor to be had: then this call waits after all.
            }
            return Ok(Progress::Block(Sleep::Poll { fd: socket.fd, events: libc::POLLOUT }));
        }
        self.begin_to_wait(slept)?;
        Ok(Progress::Block(Sleep::Poll { fd: socket.fd, events: libc::POLLOUT }))
    }
}

impl Blocking for Send {
    type Output = usize;

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<usize>> {
        if self.sent == 0
            && let Some(attached) = self.association.attached()
        {
            if self.association.tail.is_busy() {
                return Err(Errno::EAGAIN);
            }
            let mut state = attached.channel.enter()?;
            let request = self.request.take().ok_or(Errno::EIO)?;
            let sent = state.send(attached.key, request);
            attached.channel.settle(&mut state)?;
            drop(state);
            sent?;
            return Ok(self.accepted());
        }
        self.send_alone(slept)
    }

    fn terms(&self) -> Terms {
        self.terms
    }
}
