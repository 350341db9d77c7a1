//! The library as a program sees it, in whichever language that is written: one function for
//! each call of the contract, with results instead of errno.

use std::os::fd::RawFd;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use sio::channel::Event;
use sio::error::Result;

pub use super::c_face::CFace as C;
pub use super::rust_face::RustFace as Rust;
use super::system::Semaphore;

/// What the three receive calls answer: where, and how many. The end of a stream has no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Got {
    pub address: usize,
    pub count: usize,
}

impl Got {
    pub const END: Self = Self { address: 0, count: 0 };
}

/// What is to be sent by `sio_sendmsg`: parts by address and length.
#[derive(Clone, Default, Debug)]
pub struct Parts {
    pub parts: Vec<(usize, usize)>,
    pub name: Vec<u8>,
    pub control: Vec<u8>,
}

/// What `sio_info` tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    pub engine: String,
    pub reason: String,
    pub sent: u64,
    pub sent_copied: u64,
    pub received: u64,
    pub received_copied: u64,
}

/// Flags are those of the C interface. Blocks are addresses, as the contract has them. A word or
/// a semaphore stays where it is until its source has been removed, or its channel destroyed.
pub trait Face: Send + 'static {
    fn create(flags: u32) -> Result<RawFd>;
    fn destroy(ec: RawFd) -> Result<()>;
    fn next_events(ec: RawFd, room: &mut [Event]) -> Result<usize>;
    fn to_fd(ec: RawFd) -> Result<RawFd>;
    fn delay(ec: RawFd, limit: Option<Duration>) -> Result<()>;
    fn wait_events(ec: RawFd, room: &mut [Event], limit: Option<Duration>) -> Result<usize>;
    fn post(ec: RawFd, event: &Event) -> Result<()>;
    fn wake(ec: RawFd, count: i32) -> Result<()>;
    fn flush(ec: RawFd) -> Result<()>;
    fn add_fd(ec: RawFd, fd: RawFd, events: i16, flags: u32, cookie: u64) -> Result<i32>;
    fn add_timer(
        ec: RawFd,
        clock: i32,
        when: &libc::itimerspec,
        flags: u32,
        cookie: u64,
    ) -> Result<i32>;
    fn add_mq(ec: RawFd, mq: RawFd, flags: u32, cookie: u64) -> Result<i32>;
    fn add_signal(ec: RawFd, set: &libc::sigset_t, cookie: u64) -> Result<i32>;
    fn add_futex(ec: RawFd, word: &AtomicU32, expected: u32, cookie: u64) -> Result<i32>;
    fn add_sem(ec: RawFd, semaphore: &Semaphore, flags: u32, cookie: u64) -> Result<i32>;
    fn add_process(ec: RawFd, pidfd: RawFd, cookie: u64) -> Result<i32>;
    fn add_accept(ec: RawFd, listener: RawFd, flags: u32, cookie: u64) -> Result<i32>;
    fn add_socket(ec: RawFd, sock: RawFd, flags: u32, cookie: u64) -> Result<i32>;
    fn modify(ec: RawFd, source: i32, events: i16, flags: u32) -> Result<()>;
    /// `ec_modify` of a futex: what is expected from now on.
    fn rearm(ec: RawFd, source: i32, expected: u32) -> Result<()>;
    fn remove(ec: RawFd, source: i32) -> Result<()>;

    fn alloc(size: usize, flags: u32) -> Result<u64>;
    fn free(area: u64, size: usize) -> Result<()>;
    fn base(area: u64) -> Result<(usize, usize)>;
    fn assoc(sock: RawFd, area: u64, size: usize, flags: u32) -> Result<()>;
    fn disassoc(sock: RawFd, area: u64, size: usize) -> Result<()>;
    fn reserve(area: u64, size: usize) -> Result<usize>;
    fn release(area: u64, address: usize, size: usize) -> Result<()>;

    fn send(sock: RawFd, address: usize, size: usize, flags: i32) -> Result<usize>;
    fn send_to(sock: RawFd, address: usize, size: usize, flags: i32, to: &[u8]) -> Result<usize>;
    fn send_message(sock: RawFd, parts: &Parts, flags: i32) -> Result<usize>;
    fn receive(sock: RawFd, size: usize, flags: i32) -> Result<Got>;
    /// With the bytes of the sender's address.
    fn receive_from(sock: RawFd, size: usize, flags: i32) -> Result<(Got, Vec<u8>)>;
    /// The address is that of the `struct msghdr`.
    fn receive_message(sock: RawFd, flags: i32) -> Result<Got>;
    fn detach(sock: RawFd) -> Result<()>;
    fn info(sock: RawFd) -> Result<Info>;
}
