//! Connections of a listening socket.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::engine::{Key, Socket};
use crate::error::{Errno, Result};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::{Mutex, MutexGuard};
use crate::sys::{descriptor, socket};

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
    /// Where it blocks: it did when it was added.
    pub turn: Option<Turn>,
    pub inherit: Inherit,
    pub attached: Attached,
    pub disown: Disown,
}

impl Accept {
    /// Takes a connection; `None` when there is none any more.
    pub fn take(&self) -> Option<Result<RawFd>> {
        let _turn = self.turn.as_ref().map(|turn| turn.wait());
        match socket::accept(self.fd, self.turn.is_some(), self.nonblocking) {
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => None,
            other => Some(other),
        }
    }
}

/// The channels of this process take connections of a listening socket that blocks one after the
/// other: if one took what another has just seen, that would wait for the next connection, and
/// everybody who uses the channel with it.
pub struct Turn(&'static Mutex<()>);

/// Sockets share them: none is held for longer than two system calls.
static TURNS: PerProcess<[Mutex<()>; TURNS_MAX]> = PerProcess::empty();
const TURNS_MAX: usize = 16;

impl Turn {
    /// `None`: the socket does not block.
    pub fn of(listener: RawFd) -> Result<Option<Self>> {
        if descriptor::is_nonblocking(listener)? {
            return Ok(None);
        }
        let (_, number) = descriptor::identity(listener)?;
        let turns = TURNS.get_or_make(Default::default);
        Ok(Some(Self(&turns[number as usize % TURNS_MAX])))
    }

    fn wait(&self) -> MutexGuard<'static, ()> {
        self.0.lock()
    }
}
