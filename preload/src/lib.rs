//! What sio-run loads into a program, beside libsio, whose POSIX AIO the program gets by the names
//! alone. See sio_preload(7).
//!
//! It stands on the C interface only, and finds that by name: without the library it does nothing.
//! It runs inside of programs of others, before they begin: it makes no thread, allocates nothing,
//! writes nothing, and whatever goes wrong, the program runs as if it were not there.

#![allow(unsafe_op_in_unsafe_fn)] // Every function here that is unsafe says why as a whole.

#[macro_use]
#[path = "../../src/sys/by_name.rs"]
mod by_name;
mod datagrams;
mod memory;
mod next;
mod off;
mod report;
mod sockets;
mod start;
