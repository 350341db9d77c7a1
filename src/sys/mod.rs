//! Every system call and shared-memory primitive: the one place that talks to the kernel.
//!
//! Functions here are safe to call and answer with errno values. They take descriptors as plain
//! numbers, because that is what C programs hand over: a wrong one is answered by the kernel.
//!
//! Calls that are cancellation points of the C library (pthreads(7)) are made through syscall(2),
//! which is none: a cancellation must not unwind through a half-made change. It also keeps our
//! own calls out of the hooks of whatever is preloaded.

#[macro_use]
mod by_name;
pub mod annotate;
pub mod biased;
pub mod bpf;
pub mod cell;
pub mod completions;
pub mod control;
pub mod counters;
pub mod descriptor;
pub mod driver;
pub mod errno;
pub mod exchange;
pub mod file;
pub mod foreign;
pub mod fork;
pub mod futex;
pub mod gate;
pub mod glance;
pub mod hangup;
pub mod interface;
pub mod internet;
pub mod interrupt;
pub mod kiocb;
pub mod log;
pub mod memory;
pub mod message;
#[cfg(feature = "model")]
pub mod model;
pub mod mqueue;
pub mod netlink;
pub mod next;
pub mod notify;
pub mod own;
pub mod packet;
pub mod packet_ring;
pub mod per_process;
pub mod poll;
pub mod process;
pub mod quiet;
pub mod relay;
pub mod rights;
pub mod ring;
pub mod segments;
pub mod semaphore;
pub mod signal;
pub mod socket;
pub mod solo;
pub mod span;
pub mod spare;
pub mod stat;
pub mod sync;
pub mod tally;
pub mod thread;
pub mod trace;
pub mod transfer;
pub mod wait;
pub mod word;
pub mod xdp;

use crate::error::{Errno, Result};

/// Turns the C library's answer into a result.
pub(crate) fn check(answer: impl Into<i64>) -> Result<usize> {
    let answer = answer.into();
    if answer < 0 { Err(Errno::last()) } else { Ok(answer as usize) }
}
