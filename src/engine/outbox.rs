//! What one socket has been asked to send: requests in order, from acceptance to their end.
//!
//! Invariants: requests are started in order; they are told in order, whatever the order in which
//! the kernel lets go of their memory.
#![forbid(unsafe_code)]

use smallvec::SmallVec;

use super::short::Short;
use super::{File, Key, Notice, Sent, Socket};
use crate::error::{Errno, Result};
use crate::region::Loan;
use crate::sys::descriptor::Descriptor;
use crate::sys::message::{Address, Outgoing};
use crate::sys::span::Span;
use crate::sys::{rights, socket};

/// Bytes of a block that is lent to the engine until they are sent.
pub type Piece = Loan;

/// The pieces of a request: one as a rule, which needs no memory of its own.
pub type Pieces = SmallVec<[Piece; 1]>;

/// What few messages have: so a request has a place for it elsewhere. cmsg(3).
pub struct ControlData {
    bytes: Vec<u8>,
    /// The descriptors that it names, once the program may have closed its own.
    rights: Vec<Descriptor>,
}

impl ControlData {
    /// `None`: there is none.
    pub fn new(bytes: Vec<u8>) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes, rights: Vec::new() }))
    }
}

/// One accepted call of `sio_send`, `sio_sendto`, `sio_sendmsg` or `sio_sendfile`.
pub struct Request {
    pub pieces: Pieces,
    /// In place of the pieces.
    pub file: Option<Box<File>>,
    /// Bytes in all pieces, or to be sent of the file.
    pub length: usize,
    /// What the event's `ev_ptr` will be.
    pub address: usize,
    pub name: Option<Box<Address>>,
    pub control: Option<Box<ControlData>>,
    pub flags: i32,
    pub quiet: bool,
}

impl Request {
    /// Of so many bytes of a file.
    pub fn of_file(file: File, length: usize, quiet: bool) -> Self {
        Self {
            pieces: Pieces::new(),
            file: Some(Box::new(file)),
            length,
            address: 0,
            name: None,
            control: None,
            flags: 0,
            quiet,
        }
    }

    /// From now on the program may close the descriptors that it passes on.
    pub fn keep_rights(&mut self) -> Result<()> {
        match &mut self.control {
            Some(data) if data.rights.is_empty() => {
                data.rights = rights::keep(&mut data.bytes)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Its control data, or nothing.
    pub fn control(&self) -> &[u8] {
        self.control.as_ref().map_or(&[], |data| &data.bytes)
    }

    /// A message of the whole request, or of what is left of it after `skip` bytes. Control data
    /// belongs to the first byte only.
    pub fn message(&self, skip: usize) -> Box<Outgoing> {
        let control = if skip == 0 { self.control().to_vec() } else { Vec::new() };
        Outgoing::new(self.spans(skip), self.name.as_deref(), control)
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

    /// Whether it can be sent by send(2): memory, no address, no control data.
    pub fn is_plain(&self) -> bool {
        self.name.is_none() && self.control.is_none() && self.file.is_none()
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
    /// How many of the others are files.
    files: u32,
    /// Entries that a system call or an operation is busy with.
    pub started: u32,
}

impl Outbox {
    pub fn push(&mut self, request: Request) {
        self.files += u32::from(request.file.is_some());
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

    /// The only entry, if it has not ended.
    #[inline]
    pub fn only(&self) -> Option<&Entry> {
        self.entries.only().filter(|_| self.ended == 0)
    }

    pub fn first_unsent(&self) -> Option<&Entry> {
        self.entries.get(self.ended)
    }

    pub fn first_unsent_mut(&mut self) -> Option<&mut Entry> {
        self.entries.get_mut(self.ended)
    }

    /// The first unsent entries that can go out together: plain ones whose flags differ at most
    /// in `MSG_MORE`, which means what the last of them says.
    pub fn gatherable(&self) -> impl Iterator<Item = &Entry> {
        let flags = self.unsent().next().map_or(0, |entry| entry.request.flags);
        self.unsent().take_while(move |entry| {
            entry.request.is_plain() && (entry.request.flags ^ flags) & !socket::MORE == 0
        })
    }

    /// Bytes before the first file that is to be sent; more than anything if they cannot all be sent
    /// by send(2). `None`: there is no file.
    pub fn bytes_before_file(&self) -> Option<usize> {
        if self.files == 0 {
            return None;
        }
        let before = self.unsent().take_while(|entry| entry.request.file.is_none());
        Some(before.fold(0, |sum, entry| match entry.request.is_plain() {
            true => sum + (entry.request.length - entry.sent),
            false => usize::MAX / 2,
        }))
    }

    /// Whether a file follows the first unsent entry.
    pub fn is_second_a_file(&self) -> bool {
        self.entries.get(self.ended + 1).is_some_and(|entry| entry.request.file.is_some())
    }

    /// Whether what [`Outbox::gatherable`] gives is followed by something.
    pub fn goes_on_after_gatherable(&self) -> bool {
        self.files > 0 && self.unsent().nth(self.gatherable().count()).is_some()
    }

    /// Takes a request in; a file that will be sent `later` is kept open first.
    pub fn push_kept(&mut self, mut request: Request, later: bool) -> Result<()> {
        if let Some(file) = request.file.as_mut().filter(|_| later) {
            file.keep()?;
        }
        self.push(request);
        Ok(())
    }

    /// If the last one is a file that has not been sent as a whole, keeps it open. Where that is
    /// impossible it fails when its turn comes.
    pub fn keep_last_file(&mut self) {
        let last = self.entries.len().checked_sub(1).filter(|&last| last >= self.ended);
        if let Some(file) = last
            .and_then(|last| self.entries.get_mut(last))
            .and_then(|entry| entry.request.file.as_mut())
        {
            let _ = file.keep();
        }
    }

    /// Whether a file is to be sent.
    pub fn has_files(&self) -> bool {
        self.files > 0
    }

    /// Whether something can be told.
    pub fn has_news(&self) -> bool {
        self.ended > 0 && self.entries.front().is_some_and(|entry| entry.references == 0)
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
            self.files -= u32::from(entry.request.file.is_some());
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
        self.end_first(Err(errno));
    }

    /// The first unsent entry has no more to be sent.
    pub fn end_early(&mut self) {
        self.end_first(Ok(()));
    }

    fn end_first(&mut self, outcome: Result<()>) {
        if let Some(entry) = self.entries.get_mut(self.ended) {
            entry.outcome = Some(outcome);
            self.ended += 1;
            self.files -= u32::from(entry.request.file.is_some());
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
            let Some(entry) = self.entries.front() else { break };
            notices.push(Notice::Sent(key, entry.sent(socket)));
            self.entries.drop_front();
            self.ended -= 1;
            self.first += 1;
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
            notices.push(Notice::Sent(key, entry.sent(socket)));
        }
        kept
    }
}

impl Entry {
    /// How it has ended, which is counted here.
    fn sent(&self, socket: &Socket) -> Sent {
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
