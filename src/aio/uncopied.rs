//! Sends without a copy: of what lies in a DMA area, to a peer elsewhere, where the kernel does not
//! copy after all. Such a request has ended when the kernel has let go of the memory, for TCP when
//! the peer has acknowledged it.
//!
//! Only streams, and only by the ring. How it goes is remembered for each socket.

use super::lanes::Key;
use super::queue;
use super::request::Request;
use super::state::State;
use crate::engine::{Path, ZERO_COPY_BYTES_MIN};
use crate::region::places;
use crate::sys::exchange::{self, Call};
use crate::sys::{ring, transfer};

/// Sockets that are remembered; all are forgotten when there are more.
const PATHS_MAX: usize = 1024;

/// Whether a send is worth it, and so is not done at once.
pub fn is_worth_trying(request: &Request, call: Call) -> bool {
    let Call::Send { to: 0, .. } = call else { return false };
    if call.is_impatient()
        || request.memory.length < ZERO_COPY_BYTES_MIN
        || !places::hold(request.memory.address, request.memory.length)
        || !exchange::is_stream(request.fd)
    {
        return false;
    }
    let (Ok(features), Ok(queue)) = (ring::features(), queue::queue()) else { return false };
    let Ok(identity) = transfer::identity(request.fd) else { return false };
    if queue.fd.is_none() {
        return false;
    }
    let mut state = queue.enter();
    if state.paths.len() >= PATHS_MAX {
        state.paths.clear();
    }
    let path = state.paths.entry(Key::new(request.fd, &identity, true)).or_default();
    let way = (request.fd, !exchange::is_unix(request.fd));
    let is_worth = path.is_worth_trying(request.memory.length, way, &features);
    if is_worth && matches!(path, Path::Copies { .. }) {
        *path = Path::Unknown;
    }
    is_worth
}

impl State {
    /// Whether to send what is left of a request so.
    pub fn sends_uncopied(&self, index: u32, call: Call) -> bool {
        let entry = &self.entries[index as usize];
        let path = || entry.route.lane().and_then(|key| self.paths.get(&key));
        matches!(call, Call::Send { to: 0, .. })
            && entry.takes_all
            && entry.rest().length >= ZERO_COPY_BYTES_MIN
            && matches!(path(), Some(Path::Unknown | Path::ZeroCopy))
            && places::hold(entry.request.memory.address, entry.request.memory.length)
    }

    /// What the kernel has told of one, as far as it has.
    pub fn learn(&mut self, index: u32, has_failed: bool) {
        let report = self.backend.report(index);
        let Some(key) = self.entries[index as usize].route.lane() else { return };
        let Some(path) = self.paths.get_mut(&key) else { return };
        match report {
            Some(true) => *path = Path::copies(),
            Some(false) => *path = Path::ZeroCopy,
            None if has_failed => *path = Path::Never,
            None => {}
        }
    }
}
