//! Blocks of an area against a model, by random sequences of reserving, releasing, sending and
//! receiving. A sequence that fails is made as short as it can be before it is told.
//!
//! The model knows every block that the program holds and every one that is being sent. Invariants:
//! nobody is handed memory of somebody else's; what is refused for want of room has no room; every
//! byte arrives as it was when it was sent; in the end the area is whole again.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sio::capi::types::SIO_RELEASE;
use sio::channel::{Event, event};
use sio::error::Errno;

use super::face::Face;
use super::memory::Block;
use super::rig::Pattern;
use super::sockets::{self, Family};

const AREA: usize = 64 << 10;
const GRANULE: usize = 64;

/// One step; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    /// A held block, and by how much the size is wrong.
    Release(usize, isize),
    /// Part of a held block, from and to in hundredths, with or without `SIO_RELEASE`.
    Send(usize, usize, usize, bool),
    /// The peer reads up to so many bytes of what has been sent.
    PeerReads(usize),
    /// The peer writes, and a block of at most so many bytes is received.
    Receive(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![1..200usize, 1..5000usize, 1..70_000usize];
    prop_oneof![
        4 => size.clone().prop_map(Step::Reserve),
        2 => (any::<usize>(), prop_oneof![4 => Just(0), 1 => -70..70isize])
            .prop_map(|(which, wrong)| Step::Release(which, wrong)),
        3 => (any::<usize>(), 0..100usize, 1..=100usize, any::<bool>())
            .prop_map(|(which, from, to, release)| Step::Send(which, from, to, release)),
        2 => (1..20_000usize).prop_map(Step::PeerReads),
        2 => (1..3000usize, size).prop_map(|(bytes, room)| Step::Receive(bytes, room)),
    ]
}

/// A block that the program holds, and the pattern in it.
#[derive(Clone, Copy, Debug)]
struct Held {
    block: Block,
    pattern: Pattern,
    /// Where in the pattern it begins.
    at: usize,
}

struct Model<F: Face> {
    area: u64,
    ec: i32,
    socket: std::os::fd::OwnedFd,
    peer: std::os::fd::OwnedFd,
    held: Vec<Held>,
    /// What was accepted and has not been told: the part, and the whole block's extent.
    under_way: VecDeque<(Block, Block)>,
    /// What the peer has not read yet.
    unread: VecDeque<(Pattern, usize, usize)>,
    /// Bytes that the peer has written and that were received.
    incoming: usize,
    next_pattern: usize,
    face: std::marker::PhantomData<fn(F)>,
}

type Verdict = Result<(), TestCaseError>;

/// The memory that a block keeps from others.
fn extent(block: Block) -> Block {
    Block { size: block.size.next_multiple_of(GRANULE), ..block }
}

impl<F: Face> Model<F> {
    fn new() -> Self {
        let area = F::alloc(AREA, 0).expect("dma_alloc");
        let ec = F::create(0).expect("ec_create");
        let (socket, peer) = Family::UnixStream.pair();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        sockets::make_small(&socket);
        F::assoc(fd, area, 0, 0).expect("dma_assoc");
        F::add_socket(ec, fd, 0, 0).expect("ec_add_socket");
        Self {
            area,
            ec,
            socket,
            peer,
            held: Vec::new(),
            under_way: VecDeque::new(),
            unread: VecDeque::new(),
            incoming: 0,
            next_pattern: 0,
            face: std::marker::PhantomData,
        }
    }

