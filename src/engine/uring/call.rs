//! Receiving on call: on a ring of several threads what a stream has is received when the channel's
//! descriptor says that there is something.
//!
//! An operation that waits is the business of the thread that has begun it. When data come, the kernel
//! interrupts that thread wherever it is, because another one may wait for them: once for every few
//! messages, which costs more than the messages do. A member of a set is told of for nothing, by
//! whichever thread asks the set, and the operation that receives then finds what it is after, and
//! ends at once.
//!
//! The operation names the socket by its place in the ring's table of files: the number may be
//! somebody else's by then, where the program has closed it and another process still has it.
#![forbid(unsafe_code)]

use super::{Connection, Receiving, Uring};
use crate::engine::inbox::Inbox;
use crate::engine::{Ask, Engine, Key, Notice, PollSet, Received, Socket, direct};
use crate::error::Result;
use crate::sys::poll;
use crate::sys::ring::Ring;

/// What tells that something has come. That there is room to send is no news: the channel's descriptor
/// would be readable by it.
const EVENTS: u32 = poll::IN | poll::RDHUP | poll::EDGE;
/// Places of the table of files, and as few are worth having.
const PLACES_MAX: u32 = 16 * 1024;
const PLACES_MIN: u32 = 64;

/// The places of the sockets that are received from on call: their numbers, as far as they go.
#[derive(Default)]
pub(super) struct Places {
    /// How many there are, once there is a table.
    table: Option<u32>,
    are_taken: Vec<bool>,
    taken: usize,
}

impl Places {
    /// So many are in use.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// The place of a number. Who has been closed without being detached keeps his, and whoever has
    /// the number then gets none.
    fn take(&mut self, fd: i32, ring: &Ring) -> Option<u32> {
        let count = *self.table.get_or_insert_with(|| make_table(ring));
        let place = u32::try_from(fd).ok().filter(|&place| place < count)?;
        let at = place as usize;
        self.are_taken.resize(self.are_taken.len().max(at + 1), false);
        if self.are_taken[at] || ring.register_file(place, Some(fd)).is_err() {
            return None;
        }
        self.are_taken[at] = true;
        self.taken += 1;
        Some(place)
    }

    fn give_back(&mut self, place: u32, ring: &Ring) {
        // It fails only where there is nothing.
        let _ = ring.register_file(place, None);
        self.are_taken[place as usize] = false;
        self.taken -= 1;
    }
}

/// As large as the limit on descriptors lets it be.
fn make_table(ring: &Ring) -> u32 {
    let mut count = PLACES_MAX;
    while count >= PLACES_MIN {
        if ring.register_file_table(count).is_ok() {
            return count;
        }
        count /= 2;
    }
    0
}

impl Uring {
    /// Begins to receive from a socket, on call or by an operation that waits: with what has been left
    /// over from another channel.
    pub(super) fn begin_to_receive(
        &mut self,
        key: Key,
        socket: &Socket,
        poll: &mut PollSet,
    ) -> Inbox {
        let mut inbox = socket.take_backlog();
        inbox.is_on_call = self.begin_calls(key, socket, poll);
        if !inbox.is_on_call {
            self.to_arm.push(key);
        }
        inbox
    }

    fn begin_calls(&mut self, key: Key, socket: &Socket, poll: &mut PollSet) -> bool {
        if self.gong.is_some() || !socket.is_stream() || !socket.account.is_whole_area() {
            return false;
        }
        let Some(place) = self.places.take(socket.fd, &self.ring) else { return false };
        let is_added = poll.add_socket(socket.fd, EVENTS, key as u64).is_ok();
        if !is_added {
            self.places.give_back(place, &self.ring);
        }
        is_added
    }

    /// It is not any more; `false`: it was not.
    pub(super) fn end_calls(&mut self, key: Key, poll: &mut PollSet) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let Connection { socket, receiving: Receiving::Ring(inbox, _), .. } = &mut **connection
        else {
            return false;
        };
        let was_on_call = std::mem::take(&mut inbox.is_on_call);
        if was_on_call {
            poll.remove_socket(socket.fd);
            self.places.give_back(socket.fd as u32, &self.ring);
        }
        was_on_call
    }

    /// Has an operation wait for what a socket receives, for a thread that does.
    pub(super) fn wait_for_data(&mut self, key: Key, poll: &mut PollSet) -> Result<()> {
        if self.end_calls(key, poll) {
            self.to_arm.push(key);
            self.arm()?;
        }
        Ok(())
    }

    /// Whether operations wait for data, or would.
    pub(super) fn awaits_data(&self) -> bool {
        let users = self.groups.iter().map(|group| group.users).sum::<usize>();
        users > self.places.taken() || !self.starved.is_empty()
    }

    /// Receives from those who have called.
    pub(super) fn receive_from_callers(
        &mut self,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        if self.places.taken() == 0 || self.to_arm.is_empty() {
            return Ok(());
        }
        self.taken_in_bytes = 0;
        self.go_rounds(poll, notices, None)
    }
}

/// What such a socket has at this moment that has not called yet, straight into a block.
pub(super) fn receive(inbox: &mut Inbox, socket: &Socket, ask: &Ask) -> Result<Received> {
    let answer = direct::receive(socket, ask);
    if matches!(answer, Ok(Received::End)) {
        inbox.end_was_fetched();
    }
    answer
}
