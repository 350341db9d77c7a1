//! The safe Rust face: what the C interface does, with results instead of errno.
//!
//! `context.rs` knows which descriptor is what; the other files are the families of calls.
#![forbid(unsafe_code)]

pub mod aio;
pub mod blocking;
pub mod channel;
mod context;
pub mod datagrams;
pub mod device;
pub mod ethernet;
pub mod fault;
#[cfg(test)]
mod lock_tests;
pub mod mqueue;
pub mod notify;
mod pause;
pub mod region;
mod registrations;
pub mod send;
pub mod short;
pub mod socket;
pub mod source;
mod summons;
mod table;
mod tail;
pub mod timer;
mod vigil;

pub use crate::channel::source::interest;
pub use crate::channel::{Event, Options, Step};
pub use crate::engine::table as engines;
pub use crate::error::{Errno, Result};
