//! What an engine and a channel need to know of an associated socket.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::frame::Flow;
use super::inbox::Inbox;
use super::{Ask, Readiness, Received};
use crate::error::{Errno, Result};
use crate::region::{Account, Region};
use crate::sys::sync::{Mutex, MutexGuard};
use crate::sys::{descriptor, segments, socket};

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
    /// What a channel had received when the socket left it.
    backlog: Mutex<Option<Inbox>>,
    /// What it has of interfaces, if it is served by them.
    flow: Option<Arc<Flow>>,
}

/// What `sio_info` tells, in bytes.
#[derive(Default)]
pub struct Counters {
    pub sent: AtomicU64,
    pub sent_copied: AtomicU64,
    pub received: AtomicU64,
    pub received_copied: AtomicU64,
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
        Ok(Self {
            fd,
            identity: socket::identity(fd)?,
            domain,
            kind,
            listening: socket::is_listening(fd)?,
            region,
            account,
            counters: Counters::default(),
            segment_bytes_max: AtomicUsize::new(if is_udp { segments::BYTES_MAX } else { 0 }),
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

    pub fn is_stream(&self) -> bool {
        self.kind == libc::SOCK_STREAM
    }

    pub fn is_internet(&self) -> bool {
        matches!(self.domain, libc::AF_INET | libc::AF_INET6)
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

    fn lock_backlog(&self) -> MutexGuard<'_, Option<Inbox>> {
        self.backlog.lock()
    }

    /// Keeps what was received and not fetched, for whoever receives next.
    pub(super) fn leave_backlog(&self, mut inbox: Inbox) {
        inbox.armed = None;
        inbox.watched = false;
        *self.lock_backlog() = Some(inbox).filter(|inbox| !inbox.is_spent());
    }

    pub(super) fn take_backlog(&self) -> Inbox {
        self.lock_backlog().take().unwrap_or_default()
    }

    /// What the backlog has.
    pub fn backlog(&self) -> Readiness {
        self.lock_backlog().as_ref().map_or(Readiness::default(), |inbox| inbox.readiness(self))
    }

    /// Receives from the backlog; `None` when there is none.
    pub(super) fn receive_backlog(&self, ask: &Ask) -> Option<Result<Received>> {
        let mut backlog = self.lock_backlog();
        let answer = backlog.as_mut()?.receive(ask, self);
        if backlog.as_ref().is_some_and(Inbox::is_spent) {
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
    /// Bytes that arrived: the kernel engines copy each of them once, into the area.
    pub fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.received_copied.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The same where nothing was copied, and nobody else receives on the socket meanwhile.
    pub fn count_received_alone(&self, bytes: usize) {
        let received = self.received.load(Ordering::Relaxed);
        self.received.store(received + bytes as u64, Ordering::Relaxed);
    }

    pub fn count_sent(&self, bytes: usize, copied: bool) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        if copied {
            self.sent_copied.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}
