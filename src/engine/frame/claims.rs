//! Which socket of a hub has which packets.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::sync::Arc;

use super::hub::{Hub, OutletKey, State};
use crate::error::{Errno, Result};
use crate::net::flow::{Endpoint, Ends, FlowKey};
use crate::net::frame::is_of_networks;
use crate::port::FrameType;
use crate::sys::gate::Gate;

/// What a socket wants of an interface.
pub(super) enum Claims<'a> {
    /// Datagrams of these flows. `shares`: it may be one of several with the same address.
    Flows { keys: &'a [FlowKey], shares: bool },
    /// The same, what a gate redirects of them.
    Gated(&'a [FlowKey], Arc<Gate>),
    /// Whole frames.
    Frames(FrameType),
}

impl Hub {
    /// What [`Hub::close`] has begun is for good.
    pub fn give_up(&self, key: OutletKey) {
        let mut state = self.lock();
        if state.is_open(key) {
            state.give_up(key.slot);
        }
    }
}

impl State {
    pub(super) fn claim_all(&mut self, claims: &Claims<'_>, slot: usize) -> Result<()> {
        match claims {
            Claims::Flows { keys, shares } => {
                keys.iter().try_for_each(|key| self.claim(key, slot, *shares))
            }
            Claims::Gated(keys, _) => keys.iter().try_for_each(|key| self.claim(key, slot, false)),
            Claims::Frames(kind) => self.claim_frames(*kind, slot),
        }
    }

    /// One socket at a time, and either the frames of datagrams or the datagrams.
    fn claim_frames(&mut self, kind: FrameType, slot: usize) -> Result<()> {
        if self.whole.is_some() || takes_from_host(kind) && !self.table.is_empty() {
            return Err(Errno::EADDRINUSE);
        }
        self.port.claim_frames(Some(kind))?;
        self.forget_found();
        self.whole = Some((slot, kind));
        Ok(())
    }

    pub(super) fn whole_frames_of(&self, slot: usize) -> Option<FrameType> {
        self.whole.filter(|(owner, _)| *owner == slot).map(|(_, kind)| kind)
    }

    /// The socket that gets frames of a type as a whole.
    pub fn find_whole(&self, kind: u16) -> Option<usize> {
        self.whole.filter(|(_, wanted)| wanted.includes(kind)).map(|(slot, _)| slot)
    }

    pub fn has_whole(&self) -> bool {
        self.whole.is_some()
    }

    fn claim(&mut self, key: &FlowKey, slot: usize, shares: bool) -> Result<()> {
        if self.whole.is_some_and(|(_, kind)| takes_from_host(kind)) {
            return Err(Errno::EADDRINUSE);
        }
        self.forget_found();
        match self.table.get(key) {
            Some(group) if shares => self.groups[group].push(slot),
            Some(_) => return Err(Errno::EADDRINUSE),
            None => {
                match self.outlets[slot].gate.clone() {
                    Some(gate) => self.port.claim_behind(key, &gate)?,
                    None => self.port.claim(key)?,
                }
                let group = self.groups.insert(vec![slot]);
                self.table.insert(key, group);
            }
        }
        self.outlets[slot].keys.push(*key);
        Ok(())
    }

    /// Tells the port which addresses the flows that were claimed for any address have.
    pub(super) fn localize(&mut self, hub: &Hub) {
        let (addresses, vlans) = self.ways.names(hub.interface());
        // A port that cannot be told goes by what it was told before.
        let _ = self.port.localize(&addresses, &vlans);
    }

    /// Gives the flows of an outlet back to the kernel; what comes on the way is still delivered.
    pub(super) fn disclaim(&mut self, slot: usize) {
        for key in self.outlets[slot].keys.clone() {
            let is_last = self.table.get(&key).is_some_and(|group| self.groups[group].len() == 1);
            if is_last {
                // It is not there only if the port has lost it: then it is the kernel's already.
                let _ = self.port.disclaim(&key);
            }
        }
        if self.whole_frames_of(slot).is_some() {
            let _ = self.port.claim_frames(None);
        }
    }

    /// The same, and nothing comes for it any more: others may have its flows.
    pub(super) fn give_up(&mut self, slot: usize) {
        self.forget_found();
        self.disclaim(slot);
        for key in std::mem::take(&mut self.outlets[slot].keys) {
            let Some(group) = self.table.get(&key) else { continue };
            self.groups[group].retain(|&member| member != slot);
            if self.groups[group].is_empty() {
                self.groups.remove(group);
                self.table.remove(&key);
            }
        }
        self.whole = self.whole.filter(|(owner, _)| *owner != slot);
    }

    pub(super) fn close(&mut self, slot: usize) {
        self.give_up(slot);
        self.touched.retain(|&touched| touched != slot);
        self.outlets.remove(slot);
    }

    /// What was found may be another's now.
    fn forget_found(&mut self) {
        self.last_found = None;
        self.known = None;
    }

    /// The socket that a datagram is for.
    #[inline]
    pub fn find(&mut self, ends: &Ends) -> Option<usize> {
        // Most of the time the next one is of the same flow.
        match &self.last_found {
            Some((found, slot)) if found == ends => Some(*slot),
            _ => self.look_up(ends),
        }
    }

    fn look_up(&mut self, ends: &Ends) -> Option<usize> {
        let group = &self.groups[self.table.find(ends)?];
        let slot = match group.as_slice() {
            [only] => *only,
            members => members[spread(ends.remote()) % members.len()],
        };
        self.last_found = Some((*ends, slot));
        Some(slot)
    }
}

/// Whether the host needs such frames for its networks, and datagrams are in them.
pub(super) fn takes_from_host(kind: FrameType) -> bool {
    match kind {
        FrameType::Any => true,
        FrameType::Only(kind) => is_of_networks(kind),
    }
}

/// The same number for all datagrams of one remote end.
fn spread(remote: Endpoint) -> usize {
    let address = match remote.address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() ^ (address.to_bits() >> 64)) as u64,
    };
    let mixed = (address ^ u64::from(remote.port) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize
}
