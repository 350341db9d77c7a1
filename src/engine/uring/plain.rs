//! What most sends of a stream are: one request, one stretch of memory, copied by the kernel. Their
//! operation has no entry in the table of operations: the user data tell whose it is, and the outbox
//! keeps its memory.
#![forbid(unsafe_code)]

use io_uring::{opcode, types};

use super::{Connection, Uring};
use crate::engine::outbox::Entry;
use crate::engine::path::ZERO_COPY_BYTES_MIN;
use crate::engine::{Key, Notice};
use crate::error::Result;
use crate::sys::socket;
use crate::sys::span::Span;

/// Marks the user data; the rest of it is the key.
const PLAIN: u64 = 1 << 60;

pub(super) fn user_data(key: Key) -> u64 {
    PLAIN | u64::from(key.cast_unsigned())
}

pub(super) fn is_user_data(data: u64) -> bool {
    data >> Key::BITS == PLAIN >> Key::BITS
}

impl Uring {
    /// Starts what a stream has to send, if it is that. `None`: it is something else.
    #[inline]
    pub(super) fn start_plain(&mut self, key: Key) -> Option<Result<()>> {
        let connection = self.connections.get_mut(key)?;
        let (span, flags) = connection.plain_request()?;
        connection.outbox.started = 1;
        connection.is_sending_plain = true;
        self.plain_sends += 1;
        let fd = types::Fd(connection.socket.fd);
        let entry = opcode::Send::new(fd, span.address(), span.len() as u32).flags(flags).build();
        Some(self.ring.push(&entry.user_data(user_data(key))))
    }

    /// The completion of one.
    #[inline]
    pub(super) fn plain_sent(&mut self, key: Key, result: i32, notices: &mut Vec<Notice>) {
        self.plain_sends -= 1;
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.is_sending_plain = false;
        connection.result(result, false);
        connection.tell(notices);
        if connection.outbox.has_unsent() {
            connection.line_up(&mut self.to_send);
        }
    }

    /// Whether a send is under way.
    pub(super) fn is_sending(&self) -> bool {
        self.plain_sends > 0 || !self.operations.is_empty()
    }
}

impl Connection {
    /// All that is to be sent, and the flags for it, if it is that simple.
    #[inline]
    fn plain_request(&self) -> Option<(Span, i32)> {
        let Entry { request, sent, .. } = self.outbox.only()?;
        let [piece] = request.pieces.as_slice() else { return None };
        let is_simple = request.is_plain() && piece.len() - sent < ZERO_COPY_BYTES_MIN;
        let flags = request.flags | socket::NOSIGNAL | libc::MSG_WAITALL;
        is_simple.then(|| (piece.span().skip(*sent), flags))
    }
}
