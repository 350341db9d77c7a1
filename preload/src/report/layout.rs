//! What programs tell sio-run: a file that both have mapped, with a slot for each program.
//!
//! A slot belongs to a program from its `execve(2)` on, and to the children that it forks. Nothing
//! has to be done at the end: a program that is killed has told all the same.
//!
//! This file is a part of both.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64};

/// Programs of one run that can tell; those that come later are only counted.
pub const SLOTS: usize = 1024;

/// `struct sio_aio_counts` of sio.h.
#[repr(C)]
pub struct Counts {
    pub at_once: AtomicU64,
    pub by_ring: AtomicU64,
    pub by_threads: AtomicU64,
    pub engine: [u8; 16],
    pub reason: [u8; 104],
}

const _: () = assert!(size_of::<Counts>() == 144);

/// What became of UDP sockets.
#[repr(C)]
pub struct Sockets {
    /// How often one was moved to interfaces, given back, and refused.
    pub joined: AtomicU32,
    pub left: AtomicU32,
    pub refused: AtomicU32,
    pub reserved: u32,
    /// The interfaces, why one was given back, and why one was refused: those of the last time.
    pub interfaces: [u8; TEXT_BYTES],
    pub left_why: [u8; TEXT_BYTES],
    pub refused_why: [u8; TEXT_BYTES],
}

pub const TEXT_BYTES: usize = 104;

#[repr(C)]
pub struct Slot {
    pub process: AtomicU32,
    /// 1 if the library counts here, 0 if there is none in the program.
    pub has_library: AtomicU32,
    /// As `/proc/PID/comm` has it.
    pub name: [u8; 16],
    pub counts: Counts,
    pub sockets: Sockets,
}

#[repr(C)]
pub struct Report {
    /// Programs that have come.
    pub programs: AtomicU32,
    pub reserved: u32,
    pub slots: [Slot; SLOTS],
}
