//! Engines: what moves the data of associated sockets. One trait, one file or folder each.
//!
//! To add one: implement [`Engine`], add it to `table.rs`, and run the conformance tests, which
//! take the list of engines from there. `epoll.rs` is the small one to read first.
#![forbid(unsafe_code)]

mod checked;
mod connections;
mod direct;
mod epoll;
mod file;
pub mod frame;
mod inbox;
mod messages;
mod outbox;
mod path;
mod poll_set;
mod ready;
mod short;
mod socket;
pub mod table;
mod uring;

use std::os::fd::RawFd;
use std::sync::Arc;

pub use direct::{receive_if as receive_directly, send as send_directly};
pub use file::{File, Passed};
pub use outbox::{ControlData, Outbox, Piece, Pieces, Request};
pub use path::{Path, ZERO_COPY_BYTES_MIN};
pub use poll_set::{Found, PollSet, REQUESTS, RING, TOKEN, engine_place, is_source};
pub use socket::{Counters, Socket};
pub use uring::{News, Value};

use crate::error::{Errno, Result};
use crate::sys::message::Address;
use crate::sys::own::RingName;
use crate::sys::wait::Sleep;
use crate::sys::word::Word;

/// Names a socket within its channel: the id of its source.
pub type Key = i32;

/// What the program wants to receive.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub size: usize,
    /// `MSG_TRUNC` and `MSG_CMSG_CLOEXEC`, if asked for.
    pub flags: i32,
    pub form: Form,
}

/// Which of the three receive calls it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Data,
    Name,
    Message,
}

/// What it got: a block of the area that it holds from now on.
pub enum Received {
    Block { address: usize, count: usize, name: Option<Box<Address>> },
    End,
}

/// What `sio_recv` would find now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    pub bytes: usize,
    /// A message waits, which may be empty.
    pub message: bool,
    pub end: bool,
    pub error: Option<Errno>,
}

impl Readiness {
    /// Whether something would be received.
    pub fn is_data(&self) -> bool {
        self.bytes > 0 || self.message
    }

    /// Whether there is anything to tell.
    pub fn is_some(&self) -> bool {
        self.is_data() || self.end || self.error.is_some()
    }
}

/// What an engine has to tell its channel.
pub enum Notice {
    /// The socket has data, an end or an error that it did not have before.
    Receivable(Key),
    /// A send has come to its end: nobody reads its memory any more.
    Sent(Key, Sent),
    /// A watched source: the events of a descriptor, the value of a counter, 0 for a word; or
    /// why it cannot be watched any more.
    Watched(Key, Result<u64>),
}

/// What an engine may be able to wait for without the poll set.
#[derive(Clone, Copy, Debug)]
pub enum Watch {
    /// Every change of a descriptor's readiness; `events` as poll(2).
    Edge { fd: RawFd, events: u32 },
    /// A counter of eight bytes, which is read.
    Counter { fd: RawFd },
    /// That a word is not what is expected, or is woken: once.
    Word { word: Word, expected: u32 },
}

/// The end of one accepted send.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub address: usize,
    pub length: usize,
    pub outcome: Result<usize>,
    pub copied: bool,
    pub quiet: bool,
}

/// What a watch of a descriptor or of a counter tells.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// What the descriptor is ready for, as poll(2).
    Ready(u32),
    /// What the counter held.
    Count(u64),
}

impl Told {
    /// The value of [`Notice::Watched`].
    pub fn value(self) -> u64 {
        match self {
            Self::Ready(ready) => ready.into(),
            Self::Count(count) => count,
        }
    }
}

/// Who takes the news of watches as they come.
pub trait Taker {
    /// Takes what there is; `false`: there is no room for more.
    fn take(&mut self, news: &mut News<'_>) -> bool;
}

/// The data path of the sockets of one channel.
///
/// Contract: every accepted request gets exactly one [`Sent`], in order for each socket; after
/// [`Engine::detach`] there is no notice for that socket, and nothing of the program's memory is
/// written any more. No call blocks, but `detach` may wait for the kernel to let go.
pub trait Engine: Send {
    /// The name that `sio_info` tells.
    fn name(&self) -> &'static str;

