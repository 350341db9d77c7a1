//! Sends: accepted by a channel at once, or done step by step for a socket in no channel.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use super::blocking::{Blocking, Progress, check_current, deadline};
use super::context::{Association, Attached, context};
use super::tail::{Hold, Tail};
use super::vigil::Vigil;
use crate::channel::State;
use crate::engine::frame::{DirectlySent, Flow};
use crate::engine::{ControlData, File, Passed, Pieces, Request, Socket, send_directly};
use crate::error::{Errno, Result};
use crate::limits::IOVECS_MAX;
use crate::sys::message::Address;
use crate::sys::wait::{Sleep, Terms};
use crate::sys::{descriptor, poll, socket as system};

/// One part of what is to be sent: address and length, as the program gave them.
pub type Part = (usize, usize);

/// How to send, besides what and where to.
#[derive(Clone, Copy)]
pub struct How {
    /// The flags for the kernel.
    pub flags: i32,
    /// `SIO_RELEASE` and `SIO_QUIET`.
    pub release: bool,
    pub quiet: bool,
}

/// What `sio_send`, `sio_sendto` or `sio_sendmsg` were asked for.
pub struct Outgoing<'a> {
    pub parts: &'a [Part],
    pub name: Option<Box<Address>>,
    pub control: Vec<u8>,
    pub how: How,
}

/// What `sio_sendfile` was asked for.
#[derive(Clone, Copy)]
pub struct FilePart {
    pub file: RawFd,
    pub offset: i64,
    pub length: usize,
    /// The flags for the kernel.
    pub flags: i32,
    pub quiet: bool,
}

impl FilePart {
    /// What an engine is asked for, if this can be sent on such a socket.
    pub fn request(self, socket: &Socket) -> Result<Request> {
        let Self { file, offset, length, flags, quiet } = self;
        let is_known = flags & !(system::DONTWAIT | system::NOSIGNAL) == 0;
        if !is_known || socket.listening || i32::try_from(length).is_err() || length == 0 {
            return Err(Errno::EINVAL);
        }
        if !socket.is_stream() {
            return Err(Errno::EOPNOTSUPP);
        }
        if offset < 0 {
            return Err(Errno::EINVAL);
        }
        offset.checked_add(length as i64).ok_or(Errno::EOVERFLOW)?;
        Ok(Request::of_file(File::new(file, offset)?, length, quiet))
    }
}

