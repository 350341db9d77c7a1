//! What a behaviour is set up with: areas, channels and associated sockets that are given back at
//! the end of their scope, where it is checked that everything can be given back.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::thread::panicking;
use std::time::Duration;

use sio::channel::{Event, event};
use sio::error::{Errno, Result};

use super::face::{Face, Got};
use super::memory::Block;
use super::setting::Setting;

/// A time that is over at once.
pub const NOW: Option<Duration> = Some(Duration::ZERO);
/// What the areas of most behaviours are made of.
pub const AREA: usize = 1 << 20;

/// The capacity of a channel, as a flag of `ec_create`.
pub const fn capacity(log2: u32) -> u32 {
    log2 << 24
}

/// A stream of bytes in which every place can be told from its neighbours.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(pub usize);

/// A prime, so that no power of two is a period.
const PERIOD: usize = 65_521;

/// The period, twice, so that what begins anywhere is in one piece.
fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let once: Vec<u8> = (0..PERIOD).map(|_| random.next() as u8).collect();
        once.repeat(2)
    })
}

impl Pattern {
    fn piece(self, at: usize, most: usize) -> &'static [u8] {
        let start = (self.0.wrapping_mul(7919) + at) % PERIOD;
        &table()[start..start + most.min(PERIOD)]
    }

    pub fn bytes(self, at: usize, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            bytes.extend_from_slice(self.piece(at + bytes.len(), size - bytes.len()));
        }
        bytes
    }

    /// Insists that `bytes` are those that begin at `at`.
    pub fn check(self, at: usize, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let expected = self.piece(at + done, bytes.len() - done);
            let found = &bytes[done..done + expected.len()];
            if found != expected {
                let wrong = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(0);
                panic!("{self:?}: byte {} is wrong", at + done + wrong);
            }
            done += expected.len();
        }
    }
}

/// Marsaglia's xorshift: enough to vary a test by a seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}

/// What an area for AF_XDP is made of.
const FRAME: usize = 4096;

/// An area. At the end every byte of it has come back, and nothing speaks against freeing it.
pub struct Area<F: Face> {
    pub handle: u64,
    size: usize,
    face: PhantomData<fn(F)>,
}

impl<F: Face> Area<F> {
    pub fn new(size: usize) -> Self {
        Self { handle: F::alloc(size, 0).expect("dma_alloc"), size, face: PhantomData }
    }

    pub fn reserve(&self, size: usize) -> Result<Block> {
        F::reserve(self.handle, size).map(|address| Block { address, size })
    }

    /// A block with these bytes.
    pub fn block(&self, bytes: &[u8]) -> Block {
        let block = self.reserve(bytes.len()).expect("sio_reserve");
        block.write(bytes);
        block
    }

    pub fn try_release(&self, block: Block) -> Result<()> {
        F::release(self.handle, block.address, block.size)
    }

    pub fn release(&self, block: Block) {
        self.try_release(block).expect("sio_release");
    }

    /// Whether no byte of it is in use. Nothing else may use it at this moment.
    pub fn is_all_free(&self) -> bool {
        if Setting::current() == Setting::AfXdp {
            return self.free_frames() == self.size / FRAME;
        }
        match self.reserve(self.size) {
            Ok(block) => {
                self.release(block);
                true
            }
            Err(errno) => {
                assert_eq!(errno, Errno::ENOBUFS);
                false
            }
        }
    }

    /// The same while sockets are associated: an interface has up to half of the frames, and looks
    /// with the next send for those that headers of the last one were in.
    pub fn is_all_back(&self) -> bool {
        if Setting::current() != Setting::AfXdp {
            return self.is_all_free();
        }
        self.free_frames() + 2 >= self.size / FRAME / 2
    }

    /// What is free where an area is made of frames, and no block has more than one.
    fn free_frames(&self) -> usize {
        let frames: Vec<Block> = std::iter::from_fn(|| self.reserve(1).ok()).collect();
        frames.iter().for_each(|frame| self.release(*frame));
        frames.len()
    }
}

impl<F: Face> Drop for Area<F> {
    fn drop(&mut self) {
        if !panicking() {
            assert!(self.is_all_free(), "something of the area is still in use");
            assert_eq!(F::free(self.handle, self.size), Ok(()), "dma_free");
        }
    }
}

/// A channel, destroyed at the end.
pub struct Channel<F: Face> {
    pub fd: RawFd,
    face: PhantomData<fn(F)>,
}

impl<F: Face> Channel<F> {
    pub fn new(flags: u32) -> Self {
        Self { fd: F::create(flags).expect("ec_create"), face: PhantomData }
    }

    /// Insists that there is no event.
    pub fn check_empty(&self) {
        let mut room = [Event::EMPTY];
        assert_eq!(F::next_events(self.fd, &mut room), Err(Errno::EAGAIN), "{room:?}");
    }