    /// From now on the socket's data is received, and what it sends goes out through here.
    /// With `edge`, readiness is told once per change.
    fn attach(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()>;

    /// Undoes it. Sends that had not ended are told as failed with `ECANCELED`; what has arrived
    /// and was not fetched is left with the socket.
    fn detach(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>);

    /// Changes the `edge` of attach.
    fn set_edge(&mut self, key: Key, edge: bool, poll: &mut PollSet) -> Result<()>;

    /// Accepts a request; it goes out with the next turn.
    fn send(&mut self, key: Key, request: Request) -> Result<()>;

    /// Takes what has arrived: `EAGAIN` when nothing has, `ENOBUFS` when there is no room.
    fn receive(&mut self, key: Key, ask: &Ask, poll: &mut PollSet) -> Result<Received>;

    /// The same of what the engine has, where nothing else changes by that; `true`: something is left
    /// to tell. `None`: it is not so, and nothing was taken.
    fn receive_arrived(&mut self, _key: Key, _ask: &Ask) -> Option<(Received, bool)> {
        None
    }

    /// What has arrived and waits inside the engine. Data that is still the kernel's is not
    /// counted, and is told through [`Engine::ready`] instead.
    fn waiting(&self, key: Key) -> Readiness;

    /// Whether data waits until [`Engine::receive`] fetches it, so that a thread may wait on a
    /// descriptor of the socket's: [`Socket::waiting_fd`].
    fn is_polled(&self, key: Key) -> bool;

    /// A thread is about to wait for what this socket receives, and for nothing else: whether it may
    /// wait on a descriptor of the socket's. Otherwise a notice wakes it.
    fn wait_alone(&mut self, key: Key, _poll: &mut PollSet) -> Result<bool> {
        Ok(self.is_polled(key))
    }

    /// The poll set says that the socket's descriptor has `events`. The answer is what an event
    /// should tell the program, if anything.
    fn ready(
        &mut self,
        key: Key,
        events: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Option<Readiness>;

    /// The poll set has told all it had: what sockets have of which [`Engine::ready`] told nothing is
    /// received now, if that is how the engine receives it.
    fn answer_calls(&mut self, _poll: &mut PollSet, _notices: &mut Vec<Notice>) -> Result<()> {
        Ok(())
    }

    /// Waits for something other than a socket from now on. `EOPNOTSUPP`: not in this engine.
    fn watch(&mut self, _key: Key, _watch: Watch) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives a watch up: afterwards there is no notice for it, and the kernel has let go of its
    /// descriptor or word. `true`: it has fired, and nobody will be told.
    fn unwatch(
        &mut self,
        _key: Key,
        _poll: &mut PollSet,
        _notices: &mut Vec<Notice>,
    ) -> Result<bool> {
        Ok(false)
    }

    /// Takes what watches have told that go on watching, with the values of [`Notice::Watched`]:
    /// they come by the thousand, and not as notices. To be taken, before the notices, after every
    /// call that may add notices. `news` is empty before.
    fn take_watched(&mut self, _news: &mut Vec<(Key, u64)>) {}

    /// The poll set says that a descriptor of the engine's own is ready.
    fn news(&mut self, _place: usize, _notices: &mut Vec<Notice>) {}

    /// What a receive has found for others meanwhile.
    fn tell(&mut self, _notices: &mut Vec<Notice>) {}

    /// Rings the doorbell once if there is something to submit, and reaps.
    fn turn(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()>;

    /// The same for one who takes the news of watches as they come, and not with
    /// [`Engine::take_watched`]; what there is no room for is to be taken so after all.
    fn turn_for(
        &mut self,
        _taker: &mut dyn Taker,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        self.turn(poll, notices)
    }

    /// The same where nothing is to be handed in and no socket is served. `false`: it is not so, or
    /// nothing has come back; the whole turn is to be taken.
    fn turn_in_passing(
        &mut self,
        _taker: &mut dyn Taker,
        _poll: &mut PollSet,
        _notices: &mut Vec<Notice>,
    ) -> Result<bool> {
        Ok(false)
    }

    /// Nothing is to be handed in, and nothing has come back: a turn would do nothing.
    fn is_idle(&mut self) -> bool {
        false
    }

    /// What [`Engine::arm`], [`Engine::hold`] and [`Engine::leave`] would do has been done, while
    /// there is nothing to fetch. `stays`: where [`Engine::stay`] is asked.
    fn is_settled(&mut self, _stays: bool) -> bool {
        false
    }

    /// Takes in what has come back, without sending out what waits to be: a program that receives
    /// until there is nothing more must not break up its batch of sends.
    fn look(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        self.turn(poll, notices)
    }

    /// Blocks have come back to areas: whoever stopped receiving may go on.
    fn replenish(&mut self, poll: &mut PollSet);

    /// Receiving must not wait for the program's next call: what was put off is begun.
    fn arm(&mut self) -> Result<()> {
        Ok(())
    }

    /// Tries again what the kernel did not take: for a program that flushes without fetching.
    fn push_on(&mut self, _poll: &mut PollSet, _notices: &mut Vec<Notice>) -> Result<()> {
        Ok(())
    }

    /// Tries to keep the channel's descriptor readable without a system call. `false`: it cannot.
    fn hold(&mut self, wanted: bool) -> bool;

    /// The thread that uses the channel goes elsewhere, and the descriptor has to tell it of what
    /// comes then. `is_readable`: it is already.
    fn leave(&mut self, _is_readable: bool) {}

    /// The same for a thread that nobody else expects to look at the descriptor: where telling
    /// costs something, the descriptor stays readable instead. `false`: it does not.
    fn stay(&mut self) -> bool {
        false
    }

    /// The poll set need not be watched any more. What tells that it is not comes to whoever looks.
    fn give_up_poll_set(&mut self, _poll: &PollSet) -> Result<()> {
        Ok(())
    }

    /// Nobody waits any more: what is on its way and would make the descriptor readable with
    /// nothing to fetch is taken in. With `give_up` the poll set is not watched any more either.
    fn rest(
        &mut self,
        _give_up: bool,
        _poll: &mut PollSet,
        _notices: &mut Vec<Notice>,
    ) -> Result<()> {
        Ok(())
    }

    /// Whether all that may come of it makes the poll set readable: a thread may sleep on that alone.
    fn is_in_poll_set(&mut self) -> bool {
        true
    }

    /// Whether nothing is under way that others can do without the poll set: a thread may sleep on the
    /// channel's descriptor then, which tells of all that comes.
    fn is_quiet(&mut self) -> bool {
        false
    }

    /// The name of its ring, if several threads use that and it has ended all that it was given.
    fn idle_ring(&self) -> Option<RingName> {
        None
    }

    /// Somebody sleeps on the poll set, or on the channel's descriptor: what was accepted goes out.
    fn hand_in(&mut self, poll: &mut PollSet) -> Result<()> {
        self.sleep(poll).map(drop)
    }

    /// What a thread is to wait for. Everything submitted goes out first.
    fn sleep(&mut self, poll: &mut PollSet) -> Result<Sleep>;

    /// The program needs room in an area: give back the parts that are kept and not in use.
    fn reclaim(&mut self, _area: u64, _poll: &mut PollSet, _notices: &mut Vec<Notice>) {}

    /// An area goes: give back the parts of it that are kept for receiving.
    fn retire(&mut self, area: u64);
}
