//! The C interface: guard, convert, one call of `api`. `include/sio.h` is generated from here.
//!
//! Rules: failure is -1 and errno; success leaves errno as it was; a panic never crosses. What
//! may block and be cancelled is "C-unwind", and blocks outside of the guard.

#![allow(clippy::missing_safety_doc)] // The contract stands in plain words, for the C header.

mod aio;
mod aio64;
mod aio_socket;
mod area;
mod channel;
mod convert;
mod counts;
mod driver;
mod ethernet;
mod guard;
mod notify;
mod pause;
mod posix;
mod shim;
mod socket;
mod source;
pub mod types;
