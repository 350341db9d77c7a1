//! Messages where the free memory of an area lies in pieces that are too small for the longest one:
//! each is received into a piece of its own length, once it is there.
//!
//! A receive that waits for data goes on being armed. Without a buffer it ends when some have come.
#![forbid(unsafe_code)]

use io_uring::opcode;

use super::group::Group;
use super::intake::INTAKE_MESSAGES;
use super::turn::INTAKE_BYTES;
use super::{CANCEL, Connection, Receiving, Uring};
use crate::engine::{Key, Notice, PollSet, Socket};
use crate::error::{Errno, Result};
use crate::region::Claim;
use crate::sys::message::{INCOMING_BYTES, Incoming};
use crate::sys::socket as system;

/// So many of one socket's at a time.
const TOGETHER_MAX: usize = 16;

impl Uring {
    /// Takes what there is room for.
    #[inline]
    pub(super) fn take_messages(&mut self, notices: &mut Vec<Notice>) {
        if !self.to_take.is_empty() {
            self.take_some_messages(notices);
        }
    }

    #[cold]
    fn take_some_messages(&mut self, notices: &mut Vec<Notice>) {
        for key in std::mem::take(&mut self.to_take) {
            self.take_messages_of(key, notices);
        }
    }

    fn take_messages_of(&mut self, key: Key, notices: &mut Vec<Notice>) {
        let Self { connections, groups, messages, to_arm, .. } = self;
        let Some(connection) = connections.get_mut(key) else { return };
        let Connection { socket, receiving: Receiving::Ring(inbox, id), is_leaving, .. } =
            &mut **connection
        else {
            return;
        };
        let Some(group) = groups.iter_mut().find(|group| group.id == *id) else { return };
        if *is_leaving || inbox.armed {
            return;
        }
        for taken in 1..=TOGETHER_MAX {
            match take_message(socket) {
                Ok(claim) => {
                    self.taken_in_bytes += claim.len().max(INTAKE_BYTES / INTAKE_MESSAGES);
                    messages.supplied(1);
                    inbox.push_message(claim, socket);
                    notices.push(Notice::Receivable(key));
                    if messages.max() == 0 || taken == TOGETHER_MAX {
                        group.add_starved(key);
                        return;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    to_arm.push(key);
                    return;
                }
                Err(Errno::ENOBUFS) => {
                    group.add_hungry(key);
                    return;
                }
                Err(errno) => {
                    inbox.error = Some(errno);
                    notices.push(Notice::Receivable(key));
                    return;
                }
            }
        }
    }

    /// Groups that have found no room get what others of the area keep for sockets that are silent.
    #[inline]
    pub(super) fn make_room(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        if std::mem::take(&mut self.needs_room) {
            self.take_from_others(poll, notices);
        }
    }

    #[cold]
    fn take_from_others(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let has_need = |area| self.groups.iter().any(|one| one.area == area && one.lacks_room());
        let others = self.groups.iter().filter(|group| group.has_buffers() && has_need(group.area));
        let ids: Vec<u16> = others.map(|group| group.id).collect();
        for &id in &ids {
            self.take_back_buffers(id, poll, notices);
        }
        if !ids.is_empty() {
            self.groups.iter_mut().for_each(Group::space);
            self.feed();
        }
    }

    /// A thread is about to sleep. What is left to be done here ends the sleep at once.
    pub(super) fn put_off_taking(&mut self) -> Result<()> {
        if self.needs_room || !self.to_take.is_empty() {
            self.ring.push(&opcode::Nop::new().build().user_data(CANCEL))?;
        }
        Ok(())
    }
}

/// One message, in a buffer that is laid out as those of the kernel are. `EAGAIN`: there is none;
/// `ENOBUFS`: there is no room for it.
fn take_message(socket: &Socket) -> Result<Claim> {
    let region = &socket.region;
    let bytes = INCOMING_BYTES + system::next_message_bytes(socket.fd)?;
    let mut found = None;
    region.claim_many(bytes, 1, |claim| found = Some(claim));
    let mut claim = found.ok_or(Errno::ENOBUFS)?;
    match Incoming::receive(socket.fd, region.claimed(&claim)) {
        Ok(count) => {
            let stored = bytes.min(INCOMING_BYTES + count);
            region.cut(&mut claim, stored);
            Ok(claim)
        }
        Err(errno) => {
            region.give_back(claim);
            Err(errno)
        }
    }
}
