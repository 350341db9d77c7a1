//! Messages that the kernel has put into whole buffers, and that the program has not fetched yet.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Ask, Form, Received};
use crate::error::{Errno, Result};
use crate::region::{Account, Claim, Extra, Message, Region};
use crate::sys::message::{Address, INCOMING_BYTES, Incoming};
use crate::sys::socket as system;

// Where things lie in a buffer fits in 16 bits.
const _: () = assert!(INCOMING_BYTES <= u16::MAX as usize);

/// They occupy the area, and nobody's share of it: a socket with one of its own has none here. What
/// came with a message is looked at when the program asks for it: for most, its bytes are all.
pub struct Messages {
    region: Arc<Region>,
    /// None is shorter than what stands before the payload.
    line: VecDeque<Claim>,
}

impl Messages {
    pub fn new(region: Arc<Region>) -> Self {
        Self { region, line: VecDeque::new() }
    }

    /// One more: how long it is. `None`: it is none.
    #[inline]
    pub fn push(&mut self, claim: Claim) -> Option<usize> {
        let Some(bytes) = claim.len().checked_sub(INCOMING_BYTES) else {
            // The kernel does not do that.
            self.region.give_back(claim);
            return None;
        };
        self.line.push_back(claim);
        Some(bytes)
    }

    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// How long the first one is.
    pub fn first_bytes(&self) -> Option<usize> {
        self.line.front().map(|claim| claim.len() - INCOMING_BYTES)
    }

    /// Takes the first one. `None`: there is none.
    #[inline]
    pub fn receive(&mut self, ask: &Ask, account: &Arc<Account>) -> Option<Result<Received>> {
        let left = self.first_bytes()?;
        if ask.form == Form::Message {
            return Some(self.receive_wrapped(account));
        }
        let name = match ask.form {
            Form::Name => self.first_name().transpose(),
            _ => Ok(None),
        };
        let name = match name {
            Ok(name) => name,
            Err(errno) => return Some(Err(errno)),
        };
        let claim = self.line.pop_front()?;
        // The rest of a message that the program wanted less of is lost, as with recv(2).
        let count = ask.size.min(left);
        let address = self.region.hand_over(claim, INCOMING_BYTES, count);
        let told = if ask.flags & system::TRUNC != 0 { left } else { count };
        Some(Ok(Received::Block { address, count: told, name }))
    }

    fn first_name(&self) -> Option<Result<Box<Address>>> {
        let span = self.region.claimed(self.line.front()?);
        let bytes = Incoming::parts(span).name_length;
        let name = span.skip(Incoming::NAME_OFFSET).first(bytes);
        (bytes > 0).then(|| Address::from_span(name).map(Box::new))
    }

    /// With a header of its own.
    fn receive_wrapped(&mut self, account: &Arc<Account>) -> Result<Received> {
        let claim = self.line.pop_front().ok_or(Errno::EAGAIN)?;
        let count = claim.len() - INCOMING_BYTES;
        let parts = Incoming::parts(self.region.claimed(&claim));
        let extra = Extra {
            name: (Incoming::NAME_OFFSET as u16, parts.name_length as u16),
            control: (Incoming::CONTROL_OFFSET as u16, parts.control_length as u16),
            flags: parts.flags,
        };
        let loan = self.region.lend_claim(claim);
        match Message::wrap(&loan, INCOMING_BYTES, count, &extra, account) {
            Some(address) => Ok(Received::Block { address, count, name: None }),
            None => {
                self.line.extend(loan.into_claim());
                self.line.rotate_right(1);
                Err(Errno::ENOBUFS)
            }
        }
    }

    /// Throws away what has not been fetched.
    pub fn clear(&mut self) {
        for claim in self.line.drain(..) {
            self.region.give_back(claim);
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.clear();
    }
}