    fn fd(&self) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(&self.socket)
    }

    /// Fetches what can be fetched, and takes in which sends have ended.
    fn fetch(&mut self) -> Verdict {
        let mut room = [Event::EMPTY; 16];
        while let Ok(count) = F::next_events(self.ec, &mut room) {
            let mut is_new = false;
            for told in room[..count].iter().filter(|told| told.kind == event::SENT) {
                is_new = true;
                let (part, _) = self.under_way.pop_front().expect("it was accepted");
                prop_assert_eq!((told.pointer, told.length), (part.address, part.size));
                prop_assert_eq!(told.result, part.size as i64);
            }
            // What is left is data that waits, which is told again and again.
            if !is_new {
                break;
            }
        }
        Ok(())
    }

    /// The longest stretch that nobody has, in bytes.
    fn longest_gap(&self) -> usize {
        let (base, length) = F::base(self.area).expect("dma_base");
        let mut taken: Vec<Block> = self.held.iter().map(|held| extent(held.block)).collect();
        taken.extend(self.under_way.iter().map(|(_, whole)| extent(*whole)));
        taken.sort();
        let (mut longest, mut end) = (0, base);
        for block in taken {
            longest = longest.max(block.address.saturating_sub(end));
            end = end.max(block.end());
        }
        longest.max(base + length - end)
    }

    /// A block has been handed out: it must not be anybody else's.
    fn check_own(&self, block: Block) -> Verdict {
        let (base, length) = F::base(self.area).expect("dma_base");
        prop_assert!(block.address >= base && block.end() <= base + length);
        for held in &self.held {
            prop_assert!(!held.block.overlaps(&block), "{held:?} and {block:?}");
        }
        for (_, whole) in &self.under_way {
            prop_assert!(!whole.overlaps(&block), "{whole:?} is sent, and {block:?}");
        }
        Ok(())
    }

    fn reserve(&mut self, size: usize) -> Verdict {
        match F::reserve(self.area, size) {
            Ok(address) => {
                let block = Block { address, size };
                prop_assert!(address.is_multiple_of(GRANULE));
                self.fetch()?;
                self.check_own(block)?;
                self.next_pattern += 1;
                let pattern = Pattern(self.next_pattern);
                block.write(&pattern.bytes(0, size));
                self.held.push(Held { block, pattern, at: 0 });
            }
            Err(errno) => {
                prop_assert_eq!(errno, Errno::ENOBUFS);
                prop_assert!(self.longest_gap() < size, "{} are free", self.longest_gap());
            }
        }
        Ok(())
    }

    fn release(&mut self, which: usize, wrong: isize) -> Verdict {
        let Some(index) = which.checked_rem(self.held.len()) else { return Ok(()) };
        let Held { block, .. } = self.held[index];
        let size = block.size.wrapping_add_signed(wrong);
        let answer = F::release(self.area, block.address, size);
        if wrong != 0 {
            prop_assert_eq!(answer, Err(Errno::EINVAL));
            return Ok(());
        }
        prop_assert_eq!(answer, Ok(()));
        self.held.swap_remove(index);
        prop_assert_eq!(F::release(self.area, block.address, size), Err(Errno::EINVAL));
        Ok(())
    }

    fn send(&mut self, which: usize, from: usize, to: usize, release: bool) -> Verdict {
        let Some(index) = which.checked_rem(self.held.len()) else { return Ok(()) };
        let Held { block, pattern, at } = self.held[index];
        let from = from * block.size / 100;
        let size = usize::max(1, (to * block.size / 100).saturating_sub(from));
        let part = block.part(from, size);
        let flags = if release { SIO_RELEASE } else { 0 };
        prop_assert_eq!(F::send(self.fd(), part.address, size, flags), Ok(size));
        self.under_way.push_back((part, block));
        self.unread.push_back((pattern, at + from, size));
        if release {
            self.held.swap_remove(index);
        }
        prop_assert_eq!(F::flush(self.ec), Ok(()));
        Ok(())
    }

    fn peer_reads(&mut self, most: usize) -> Verdict {
        let mut left = most;
        while left > 0
            && let Some((pattern, at, size)) = self.unread.pop_front()
        {
            let now = usize::min(size, left);
            let mut done = 0;
            while done < now {
                // What is still with the library goes on whenever it is called.
                prop_assert_eq!(F::flush(self.ec), Ok(()));
                let found = sockets::read_at_most(&self.peer, now - done);
                pattern.check(at + done, &found);
                done += found.len();
            }
            if now < size {
                self.unread.push_front((pattern, at + now, size - now));
            }
            left -= now;
        }
        self.fetch()
    }

    fn receive(&mut self, bytes: usize, room: usize) -> Verdict {
        let pattern = Pattern(usize::MAX / 2);
        sockets::write_pattern(&self.peer, pattern, self.incoming, bytes);
        let mut done = 0;
        while done < bytes {
            match F::receive(self.fd(), usize::min(room, bytes - done), libc::MSG_DONTWAIT) {
                Ok(got) => {
                    let block = Block { address: got.address, size: got.count };
                    self.fetch()?;
                    self.check_own(block)?;
                    pattern.check(self.incoming + done, block.bytes());
                    let at = self.incoming + done;
                    done += block.size;
                    self.held.push(Held { block, pattern, at });
                }
                Err(errno) => {
                    prop_assert_eq!(errno, Errno::EAGAIN);
                    // No room: the blocks that came first go.
                    prop_assert!(!(self.held.is_empty() && self.under_way.is_empty()));
                    if self.held.is_empty() {
                        self.peer_reads(usize::MAX)?;
                    } else {
                        self.release(0, 0)?;
                    }
                }
            }
        }
        self.incoming += bytes;
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Verdict {
        match *step {
            Step::Reserve(size) => self.reserve(size)?,
            Step::Release(which, wrong) => self.release(which, wrong)?,
            Step::Send(which, from, to, release) => self.send(which, from, to, release)?,
            Step::PeerReads(most) => self.peer_reads(most)?,
            Step::Receive(bytes, room) => self.receive(bytes, room)?,
        }
        for held in &self.held {
            held.pattern.check(held.at, held.block.bytes());
        }
        Ok(())
    }

    /// Everything comes back, and the area is one free block again.
    fn end(mut self) -> Verdict {
        self.peer_reads(usize::MAX)?;
        while !self.under_way.is_empty() {
            prop_assert_eq!(F::delay(self.ec, None), Ok(()));
            self.fetch()?;
        }
        while !self.held.is_empty() {
            self.release(0, 0)?;
        }
        prop_assert_eq!(F::detach(self.fd()), Ok(()));
        prop_assert_eq!(F::destroy(self.ec), Ok(()));
        let all = F::reserve(self.area, AREA);
        prop_assert!(all.is_ok(), "something is still in use");
        prop_assert_eq!(F::release(self.area, all.expect("checked"), AREA), Ok(()));
        prop_assert_eq!(F::free(self.area, AREA), Ok(()));
        Ok(())
    }
}

/// Random sequences of everything that can happen to blocks.
fn blocks<F: Face>() {
    // A panic is a finding too, and must not end the process before it has been made short.
    drop(std::panic::take_hook());
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let steps = proptest::collection::vec(step(), 1..60);
    let verdict = runner.run(&steps, |steps| {
        let mut model = Model::<F>::new();
        for step in &steps {
            model.take(step)?;
        }
        model.end()
    });
    if let Err(error) = verdict {
        panic!("{error}");
    }
}

behaviours!(blocks);
