//! What the next operations of a socket send: requests that can go together, and what goes without a
//! copy.
#![forbid(unsafe_code)]

use smallvec::SmallVec;

use super::Connection;
use crate::engine::outbox::Entry;
use crate::sys::message::Outgoing;
use crate::sys::ring::Features;
use crate::sys::socket;
use crate::sys::span::Span;

/// What the kernel books for a message besides its bytes is less.
const PAGE_BYTES: usize = 4096;
/// Requests that one operation of a stream carries, and operations in one chain.
pub(super) const GATHERED_MAX: usize = 64;
const CHAIN_MAX: usize = 64;

/// What one operation is made of.
pub(super) struct Plan {
    /// What it sends, unless that is in the message.
    pub span: Option<Span>,
    pub message: Option<Box<Outgoing>>,
    pub flags: i32,
    pub zero_copy: bool,
}

impl Connection {
    /// What the next operation of a stream carries: requests that can go together, or one large one
    /// without a copy.
    pub(super) fn plan_stream(&mut self, features: &Features) -> Option<Plan> {
        let Self { outbox, path, socket, .. } = self;
        let first = outbox.unsent().next()?;
        let mut flags = first.request.flags | socket::NOSIGNAL | libc::MSG_WAITALL;
        if !first.request.is_plain() {
            let message = Some(first.request.message(first.sent));
            return Some(Plan { span: None, message, flags, zero_copy: false });
        }
        let mut spans: SmallVec<[Span; 1]> = SmallVec::new();
        let mut zero_copy = false;
        'requests: for entry in outbox.gatherable() {
            flags = entry.request.flags | socket::NOSIGNAL | libc::MSG_WAITALL;
            for span in entry.request.spans(entry.sent) {
                if path.is_worth_trying(span.len(), socket.way(), features) {
                    if spans.is_empty() {
                        spans.push(span);
                        zero_copy = true;
                    } else {
                        // What is small goes ahead; the large one follows at once.
                        flags |= socket::MORE;
                    }
                    break 'requests;
                }
                spans.push(span);
                if spans.len() == GATHERED_MAX {
                    break 'requests;
                }
            }
        }
        let message =
            (spans.len() > 1).then(|| Outgoing::new(spans.iter().copied(), None, Vec::new()));
        Some(Plan { span: spans.first().copied(), message, flags, zero_copy })
    }

    /// How many of the first unsent messages the kernel is to copy.
    pub(super) fn copied_messages(&mut self, features: &Features) -> usize {
        let Self { outbox, path, socket, .. } = self;
        let is_copied =
            |entry: &&Entry| !path.is_worth_trying(entry.request.length, socket.way(), features);
        outbox.unsent().take(GATHERED_MAX).take_while(is_copied).count()
    }

    /// An operation each for the next messages: one that the kernel copies, or several that it
    /// does not.
    pub(super) fn plan_messages(&mut self, features: &Features) -> Vec<Plan> {
        let Self { outbox, path, socket, .. } = self;
        let mut plans = Vec::new();
        for entry in outbox.unsent().take(CHAIN_MAX) {
            let request = &entry.request;
            let is_plain = request.is_plain() && request.pieces.len() == 1;
            let zero_copy = path.is_worth_trying(request.length, socket.way(), features)
                && (is_plain || features.sendmsg_zero_copy);
            if !zero_copy && !plans.is_empty() {
                break;
            }
            let message = (!is_plain).then(|| request.message(0));
            let flags = request.flags | socket::NOSIGNAL;
            let span = request.spans(0).next().filter(|_| is_plain);
            plans.push(Plan { span, message, flags, zero_copy });
            if !zero_copy {
                break;
            }
        }
        plans
    }

    /// How many of the next messages the socket's buffer is sure to take: the kernel looks whether
    /// there is any room, and books at most twice the bytes and a page. What lies in a huge page it
    /// books with all of the page that is before it, so that nothing is sure there.
    pub(super) fn sure_messages(&self) -> usize {
        if !self.socket.region.mapping().has_small_pages() {
            return 0;
        }
        let bytes = |entry: &Entry| 2 * entry.request.length + PAGE_BYTES;
        let room = socket::send_buffer_bytes(self.socket.fd).unwrap_or(0);
        let mut taken = socket::unsent_bytes(self.socket.fd).unwrap_or(usize::MAX);
        let fits = |entry: &&Entry| {
            let fits = taken < room;
            taken = taken.saturating_add(bytes(entry));
            fits
        };
        self.outbox.unsent().take_while(fits).count()
    }
}
