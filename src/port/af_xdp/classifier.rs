//! The program that picks the packets of claimed flows, and the tables that it looks into.
//!
//! classifier.c is its source, instructions.rs what is loaded. A table of the kernel's cannot
//! grow: when it is full, the program is loaded anew with larger ones and takes the place of the
//! old one in one step.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::instructions::INSTRUCTIONS;
use crate::error::{Errno, Result};
use crate::net::flow::{Endpoint, FlowKey};
use crate::port::FrameType;
use crate::sys::bpf::{Link, Map, MapKind, Program};
use crate::sys::gate::{Gate, Gates};

/// The tables by the numbers that stand for them in the instructions.
pub const MAPS: [&str; 7] =
    ["FLOWS4", "FLOWS6", "SOCKETS", "ADDRESSES", "VLANS", "SETTINGS", "GATES"];

/// Flows of one family, and addresses, for which there is room at first; and by what that grows.
const ENTRIES_AT_FIRST: u32 = 4096;
const GROWTH: u32 = 8;
const VLAN_IDS: u32 = 4096;

/// Bits of the first setting: the kinds of flows that there are.
const BOUND: u32 = 4;
const TO_ANY: u32 = 2;
const CONNECTED: u32 = 1;
const IPV6_SHIFT: u32 = 4;
const FRAMES_OF_TYPE: u32 = 1 << 16;
const ALL_FRAMES: u32 = 1 << 17;

/// What is to be picked, and where it goes.
struct Wanted {
    /// With the numbers of their gates, or 0.
    flows: HashMap<FlowKey, u32>,
    /// How many flows of each kind there are, by the number of its bit.
    kinds: [usize; 8],
    sockets: Vec<RawFd>,
    addresses: BTreeSet<IpAddr>,
    vlans: BTreeSet<u16>,
    frames: Option<FrameType>,
    gates: Arc<Gates>,
}

pub struct Classifier {
    wanted: Wanted,
    tables: Tables,
    link: Option<Link>,
    /// Packets may lie in several buffers.
    scattered: bool,
}

impl Classifier {
    /// One that picks nothing yet. `sockets` are those of the queues from 0 on.
    pub fn new(sockets: Vec<RawFd>, scattered: bool) -> Result<Self> {
        // Packets without a VLAN may have a tag with a priority only.
        let wanted = Wanted {
            flows: HashMap::new(),
            kinds: [0; 8],
            sockets,
            addresses: BTreeSet::new(),
            vlans: BTreeSet::from([0]),
            frames: None,
            gates: Gates::new()?,
        };
        let tables = Tables::new(&wanted, ENTRIES_AT_FIRST, scattered)?;
        Ok(Self { wanted, tables, link: None, scattered })
    }

    /// Has the interface run it, in the driver or (`native` false) behind it.
    pub fn attach(&mut self, interface: u32, native: bool) -> Result<()> {
        self.link = Some(self.tables.program.attach(interface, native)?);
        Ok(())
    }

    /// What it would do with a packet: 4 is that it goes to a socket, 2 that it goes on.
    pub fn test(&self, packet: &[u8]) -> Result<u32> {
        self.tables.program.test(packet)
    }

    pub fn claim(&mut self, flow: &FlowKey) -> Result<()> {
        self.claim_as(flow, 0)
    }

    /// A gate that nobody has.
    pub fn take_gate(&self) -> Result<Gate> {
        self.wanted.gates.take()
    }

    /// What the gate redirects of a flow is picked.
    pub fn claim_behind(&mut self, flow: &FlowKey, gate: &Gate) -> Result<()> {
        self.claim_as(flow, gate.number())
    }

    fn claim_as(&mut self, flow: &FlowKey, gate: u32) -> Result<()> {
        if self.wanted.flows.contains_key(flow) {
            return Err(Errno::EADDRINUSE);
        }
        match self.tables.add_flow(flow, gate) {
            Err(Errno::E2BIG) => {
                self.grow()?;
                self.tables.add_flow(flow, gate)?;
            }
            answer => answer?,
        }
        self.wanted.flows.insert(*flow, gate);
        self.wanted.kinds[kind(flow) as usize] += 1;
        self.tables.set_kinds(self.wanted.settings())
    }

    pub fn disclaim(&mut self, flow: &FlowKey) -> Result<()> {
        self.wanted.flows.remove(flow).ok_or(Errno::ENOENT)?;
        self.wanted.kinds[kind(flow) as usize] -= 1;
        self.tables.remove_flow(flow)?;
        self.tables.set_kinds(self.wanted.settings())
    }

    /// Whole frames are picked too, or not any more.
    pub fn claim_frames(&mut self, frames: Option<FrameType>) -> Result<()> {
        self.wanted.frames = frames;
        if let Some(FrameType::Only(kind)) = frames {
            self.tables.set_type(kind)?;
        }
        self.tables.set_kinds(self.wanted.settings())
    }

    pub fn localize(&mut self, addresses: &[IpAddr], vlans: &[u16]) -> Result<()> {
        let addresses: BTreeSet<IpAddr> = addresses.iter().copied().collect();
        for gone in self.wanted.addresses.difference(&addresses) {
            self.tables.addresses.remove(&address_key(*gone))?;
        }
        for new in addresses.difference(&self.wanted.addresses) {
            self.tables.add_address(*new)?;
        }
        self.wanted.addresses = addresses;
        let vlans: BTreeSet<u16> = vlans.iter().copied().chain([0]).collect();
        for gone in self.wanted.vlans.difference(&vlans) {
            self.tables.set_vlan(*gone, false)?;
        }
        for new in vlans.difference(&self.wanted.vlans) {
            self.tables.set_vlan(*new, true)?;
        }
        self.wanted.vlans = vlans;
        Ok(())
    }

