//! What a socket has received into buffers of its group and the program has not fetched yet.
#![forbid(unsafe_code)]

use super::short::Short;
use crate::engine::{Ask, Form, Readiness, Received, Socket};
use crate::error::{Errno, Result};
use crate::region::{self, Extra, Loan, Message};
use crate::sys::message::{Address, INCOMING_BYTES, Incoming};
use crate::sys::{poll, socket as system};

// Where things lie in a buffer fits in 16 bits.
const _: () = assert!(INCOMING_BYTES <= u16::MAX as usize);

/// What is put together of two parts at most.
const MERGED_BYTES_MAX: usize = 16 * 1024;

/// Part of a buffer that the kernel filled: a stretch of a stream, or the rest of a message.
struct Piece {
    loan: Loan,
    from: usize,
    extra: Extra,
}

impl Piece {
    fn left(&self) -> usize {
        self.loan.len() - self.from
    }
}

#[derive(Default)]
pub struct Inbox {
    pieces: Short<Piece>,
    bytes: usize,
    /// The last of them ended its buffer.
    is_split: bool,
    /// The peer sends no more.
    pub end: bool,
    /// Told to the program once.
    pub error: Option<Errno>,
    /// The end was fetched: it is no event any more.
    finished: bool,
    /// A receive operation is under way.
    pub armed: bool,
    /// The socket is not connected yet: looked at when the poll set says that it changed.
    pub watched: bool,
}

impl Inbox {
    /// Adds what the kernel has put into a buffer, or into a part of one. `is_split`: the buffer
    /// ended there, and what came with it may be in the next one.
    pub fn push(&mut self, loan: Loan, is_split: bool, socket: &Socket) {
        let was_split = std::mem::replace(&mut self.is_split, is_split);
        let bytes = loan.len();
        let Some(loan) = self.add_to_last(loan, was_split, socket) else {
            self.count(bytes, socket);
            return;
        };
        let mut piece = Piece { loan, from: 0, extra: Extra::default() };
        if !socket.is_stream() {
            let parts = Incoming::parts(piece.loan.span());
            piece.from = INCOMING_BYTES;
            piece.extra = Extra {
                name: (Incoming::NAME_OFFSET as u16, parts.name_length as u16),
                control: (Incoming::CONTROL_OFFSET as u16, parts.control_length as u16),
                flags: parts.flags,
            };
        }
        self.count(piece.left(), socket);
        self.pieces.push_back(piece);
    }

    /// Bytes of a stream that follow those before them are one piece with them. A message that two
    /// buffers have parts of is put together: a program that knows how long its messages are gets
    /// them whole, as far as they are small.
    fn add_to_last(&mut self, loan: Loan, was_split: bool, socket: &Socket) -> Option<Loan> {
        let Some(last) = self.pieces.back_mut().filter(|_| socket.is_stream()) else {
            return Some(loan);
        };
        let loan = last.loan.join(loan)?;
        if !was_split || last.left() + loan.len() > MERGED_BYTES_MAX {
            return Some(loan);
        }
        match region::merge(&last.loan, last.from, &loan) {
            Some(whole) => {
                *last = Piece { loan: whole, from: 0, extra: Extra::default() };
                None
            }
            None => Some(loan),
        }
    }

    fn count(&mut self, bytes: usize, socket: &Socket) {
        socket.account.add(bytes);
        socket.counters.count_received(bytes);
        self.bytes += bytes;
    }

    pub fn readiness(&self, socket: &Socket) -> Readiness {
        let is_empty = self.pieces.is_empty();
        let error = self.error.filter(|_| is_empty);
        let message = !is_empty && !socket.is_stream();
        let bytes = match self.pieces.front() {
            Some(piece) if message => piece.left(),
            _ => self.bytes,
        };
        Readiness { bytes, message, end: self.end && !self.finished && error.is_none(), error }
    }

    /// Takes the first piece, or as much of it as was asked for.
    pub fn receive(&mut self, ask: &Ask, socket: &Socket) -> Result<Received> {
        let Some(piece) = self.pieces.front_mut() else { return self.receive_nothing(socket) };
        let left = piece.left();
        if socket.is_stream() && ask.form == Form::Data && ask.size >= left {
            return Ok(self.receive_whole(socket));
        }
        let count = if ask.form == Form::Message { left } else { ask.size.min(left) };
        let account = &socket.account;
        let address = match ask.form {
            Form::Message => {
                let Piece { loan, from, extra } = piece;
                Message::wrap(loan, *from, count, extra, account).ok_or(Errno::ENOBUFS)?
            }
            _ => piece.loan.hand_out(piece.from, count, account.booked()),
        };
        let (name_from, name_bytes) = piece.extra.name;
        let (name_from, name_bytes) = (usize::from(name_from), usize::from(name_bytes));
        let name = (ask.form == Form::Name && name_bytes > 0)
            .then(|| Address::from_span(piece.loan.part(name_from, name_bytes)))
            .transpose()?;
        piece.from += count;
        self.bytes -= count;
        let mut told = count;
        if socket.is_stream() {
            if count == left {
                self.pieces.pop_front();
            }
        } else {
            // The rest of a message that the program wanted less of is lost, as with recv(2).
            account.subtract(left - count);
            self.bytes -= left - count;
            self.pieces.pop_front();
            if ask.flags & system::TRUNC != 0 {
                told = left;
            }
        }
        Ok(Received::Block { address, count: told, name: name.map(Box::new) })
    }

    /// Takes all that is left of the first piece of a stream.
    fn receive_whole(&mut self, socket: &Socket) -> Received {
        let Some(Piece { loan, from, .. }) = self.pieces.pop_front() else { return Received::End };
        let count = loan.len() - from;
        self.bytes -= count;
        let address = loan.hand_over(from, count, socket.account.booked());
        Received::Block { address, count, name: None }
    }

    fn receive_nothing(&mut self, socket: &Socket) -> Result<Received> {
        if self.watched && !self.armed && !system::is_connected(socket.fd) {
            return Err(Errno::ENOTCONN);
        }
        if let Some(errno) = self.error.take() {
            // A connection is over; a datagram socket goes on.
            self.end = socket.is_stream();
            return Err(errno);
        }
        if self.end {
            self.finished = true;
            return Ok(Received::End);
        }
        Err(Errno::EAGAIN)
    }

    /// Whether there is nothing that the program has not been told.
    pub fn is_spent(&self) -> bool {
        self.pieces.is_empty() && !self.end && self.error.is_none()
    }

    /// Throws away what has not been fetched.
    pub fn discard(&mut self, socket: &Socket) {
        socket.account.subtract(self.bytes);
        self.bytes = 0;
        self.pieces.clear();
    }
}

/// What makes it worth asking again whether an unconnected socket has become connected.
pub const CONNECT_EVENTS: u32 = poll::IN | poll::OUT | poll::RDHUP | poll::EDGE;
