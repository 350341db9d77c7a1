//! Receiving: which operation is armed when, and what its completions mean.
//!
//! A socket that may use the whole area has one multishot receive. One with a share of its own
//! has single ones, each no larger than what is left of the share: it can never be exceeded.
#![forbid(unsafe_code)]

use io_uring::{cqueue, opcode, squeue, types};

use super::group::{Group, Use};
use super::intake::INTAKE_MESSAGES;
use super::turn::INTAKE_BYTES;
use super::{CONNECT_EVENTS, Connection, Receiving, Uring};
use crate::engine::{Key, Notice, PollSet, Socket};
use crate::error::{Errno, Result};

/// Wait for data before looking for a buffer; io_uring_enter(2), since 5.19.
const RECVSEND_POLL_FIRST: u16 = 1 << 0;
/// One operation, a completion for each buffer that was filled; since 6.0.
const RECV_MULTISHOT: u16 = 1 << 1;

/// Marks the user data of a receive; the rest of it is the group and the key.
const RECEIVE: u64 = 1 << 61;

pub(super) fn user_data(key: Key, group: u16) -> u64 {
    RECEIVE | u64::from(group) << Key::BITS | u64::from(key.cast_unsigned())
}

/// Whether a completion is that of a receive.
pub(super) fn is_user_data(data: u64) -> bool {
    data >> (Key::BITS + u16::BITS) == RECEIVE >> (Key::BITS + u16::BITS)
}

impl Uring {
    /// Joins the group of buffers of the area, made when its first socket comes: its id. An
    /// error means that the socket had better receive by readiness.
    pub(super) fn join_group(&mut self, socket: &Socket) -> Result<u16> {
        let for_messages = !socket.is_stream();
        // A share is charged for a buffer until nobody has a part of it: it shares none.
        let incremental =
            self.features.receive_incremental && !for_messages && socket.account.is_whole_area();
        let wanted = socket.is_internet() && self.features.receive_multishot;
        // A message cannot be stopped at a share's limit without being cut.
        if !wanted || (for_messages && !socket.account.is_whole_area()) {
            return Err(Errno::EOPNOTSUPP);
        }
        let area = socket.region.handle();
        let use_of_buffers = match (for_messages, incremental) {
            (true, _) => Use::Message,
            (false, true) => Use::Parts,
            (false, false) => Use::Once,
        };
        let known = self
            .groups
            .iter_mut()
            .find(|group| group.area == area && group.use_of_buffers == use_of_buffers);
        if let Some(group) = known {
            group.users += 1;
            return Ok(group.id);
        }
        let id = (0..u16::MAX)
            .find(|id| self.groups.iter().all(|group| group.id != *id))
            .ok_or(Errno::ENOMEM)?;
        let mut group = Group::new(&self.ring, id, &socket.region, use_of_buffers)?;
        group.users = 1;
        self.groups.push(group);
        Ok(id)
    }

    fn group(&mut self, id: u16) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    /// An area goes: its groups with it, once the kernel has let go of the buffers.
    pub(super) fn retire_groups(&mut self, area: u64) {
        let ring = &self.ring;
        self.groups
            .retain(|group| group.area != area || ring.unregister_buffer_ring(group.id).is_err());
    }

    /// A socket stops receiving into buffers of a group. With the last one, what was kept for
    /// receiving is all the program's again.
    pub(super) fn leave_group(&mut self, id: u16, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let Some(group) = self.group(id) else { return };
        group.users -= 1;
        if group.users == 0 {
            self.take_back_buffers(id, poll, notices);
        }
    }

    /// Takes every buffer that is still empty back from the kernel. Receives that want one later
    /// start over as they did at first.
    pub(super) fn take_back_buffers(
        &mut self,
        id: u16,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) {
        let Some(group) = self.group(id) else { return };
        if !group.has_buffers() {
            return;
        }
        group.deactivate();
        if self.ring.unregister_buffer_ring(id).is_err() {
            return;
        }
        // From here on nothing is filled; completions that tell of filled ones come first.
        self.reap(poll, notices, None);
        let Some(index) = self.groups.iter().position(|group| group.id == id) else { return };
        if self.groups[index].start_over(&self.ring).is_err() {
            self.groups.swap_remove(index);
        }
    }

