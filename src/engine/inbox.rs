//! What a socket has received into buffers of its group and the program has not fetched yet.
#![forbid(unsafe_code)]

use super::messages::Messages;
use super::short::Short;
use crate::engine::{Ask, Form, Readiness, Received, Socket};
use crate::error::{Errno, Result};
use crate::region::{self, Claim, Extra, Loan, Message};
use crate::sys::poll;

/// What is put together of two parts at most.
const MERGED_BYTES_MAX: usize = 16 * 1024;

/// After some pieces more than that the kernel ends an operation though there may be more.
const PIECES_MAX: u8 = 16;

/// Part of a buffer that the kernel filled: a stretch of a stream.
struct Piece {
    loan: Loan,
    from: usize,
}

impl Piece {
    fn left(&self) -> usize {
        self.loan.len() - self.from
    }
}

/// What the completions of an operation that receives on call have told so far.
#[derive(Default)]
pub struct Progress {
    pieces: u8,
    has_more: bool,
}

impl Progress {
    /// Another piece has come; `has_more`: more follows, as far as the kernel knows.
    pub fn note(&mut self, has_more: bool) {
        self.pieces = self.pieces.saturating_add(1);
        self.has_more = has_more;
    }

    /// The operation has ended where there seemed to be nothing left: whether there may be more.
    pub fn end(&mut self) -> bool {
        let Self { pieces, has_more } = std::mem::take(self);
        has_more || pieces >= PIECES_MAX
    }
}

#[derive(Default)]
pub struct Inbox {
    /// Of a stream.
    pieces: Short<Piece>,
    bytes: usize,
    /// Of any other socket, once it has received one.
    messages: Option<Box<Messages>>,
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
    /// An operation waits for the end of what a datagram socket receives: `uring/hangup.rs`.
    pub awaits_hangup: bool,
    /// See `uring/call.rs`.
    pub is_on_call: bool,
    pub progress: Progress,
}

impl Inbox {
    /// Adds a message that the kernel has put into a buffer.
    #[inline]
    pub fn push_message(&mut self, message: Claim, socket: &Socket) {
        let messages =
            self.messages.get_or_insert_with(|| Box::new(Messages::new(socket.region.clone())));
        if let Some(bytes) = messages.push(message) {
            socket.counters.count_received(bytes);
        }
    }

    /// Adds what the kernel has put into a buffer, or into a part of one. `is_split`: the buffer
    /// ended there, and what came with it may be in the next one.
    pub fn push(&mut self, loan: Loan, is_split: bool, socket: &Socket) {
        let was_split = std::mem::replace(&mut self.is_split, is_split);
        let bytes = loan.len();
        self.count(bytes, socket);
        if let Some(loan) = self.add_to_last(loan, was_split) {
            self.pieces.push_back(Piece { loan, from: 0 });
        }
    }

    /// Bytes of a stream that follow those before them are one piece with them. A message that two
    /// buffers have parts of is put together: a program that knows how long its messages are gets
    /// them whole, as far as they are small.
    fn add_to_last(&mut self, loan: Loan, was_split: bool) -> Option<Loan> {
        let Some(last) = self.pieces.back_mut() else { return Some(loan) };
        let loan = last.loan.join(loan)?;
        if !was_split || last.left() + loan.len() > MERGED_BYTES_MAX {
            return Some(loan);
        }
        match region::merge(&last.loan, last.from, &loan) {
            Some(whole) => {
                *last = Piece { loan: whole, from: 0 };
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

    pub fn readiness(&self) -> Readiness {
        let first = self.messages.as_ref().and_then(|messages| messages.first_bytes());
        let message = first.is_some();
        let error = self.error.filter(|_| self.is_empty());
        let bytes = first.unwrap_or(self.bytes);
        Readiness { bytes, message, end: self.end && !self.finished && error.is_none(), error }
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.message_count() == 0
    }

    pub fn message_count(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.len())
    }

    /// Whether there is anything to tell: see [`Inbox::readiness`].
    pub fn has_something(&self) -> bool {
        !self.is_empty() || (self.end && !self.finished) || self.error.is_some()
    }

    /// Takes the first piece of what has arrived, as [`Inbox::receive`]; the end and an error are
    /// left. `None`: there is none, or it takes more than that.
    #[inline]
    pub fn receive_arrived(&mut self, ask: &Ask, socket: &Socket) -> Option<Received> {
        if ask.form == Form::Message {
            return None;
        }
        if let Some(messages) = &mut self.messages {
            return messages.receive(ask, &socket.account)?.ok();
        }
        let is_whole = self.pieces.front()?.left() <= ask.size;
        if is_whole {
            Some(self.receive_whole(socket))
        } else {
            self.receive_piece(ask, socket).ok()
        }
    }

    /// Takes the first piece, or as much of it as was asked for.
    #[inline]
    pub fn receive(&mut self, ask: &Ask, socket: &Socket) -> Result<Received> {
        if let Some(messages) = &mut self.messages
            && let Some(answer) = messages.receive(ask, &socket.account)
        {
            return answer;
        }
        self.receive_piece(ask, socket)
    }

    fn receive_piece(&mut self, ask: &Ask, socket: &Socket) -> Result<Received> {
        let Some(piece) = self.pieces.front_mut() else { return self.receive_nothing(socket) };
        let left = piece.left();
        if ask.form == Form::Data && ask.size >= left {
            return Ok(self.receive_whole(socket));
        }
        let count = if ask.form == Form::Message { left } else { ask.size.min(left) };
        let account = &socket.account;
        let address = match ask.form {
            Form::Message => {
                let Piece { loan, from } = piece;
                let extra = &Extra::default();
                Message::wrap(loan, *from, count, extra, account).ok_or(Errno::ENOBUFS)?
            }
            _ => piece.loan.hand_out(piece.from, count, account.booked()),
        };
        piece.from += count;
        self.bytes -= count;
        if count == left {
            self.pieces.pop_front();
        }
        Ok(Received::Block { address, count, name: None })
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

    /// The program has been told the end past the inbox.
    pub fn end_was_fetched(&mut self) {
        self.end = true;
        self.finished = true;
    }

    /// Whether there is nothing that the program has not been told.
    pub fn is_spent(&self) -> bool {
        self.is_empty() && !self.end && self.error.is_none()
    }

    /// Whether what may have come is the kernel's still: no operation receives it.
    pub fn is_left_to_kernel(&self) -> bool {
        !self.armed && self.is_spent()
    }

    /// Throws away what has not been fetched.
    pub fn discard(&mut self, socket: &Socket) {
        socket.account.subtract(self.bytes);
        self.bytes = 0;
        self.pieces.clear();
        self.messages = None;
    }
}

/// What makes it worth asking again whether an unconnected socket has become connected.
pub const CONNECT_EVENTS: u32 = poll::IN | poll::OUT | poll::RDHUP | poll::EDGE;
