//! Who does what cannot be done at once: a ring of the kernel's, or threads.

mod files;
mod notified;
mod poller;
mod ring;
mod threads;

pub use ring::Ring;
pub use threads::Threads;

use std::os::fd::RawFd;
use std::time::Duration;

use crate::error::Result;
use crate::sys::exchange::Call;
use crate::sys::transfer::Memory;
use crate::sys::wait::Sleep;

/// One thing to do, without anything that came before it.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub fd: RawFd,
    pub memory: Memory,
    pub means: Means,
}

#[derive(Clone, Copy, Debug)]
pub enum Means {
    /// `offset` may be none; `offload`: without trying first in the thread that asks.
    Read {
        offset: i64,
        offload: bool,
    },
    Write {
        offset: i64,
        offload: bool,
    },
    /// Into a socket: all of it if it is a stream, and without a signal.
    Send,
    /// Waits until a part can be read, or written.
    Await {
        is_write: bool,
    },
    Sync {
        data_only: bool,
    },
    /// Waits a moment: nobody tells when it is worth trying again.
    Pause,
    /// On a socket.
    Call(Call),
    /// A send without a copy; ends when the memory may be written again.
    Uncopied(Call),
}

/// What has become of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It has ended, and nothing has come of it.
    Now,
    /// It will end soon.
    Soon,
    /// It goes on.
    No,
}

/// See [`Means::Pause`].
pub const PAUSE: Duration = Duration::from_millis(5);

/// What is passed at once, at most.
pub const ENDED_MAX: usize = 8192;

/// See [`Backend::glance`].
pub type Glance = Box<dyn Fn() -> bool + Send + Sync>;

/// Works off requests by number. All calls are made with the books locked.
pub trait Backend: Send {
    /// Whether it has threads that enter the books when something has to go on; then it does nothing
    /// with streams but wait for them.
    fn is_self_driven(&self) -> bool;

    /// Gets ready for so many requests in all, and for one more that waits for a stream, or does
    /// not. `EAGAIN`: there are no threads to be had.
    fn prepare(&mut self, requests: usize, is_stream: bool) -> Result<()>;

    /// Takes one on; nobody sees it before [`Backend::flush`]. `EPERM`: that cannot be waited for.
    fn start(&mut self, index: u32, work: &Work) -> Result<()>;

    /// What was taken on is begun. `true`: some of it has ended by that, and is there to be reaped.
    fn flush(&mut self) -> bool;

    /// Whether nothing can be begun any more, nor a sleeping leader be got to look.
    fn is_refused(&self) -> bool {
        false
    }

    /// Passes what has ended, as number and result; never blocks, allocates nothing. `true`: what
    /// a sleeping leader was to see may have been taken away.
    fn reap(&mut self, ended: &mut Vec<(u32, Result<usize>)>) -> bool;

    /// Tries to stop one.
    fn withdraw(&mut self, index: u32) -> Withdrawn;

    /// Waits a moment for something to end.
    fn wait_briefly(&mut self);

    /// Where the leader waits; `None`: whoever ends something wakes those who wait.
    fn sleep(&mut self) -> Option<Sleep>;

    /// Gets the leader to look.
    fn kick(&mut self);

    /// A way to see without the lock that there is something to reap. What it says may be old.
    fn glance(&mut self) -> Glance;

    /// Whether a send without a copy, which has ended, was one after all; told once.
    fn report(&mut self, _index: u32) -> Option<bool> {
        None
    }

    /// A descriptor that is readable while there is something to reap; `None`: a thread of the
    /// backend's enters the books then.
    fn fd(&self) -> Option<RawFd> {
        None
    }

    /// A thread of the backend's has done a piece of work: it is there to be reaped.
    fn put(&mut self, _index: u32, _outcome: Result<usize>) {}

    /// The poller has seen something: which request may go on.
    fn ready(&mut self, _serial: u64) -> Option<u32> {
        None
    }

    /// The poller has nothing to do: whether it may end.
    fn may_rest(&mut self) -> bool {
        true
    }
}
