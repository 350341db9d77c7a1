//! The table of sockets that have nothing by TCP (PASSED of bypass.c), which programs of the run look
//! at. They get a descriptor of it, and keep a mapping.
#![forbid(unsafe_code)]

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    getsockname, listen, sendmsg, socket,
};

use super::super::system;

/// A socket at which everybody is given the table.
pub struct Table {
    table: OwnedFd,
    listening: OwnedFd,
    name: String,
}

impl Table {
    pub fn new(table: OwnedFd) -> Result<Self, Errno> {
        const BACKLOG: i32 = 128;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listening = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        // The kernel gives it a name that nobody has, and that is in no directory: unix(7).
        bind(listening.as_raw_fd(), &UnixAddr::new_unnamed())?;
        listen(&listening, Backlog::new(BACKLOG)?)?;
        let address: UnixAddr = getsockname(listening.as_raw_fd())?;
        let name = address.as_abstract().ok_or(Errno::EADDRNOTAVAIL)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| Errno::EADDRNOTAVAIL)?;
        Ok(Self { table, listening, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the table to those who have come for it. Nobody is waited for. An error: somebody who
    /// has come is there still.
    pub fn give(&self) -> Result<(), Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        loop {
            let other = match accept4(self.listening.as_raw_fd(), flags).map(system::own) {
                Ok(other) => other,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
                Err(errno) => return Err(errno),
            };
            let table = [self.table.as_raw_fd()];
            let rights = [ControlMessage::ScmRights(&table)];
            let content = [IoSlice::new(&[0])];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            let _ = sendmsg::<UnixAddr>(other.as_raw_fd(), &content, &rights, flags, None);
        }
    }
}

impl AsFd for Table {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listening.as_fd()
    }
}
