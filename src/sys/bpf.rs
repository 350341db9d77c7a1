//! Maps, programs and links of the kernel's virtual machine, as far as the classifier of packets
//! needs them. Read first: bpf(2), and `union bpf_attr` in linux/bpf.h.
//!
//! Everything here is a descriptor: what nobody holds any more is gone, a link with what it linked.

use std::os::fd::{AsRawFd, RawFd};

use super::check;
use super::descriptor::{Descriptor, own};
use super::fork::Private;
use crate::error::{Errno, Result};

/// What a map is. The numbers are the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapKind {
    Hash = 1,
    Array = 2,
    /// AF_XDP sockets by number.
    XdpSockets = 17,
}

/// Memory of a hash map is taken when an entry comes, not before.
const NO_PREALLOC: u32 = 1;
const MAPPABLE: u32 = 1 << 10;
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const HAS_FRAGMENTS: u32 = 1 << 5;
/// linux/if_link.h, `XDP_FLAGS_...`
const GENERIC: u32 = 1 << 1;
const NATIVE: u32 = 1 << 2;

const MAP_CREATE: u32 = 0;
const MAP_UPDATE: u32 = 2;
const MAP_DELETE: u32 = 3;
const PROGRAM_LOAD: u32 = 5;
const PROGRAM_TEST_RUN: u32 = 10;
const LINK_CREATE: u32 = 28;
const LINK_UPDATE: u32 = 29;

/// The kernel gives up looking at a program (`EAGAIN`) when a signal comes, or news of a ring.
const LOAD_TRIES: u32 = 16;

/// In the instruction that loads the address of a map: the next number is a map's descriptor.
const PSEUDO_MAP_DESCRIPTOR: u64 = 1 << 12;
const LOAD_64: u64 = 0x18;

fn bpf<T>(command: u32, attributes: &mut T) -> Result<usize> {
    // SAFETY: a structure of the length that is told; whatever it points to is borrowed by the
    // caller for as long as the call takes.
    check(unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>())
    })
}

/// A table that a program of the kernel reads, and we write. Keys and values are plain bytes.
pub struct Map {
    descriptor: Descriptor,
    key_bytes: u32,
    value_bytes: u32,
}

impl Map {
    pub fn new(kind: MapKind, key_bytes: u32, value_bytes: u32, entries: u32) -> Result<Self> {
        let flags = if kind == MapKind::Hash { NO_PREALLOC } else { 0 };
        Self::with_flags(kind, key_bytes, value_bytes, entries, flags)
    }

    /// One that can be mapped with mmap(2).
    pub fn mappable(kind: MapKind, key_bytes: u32, value_bytes: u32, entries: u32) -> Result<Self> {
        Self::with_flags(kind, key_bytes, value_bytes, entries, MAPPABLE)
    }

    fn with_flags(
        kind: MapKind,
        key_bytes: u32,
        value_bytes: u32,
        entries: u32,
        flags: u32,
    ) -> Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            key_bytes: u32,
            value_bytes: u32,
            entries: u32,
            flags: u32,
        }
        let mut attributes =
            Attributes { kind: kind as u32, key_bytes, value_bytes, entries, flags };
        let descriptor = bpf(MAP_CREATE, &mut attributes)?;
        Ok(Self { descriptor: own(descriptor as RawFd), key_bytes, value_bytes })
    }

    fn change(&self, command: u32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        #[repr(C)]
        struct Attributes {
            map: u32,
            _pad: u32,
            key: u64,
            value: u64,
            flags: u64,
        }
        assert_eq!(key.len(), self.key_bytes as usize);
        let mut attributes = Attributes {
            map: self.descriptor.as_raw_fd() as u32,
            _pad: 0,
            key: key.as_ptr() as u64,
            value: value.map_or(0, |value| value.as_ptr() as u64),
            flags: 0,
        };
        bpf(command, &mut attributes).map(drop)
    }

    /// Puts an entry in, or another value into the one that is there. `E2BIG`: the map is full.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        assert_eq!(value.len(), self.value_bytes as usize);
        self.change(MAP_UPDATE, key, Some(value))
    }

    /// `ENOENT`: there is none.
    pub fn remove(&self, key: &[u8]) -> Result<()> {
        self.change(MAP_DELETE, key, None)
    }
}

impl AsRawFd for Map {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// A program for packets that have just arrived.
pub struct Program(Descriptor);

/// What BPF_PROG_TEST_RUN is asked; an older kernel knows the first half, and wants zeroes after it.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    answer: u32,
    bytes_in: u32,
    bytes_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_bytes_in: u32,
    context_bytes_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    processor: u32,
    batch: u32,
    _pad: u32,
}

impl TestRun {
    /// Once, over this packet.
    fn of(program: &Program, packet: &[u8]) -> Self {
        Self {
            program: program.0.as_raw_fd() as u32,
            bytes_in: packet.len() as u32,
            data_in: packet.as_ptr() as u64,
            repeat: 1,
            ..Self::default()
        }
    }
}