    fn grow(&mut self) -> Result<()> {
        let entries = self.tables.entries.checked_mul(GROWTH).ok_or(Errno::ENOSPC)?;
        let tables = Tables::new(&self.wanted, entries, self.scattered)?;
        if let Some(link) = &self.link {
            link.replace(&tables.program)?;
        }
        self.tables = tables;
        Ok(())
    }
}

impl Wanted {
    fn settings(&self) -> u32 {
        let present = self.kinds.iter().enumerate().filter(|(_, count)| **count > 0);
        let kinds = present.fold(0, |bits, (kind, _)| bits | 1 << kind);
        kinds
            | match self.frames {
                None => 0,
                Some(FrameType::Any) => ALL_FRAMES,
                Some(FrameType::Only(_)) => FRAMES_OF_TYPE,
            }
    }
}

/// The program with its tables.
struct Tables {
    flows4: Map,
    flows6: Map,
    sockets: Map,
    addresses: Map,
    vlans: Map,
    settings: Map,
    program: Program,
    entries: u32,
}

impl Tables {
    fn new(wanted: &Wanted, entries: u32, scattered: bool) -> Result<Self> {
        let flows4 = Map::new(MapKind::Hash, 12, 4, entries)?;
        let flows6 = Map::new(MapKind::Hash, 36, 4, entries)?;
        let queues = wanted.sockets.len() as u32;
        let sockets = Map::new(MapKind::XdpSockets, 4, 4, queues)?;
        let addresses = Map::new(MapKind::Hash, 16, 4, ENTRIES_AT_FIRST)?;
        let vlans = Map::new(MapKind::Array, 4, 4, VLAN_IDS)?;
        let settings = Map::new(MapKind::Array, 4, 4, 2)?;
        let gates = wanted.gates.map();
        let maps = [&flows4, &flows6, &sockets, &addresses, &vlans, &settings, gates];
        let program = Program::load(&INSTRUCTIONS, &maps, scattered)?;
        let tables = Self { flows4, flows6, sockets, addresses, vlans, settings, program, entries };
        for (queue, fd) in wanted.sockets.iter().enumerate() {
            tables.sockets.set(&(queue as u32).to_ne_bytes(), &fd.to_ne_bytes())?;
        }
        wanted.addresses.iter().try_for_each(|address| tables.add_address(*address))?;
        wanted.vlans.iter().try_for_each(|vlan| tables.set_vlan(*vlan, true))?;
        wanted.flows.iter().try_for_each(|(flow, gate)| tables.add_flow(flow, *gate))?;
        if let Some(FrameType::Only(kind)) = wanted.frames {
            tables.set_type(kind)?;
        }
        tables.set_kinds(wanted.settings())?;
        Ok(tables)
    }

    fn flows(&self, flow: &FlowKey) -> &Map {
        if flow.is_ipv4() { &self.flows4 } else { &self.flows6 }
    }

    fn add_flow(&self, flow: &FlowKey, gate: u32) -> Result<()> {
        self.flows(flow).set(&flow_key(flow), &gate.to_ne_bytes())
    }

    fn remove_flow(&self, flow: &FlowKey) -> Result<()> {
        self.flows(flow).remove(&flow_key(flow))
    }

    fn add_address(&self, address: IpAddr) -> Result<()> {
        self.addresses.set(&address_key(address), &[0; 4])
    }

    fn set_vlan(&self, id: u16, member: bool) -> Result<()> {
        self.vlans.set(&u32::from(id).to_ne_bytes(), &u32::from(member).to_ne_bytes())
    }

    fn set_kinds(&self, bits: u32) -> Result<()> {
        self.settings.set(&0u32.to_ne_bytes(), &bits.to_ne_bytes())
    }

    /// The type as it stands in a frame.
    fn set_type(&self, kind: u16) -> Result<()> {
        self.settings.set(&1u32.to_ne_bytes(), &u32::from(kind.to_be()).to_ne_bytes())
    }
}

/// The number of the bit of a flow's kind.
fn kind(flow: &FlowKey) -> u32 {
    let any = flow.local.is_any_address();
    let bit = match (flow.remote.is_some(), any) {
        (true, false) => CONNECTED,
        (true, true) => CONNECTED * TO_ANY,
        (false, false) => BOUND,
        (false, true) => BOUND * TO_ANY,
    };
    bit.trailing_zeros() + if flow.is_ipv4() { 0 } else { IPV6_SHIFT }
}

/// struct flow4 or struct flow6 of classifier.c.
fn flow_key(flow: &FlowKey) -> Vec<u8> {
    let nobody = Endpoint { port: 0, ..flow.local }.of_any_address();
    let remote = flow.remote.unwrap_or(nobody);
    let mut key = Vec::with_capacity(36);
    for end in [flow.local, remote] {
        match end.address {
            IpAddr::V4(address) => key.extend(address.octets()),
            IpAddr::V6(address) => key.extend(address.octets()),
        }
    }
    key.extend(flow.local.port.to_be_bytes());
    key.extend(remote.port.to_be_bytes());
    key
}

fn address_key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&address.octets());
            key
        }
        IpAddr::V6(address) => address.octets(),
    }
}
