//! Receiving: which operation is armed when, and what its completions mean.
//!
//! A socket that may use the whole area has one multishot receive. One with a share of its own
//! has single ones, each no larger than what is left of the share: it can never be exceeded.
#![forbid(unsafe_code)]

use std::sync::Arc;

use io_uring::{cqueue, opcode, squeue, types};

use super::{CONNECT_EVENTS, Connection, Group, Operation, Receiving, Uring};
use crate::engine::{Key, Notice, PollSet};
use crate::error::{Errno, Result};
use crate::region::Region;

/// Wait for data before looking for a buffer; io_uring_enter(2), since 5.19.
const RECVSEND_POLL_FIRST: u16 = 1 << 0;
/// One operation, a completion for each buffer that was filled; since 6.0.
const RECV_MULTISHOT: u16 = 1 << 1;

impl Uring {
    /// The group of buffers of an area, made when its first socket comes.
    pub(super) fn group_of(&mut self, region: &Arc<Region>) -> Result<&mut Group> {
        let area = region.handle();
        if let Some(index) = self.groups.iter().position(|group| group.area == area) {
            return Ok(&mut self.groups[index]);
        }
        let id = (0..u16::MAX)
            .find(|id| self.groups.iter().all(|group| group.id != *id))
            .ok_or(Errno::ENOMEM)?;
        self.groups.push(Group::new(&self.ring, id, region)?);
        self.groups.last_mut().ok_or(Errno::ENOMEM)
    }

    fn group(&mut self, area: u64) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.area == area)
    }

    pub(super) fn retire_groups(&mut self, area: u64) {
        if let Some(index) = self.groups.iter().position(|group| group.area == area) {
            // Only when the kernel has let go of the buffers may they be dropped.
            if self.ring.unregister_buffer_ring(self.groups[index].id).is_ok() {
                self.groups.swap_remove(index);
            }
        }
    }

    /// A socket stops receiving into buffers of the area. With the last one, what was kept for
    /// receiving is all the program's again.
    pub(super) fn leave_group(&mut self, area: u64, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let Some(group) = self.group(area) else { return };
        group.users -= 1;
        if group.users == 0 {
            self.take_back_buffers(area, poll, notices);
        }
    }

    /// Takes every buffer that is still empty back from the kernel. Receives that want one later
    /// start over as they did at first.
    pub(super) fn take_back_buffers(
        &mut self,
        area: u64,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) {
        let Some(index) = self.groups.iter().position(|group| group.area == area) else { return };
        let id = self.groups[index].id;
        if !self.groups[index].has_buffers() || self.ring.unregister_buffer_ring(id).is_err() {
            return;
        }
        // From here on nothing is filled; completions that tell of filled ones come first.
        self.groups[index].deactivate();
        self.reap(poll, notices);
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
        let Receiving::Ring(inbox) = &connection.receiving else { return Ok(()) };
        if inbox.armed.is_some() || inbox.end || inbox.error.is_some() || connection.is_leaving {
            return Ok(());
        }
        let socket = connection.socket.clone();
        let area = socket.region.handle();
        let Some(group) = self.group(area) else { return Ok(()) };
        let mut how = 0;
        let mut bytes = 0;
        // Without a buffer the operation would fail at once instead of waiting for data.
        if !group.has_buffers() {
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
        let entry = opcode::Recv::new(types::Fd(socket.fd), std::ptr::null_mut(), bytes as u32)
            .ioprio(how)
            .buf_group(group.id)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        let index = self.operations.insert(Operation::Receive { key, area });
        if let Some(Connection { receiving: Receiving::Ring(inbox), .. }) = self.connection_mut(key)
        {
            inbox.armed = Some(index);
        }
        self.ring.push(&entry.user_data(index as u64))
    }

    /// A completion of a receive operation.
    pub(super) fn received(
        &mut self,
        index: usize,
        result: i32,
        flags: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) {
        let Some(&Operation::Receive { key, area }) = self.operations.get(index) else { return };
        let loan = cqueue::buffer_select(flags)
            .and_then(|id| self.group(area).and_then(|group| group.take(id)));
        let more = cqueue::more(flags);
        if !more {
            self.operations.remove(index);
        }
        let Some(connection) = self.connection_mut(key) else { return };
        let socket = connection.socket.clone();
        let is_leaving = connection.is_leaving;
        let Receiving::Ring(inbox) = &mut connection.receiving else { return };
        if !more {
            inbox.armed = None;
        }
        let mut arm = !more && !is_leaving;
        match (result, loan) {
            (1.., Some(loan)) => {
                inbox.push(loan, result as usize, &socket);
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
                    self.starved.push(key);
                }
                Errno::ENOTCONN if !is_leaving => {
                    // Shut down, or not connected yet: the next change will tell.
                    arm = false;
                    if !inbox.watched {
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

    /// Supplies the groups with buffers, and arms those who had none.
    pub(super) fn feed(&mut self) {
        for group in &mut self.groups {
            group.refill();
        }
        for key in std::mem::take(&mut self.starved) {
            let Some(connection) = self.connection(key) else { continue };
            if matches!(connection.receiving, Receiving::Ready(_)) {
                self.starved.push(key);
                continue;
            }
            let socket = connection.socket.clone();
            let Some(group) = self.group(socket.region.handle()) else { continue };
            group.activate();
            if !group.has_buffers() {
                // Said first, looked at again afterwards: nothing that comes back is missed.
                group.want_space();
                group.refill();
            }
            if group.has_buffers() {
                self.to_arm.push(key);
            } else {
                self.starved.push(key);
            }
        }
    }
}
