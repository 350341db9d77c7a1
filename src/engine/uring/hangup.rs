//! Datagram sockets that are shut down for receiving: shutdown(2) wakes who waits in recv(2), which
//! then tells of an end. An operation that receives sleeps on, so another one waits for that.
#![forbid(unsafe_code)]

use io_uring::{cqueue, opcode, types};

use super::{Connection, Receiving, Uring};
use crate::engine::{Key, Notice};
use crate::error::Result;
use crate::sys::poll;

/// Marks the user data; the rest of it is the key.
const HANGUP: u64 = 1 << 59;

pub(super) fn user_data(key: Key) -> u64 {
    HANGUP | u64::from(key.cast_unsigned())
}

pub(super) fn is_user_data(data: u64) -> bool {
    data >> Key::BITS == HANGUP >> Key::BITS
}

impl Uring {
    /// Begins to wait for the end, unless that is so already.
    pub(super) fn watch_for_hangup(&mut self, key: Key) -> Result<()> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let Connection { socket, receiving: Receiving::Ring(inbox, _), .. } = &mut **connection
        else {
            return Ok(());
        };
        if std::mem::replace(&mut inbox.awaits_hangup, true) {
            return Ok(());
        }
        let fd = types::Fd(socket.fd);
        // More than once: an error of the socket's wakes it too, and is told by a receive.
        let entry = opcode::PollAdd::new(fd, poll::RDHUP).multi(true).build();
        self.ring.push(&entry.user_data(user_data(key)))
    }

    pub(super) fn hung_up(&mut self, key: Key, result: i32, flags: u32, notices: &mut Vec<Notice>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { receiving: Receiving::Ring(inbox, _), is_leaving, .. } = &mut **connection
        else {
            return;
        };
        if u32::try_from(result).is_ok_and(|events| events & (poll::RDHUP | poll::HUP) != 0) {
            inbox.end = true;
            notices.push(Notice::Receivable(key));
        }
        if !cqueue::more(flags) {
            inbox.awaits_hangup = false;
            // The thread that has begun it is gone.
            if !*is_leaving && !inbox.end {
                self.to_arm.push(key);
            }
        }
    }
}
