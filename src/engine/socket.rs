//! What an engine and a channel need to know of an associated socket.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::frame::Flow;
use super::inbox::Inbox;
use super::{Ask, Readiness, Received};
use crate::error::{Errno, Result};
use crate::region::{Account, Region};
use crate::sys::stat::layout::Kind as Counted;
use crate::sys::stat::{Tally, layout::socket as count};
use crate::sys::sync::{Mutex, MutexGuard};
use crate::sys::{descriptor, segments, socket, trace};

/// A descriptor whose data lives in an area. The facts do not change while it is associated.
pub struct Socket {
    pub fd: RawFd,
    /// The kernel's own number of the socket: a descriptor may be closed and mean another.
    pub identity: u64,
    pub domain: i32,
    pub kind: i32,
    pub listening: bool,
    pub region: Arc<Region>,
    pub account: Arc<Account>,
    pub counters: Counters,
    /// Datagrams of up to so many bytes go through the kernel together.
    segment_bytes_max: AtomicUsize,
    /// Held while something is received by a call of its own: a message that is looked at and then taken
    /// must be the same one. `true`: it is not associated any more.
    receives: Mutex<bool>,
    /// What a channel had received when the socket left it.
    backlog: Mutex<Option<Box<Inbox>>>,
    /// What it has of interfaces, if it is served by them.
    flow: Option<Arc<Flow>>,
}

/// What `sio_info` and sio-stat tell.
pub struct Counters {
    pub tally: Tally,
    fd: RawFd,
    /// The last zero-copy send was one.
    pub zero_copy: AtomicBool,
    /// The area is registered with the engine.
    pub registered: AtomicBool,
}

impl Socket {
    /// Looks at the descriptor; `limit_bytes` as `size` of `dma_assoc`.
    pub fn new(fd: RawFd, region: Arc<Region>, limit_bytes: usize) -> Result<Self> {
        if !descriptor::is_open(fd) {
            return Err(Errno::EBADF);
        }
        let domain = socket::domain(fd)?;
        let kind = socket::kind(fd)?;
        let kinds: &[i32] = match domain {
            libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX => {
                &[libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET]
            }
            libc::AF_PACKET => &[libc::SOCK_RAW, libc::SOCK_DGRAM],
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        if !kinds.contains(&kind) {
            return Err(Errno::EPROTONOSUPPORT);
        }
        // A frame is a message as a datagram is.
        let kind = if kind == libc::SOCK_RAW { libc::SOCK_DGRAM } else { kind };
        let is_internet = matches!(domain, libc::AF_INET | libc::AF_INET6);
        let is_udp = is_internet && kind == libc::SOCK_DGRAM && segments::is_udp(fd);
        let account = Arc::new(Account::new(limit_bytes, region.mapping().len()));
        let identity = socket::identity(fd)?;
        Ok(Self {
            fd,
            identity,
            domain,
            kind,
            listening: socket::is_listening(fd)?,
            counters: Counters::new(fd, identity, region.handle()),
            region,
            account,
            segment_bytes_max: AtomicUsize::new(if is_udp { segments::BYTES_MAX } else { 0 }),
            receives: Mutex::default(),
            backlog: Mutex::new(None),
            flow: None,
        })
    }

    /// The same socket, served by a port.
    pub fn with_flow(self, flow: Arc<Flow>) -> Self {
        Self { flow: Some(flow), ..self }
    }

    pub fn flow(&self) -> Option<&Arc<Flow>> {
        self.flow.as_ref()
    }

    /// What a thread polls that waits for data of this socket; good for one that listens to its
    /// flow, where it has one.
    pub fn waiting_fd(&self) -> Result<RawFd> {
        self.flow.as_ref().map_or(Ok(self.fd), |flow| flow.waiting_fd())
    }

    /// All that such a thread is woken by.
    pub fn watched(&self) -> Vec<RawFd> {
        self.flow.as_ref().map_or_else(|| vec![self.fd], |flow| flow.watched().collect())
    }

    pub fn is_stream(&self) -> bool {
        self.kind == libc::SOCK_STREAM
    }

    /// The right to receive into the area, so that nobody takes a message away whose length another has
    /// looked at to find room for it, nor what follows what another has. `EINVAL`: another thread has
    /// ended the association, and the area may be gone.
    pub fn enter_receives(&self) -> Result<MutexGuard<'_, bool>> {
        let is_over = self.receives.lock();
        if *is_over { Err(Errno::EINVAL) } else { Ok(is_over) }
    }

    /// Who is just receiving has come to an end.
    pub fn wait_for_receives(&self) {
        drop(self.receives.lock());
    }

    /// From now on nothing is received; who is just receiving is waited for.
    pub fn end_receives(&self) {
        *self.receives.lock() = true;
    }

    pub fn is_internet(&self) -> bool {
        matches!(self.domain, libc::AF_INET | libc::AF_INET6)
    }

    /// Whether it is one of packet(7).
    pub fn is_of_frames(&self) -> bool {
        self.domain == libc::AF_PACKET
    }

    /// Whether datagrams could be cut from larger ones, as far as is known.
    pub fn is_udp(&self) -> bool {
        self.segment_bytes_max.load(Ordering::Relaxed) > 0
    }

    /// Up to how many bytes datagrams that are sent together may be one for the kernel; 0 is never.
    pub fn segment_bytes_max(&self) -> usize {
        let bytes = self.segment_bytes_max.load(Ordering::Relaxed);
        if bytes > 0 && segments::is_unseen(self.fd) { bytes } else { 0 }
    }

    /// Such datagrams have been refused: those that are as large are not tried again.
    pub fn refuse_segments(&self, bytes: usize) {
        self.segment_bytes_max.store(bytes.saturating_sub(1), Ordering::Relaxed);
    }

