//! Connections of a listening socket.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::engine::{Key, Socket};
use crate::error::{Errno, Result};
use crate::sys::socket;

/// Makes an accepted socket what its listening socket is: `Ok(None)` where that has no area.
pub type Inherit = Box<dyn Fn(RawFd) -> Result<Option<Heir>> + Send>;
/// Tells the owner of the table of sockets that one is attached to the channel now.
pub type Attached = Box<dyn Fn(&Arc<Socket>, Key) + Send>;
/// Undoes both for a connection that the program will never see; its source, if it was attached.
pub type Disown = Box<dyn Fn(RawFd) -> Option<Key> + Send>;

/// An accepted socket that has inherited an area.
pub struct Heir {
    pub socket: Arc<Socket>,
    /// A source of the same channel whose socket had this number and was closed behind our back.
    pub replaced: Option<Key>,
}

/// A listening socket.
pub struct Accept {
    pub fd: RawFd,
    pub attach: bool,
    pub nonblocking: bool,
    pub blocks: bool,
    pub inherit: Inherit,
    pub attached: Attached,
    pub disown: Disown,
}

impl Accept {
    /// Takes a connection; `None` when there is none any more.
    pub fn take(&self) -> Option<Result<RawFd>> {
        match socket::accept(self.fd, self.blocks, self.nonblocking) {
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => None,
            other => Some(other),
        }
    }
}