/// A send: accepted by a channel at once, or done by a socket in no channel.
pub struct Send {
    association: Arc<Association>,
    request: Option<Request>,
    /// Blocks to release when it has been accepted, by offset.
    release: Vec<usize>,
    sent: usize,
    /// Some of it by way of memory.
    copied: bool,
    /// Something is sent, and the rest is not.
    hold: Option<Hold>,
    length: usize,
    dontwait: bool,
    terms: Terms,
    has_terms: bool,
    vigil: Vigil,
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
        if asked.how.flags & !(KNOWN | REFUSED) != 0 || socket.listening {
            return Err(Errno::EINVAL);
        }
        if asked.how.flags & REFUSED != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if asked.parts.len() > IOVECS_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let length = asked.parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.1));
        let length = length.filter(|&sum| i32::try_from(sum).is_ok()).ok_or(Errno::EINVAL)?;
        let mut pieces = Pieces::with_capacity(asked.parts.len());
        let mut release = Vec::new();
        for &(address, bytes) in asked.parts {
            if bytes > 0 {
                let piece = socket.region.lend(address, bytes)?;
                if asked.how.release {
                    release.push(piece.offset());
                }
                pieces.push(piece);
            } else if asked.how.release
                && let Ok(place) = socket.region.lend(address, 1)
            {
                // An empty message may have no memory at all.
                release.push(place.offset());
            }
        }
        if length == 0 && socket.is_stream() {
            return Err(Errno::EINVAL);
        }
        let request = Request {
            pieces,
            file: None,
            length,
            address: asked.parts.first().map_or(0, |part| part.0),
            name: asked.name,
            control: ControlData::new(asked.control),
            flags: asked.how.flags & !(system::DONTWAIT | system::NOSIGNAL),
            quiet: asked.how.quiet,
        };
        Ok(Self {
            association,
            request: Some(request),
            release,
            sent: 0,
            copied: false,
            hold: None,
            length,
            dontwait: asked.how.flags & system::DONTWAIT != 0,
            terms: Terms::default(),
            has_terms: false,
            vigil: Vigil::default(),
        })
    }

    /// `sio_sendfile`.
    pub fn of_file(fd: RawFd, part: FilePart) -> Result<Self> {
        let association = context().socket(fd)?;
        let request = part.request(&association.socket)?;
        Ok(Self {
            association,
            request: Some(request),
            release: Vec::new(),
            sent: 0,
            copied: false,
            hold: None,
            length: part.length,
            dontwait: part.flags & system::DONTWAIT != 0,
            terms: Terms::default(),
            has_terms: false,
            vigil: Vigil::default(),
        })
    }

    fn accepted(&self) -> Progress<usize> {
        self.association.socket.region.release_each_around(&self.release);
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
        let request = self.request.as_mut().ok_or(Errno::EIO)?;
        match flow.send(socket, request) {
            Ok(DirectlySent { copied }) => {
                socket.counters.count_sent_directly(self.length, copied);
                Ok(self.accepted())
            }
            Err(Errno::EAGAIN) => {
                self.begin_to_wait(slept)?;
                Ok(self.wait_for_socket(socket, slept))
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

    /// A socket in no channel. `None`: it has come into one.
    fn send_alone(&mut self, slept: Option<Result<()>>) -> Result<Option<Progress<usize>>> {
        let association = self.association.clone();
        let socket = &association.socket;
        if self.sent == 0 {
            check_current(socket)?;
        }
        if let Some(flow) = socket.flow() {
            return self.send_by_flow(flow, socket, slept).map(Some);
        }
        let _turn = socket.is_stream().then(|| association.tail.take_turn());
        if self.hold.is_none() {
            // What is sent later may overtake what the channel has accepted.
            if association.attached().is_some() {
                return Ok(None);
            }
            if association.tail.is_busy() {
                self.begin_to_wait(slept)?;
                return Ok(Some(Progress::Block(association.tail.sleep())));
            }
        }
        self.pass_on_the_rest(&association, slept).map(Some)
    }

    fn pass_on_the_rest(
        &mut self,
        association: &Association,
        slept: Option<Result<()>>,
    ) -> Result<Progress<usize>> {
        let Association { socket, tail, .. } = association;
        let request = self.request.as_ref().ok_or(Errno::EIO)?;
        loop {
            match pass_on(socket, request, self.sent) {
                Ok(Passed::Bytes { count, copied }) => {
                    self.sent += count;
                    self.copied |= copied;
                    if self.sent == self.length {
                        socket.counters.count_sent_directly(self.length, self.copied);
                        return Ok(self.accepted());
                    }
                }
                Ok(Passed::End) => {
                    socket.counters.count_sent_directly(self.sent, self.copied);
                    return Ok(Progress::Done(self.sent));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        // All or nothing: what has begun is finished.
        if self.sent > 0 {
            self.terms.deadline = None;
            let hold = self.hold.take().unwrap_or_else(|| tail.hold());
            self.hold = if self.may_block()? {
                Some(hold)
            } else if Tail::take_over(socket.fd, request, self.sent, hold).is_ok() {
                socket.counters.count_sent_directly(self.length, self.copied);
                return Ok(self.accepted());
            } else {
                // No thread or descriptor to be had: then this call waits after all.
                Some(tail.hold())
            };
            return self.wait_for_room(socket, slept);
        }
        self.begin_to_wait(slept)?;
        self.wait_for_room(socket, slept)
    }

    fn wait_for_room(
        &mut self,
        socket: &Socket,
        slept: Option<Result<()>>,
    ) -> Result<Progress<usize>> {
        if let Some(file) = self.request.as_mut().and_then(|request| request.file.as_mut()) {
            // Another thread may close it meanwhile.
            file.keep()?;
        }
        Ok(self.wait_for_socket(socket, slept))
    }

    fn wait_for_socket(&mut self, socket: &Socket, slept: Option<Result<()>>) -> Progress<usize> {
        if slept.is_some() {
            let found = poll::now(socket.fd, libc::POLLOUT).unwrap_or(0);
            self.vigil.learn(found, libc::POLLOUT, || [socket.fd]);
            if found & libc::POLLOUT != 0 && socket.domain == libc::AF_UNIX {
                self.vigil.pause();
            }
        }
        let fd = self.vigil.fd().unwrap_or(socket.fd);
        // A set of descriptors is never writable.
        let events = if fd == socket.fd { libc::POLLOUT } else { libc::POLLIN };
        Progress::Block(Sleep::Poll { fd, events })
    }
}

/// Hands the kernel what it takes now of what is left of a request.
fn pass_on(socket: &Socket, request: &Request, sent: usize) -> Result<Passed> {
    match &request.file {
        Some(file) => file.send(socket.fd, sent, request.length - sent),
        None => {
            send_directly(socket, request, sent).map(|count| Passed::Bytes { count, copied: true })
        }
    }
}

impl Blocking for Send {
    type Output = usize;

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<usize>> {
        self.vigil.wake();
        loop {
            let Self { association, request, .. } = self;
            let accept = |attached: &Arc<Attached>, state: &mut State| {
                if association.tail.is_busy() {
                    return Err(Errno::EAGAIN);
                }
                let mut accepted = request.take().ok_or(Errno::EIO)?;
                accepted.keep_rights()?;
                state.send(attached.key, accepted)
            };
            let accepted = if self.sent == 0 { association.in_channel(accept) } else { None };
            if let Some(accepted) = accepted {
                return accepted.map(|()| self.accepted());
            }
            if let Some(progress) = self.send_alone(slept)? {
                return Ok(progress);
            }
        }
    }

    fn terms(&self) -> Terms {
        self.vigil.limit(self.terms)
    }
}