    pub(super) fn start_receives(&mut self) -> Result<()> {
        while let Some(key) = self.to_arm.pop() {
            self.arm(key)?;
        }
        Ok(())
    }

    fn arm(&mut self, key: Key) -> Result<()> {
        let Some(connection) = self.connection(key) else { return Ok(()) };
        let Receiving::Ring(inbox, id) = &connection.receiving else { return Ok(()) };
        let (id, is_on_call) = (*id, inbox.is_on_call);
        let socket = connection.socket.clone();
        if connection.is_leaving {
            return Ok(());
        }
        // What has come before a datagram socket was shut down may still be the kernel's.
        let is_over = inbox.end && socket.is_stream();
        let is_in_order = !inbox.armed && !is_over && inbox.error.is_none();
        if !socket.is_stream() && !inbox.end {
            self.watch_for_hangup(key)?;
        }
        if !is_in_order {
            return Ok(());
        }
        let Some(group) = self.group(id) else { return Ok(()) };
        let mut how = 0;
        let mut bytes = 0;
        // Without a buffer the operation would fail at once instead of waiting for data.
        if !group.has_buffers() && !is_on_call {
            how |= RECVSEND_POLL_FIRST;
        }
        if socket.account.is_whole_area() {
            how |= RECV_MULTISHOT;
        } else {
            bytes = socket.account.left_bytes().min(group.buffer_bytes());
            if bytes == 0 {
                self.starved.push(key);
                socket.region.want_space();
                return Ok(());
            }
        }
        let fd = types::Fd(socket.fd);
        let entry = if is_on_call {
            // Its number is its place: see `call.rs`.
            opcode::Recv::new(types::Fixed(socket.fd as u32), std::ptr::null_mut(), 0)
                .ioprio(how)
                .flags(libc::MSG_DONTWAIT)
                .buf_group(id)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT)
        } else if socket.is_stream() {
            opcode::Recv::new(fd, std::ptr::null_mut(), bytes as u32)
                .ioprio(how)
                .buf_group(id)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT)
        } else {
            opcode::RecvMsgMulti::new(fd, self.incoming.header(), id).ioprio(how).build()
        };
        if let Some(Connection { receiving: Receiving::Ring(inbox, _), .. }) =
            self.connection_mut(key)
        {
            inbox.armed = true;
        }
        self.ring.push(&entry.user_data(user_data(key, id)))
    }

    /// A completion of a receive operation.
    pub(super) fn received(
        &mut self,
        data: u64,
        result: i32,
        flags: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) {
        let (key, id) = (data as Key, (data >> Key::BITS) as u16);
        if self.received_message(data, result, flags, notices) {
            return;
        }
        let loan = cqueue::buffer_select(flags).and_then(|buffer| {
            let bytes = usize::try_from(result).unwrap_or(0);
            let group = self.group(id)?;
            let goes_on = cqueue::buffer_more(flags);
            let is_split = group.use_of_buffers == Use::Parts && !goes_on;
            group.take(buffer, bytes, goes_on).map(|loan| (loan, is_split))
        });
        let more = cqueue::more(flags);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { socket, receiving, is_leaving, .. } = &mut **connection;
        let is_leaving = *is_leaving;
        let Receiving::Ring(inbox, _) = receiving else { return };
        if result > 0 {
            inbox.progress.note(cqueue::sock_nonempty(flags));
        }
        let mut arm = !more && !is_leaving;
        if !more {
            inbox.armed = false;
            let has_more = inbox.progress.end();
            arm &= has_more || !(inbox.is_on_call && result == -libc::EAGAIN);
        }
        match (result, loan) {
            (1.., Some((loan, is_split))) => {
                self.taken_in_bytes += loan.len();
                inbox.push(loan, is_split, socket);
                notices.push(Notice::Receivable(key));
            }
            (0, _) => {
                arm = false;
                inbox.end = true;
                notices.push(Notice::Receivable(key));
            }
            _ => match Errno::from_raw(-result) {
                // Cancelled without our asking: the thread that submitted it has ended.
                Errno::ECANCELED | Errno::EAGAIN | Errno::EINTR => {}
                Errno::ENOBUFS => {
                    arm = false;
                    if let Some(group) = self.group(id) {
                        group.add_starved(key);
                    }
                }
                Errno::ENOTCONN if !is_leaving => {
                    // Shut down, or not connected yet: the next change will tell.
                    arm = false;
                    if !inbox.watched && !inbox.is_on_call {
                        inbox.watched = poll.add(socket.fd, CONNECT_EVENTS, key as u64).is_ok();
                    }
                }
                errno => {
                    arm = false;
                    inbox.error = Some(errno);
                    notices.push(Notice::Receivable(key));
                }
            },
        }
        if arm {
            self.to_arm.push(key);
        }
    }

    /// A message, as most completions of its kind are; `false`: it is none, and nothing was done.
    #[inline]
    fn received_message(
        &mut self,
        data: u64,
        result: i32,
        flags: u32,
        notices: &mut Vec<Notice>,
    ) -> bool {
        let (key, id) = (data as Key, (data >> Key::BITS) as u16);
        let (Some(buffer), bytes @ 1..) = (cqueue::buffer_select(flags), result) else {
            return false;
        };
        let Self { groups, connections, .. } = self;
        let Some(group) = groups.iter_mut().find(|group| group.id == id) else { return false };
        if group.use_of_buffers != Use::Message {
            return false;
        }
        let Some(claim) = group.take_whole(buffer, bytes as usize) else { return false };
        let Some(connection) = connections.get_mut(key) else {
            group.region().give_back(claim);
            return true;
        };
        let Connection { socket, receiving: Receiving::Ring(inbox, _), is_leaving, .. } =
            &mut **connection
        else {
            group.region().give_back(claim);
            return true;
        };
        self.taken_in_bytes += claim.len().max(INTAKE_BYTES / INTAKE_MESSAGES);
        inbox.push_message(claim, socket);
        if !cqueue::more(flags) {
            inbox.armed = false;
            if !*is_leaving {
                self.to_arm.push(key);
            }
        }
        // The last one of many tells of all.
        if !matches!(notices.last(), Some(Notice::Receivable(last)) if *last == key) {
            notices.push(Notice::Receivable(key));
        }
        true
    }

    /// Supplies the groups with buffers, and arms those who had none: as many as there are buffers,
    /// in the order in which they came. More would only fail once more, each time.
    #[inline]
    pub(super) fn feed(&mut self) {
        if !self.groups.is_empty() || !self.starved.is_empty() {
            self.feed_some(false);
        }
    }

    /// The same for all of them, before nobody looks for a while: a socket whose data somebody else
    /// has taken keeps no other waiting.
    pub(super) fn feed_all(&mut self) {
        if !self.starved.is_empty() || self.groups.iter().any(Group::has_starved) {
            self.feed_some(true);
        }
    }

    /// Where buffers for messages are kept back there is still one, and whoever wants it waits for
    /// data: that some have come is not left to the next turn.
    #[cold]
    pub(super) fn feed_one_message(&mut self) {
        for group in &mut self.groups {
            if group.use_of_buffers == Use::Message && group.has_starved() && !group.has_buffers() {
                group.prepare_to_feed(1);
                while let Some(key) = group.next_to_feed(true) {
                    self.to_arm.push(key);
                }
                self.to_take.extend(std::iter::from_fn(|| group.next_to_take()));
            }
        }
    }

    fn feed_some(&mut self, all: bool) {
        let channel = self.counts.channel();
        for group in &mut self.groups {
            self.messages.supplied(group.prepare_to_feed(self.messages.max()));
            if group.begs() {
                group.region().beg(channel);
                self.needs_room = true;
            }
            while let Some(key) = group.next_to_feed(all) {
                self.to_arm.push(key);
            }
            self.to_take.extend(std::iter::from_fn(|| group.next_to_take()));
        }
        // Those with a share of their own wait for a part of that to come back.
        for key in std::mem::take(&mut self.starved) {
            match self.connection(key).map(|connection| &connection.receiving) {
                Some(Receiving::Ring(..)) => self.to_arm.push(key),
                Some(Receiving::Ready(_)) => self.starved.push(key),
                None => {}
            }
        }
    }
}