    /// The next event, without waiting.
    pub fn next(&self) -> Option<Event> {
        let mut room = [Event::EMPTY];
        match F::next_events(self.fd, &mut room) {
            Ok(count) => {
                assert_eq!(count, 1);
                Some(room[0])
            }
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                None
            }
        }
    }

    /// The next event.
    pub fn wait(&self) -> Event {
        let mut room = [Event::EMPTY];
        assert_eq!(F::wait_events(self.fd, &mut room, None), Ok(1));
        room[0]
    }

    /// The next event of a kind. Of others only `EC_EV_RECV` may come before: that is repeated.
    pub fn wait_for(&self, kind: i32) -> Event {
        loop {
            let found = self.wait();
            if found.kind == kind {
                return found;
            }
            assert_eq!(found.kind, event::RECV, "not waited for: {found:?}");
        }
    }

    /// The end of a send that has to succeed.
    pub fn wait_sent(&self, block: Block) {
        let sent = self.wait_for(event::SENT);
        assert_eq!((sent.result, sent.errno), (block.size as i64, 0), "{sent:?}");
        assert_eq!((sent.pointer, sent.length), (block.address, block.size), "{sent:?}");
    }

    /// An event of the program's own.
    pub fn post(&self, cookie: u64) -> Result<()> {
        F::post(self.fd, &Event { kind: event::USER, cookie, ..Event::EMPTY })
    }
}

impl<F: Face> Drop for Channel<F> {
    fn drop(&mut self) {
        if !panicking() {
            assert_eq!(F::destroy(self.fd), Ok(()), "ec_destroy");
        }
    }
}

/// A socket that works in an area; detached and closed at the end.
pub struct Endpoint<F: Face> {
    socket: Option<OwnedFd>,
    pub area: u64,
    face: PhantomData<fn(F)>,
}

impl<F: Face> Endpoint<F> {
    /// Associated with an area, in no channel.
    pub fn new(area: &Area<F>, socket: OwnedFd) -> Self {
        Self::with_share(area, socket, 0)
    }

    pub fn with_share(area: &Area<F>, socket: OwnedFd, size: usize) -> Self {
        assert_eq!(F::assoc(socket.as_raw_fd(), area.handle, size, 0), Ok(()), "dma_assoc");
        Self::adopt(area, socket)
    }

    /// One that is associated already.
    pub fn adopt(area: &Area<F>, socket: OwnedFd) -> Self {
        Self { socket: Some(socket), area: area.handle, face: PhantomData }
    }

    pub fn socket(&self) -> &OwnedFd {
        self.socket.as_ref().expect("it was not taken")
    }

    pub fn fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }

    /// The socket, still associated, not to be detached at the end.
    pub fn into_socket(mut self) -> OwnedFd {
        self.socket.take().expect("it was not taken")
    }

    pub fn attach(&self, channel: &Channel<F>, cookie: u64) -> i32 {
        F::add_socket(channel.fd, self.fd(), 0, cookie).expect("ec_add_socket")
    }

    pub fn send(&self, block: Block, flags: i32) -> Result<usize> {
        F::send(self.fd(), block.address, block.size, flags)
    }

    /// Accepted, all of it.
    pub fn must_send(&self, block: Block, flags: i32) {
        assert_eq!(self.send(block, flags), Ok(block.size), "sio_send");
    }

    /// A block that has arrived, or `None` at the end of the stream.
    pub fn receive(&self, size: usize, flags: i32) -> Result<Option<Block>> {
        let got = F::receive(self.fd(), size, flags)?;
        if got == Got::END {
            return Ok(None);
        }
        assert_ne!(got.address, 0);
        Ok(Some(Block { address: got.address, size: got.count }))
    }

    /// A block; the call may block.
    pub fn take(&self, size: usize) -> Block {
        let block = self.receive(size, 0).expect("sio_recv").expect("no end of the stream");
        assert!(block.size <= size, "{} bytes, but {size} were asked for", block.size);
        block
    }

    /// Receives `size` bytes of a pattern, in pieces, and releases them.
    pub fn check_pattern(&self, pattern: Pattern, at: usize, size: usize) {
        let mut done = 0;
        while done < size {
            let block = self.take(usize::min(size - done, 1 << 16));
            pattern.check(at + done, block.bytes());
            done += block.size;
            assert_eq!(F::release(self.area, block.address, block.size), Ok(()));
        }
    }
}

impl<F: Face> Drop for Endpoint<F> {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket
            && !panicking()
        {
            assert_eq!(F::detach(socket.as_raw_fd()), Ok(()), "sio_detach");
        }
    }
}

/// Whether a socket is in a channel: most behaviours are to be the same either way.
pub const ATTACHED_OR_NOT: [bool; 2] = [true, false];

/// One end of a pair, associated and, if wanted, in a channel; the other one without the library.
pub struct Rig<F: Face> {
    pub end: Endpoint<F>,
    pub peer: OwnedFd,
    pub channel: Channel<F>,
    pub area: Area<F>,
}

/// The cookie of a [`Rig`]'s endpoint.
pub const COOKIE: u64 = 0x5eed_c00c_1e00;

impl<F: Face> Rig<F> {
    pub fn new(family: super::sockets::Family, area_bytes: usize, attached: bool) -> Self {
        let (socket, peer) = family.pair();
        Self::of(socket, peer, area_bytes, attached, 0)
    }

    pub fn of(
        socket: OwnedFd,
        peer: OwnedFd,
        area_bytes: usize,
        attached: bool,
        channel_flags: u32,
    ) -> Self {
        println!("  {}", if attached { "in a channel" } else { "in no channel" });
        let area = Area::new(area_bytes);
        let channel = Channel::new(channel_flags);
        let end = Endpoint::new(&area, socket);
        if attached {
            end.attach(&channel, COOKIE);
        }
        Self { end, peer, channel, area }
    }
}
