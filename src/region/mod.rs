//! DMA areas: memory that is mapped, locked and registered once, and the blocks in it.
//!
//! A *chunk* is what the allocator gives out; it is free when nobody refers to it. A *block* is
//! what the program holds: it refers to a chunk, and so does every send of it and every buffer
//! that the kernel may still fill ([`Loan`]). Source: the talk, "DMA Memory Handling".

pub mod account;
mod allocator;
pub mod area;
mod blocks;
mod claim;
mod framed;
mod frames;
mod loan;
pub mod map;
mod message;
mod parts;
pub mod places;

pub use account::Account;
pub use area::{Patron, Region};
pub use claim::Claim;
pub use framed::Given;
pub use frames::Frame;
pub use loan::Loan;
pub use message::{Extra, Message};
pub use parts::{Parts, merge};
