//! What stands in packets: pure functions over bytes, and tables of flows.
//!
//! No system calls, no clock, no randomness: whatever is needed of those is an argument.
#![forbid(unsafe_code)]

pub mod flow;