    /// The way to its peer, for [`super::Path`].
    pub fn way(&self) -> (RawFd, bool) {
        (self.fd, self.is_internet())
    }

    fn lock_backlog(&self) -> MutexGuard<'_, Option<Box<Inbox>>> {
        self.backlog.lock()
    }

    /// Keeps what was received and not fetched, for whoever receives next.
    pub(super) fn leave_backlog(&self, mut inbox: Inbox) {
        inbox.armed = false;
        inbox.watched = false;
        *self.lock_backlog() = (!inbox.is_spent()).then(|| Box::new(inbox));
    }

    pub(super) fn take_backlog(&self) -> Inbox {
        self.lock_backlog().take().map_or_else(Inbox::default, |inbox| *inbox)
    }

    /// What the backlog has.
    pub fn backlog(&self) -> Readiness {
        self.lock_backlog().as_ref().map_or(Readiness::default(), |inbox| inbox.readiness())
    }

    /// Receives from the backlog; `None` when there is none.
    pub(super) fn receive_backlog(&self, ask: &Ask) -> Option<Result<Received>> {
        let mut backlog = self.lock_backlog();
        let answer = backlog.as_mut()?.receive(ask, self);
        if backlog.as_ref().is_some_and(|inbox| inbox.is_spent()) {
            *backlog = None;
        }
        Some(answer)
    }

    /// Throws the backlog away.
    pub fn discard_backlog(&self) {
        if let Some(mut inbox) = self.lock_backlog().take() {
            inbox.discard(self);
        }
    }

    /// Whether the descriptor still means this socket.
    pub fn is_current(&self) -> bool {
        socket::identity(self.fd) == Ok(self.identity)
    }
}

impl Counters {
    fn new(fd: RawFd, identity: u64, area: u64) -> Self {
        let tally = Tally::new(Counted::Socket);
        tally.set_descriptor(fd);
        tally.set_size(identity);
        tally.set_area(area);
        Self { tally, fd, zero_copy: AtomicBool::new(false), registered: AtomicBool::new(false) }
    }

    /// Bytes that were sent, and those of them that were copied.
    pub fn sent(&self) -> (u64, u64) {
        self.copied_of(count::SENT_BYTES, count::SENT_UNCOPIED_BYTES)
    }

    /// Bytes that were received, and those of them that were copied.
    pub fn received(&self) -> (u64, u64) {
        self.copied_of(count::RECEIVED_BYTES, count::RECEIVED_UNCOPIED_BYTES)
    }

    fn copied_of(&self, all: usize, uncopied: usize) -> (u64, u64) {
        // What is counted last is asked first.
        let uncopied = self.tally.get(uncopied);
        let all = self.tally.get(all);
        (all, all.saturating_sub(uncopied))
    }

    /// Bytes that arrived, and that the kernel has copied into the area. The caller has the
    /// socket's channel.
    pub fn count_received(&self, bytes: usize) {
        self.tally.add(count::RECEIVES, 1);
        self.tally.add(count::RECEIVED_BYTES, bytes as u64);
        trace::copy(self.fd, bytes, false);
    }

    /// Bytes that arrived, from any thread.
    pub fn count_received_directly(&self, bytes: usize, copied: bool) {
        self.tally.add_shared(count::RECEIVES, 1);
        self.tally.add_shared(count::RECEIVED_BYTES, bytes as u64);
        if copied {
            trace::copy(self.fd, bytes, false);
        } else {
            self.tally.add_shared(count::RECEIVED_UNCOPIED_BYTES, bytes as u64);
        }
    }

    /// Bytes that arrived by an interface, while nobody else takes what has.
    #[inline(always)]
    pub fn count_received_alone(&self, bytes: usize, copied: bool) {
        self.tally.add(count::RECEIVES, 1);
        self.tally.add(count::RECEIVED_BYTES, bytes as u64);
        if copied {
            trace::copy(self.fd, bytes, false);
        } else {
            self.tally.add(count::RECEIVED_UNCOPIED_BYTES, bytes as u64);
        }
    }

    /// A send has ended. The caller has the socket's channel.
    pub fn count_sent(&self, bytes: usize, copied: bool, outcome: Result<usize>) {
        self.tally.add(count::SENDS, 1);
        self.tally.add(count::SENT_BYTES, bytes as u64);
        if copied {
            trace::copy(self.fd, bytes, true);
        } else {
            self.tally.add(count::SENT_UNCOPIED_BYTES, bytes as u64);
        }
        match outcome {
            Ok(bytes) => trace::complete(self.fd, bytes as isize, self.tally.engine()),
            Err(errno) => self.count_failed(errno),
        }
    }

    #[cold]
    fn count_failed(&self, errno: Errno) {
        self.tally.add_shared(count::FAILED, 1);
        trace::complete(self.fd, -(errno as isize), self.tally.engine());
    }

    /// A send of a socket in no channel has been done, by any thread.
    pub fn count_sent_directly(&self, bytes: usize, copied: bool) {
        let engine = self.tally.engine();
        self.tally.add_shared(count::SENDS, 1);
        self.tally.add_shared(count::SENT_BYTES, bytes as u64);
        trace::submit(self.fd, bytes, engine);
        if copied {
            trace::copy(self.fd, bytes, true);
        } else {
            self.tally.add_shared(count::SENT_UNCOPIED_BYTES, bytes as u64);
        }
        trace::complete(self.fd, bytes as isize, engine);
    }

    /// A send was not accepted, for want of room.
    #[cold]
    pub fn count_refused(&self) {
        self.tally.add_shared(count::REFUSED, 1);
    }
}
