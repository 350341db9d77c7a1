//! Receiving by readiness: the data stays with the kernel until the program fetches it, straight
//! into a block of the size that it asks for.
//!
//! The kernel's level-triggered readiness is the event. It is switched off while it would only
//! repeat what the program cannot act on: no room in the area, or an end that was fetched.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Ask, Key, PollSet, Readiness, Received, Socket, direct};
use crate::error::{Errno, Result};
use crate::sys::{poll, socket as system};

pub struct Ready {
    socket: Arc<Socket>,
    key: Key,
    edge: bool,
    /// An error that the kernel has told once and will not tell again.
    error: Option<Errno>,
    /// A datagram socket was shut down for receiving, and has nothing left.
    is_over: bool,
    /// The program has seen the end.
    finished: bool,
    /// There is no room to receive into.
    pub starved: bool,
    /// The kernel keeps saying "ready" where there is nothing to tell: edges only, until there is.
    hushed: bool,
    /// Somebody wants to know when the socket can take more.
    output: bool,
    registered: Option<u32>,
}

impl Ready {
    pub fn new(socket: &Arc<Socket>, key: Key, edge: bool, poll: &mut PollSet) -> Result<Self> {
        let mut ready = Self {
            socket: socket.clone(),
            key,
            edge,
            error: None,
            is_over: false,
            finished: false,
            starved: false,
            hushed: false,
            output: false,
            registered: None,
        };
        ready.update(poll)?;
        Ok(ready)
    }

    fn interest(&self) -> Option<u32> {
        if self.finished && !self.output {
            return None;
        }
        let mut events = 0;
        if !self.finished && !self.starved {
            events |= poll::IN | poll::RDHUP;
        }
        if self.output {
            events |= poll::OUT;
        }
        // An error or hang-up is always reported: where it is no news, only as an edge.
        if self.edge || self.hushed || self.finished || self.starved {
            events |= poll::EDGE;
        }
        Some(events)
    }

    fn update(&mut self, poll: &mut PollSet) -> Result<()> {
        let wanted = self.interest();
        if wanted == self.registered {
            return Ok(());
        }
        let (fd, key) = (self.socket.fd, self.key as u64);
        match (self.registered, wanted) {
            (None, Some(events)) => poll.add(fd, events, key)?,
            (Some(_), Some(events)) => poll.modify(fd, events, key)?,
            (_, None) => poll.remove(fd, key),
        }
        self.registered = wanted;
        Ok(())
    }

    /// The same for a call of the program's. If it has closed the descriptor and something else has the
    /// number, that is not associated.
    fn update_or_miss(&mut self, poll: &mut PollSet) -> Result<()> {
        self.update(poll).map_err(|errno| match errno {
            Errno::ENOENT | Errno::EPERM => Errno::EINVAL,
            errno => errno,
        })
    }

    pub fn close(&mut self, poll: &mut PollSet) {
        if self.registered.take().is_some() {
            poll.remove(self.socket.fd, self.key as u64);
        }
    }

    pub fn set_edge(&mut self, edge: bool, poll: &mut PollSet) -> Result<()> {
        self.edge = edge;
        self.hushed = false;
        self.register_anew(poll)
    }

    /// What is ready now is reported once more.
    fn register_anew(&mut self, poll: &mut PollSet) -> Result<()> {
        if let (Some(_), Some(events)) = (self.registered, self.interest()) {
            poll.modify(self.socket.fd, events, self.key as u64)?;
            self.registered = Some(events);
        }
        self.update(poll)
    }

    /// Whether readiness to send is to be reported too.
    pub fn want_output(&mut self, wanted: bool, poll: &mut PollSet) -> Result<()> {
        self.output = wanted;
        self.update(poll)
    }

    /// The same, also if it has been reported before.
    pub fn want_output_anew(&mut self, poll: &mut PollSet) -> Result<()> {
        self.output = true;
        self.register_anew(poll)
    }

    /// Room may have come back.
    pub fn replenish(&mut self, poll: &mut PollSet) {
        if std::mem::take(&mut self.starved) {
            // A descriptor that was closed is not in the set any more: nothing to switch on.
            let _ = self.update(poll);
        }
    }

    /// What an event tells, given what the kernel says is ready.
    pub fn readiness(&mut self, events: u32, poll: &mut PollSet) -> Option<Readiness> {
        let found = self.look(events);
        let hushed = found.is_none() && events & (poll::IN | poll::ERR | poll::HUP) != 0;
        if hushed != self.hushed {
            self.hushed = hushed;
            let _ = self.update(poll);
        }
        found
    }

    /// What was left over from another channel.
    pub fn waiting(&self) -> Readiness {
        self.socket.backlog()
    }

    fn look(&mut self, events: u32) -> Option<Readiness> {
        if events & poll::ERR != 0
            && self.error.is_none()
            && let Ok(number @ 1..) = system::take_error(self.socket.fd)
        {
            // A reset that came after the end is for those who send: recv(2) tells of the end.
            self.error = Some(Errno::from_raw(number)).filter(|errno| *errno != Errno::EPIPE);
        }
        if self.finished && self.error.is_none() {
            return None;
        }
        let hung_up = events & (poll::RDHUP | poll::HUP) != 0;
        let bytes = match self.socket.kind {
            libc::SOCK_SEQPACKET => system::next_message_bytes(self.socket.fd),
            _ => system::readable_bytes(self.socket.fd),
        };
        let bytes = bytes.unwrap_or(0);
        if let Some(errno) = self.error
            && bytes == 0
        {
            return Some(Readiness { error: Some(errno), ..Readiness::default() });
        }
        let readable = events & poll::IN != 0;
        let is_for_datagrams = self.socket.kind == libc::SOCK_DGRAM;
        self.is_over = is_for_datagrams && hung_up && has_no_message(&self.socket);
        let end = hung_up && if is_for_datagrams { self.is_over } else { readable };
        let message = readable && !self.socket.is_stream() && !self.is_over;
        let found = Readiness { bytes, message, end, error: None };
        found.is_some().then_some(found)
    }

    pub fn receive(&mut self, ask: &Ask, poll: &mut PollSet) -> Result<Received> {
        let answer = match direct::receive(&self.socket, ask) {
            Err(Errno::EAGAIN) if self.is_over => Ok(Received::End),
            answer => answer,
        };
        match &answer {
            Err(Errno::EAGAIN) => {
                if let Some(errno) = self.error.take() {
                    return Err(errno);
                }
            }
            Err(Errno::ENOBUFS) => {
                self.starved = true;
                self.update_or_miss(poll)?;
                self.socket.region.want_space();
            }
            Err(_) => self.error = None,
            Ok(Received::End) => {
                if let Some(errno) = self.error.take() {
                    return Err(errno);
                }
                self.finished = true;
                self.update_or_miss(poll)?;
            }
            Ok(Received::Block { .. }) => {}
        }
        answer
    }
}

/// Not even an empty one.
fn has_no_message(socket: &Socket) -> bool {
    system::next_message_bytes(socket.fd) == Err(Errno::EAGAIN)
}
