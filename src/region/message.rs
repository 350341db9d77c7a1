//! Messages as `sio_recvmsg` hands them out: a header, and data that have arrived or will.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::account::Account;
use super::area::Region;
use super::loan::Loan;
use super::map::{MESSAGE_HEADER_BYTES, MSGHDR_BYTES, MessageParts};
use crate::sys::socket::{MessageFacts, MessageRoom};

/// What came with a message besides its data: where it lies in the buffer, and how long it is.
#[derive(Clone, Copy, Default)]
pub struct Extra {
    pub name: (u16, u16),
    pub control: (u16, u16),
    pub flags: i32,
}

/// Room for a message that is received with its header: one chunk for the header, the sender's
/// name and the control data, and one for the data.
pub struct Message {
    header: Loan,
    data: Loan,
    name_bytes: usize,
}

impl Message {
    /// `None` when the area has no room.
    pub fn room(
        region: &Arc<Region>,
        data_bytes: usize,
        name_bytes: usize,
        control_bytes: usize,
    ) -> Option<Self> {
        let header = region.take(MESSAGE_HEADER_BYTES + name_bytes + control_bytes)?;
        let data = region.take(data_bytes)?;
        Some(Self { header, data, name_bytes })
    }

    /// Where the kernel is to put what.
    pub fn spans(&self) -> MessageRoom {
        let rest = self.header.span().skip(MESSAGE_HEADER_BYTES);
        MessageRoom {
            data: self.data.span(),
            name: rest.first(self.name_bytes),
            control: rest.skip(self.name_bytes),
        }
    }

    /// A header, with name and control data, for the first `bytes` of a block that have arrived
    /// already. `None` when the area has no room. `account` knows of the bytes.
    pub fn wrap_with(
        data: &Loan,
        bytes: usize,
        name: &[u8],
        control: &[u8],
        account: &Arc<Account>,
    ) -> Option<usize> {
        let control_from = MESSAGE_HEADER_BYTES + name.len().next_multiple_of(16);
        let header = data.region().take(control_from + control.len())?;
        let (name_room, control_room) = (
            header.part(MESSAGE_HEADER_BYTES, name.len()),
            header.part(control_from, control.len()),
        );
        name_room.fill_from(name);
        control_room.fill_from(control);
        let parts = MessageParts {
            data: data.span().first(bytes),
            name: name_room,
            name_length: name.len(),
            control: control_room,
            flags: 0,
        };
        Some(hand_out(&header, &parts, (data, data.offset()), account))
    }

    /// A header for bytes that have arrived already. `None` when the area has no room. `account`
    /// knows of the bytes.
    pub fn wrap(
        data: &Loan,
        from: usize,
        bytes: usize,
        extra: &Extra,
        account: &Arc<Account>,
    ) -> Option<usize> {
        let region = data.region();
        let (name_bytes, control_bytes) = (usize::from(extra.name.1), usize::from(extra.control.1));
        // Control data is aligned as a cmsghdr is.
        let control_from = MESSAGE_HEADER_BYTES + name_bytes.next_multiple_of(16);
        let header = region.take(control_from + control_bytes)?;
        let mapping = region.mapping();
        let copied = |(from, bytes): (u16, u16), to: usize| {
            let (to, bytes) = (header.offset() + to, usize::from(bytes));
            mapping.copy_within(data.offset() + usize::from(from), to, bytes);
            mapping.span(to, bytes)
        };
        let offset = data.offset() + from;
        let parts = MessageParts {
            data: mapping.span(offset, bytes),
            name: copied(extra.name, MESSAGE_HEADER_BYTES),
            name_length: name_bytes,
            control: copied(extra.control, control_from),
            flags: extra.flags,
        };
        Some(hand_out(&header, &parts, (data, offset), account))
    }

    /// Writes the header and hands the message to the program: the header's address.
    pub fn hand_out(mut self, facts: &MessageFacts, account: &Arc<Account>) -> usize {
        let stored = facts.bytes.min(self.data.len());
        let MessageRoom { name, control, .. } = self.spans();
        self.data.trim(stored);
        let parts = MessageParts {
            data: self.data.span(),
            name: name.first(name.len().min(facts.name_length)),
            name_length: facts.name_length,
            control: control.first(facts.control_length.min(control.len())),
            flags: facts.flags,
        };
        account.add(stored);
        hand_out(&self.header, &parts, (&self.data, self.data.offset()), account)
    }
}

/// Writes the header, and makes the program the holder of it and of the data, which begin at an
/// offset: the header's address.
fn hand_out(
    header: &Loan,
    parts: &MessageParts,
    (data, from): (&Loan, usize),
    account: &Arc<Account>,
) -> usize {
    let region = header.region();
    region.mapping().write_header(header.offset(), parts);
    region.blocks().hand_out_message(
        (header.chunk(), header.offset(), MSGHDR_BYTES),
        (data.chunk(), from, parts.data.len()),
        account.booked(),
    );
    header.span().address() as usize
}
