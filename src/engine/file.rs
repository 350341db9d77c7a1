//! Parts of files that are to be sent, and how streams that lead to some are sent.
//!
//! sendfile(2) hands the pages of the page cache to the socket as they are. It is called from here,
//! and not by an operation of a ring, which a thread of the kernel's would do. It has no flag that
//! keeps it from waiting for the socket, and neither has splice(2), whose `SPLICE_F_NONBLOCK` means
//! the pipe: what counts is `O_NONBLOCK`. That is a matter of the program's, which others may share:
//! it is asked for each time, and never changed. To a socket without it the bytes are copied.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};

use super::outbox::Outbox;
use super::{Socket, direct};
use crate::error::{Errno, Result};
use crate::sys::descriptor::{self, Descriptor};
use crate::sys::file as system;
use crate::sys::socket::let_go;

/// What of files one socket passes on at a time: others have their turn then.
const TURN_BYTES: usize = 1 << 20;

/// A part of a file, from an offset on.
pub struct File {
    fd: RawFd,
    /// Once the program may have closed its own.
    kept: Option<Descriptor>,
    /// Why there is none.
    refused: Option<Errno>,
    offset: i64,
}

/// What came of an attempt.
pub enum Passed {
    Bytes {
        count: usize,
        copied: bool,
    },
    /// The file ends here.
    End,
}

impl File {
    /// `EBADF`, `EISDIR`, `ESPIPE`: such a file cannot be sent.
    pub fn new(fd: RawFd, offset: i64) -> Result<Self> {
        system::check_readable(fd, offset)?;
        Ok(Self { fd, kept: None, refused: None, offset })
    }

    /// From now on the program may close the file. After an error nothing more of it is sent.
    pub fn keep(&mut self) -> Result<()> {
        if self.kept.is_none() {
            let kept =
                descriptor::duplicate(self.fd).inspect_err(|&errno| self.refused = Some(errno))?;
            self.fd = kept.as_raw_fd();
            self.kept = Some(kept);
        }
        Ok(())
    }

    /// The same part for somebody else.
    pub fn share(&self) -> Result<Self> {
        let kept = descriptor::duplicate(self.fd)?;
        Ok(Self { fd: kept.as_raw_fd(), kept: Some(kept), refused: None, offset: self.offset })
    }

    /// Sends up to `bytes` that follow the first `skip`; `EAGAIN` when the socket takes none now.
    pub fn send(&self, sock: RawFd, skip: usize, bytes: usize) -> Result<Passed> {
        if let Some(errno) = self.refused {
            return Err(errno);
        }
        let offset = i64::try_from(skip).ok().and_then(|skip| self.offset.checked_add(skip));
        let offset = offset.ok_or(Errno::EOVERFLOW)?;
        let is_tried = descriptor::is_nonblocking(sock)?;
        let sent = match is_tried.then(|| system::send(sock, self.fd, offset, bytes)) {
            // Files of some kinds have only copies to give.
            None | Some(Err(Errno::EINVAL | Errno::ENOSYS)) => {
                system::send_copy(sock, self.fd, offset, bytes).map(|count| (count, true))
            }
            Some(sent) => sent.map(|count| (count, false)),
        };
        sent.map(|(count, copied)| match count {
            0 => Passed::End,
            _ => Passed::Bytes { count, copied },
        })
    }
}

/// Why no more is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There is no file, or other ways are to be gone for what is before it.
    NoFile,
    /// The socket takes no more. It will tell when it does.
    Full,
    /// It may take more, but others are to have their turn.
    TurnOver,
}

/// Sends what leads to files, and the files, as far as the kernel takes it now. Other ways are to be
/// gone for more than `before_max` bytes before a file. `calls` counts.
pub fn pass(socket: &Socket, outbox: &mut Outbox, before_max: usize, calls: &mut u64) -> Stop {
    let mut left = TURN_BYTES;
    while outbox.bytes_before_file().is_some_and(|bytes| bytes <= before_max) {
        if left == 0 {
            return Stop::TurnOver;
        }
        *calls += 1;
        match pass_next(socket, outbox, &mut left) {
            Ok(()) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Stop::Full,
            Err(errno) => {
                let_go(socket.fd);
                outbox.fail(errno);
            }
        }
    }
    Stop::NoFile
}

fn pass_next(socket: &Socket, outbox: &mut Outbox, left: &mut usize) -> Result<()> {
    let Some(entry) = outbox.first_unsent() else { return Ok(()) };
    let request = &entry.request;
    let Some(file) = &request.file else {
        let sent = if !request.is_plain() {
            direct::send(socket, request, entry.sent)
        } else if outbox.is_second_a_file() {
            direct::send_ahead(socket, request, entry.sent)
        } else {
            direct::send_gathered(socket, outbox)
        };
        outbox.advance(sent?, true);
        return Ok(());
    };
    let bytes = (request.length - entry.sent).min(*left);
    match file.send(socket.fd, entry.sent, bytes)? {
        Passed::Bytes { count, copied } => {
            *left -= count;
            outbox.advance(count, copied);
        }
        Passed::End => {
            // The kernel does so itself, but not if it has sent nothing of the file.
            let_go(socket.fd);
            outbox.end_early();
        }
    }
    Ok(())
}