impl Program {
    /// Loads instructions in which the address of a map is the map's place in `maps`. With
    /// `fragments` it may be given packets that lie in several buffers (Linux 5.18).
    pub fn load(instructions: &[u64], maps: &[&Map], fragments: bool) -> Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            count: u32,
            instructions: u64,
            license: u64,
            log_level: u32,
            log_bytes: u32,
            log: u64,
            kernel_version: u32,
            flags: u32,
            name: [u8; 16],
            interface: u32,
            attach: u32,
        }
        let instructions = with_descriptors(instructions, maps)?;
        let license = c"Dual MIT/GPL";
        let mut attributes = Attributes {
            kind: TYPE_XDP,
            count: instructions.len() as u32,
            instructions: instructions.as_ptr() as u64,
            license: license.as_ptr() as u64,
            log_level: 0,
            log_bytes: 0,
            log: 0,
            kernel_version: 0,
            flags: if fragments { HAS_FRAGMENTS } else { 0 },
            name: *b"sio_classifier\0\0",
            interface: 0,
            attach: ATTACH_XDP,
        };
        let mut load = || bpf(PROGRAM_LOAD, &mut attributes);
        let mut loaded = load();
        for _ in 1..LOAD_TRIES {
            if !matches!(loaded, Err(Errno::EAGAIN)) {
                break;
            }
            loaded = load();
        }
        Ok(Self(own(loaded? as RawFd)))
    }

    /// Runs it once over a packet, which no interface has received: what it answers.
    pub fn test(&self, packet: &[u8]) -> Result<u32> {
        let mut run = TestRun::of(self, packet);
        bpf(PROGRAM_TEST_RUN, &mut run)?;
        Ok(run.answer)
    }

    /// A program that lets every packet go on to the kernel.
    pub fn pass() -> Result<Self> {
        const ANSWER_IS_PASS: u64 = 2 << 32 | 0xb7;
        const EXIT: u64 = 0x95;
        Self::load(&[ANSWER_IS_PASS, EXIT], &[], false)
    }

    /// Runs it over a packet as if an interface had just received that, in this queue, with all that
    /// follows from the answer (Linux 5.18). It has happened when the call returns.
    pub fn run_live(&self, packet: &[u8], interface: u32, queue: u32) -> Result<()> {
        #[repr(C)]
        struct Context {
            data: u32,
            data_end: u32,
            data_meta: u32,
            interface: u32,
            queue: u32,
            egress: u32,
        }
        const LIVE_FRAMES: u32 = 1 << 1;
        let context = Context {
            data: 0,
            data_end: packet.len() as u32,
            data_meta: 0,
            interface,
            queue,
            egress: 0,
        };
        let mut run = TestRun {
            context_bytes_in: size_of::<Context>() as u32,
            context_in: (&raw const context) as u64,
            flags: LIVE_FRAMES,
            batch: 1,
            ..TestRun::of(self, packet)
        };
        bpf(PROGRAM_TEST_RUN, &mut run).map(drop)
    }

    /// Has the interface run it, for as long as the link is held by anybody: in the driver, or,
    /// with `native` false, behind it. `EBUSY` and `EEXIST`: it runs one already.
    pub fn attach(&self, interface: u32, native: bool) -> Result<Link> {
        #[repr(C)]
        struct Attributes {
            program: u32,
            target: u32,
            attach: u32,
            flags: u32,
        }
        let mut attributes = Attributes {
            program: self.0.as_raw_fd() as u32,
            target: interface,
            attach: ATTACH_XDP,
            flags: if native { NATIVE } else { GENERIC },
        };
        let descriptor = bpf(LINK_CREATE, &mut attributes)?;
        Ok(Link(Private::new(own(descriptor as RawFd))))
    }
}

/// Holds a program at its place.
pub struct Link(Private);

impl Link {
    /// Puts another program there; no packet finds the place empty.
    pub fn replace(&self, program: &Program) -> Result<()> {
        #[repr(C)]
        struct Attributes {
            link: u32,
            program: u32,
            flags: u32,
            old_program: u32,
        }
        let mut attributes = Attributes {
            link: self.0.as_raw_fd() as u32,
            program: program.0.as_raw_fd() as u32,
            flags: 0,
            old_program: 0,
        };
        bpf(LINK_UPDATE, &mut attributes).map(drop)
    }
}

/// The instructions with descriptors in the place of numbers of maps.
fn with_descriptors(instructions: &[u64], maps: &[&Map]) -> Result<Vec<u64>> {
    let mut loaded = instructions.to_vec();
    for instruction in &mut loaded {
        if *instruction & 0xf0ff == LOAD_64 | PSEUDO_MAP_DESCRIPTOR {
            let map = maps.get((*instruction >> 32) as usize).ok_or(Errno::EINVAL)?;
            *instruction &= 0xffff_ffff;
            *instruction |= (map.descriptor.as_raw_fd() as u64) << 32;
        }
    }
    Ok(loaded)
}

/// Waits until no program that has begun before still runs, as long as that takes: some
/// milliseconds. membarrier(2): MEMBARRIER_CMD_GLOBAL waits for what programs run under.
pub fn wait_for_programs() {
    const MEMBARRIER_CMD_GLOBAL: i32 = 1;
    // SAFETY: no pointers. Where it is refused, a packet that is on its way may be lost.
    unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
}
