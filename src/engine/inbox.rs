//! What a stream has received into buffers of its group and the program has not fetched yet.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::engine::{Ask, Form, Readiness, Received, Socket};
use crate::error::{Errno, Result};
use crate::region::{Loan, Message};
use crate::sys::{poll, socket as system};

/// Part of a buffer that the kernel filled.
struct Piece {
    loan: Loan,
    from: usize,
}

#[derive(Default)]
pub struct Inbox {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// The peer sends no more.
    pub end: bool,
    /// Told to the program once.
    pub error: Option<Errno>,
    /// The end was fetched: it is no event any more.
    finished: bool,
    /// The receive operation that is under way.
    pub armed: Option<usize>,
    /// The socket is not connected yet: looked at when the poll set says that it changed.
    pub watched: bool,
}

impl Inbox {
    /// Adds what the kernel has put into the first `bytes` of a buffer.
    pub fn push(&mut self, mut loan: Loan, bytes: usize, socket: &Socket) {
        if bytes * 2 <= loan.len() {
            loan.trim(bytes);
        }
        socket.account.add(bytes);
        socket.counters.count_received(bytes);
        self.bytes += bytes;
        self.pieces.push_back(Piece { loan, from: 0 });
        if let Some(piece) = self.pieces.back_mut() {
            piece.loan.set_len(bytes);
        }
    }

    pub fn readiness(&self) -> Readiness {
        let bytes = self.bytes;
        let error = self.error.filter(|_| bytes == 0);
        Readiness { bytes, end: self.end && !self.finished && error.is_none(), error }
    }

    /// Takes the first piece, or as much of it as was asked for.
    pub fn receive(&mut self, ask: &Ask, socket: &Socket) -> Result<Received> {
        let Some(piece) = self.pieces.front_mut() else {
            if self.watched && self.armed.is_none() && !system::is_connected(socket.fd) {
                return Err(Errno::ENOTCONN);
            }
            if let Some(errno) = self.error.take() {
                self.end = true;
                return Err(errno);
            }
            if self.end {
                self.finished = true;
                return Ok(Received::End);
            }
            return Err(Errno::EAGAIN);
        };
        let left = piece.loan.len() - piece.from;
        let count = if ask.form == Form::Message { left } else { ask.size.min(left) };
        let account = &socket.account;
        let address = match ask.form {
            Form::Message => {
                Message::wrap(&piece.loan, piece.from, count, account).ok_or(Errno::ENOBUFS)?
            }
            _ => piece.loan.hand_out(piece.from, count, Some(account.clone())),
        };
        piece.from += count;
        self.bytes -= count;
        if count == left {
            self.pieces.pop_front();
        }
        Ok(Received::Block { address, count, name: None })
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
