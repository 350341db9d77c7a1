//! Devices in the program: requests to their descriptors are done by functions of a driver.
//! sio_driver(7).
//!
//! A device's descriptor is a pipe's end, so it is known by the pipe and not by its number
//! (`sys/hangup.rs`). A request to it has an entry in the books as any other has, and a place in
//! the books of devices (`books.rs`). The driver is called with nothing locked (`calls.rs`), by
//! the thread that makes a request or cancels it, or by the thread that sees descriptors closed
//! (`thread.rs`).

mod books;
mod calls;
mod file;
mod registry;
mod thread;

pub use books::{Books, FLAG_DATASYNC, OPERATION_FSYNC, OPERATION_READ, OPERATION_WRITE};
pub use calls::{QUEUED, begin_due, cancel, complete};
pub use file::{File, close, open};
pub use registry::{ready, register, unregister};
pub use thread::ring;

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::inline::Outcome;
use super::request::{Entry, Operation, Request, Rest, Route};
use crate::error::{Errno, Result};
use crate::sys::driver::Begin;

/// Descriptors of devices that this process has, or its parent had: without one nobody has to be
/// asked what a descriptor is.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// The file of a route that belongs to the parent of this process.
const INHERITED: u64 = 0;
/// Of a request that is not in the books yet.
const NOWHERE: u32 = u32::MAX;

/// The device's file behind a descriptor, if it is one's. `EPERM`: it is the parent's.
pub fn find(fd: RawFd) -> Result<Option<Arc<File>>> {
    if OPENED.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    registry::find_file(fd)
}

/// The operation of a driver that a request asks for, if there is one.
fn begin_of(operation: Operation) -> Option<Begin> {
    match operation {
        Operation::Read => Some(Begin::Read),
        Operation::Write => Some(Begin::Write),
        Operation::Sync { .. } => Some(Begin::Sync),
        // A device is no socket.
        Operation::Call(_) => None,
    }
}

/// What a request to a device has before it: `None` if it is not to a device.
pub fn attempt(request: &Request) -> Option<Outcome> {
    let begin = begin_of(request.operation)?;
    let to_file =
        |file| Outcome::Rest(Rest { route: Route::Device { file, place: NOWHERE }, done: 0 });
    let file = match find(request.fd) {
        Ok(None) => return None,
        Ok(Some(file)) => file,
        Err(_) => return Some(to_file(INHERITED)),
    };
    Some(if !file.allows(begin) {
        Outcome::Done(Err(Errno::EBADF))
    } else if !file.device.operations.has(begin) {
        Outcome::Done(Err(Errno::EINVAL))
    } else {
        to_file(file.id)
    })
}

/// Whether a request under way is to this file: to none of a device if there is none.
pub fn is_to(entry: &Entry, file: Option<&Arc<File>>) -> bool {
    match entry.route {
        Route::Device { file: id, .. } => file.is_some_and(|file| file.id == id),
        _ => file.is_none(),
    }
}
