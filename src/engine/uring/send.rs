//! Sending: which operation carries which requests, and what its completions mean.
//!
//! A stream has one operation under way at a time, which carries as many requests as can go
//! together: two could overtake each other. Where only one socket has something to send, a plain
//! system call does it. Messages that are copied go out together in a system
//! call of their own; those that are not, one operation each, linked to a chain where one that
//! has to wait could be overtaken.
//! Zero copy is tried where it can pay and kept where the kernel's report says that it does
//! (plan.rs).
#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use io_uring::{cqueue, opcode, squeue, types};
use smallvec::SmallVec;

use super::plan::{GATHERED_MAX, Plan};
use super::{Connection, Receiving, Uring, hangup, plain, receive};
use crate::engine::outbox::{Entry, Request};
use crate::engine::path::Path;
use crate::engine::table::Kind;
use crate::engine::{Key, Notice, Piece, direct, file};
use crate::error::{Errno, Result};
use crate::sys::message::Outgoing;
use crate::sys::poll;
use crate::sys::ring::{NOTIFICATION_COPIED, SEND_ZC_REPORT_USAGE};
use crate::sys::stat::layout::engine as count;
use crate::sys::trace::{self, Fallback};

/// From so many messages of one socket on, a system call of their own is cheaper than operations.
const TOGETHER_MIN: usize = 4;
/// What is sent by a plain system call when it is all there is.
const ALONE_BYTES_MAX: usize = 64 * 1024;

/// Before a peer is asked again that says nothing.
static PAUSE: types::Timespec = types::Timespec::new().nsec(1_000_000);

/// One operation under way.
pub(super) struct SendOperation {
    key: Key,
    zero_copy: bool,
    /// It sends nothing, and ends when the socket takes more.
    is_wait: bool,
    /// The first completion has come; the notification has not.
    is_notified_later: bool,
    /// The numbers of the requests whose memory it may read until the notification.
    numbers: Range<u64>,
    /// What the kernel reads besides DMA memory.
    _message: Option<Box<Outgoing>>,
    /// Memory of a socket that has left while the kernel still read it.
    pub(super) kept: Option<Arc<Vec<Piece>>>,
}

impl Uring {
    /// Without `notices` everything goes out by operations, whose ends are told later.
    pub(super) fn start_sends(&mut self, mut notices: Option<&mut Vec<Notice>>) -> Result<()> {
        // Kept for its memory: nothing is allocated for a batch.
        let mut keys = std::mem::take(&mut self.to_send);
        let mut done = 0;
        let mut started = Ok(());
        if let ([key], Some(notices)) = (keys.as_slice(), notices.as_deref_mut()) {
            self.send_alone(*key, notices);
        }
        while started.is_ok() && done < keys.len() {
            started = self.start_sends_of(keys[done], notices.as_deref_mut());
            done += 1;
        }
        // After a failure the others have their turn next time.
        keys.drain(..done);
        keys.append(&mut self.to_send);
        self.to_send = keys;
        started
    }

    fn start_sends_of(&mut self, key: Key, notices: Option<&mut Vec<Notice>>) -> Result<()> {
        let Some(connection) = self.connection_mut(key) else { return Ok(()) };
        connection.is_to_send = false;
        if connection.outbox.started > 0 {
            return Ok(());
        }
        if connection.socket.is_stream() {
            return self.start_plain(key).unwrap_or_else(|| self.start_stream(key, notices));
        }
        if connection.socket.domain == libc::AF_UNIX {
            return self.start_local_messages(key, notices);
        }
        if let Some(notices) = notices {
            self.send_together(key, notices);
        }
        self.start_messages(key)
    }

    fn start_stream(&mut self, key: Key, notices: Option<&mut Vec<Notice>>) -> Result<()> {
        let features = self.features;
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if connection.outbox.has_files() || connection.outbox.has_news() {
            // Where nothing can be told, the end of the wait brings somebody here who can.
            let Some(notices) = notices else { return self.wait_for_room(key, false) };
            let is_full = connection.pass_files(&mut self.calls_beside);
            connection.tell(notices);
            if is_full {
                let is_leaving = connection.is_leaving;
                return if is_leaving { Ok(()) } else { self.wait_for_room(key, false) };
            }
        }
        let Some(plan) = connection.plan_stream(&features) else { return Ok(()) };
        connection.outbox.started = 1;
        let fd = types::Fd(connection.socket.fd);
        self.push_send(key, fd, plan, squeue::Flags::empty())
    }

