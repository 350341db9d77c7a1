//! What one socket has been asked to send: requests in order, from acceptance to their end.
//!
//! Invariants: requests are started in order; they are told in order, whatever the order in which
//! the kernel lets go of their memory.
#![forbid(unsafe_code)]

use smallvec::SmallVec;

use super::short::Short;
use super::{Key, Notice, Sent, Socket};
use crate::error::{Errno, Result};
use crate::region::Loan;
use crate::sys::message::{Address, Outgoing};
use crate::sys::socket;
use crate::sys::span::Span;

/// Bytes of a block that is lent to the engine until they are sent.
pub type Piece = Loan;

/// The pieces of a request: one as a rule, which needs no memory of its own.
pub type Pieces = SmallVec<[Piece; 1]>;

/// One accepted call of `sio_send`, `sio_sendto` or `sio_sendmsg`.
pub struct Request {
    pub pieces: Pieces,
    /// Bytes in all pieces.
    pub length: usize,
    /// What the event's `ev_ptr` will be.
    pub address: usize,
    pub name: Option<Box<Address>>,
    pub control: Vec<u8>,
    pub flags: i32,
    pub quiet: bool,
}

impl Request {
    /// A message of the whole request, or of what is left of it after `skip` bytes.
    pub fn message(&self, skip: usize) -> Box<Outgoing> {
        Outgoing::new(self.spans(skip), self.name.as_deref(), self.control.clone())
    }

    /// The spans that are left after `skip` bytes.
    pub fn spans(&self, skip: usize) -> impl Iterator<Item = Span> + '_ {
        let mut skip = skip;
        self.pieces.iter().filter_map(move |piece| {
            let passed = skip.min(piece.len());
            skip -= passed;
            (passed < piece.len()).then(|| piece.span().skip(passed))
        })
    }

    /// Whether it can be sent by send(2): one piece, no address, no control data.
    pub fn is_plain(&self) -> bool {
        self.name.is_none() && self.control.is_empty()
    }
}

/// A request on its way.
pub struct Entry {
    pub request: Request,
    pub sent: usize,
    pub copied: bool,
    /// Not by us, but the program is to know.
    copied_later: bool,
    /// Notifications of the kernel that are still to come: it may read the memory until then.
    pub references: u32,
    /// All of it was sent, or not.
    outcome: Option<Result<()>>,
}

#[derive(Default)]
pub struct Outbox {
    entries: Short<Entry>,
    /// The number of the first entry.
    first: u64,
    /// How many entries have an outcome: they stand before the others.
    ended: usize,
    /// Entries that a system call or an operation is busy with.
    pub started: usize,
}

impl Outbox {
    pub fn push(&mut self, request: Request) {
        self.entries.push_back(Entry {
            request,
            sent: 0,
            copied: false,
            copied_later: false,
            references: 0,
            outcome: None,
        });
    }

    /// Entries that have not ended, in order.
    pub fn unsent(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter_from(self.ended)
    }

    pub fn first_unsent(&self) -> Option<&Entry> {
        self.entries.get(self.ended)
    }

    /// The first unsent entries that can go out together: plain ones whose flags differ at most
    /// in `MSG_MORE`, which means what the last of them says.
    pub fn gatherable(&self) -> impl Iterator<Item = &Entry> {
        let flags = self.unsent().next().map_or(0, |entry| entry.request.flags);
        self.unsent().take_while(move |entry| {
            entry.request.is_plain() && (entry.request.flags ^ flags) & !socket::MORE == 0
        })
    }

    pub fn has_unsent(&self) -> bool {
        self.ended < self.entries.len()
    }

    /// The number of the first entry that has not ended.
    pub fn next_number(&self) -> u64 {
        self.first + self.ended as u64
    }

    /// `bytes` of the unsent entries, from the first on, were taken by the kernel. Returns the
    /// range of the numbers of the entries that they belong to.
    pub fn advance(&mut self, bytes: usize, copied: bool) -> std::ops::Range<u64> {
        let from = self.next_number();
        let mut end = from;
        let mut left = bytes;
        while let Some(entry) = self.entries.get_mut(self.ended) {
            let taken = left.min(entry.request.length - entry.sent);
            entry.sent += taken;
            entry.copied |= copied;
            left -= taken;
            end = self.first + self.ended as u64 + 1;
            if entry.sent < entry.request.length {
                break;
            }
            entry.outcome = Some(Ok(()));
            self.ended += 1;
            if left == 0 {
                break;
            }
        }
        from..end
    }

    /// The kernel has taken and copied the first `count` unsent messages.
    pub fn advance_messages(&mut self, count: usize) {
        for entry in self.entries.iter_mut_from(self.ended).take(count) {
            entry.sent = entry.request.length;
            entry.copied = true;
            entry.outcome = Some(Ok(()));
        }
        self.ended += count;
    }

    /// The first unsent message is on its way from where it lies, until the memory is let go
    /// of. We have copied it, or somebody after us does.
    pub fn launch(&mut self, copied: bool, copied_later: bool) {
        if let Some(entry) = self.entries.get_mut(self.ended) {
            entry.sent = entry.request.length;
            entry.copied = copied;
            entry.copied_later = copied_later;
            entry.references = 1;
            entry.outcome = Some(Ok(()));
            self.ended += 1;
        }
    }

    /// The first unsent entry has failed.
    pub fn fail(&mut self, errno: Errno) {
        if let Some(entry) = self.entries.get_mut(self.ended) {
            entry.outcome = Some(Err(errno));
            self.ended += 1;
        }
    }

    /// The entry with a number, if it has not been told yet.
    pub fn get(&mut self, number: u64) -> Option<&mut Entry> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Tells what has ended and is not read by the kernel any more, in order.
    pub fn tell(&mut self, key: Key, socket: &Socket, notices: &mut Vec<Notice>) {
        while self.ended > 0 && self.entries.front().is_some_and(|entry| entry.references == 0) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.ended -= 1;
            self.first += 1;
            notices.push(Notice::Sent(key, entry.into_sent(socket)));
        }
    }

    /// Tells all that is left as cancelled, or as what it came to. The caller keeps what the
    /// kernel may still read.
    pub fn cancel(mut self, key: Key, socket: &Socket, notices: &mut Vec<Notice>) -> Vec<Piece> {
        let mut kept = Vec::new();
        while let Some(mut entry) = self.entries.pop_front() {
            if entry.references > 0 {
                kept.extend(entry.request.pieces.drain(..));
            }
            notices.push(Notice::Sent(key, entry.into_sent(socket)));
        }
        kept
    }
}

impl Entry {
    fn into_sent(self, socket: &Socket) -> Sent {
        let outcome = self.outcome.unwrap_or(Err(Errno::ECANCELED)).map(|()| self.sent);
        socket.counters.count_sent(self.sent, self.copied, outcome);
        Sent {
            address: self.request.address,
            length: self.request.length,
            outcome,
            copied: self.copied || self.copied_later,
            quiet: self.request.quiet,
        }
    }
}
