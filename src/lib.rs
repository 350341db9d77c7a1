//! libsio: event channels and DMA memory for asynchronous, zero-copy network I/O.
//!
//! The interface is the one that Ulrich Drepper proposed in 2006 ("The Need for Asynchronous,
//! Zero-Copy Network I/O"); `docs/architecture.md` tells how it is built. Arrows go one way:
//!
//! ```text
//!   capi -> api -> channel -> aio -> engine -> port -> net -> region -> sys
//! ```
//!
//! A module may use what stands to the right of it. [`error`] and [`limits`] are for all.
//! `unsafe` lives in `sys`, `region::map` and `capi` alone.

pub mod aio;
pub mod api;
pub mod capi;
pub mod channel;
pub mod engine;
pub mod error;
pub mod limits;
pub mod net;
pub mod port;
pub mod region;
pub mod sys;