    /// Messages between processes of this host, by system calls. The ring tries again by itself what
    /// finds no room; but the kernel has taken the bytes of the message by then, and sends an empty one.
    fn start_local_messages(&mut self, key: Key, notices: Option<&mut Vec<Notice>>) -> Result<()> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if !connection.outbox.has_unsent() && !connection.outbox.has_news() {
            return Ok(());
        }
        let Some(notices) = notices else { return self.wait_for_room(key, false) };
        let is_full = connection.pass_messages(&mut self.calls_beside);
        connection.tell(notices);
        if !is_full || connection.is_leaving {
            return Ok(());
        }
        // Of a peer that the socket is not connected to nothing tells when it has room.
        let fd = connection.socket.fd;
        let is_futile = poll::now(fd, libc::POLLOUT).is_ok_and(|found| found & libc::POLLOUT != 0);
        self.wait_for_room(key, is_futile)
    }

    /// Comes back to a socket when it is writable, or with `is_futile` in a moment.
    fn wait_for_room(&mut self, key: Key, is_futile: bool) -> Result<()> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let fd = types::Fd(connection.socket.fd);
        let index = self.operations.insert(SendOperation {
            key,
            zero_copy: false,
            is_wait: true,
            is_notified_later: false,
            numbers: 0..0,
            _message: None,
            kept: None,
        });
        connection.outbox.started = 1;
        connection.sending.push(index);
        let entry = if is_futile {
            opcode::Timeout::new(&raw const PAUSE).build()
        } else {
            opcode::PollAdd::new(fd, poll::OUT).build()
        };
        self.ring.push(&entry.user_data(index as u64))
    }

    /// What [`Uring::wait_for_room`] has waited for.
    fn has_room(&mut self, index: usize, key: Key) {
        self.operations.remove(index);
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.sending.retain(|busy| *busy != index);
        connection.outbox.started = 0;
        connection.line_up(&mut self.to_send);
    }

    /// A file goes out with the call that asks for it, while the program has it open, if nothing
    /// else of its stream is under way.
    pub(super) fn send_file(&mut self, key: Key, request: Request) -> Result<()> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        let later = connection.outbox.started > 0;
        connection.outbox.push_kept(request, later)?;
        if !later {
            connection.pass_files(&mut self.calls_beside);
            connection.outbox.keep_last_file();
        }
        connection.line_up(&mut self.to_send);
        Ok(())
    }

    /// One request of a stream that is copied anyway: the call tells at once what came of it, where
    /// the ring would take an entry and a completion for that. What the kernel does not take now
    /// waits in the ring.
    fn send_alone(&mut self, key: Key, notices: &mut Vec<Notice>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { outbox, path, socket, .. } = &mut **connection;
        let mut unsent = outbox.unsent();
        let (Some(Entry { request, sent, .. }), None) = (unsent.next(), unsent.next()) else {
            return;
        };
        let left_bytes = request.length - sent;
        if !socket.is_stream()
            || request.file.is_some()
            || outbox.started > 0
            || left_bytes > ALONE_BYTES_MAX
            || !path.takes_copy(left_bytes)
        {
            return;
        }
        let answer = direct::send(socket, request, *sent);
        drop(unsent);
        match answer {
            Ok(bytes) => drop(outbox.advance(bytes, true)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => outbox.fail(errno),
        }
        self.calls_beside += 1;
        connection.tell(notices);
    }

    /// Sends what is copied anyway, if it is several messages, in a system call of its own.
    fn send_together(&mut self, key: Key, notices: &mut Vec<Notice>) {
        let features = self.features;
        let Some(connection) = self.connections.get_mut(key) else { return };
        loop {
            let copied = connection.copied_messages(&features);
            if copied < TOGETHER_MIN {
                break;
            }
            self.calls_beside += 1;
            match direct::send_messages(&connection.socket, &connection.outbox, copied) {
                Ok(count) => connection.outbox.advance_messages(count),
                Err(Errno::EINTR) => {}
                // The first one waits in the ring until there is room.
                Err(Errno::EAGAIN) => break,
                Err(errno) => connection.outbox.fail(errno),
            }
            connection.tell(notices);
        }
    }

    fn start_messages(&mut self, key: Key) -> Result<()> {
        let features = self.features;
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let fd = types::Fd(connection.socket.fd);
        let plans = connection.plan_messages(&features);
        connection.outbox.started = plans.len() as u32;
        // As many as the socket's buffer is sure to take are sent at once, one after the other.
        // Those after them could have to wait, and be overtaken if they were not linked.
        let free = match plans.len() {
            0 | 1 => 0,
            _ => connection.sure_messages(),
        };
        let last = plans.len().saturating_sub(1);
        for (index, plan) in plans.into_iter().enumerate() {
            let is_linked = index >= free && index < last;
            let link = if is_linked { squeue::Flags::IO_LINK } else { squeue::Flags::empty() };
            self.push_send(key, fd, plan, link)?;
        }
        Ok(())
    }

    fn push_send(
        &mut self,
        key: Key,
        fd: types::Fd,
        plan: Plan,
        link: squeue::Flags,
    ) -> Result<()> {
        let entry = match (&plan.message, plan.span) {
            (Some(message), _) if plan.zero_copy => opcode::SendMsgZc::new(fd, message.header())
                .ioprio(SEND_ZC_REPORT_USAGE)
                .flags(plan.flags as u32)
                .build(),
            (Some(message), _) => {
                opcode::SendMsg::new(fd, message.header()).flags(plan.flags as u32).build()
            }
            (None, Some(span)) if plan.zero_copy => {
                opcode::SendZc::new(fd, span.address(), span.len() as u32)
                    .buf_index(self.registered.slot_of(span))
                    .flags(plan.flags)
                    .zc_flags(SEND_ZC_REPORT_USAGE)
                    .build()
            }
            (None, Some(span)) => {
                opcode::Send::new(fd, span.address(), span.len() as u32).flags(plan.flags).build()
            }
            (None, None) => opcode::Send::new(fd, std::ptr::null(), 0).flags(plan.flags).build(),
        };
        self.counts.add(count::ZERO_COPY_SENDS, plan.zero_copy.into());
        let index = self.operations.insert(SendOperation {
            key,
            zero_copy: plan.zero_copy,
            is_wait: false,
            is_notified_later: false,
            numbers: 0..0,
            _message: plan.message,
            kept: None,
        });
        if let Some(connection) = self.connection_mut(key) {
            connection.sending.push(index);
        }
        self.ring.push(&entry.flags(link).user_data(index as u64))
    }

    /// A completion of a send operation: its result, or the notification that its memory is free.
    pub(super) fn sent(
        &mut self,
        index: usize,
        result: i32,
        flags: u32,
        notices: &mut Vec<Notice>,
    ) {
        let Some(operation) = self.operations.get_mut(index) else { return };
        let key = operation.key;
        if operation.is_wait {
            return self.has_room(index, key);
        }
        if cqueue::notif(flags) {
            return self.notified(index, result, notices);
        }
        let zero_copy = operation.zero_copy;
        operation.is_notified_later = cqueue::more(flags);
        let is_notified_later = operation.is_notified_later;
        let numbers = match self.connections.get_mut(key) {
            Some(connection) => {
                if let Some(at) = connection.sending.iter().position(|&busy| busy == index) {
                    connection.sending.remove(at);
                }
                let numbers = connection.result(result, zero_copy);
                let is_refused = zero_copy && result < 0 && connection.path.is_never();
                let fd = connection.socket.fd;
                if is_notified_later {
                    for number in numbers.clone() {
                        if let Some(entry) = connection.outbox.get(number) {
                            entry.references += 1;
                        }
                    }
                }
                connection.tell(notices);
                if connection.outbox.started == 0 && connection.outbox.has_unsent() {
                    connection.line_up(&mut self.to_send);
                }
                if is_refused {
                    self.counts.add(count::FALLBACKS, 1);
                    trace::fallback(fd, Kind::Uring.code(), Fallback::ZeroCopyRefused);
                }
                numbers
            }
            None => 0..0,
        };
        if !is_notified_later {
            self.operations.remove(index);
        } else if let Some(operation) = self.operations.get_mut(index) {
            operation.numbers = numbers;
        }
    }

    /// The kernel has let go of the memory.
    fn notified(&mut self, index: usize, result: i32, notices: &mut Vec<Notice>) {
        let operation = self.operations.remove(index);
        let copied = result as u32 & NOTIFICATION_COPIED != 0;
        self.counts.add(count::ZERO_COPY_COPIED, copied.into());
        if let Some(connection) = self.connection_mut(operation.key) {
            connection.let_go(operation.numbers, copied);
            connection.tell(notices);
        }
    }

    /// Operations of a socket whose result has not come, by their user data.
    pub(super) fn busy(&self, key: Key) -> Vec<u64> {
        let Some(connection) = self.connection(key) else { return Vec::new() };
        let mut busy: Vec<u64> = connection.sending.iter().map(|&index| index as u64).collect();
        busy.extend(connection.is_sending_plain.then(|| plain::user_data(key)));
        if let Receiving::Ring(inbox, group) = &connection.receiving {
            busy.extend(inbox.armed.then(|| receive::user_data(key, *group)));
            busy.extend(inbox.awaits_hangup.then(|| hangup::user_data(key)));
        }
        busy
    }

    /// Keeps memory of a socket that has left until the kernel has let go of it.
    pub(super) fn adopt(&mut self, key: Key, kept: Vec<Piece>) {
        if kept.is_empty() {
            return;
        }
        let kept = Arc::new(kept);
        for (_, operation) in &mut self.operations {
            if operation.key == key {
                operation.kept = Some(kept.clone());
            }
        }
    }
}

impl Connection {
    /// It has something that the next turn is to send.
    #[inline]
    pub(super) fn line_up(&mut self, to_send: &mut Vec<Key>) {
        if !std::mem::replace(&mut self.is_to_send, true) {
            to_send.push(self.key);
        }
    }

    /// Sends what leads to files, and files, by system calls: `true` if the rest has to wait. Files
    /// are not sent by operations, because the kernel gives those to threads of its own.
    fn pass_files(&mut self, calls: &mut u64) -> bool {
        let Self { outbox, path, socket, .. } = self;
        match outbox.bytes_before_file() {
            Some(bytes) if bytes <= ALONE_BYTES_MAX && (bytes == 0 || path.takes_copy(bytes)) => {
                file::pass(socket, outbox, ALONE_BYTES_MAX, calls) != file::Stop::NoFile
            }
            _ => false,
        }
    }

    /// Sends messages by system calls: `true` if the rest has to wait.
    fn pass_messages(&mut self, calls: &mut u64) -> bool {
        let Self { outbox, socket, .. } = self;
        loop {
            let sent = match *outbox.unsent().take(2).collect::<SmallVec<[&Entry; 2]>>() {
                [] => return false,
                [Entry { request, .. }] => direct::send(socket, request, 0).map(|_| 1),
                _ => direct::send_messages(socket, outbox, GATHERED_MAX),
            };
            *calls += 1;
            match sent {
                Ok(count) => outbox.advance_messages(count),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return true,
                Err(errno) => outbox.fail(errno),
            }
        }
    }

    /// Books the result of an operation; the numbers of the requests that it belongs to.
    pub(super) fn result(&mut self, result: i32, zero_copy: bool) -> Range<u64> {
        self.outbox.started = self.outbox.started.saturating_sub(1);
        if result >= 0 {
            return self.outbox.advance(result as usize, !zero_copy);
        }
        let next = self.outbox.next_number();
        match Errno::from_raw(-result) {
            // Cancelled because one before it in the chain fell short, or because the thread
            // that submitted it has ended: nothing was sent, it is tried again.
            Errno::ECANCELED | Errno::EAGAIN | Errno::EINTR => next..next,
            // The socket or the limits of this user do not allow zero copy.
            Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOMEM | Errno::ENOBUFS if zero_copy => {
                self.path = Path::Never;
                next..next
            }
            errno => {
                self.outbox.fail(errno);
                next..next + 1
            }
        }
    }

    /// The kernel does not read the memory of these requests any more.
    fn let_go(&mut self, numbers: Range<u64>, copied: bool) {
        for number in numbers {
            if let Some(entry) = self.outbox.get(number) {
                entry.references -= 1;
                entry.copied |= copied;
            }
        }
        if !matches!(self.path, Path::Never) {
            self.path = if copied { Path::copies() } else { Path::ZeroCopy };
        }
        if copied {
            trace::fallback(self.socket.fd, Kind::Uring.code(), Fallback::ZeroCopyCopied);
        }
        self.socket.counters.zero_copy.swap(!copied, Ordering::Relaxed);
    }

    pub(super) fn tell(&mut self, notices: &mut Vec<Notice>) {
        self.outbox.tell(self.key, &self.socket, notices);
    }
}
