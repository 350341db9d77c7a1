//! Random transfers over a hundred connections at once, in both directions, through areas that
//! are too small for them: every byte is compared.
//!
//! `SIO_TEST_SEED=number` repeats what a run has done; its seed stands in its output.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sio::capi::types::{SIO_QUIET, SIO_RELEASE};
use sio::channel::{Event, event};
use sio::error::Errno;

use super::face::Face;
use super::memory::Block;
use super::rig::{Area, Channel, Endpoint, Pattern, Random};
use super::setting::Setting;
use super::sockets::{self, Family, MESSAGES, STREAMS, each};

const CONNECTIONS: usize = 100;
/// What one direction of one connection carries, at most.
const BYTES_MAX: usize = 200_000;
const SEND_MAX: usize = 12_000;
/// Quiet sends are short: nobody is told when their memory is free again, so it cannot be counted.
const QUIET_MAX: usize = 300;
const RECEIVE_MAX: usize = 9_000;

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos());
    let given = std::env::var("SIO_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or(now as u64 | 1);
    println!("SIO_TEST_SEED={seed}");
    seed
}

/// A send that was accepted and has not ended, as far as we were told.
struct Sending {
    block: Block,
    flags: i32,
}

impl Random {
    /// The size and the flags of a send. The last is never quiet, so that its event tells when
    /// the sending is over.
    fn send(&mut self, left: usize) -> (usize, i32) {
        match self.below(8) {
            0 if left > QUIET_MAX => (1 + self.below(QUIET_MAX), SIO_RELEASE | SIO_QUIET),
            1..=4 => (usize::min(left, 1 + self.below(SEND_MAX)), SIO_RELEASE),
            _ => (usize::min(left, 1 + self.below(SEND_MAX)), 0),
        }
    }
}

/// One associated end: how far each direction has come.
struct Side<F: Face> {
    end: Endpoint<F>,
    to_send: usize,
    sent: usize,
    under_way: VecDeque<Sending>,
    outgoing: Pattern,
    to_receive: usize,
    received: usize,
    incoming: Pattern,
    has_shut_down: bool,
    has_ended: bool,
}

impl<F: Face> Side<F> {
    fn is_done(&self) -> bool {
        self.has_ended && self.has_shut_down
    }
}

/// All associated ends, on one channel, in one thread.
struct Driver<F: Face> {
    sides: Vec<Side<F>>,
    by_fd: HashMap<i32, usize>,
    /// Blocks that were received and are kept for a while.
    kept: VecDeque<Block>,
    /// What may be reserved at once, so that there is room to receive too.
    budget: usize,
    reserved: usize,
    /// How often something was refused because the area or the channel was full.
    refusals: usize,
    random: Random,
    channel: Channel<F>,
    area: Area<F>,
}

impl<F: Face> Driver<F> {
    fn new(area_bytes: usize, random: Random) -> Self {
        Self {
            sides: Vec::new(),
            by_fd: HashMap::new(),
            kept: VecDeque::new(),
            budget: area_bytes / 2,
            reserved: 0,
            refusals: 0,
            random,
            channel: Channel::new(super::rig::capacity(7)),
            area: Area::new(area_bytes),
        }
    }

    fn add(&mut self, socket: OwnedFd, to_send: (usize, Pattern), to_receive: (usize, Pattern)) {
        sockets::make_small(&socket);
        let end = Endpoint::new(&self.area, socket);
        end.attach(&self.channel, self.sides.len() as u64);
        self.by_fd.insert(end.fd(), self.sides.len());
        self.sides.push(Side {
            end,
            to_send: to_send.0,
            sent: 0,
            under_way: VecDeque::new(),
            outgoing: to_send.1,
            to_receive: to_receive.0,
            received: 0,
            incoming: to_receive.1,
            has_shut_down: false,
            has_ended: false,
        });
    }

    /// Until every side has sent, received and ended.
    fn run(&mut self) {
        let mut room = [Event::EMPTY; 32];
        while !self.sides.iter().all(Side::is_done) {
            for _ in 0..8 {
                let index = self.random.below(self.sides.len());
                self.send_some(index);
            }
            let count = match F::next_events(self.channel.fd, &mut room) {
                Ok(count) => count,
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    self.go_on_or_wait(&mut room)
                }
            };
            for event in &room[..count] {
                self.handle(event);
            }
        }
        while let Some(block) = self.kept.pop_front() {
            self.area.release(block);
        }
        self.channel.check_empty();
    }

    /// There is no event: what holds the others up is let go, and only then is waited.
    fn go_on_or_wait(&mut self, room: &mut [Event]) -> usize {
        while let Some(block) = self.kept.pop_front() {
            self.area.release(block);
        }
        let mut has_sent = false;
        for index in 0..self.sides.len() {
            has_sent |= self.send_some(index);
        }
        if has_sent || self.sides.iter().all(Side::is_done) {
            return 0;
        }
        F::wait_events(self.channel.fd, room, None).expect("ec_wait_events")
    }

    fn send_some(&mut self, index: usize) -> bool {
        let side = &mut self.sides[index];
        let left = side.to_send - side.sent;
        if left == 0 {
            if side.under_way.is_empty() && !side.has_shut_down {
                side.has_shut_down = true;
                sockets::shutdown_write(side.end.socket());
            }
            return false;
        }
        let (size, flags) = self.random.send(left);
        if self.reserved + size > self.budget {
            return false;
        }
        let Ok(block) = self.area.reserve(size) else {
            self.refusals += 1;
            return false;
        };
        block.write(&side.outgoing.bytes(side.sent, size));
        match side.end.send(block, flags) {
            Ok(count) => assert_eq!(count, size),
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                self.refusals += 1;
                self.area.release(block);
                return false;
            }
        }
        side.sent += size;
        self.reserved += if flags & SIO_QUIET == 0 { size } else { 0 };
        side.under_way.push_back(Sending { block, flags });
        true
    }

    fn handle(&mut self, event: &Event) {
        let index = event.cookie as usize;
        assert_eq!(self.by_fd.get(&event.fd), Some(&index), "{event:?}");
        assert_eq!(event.errno, 0, "{event:?}");
        match event.kind {
            event::SENT => self.sent(index, event),
            event::RECV => self.receive_some(index),
            _ => panic!("{event:?}"),
        }
    }

    /// Events come in order, so quiet sends before this one have ended too.
    fn sent(&mut self, index: usize, event: &Event) {
        loop {
            let sending = self.sides[index].under_way.pop_front().expect("it was accepted");
            let Sending { block, flags } = sending;
            if flags & SIO_QUIET != 0 {
                continue;
            }
            self.reserved -= block.size;
            assert_eq!((event.pointer, event.length), (block.address, block.size));
            assert_eq!(event.result, block.size as i64);
            if flags & SIO_RELEASE == 0 {
                self.area.release(block);
            }
            return;
        }
    }

    fn receive_some(&mut self, index: usize) {
        for _ in 0..1 + self.random.below(4) {
            let size = 1 + self.random.below(RECEIVE_MAX);
            let side = &mut self.sides[index];
            match side.end.receive(size, libc::MSG_DONTWAIT) {
                Ok(Some(block)) => {
                    assert!(block.size > 0 && block.size <= size);
                    side.incoming.check(side.received, block.bytes());
                    side.received += block.size;
                    self.keep(block);
                }
                Ok(None) => {
                    assert_eq!(side.received, side.to_receive, "the end comes too early");
                    side.has_ended = true;
                    return;
                }
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    self.refusals += usize::from(side.received < side.to_receive);
                    return;
                }
            }
        }
    }

    fn keep(&mut self, block: Block) {
        self.kept.push_back(block);
        while self.kept.len() > 60 {
            let index = self.random.below(self.kept.len());
            let block = self.kept.remove(index).expect("below the length");
            self.area.release(block);
        }
    }
}

fn sizes(random: &mut Random) -> (usize, usize) {
    let size = |random: &mut Random| match random.below(10) {
        0 => 0,
        1 => 1,
        _ => random.below(BYTES_MAX),
    };
    (size(random), size(random))
}

fn pause(random: &mut Random) {
    if random.below(16) == 0 {
        thread::sleep(Duration::from_micros(random.below(1500) as u64));
    }
}

/// The library at one end, plain sockets in threads of their own at the other.
fn against_plain_sockets<F: Face>() {
    let seed = seed();
    let families: Vec<Family> = each(STREAMS).collect();
    let mut driver = Driver::<F>::new(96 << 10, Random(seed));
    thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let (socket, peer) = families[number % families.len()].pair();
            let (out, back) = sizes(&mut driver.random);
            let (outgoing, incoming) = (Pattern(number), Pattern(1000 + number));
            driver.add(socket, (out, outgoing), (back, incoming));
            let reader = peer.try_clone().expect("dup");
            let mut random = Random(seed ^ (number as u64 + 1) << 20);
            scope.spawn(move || {
                let mut at = 0;
                while at < back {
                    let size = usize::min(back - at, 1 + random.below(20_000));
                    sockets::write_pattern(&peer, incoming, at, size);
                    at += size;
                    pause(&mut random);
                }
                sockets::shutdown_write(&peer);
            });
            let mut random = Random(seed ^ (number as u64 + 1) << 40);
            scope.spawn(move || {
                let mut at = 0;
                while at < out {
                    let size = usize::min(out - at, 1 + random.below(20_000));
                    sockets::read_pattern(&reader, outgoing, at, size);
                    at += size;
                    pause(&mut random);
                }
                assert!(sockets::read_any(&reader).is_empty(), "more than was sent");
            });
        }
        driver.run();
    });
    println!("{} refusals", driver.refusals);
    assert!(driver.refusals > 0, "nothing was ever full");
}

/// The library at both ends.
fn against_itself<F: Face>() {
    let families: Vec<Family> = each(STREAMS).collect();
    let mut driver = Driver::<F>::new(192 << 10, Random(seed()));
    for number in 0..CONNECTIONS / 2 {
        let (one, other) = families[number % families.len()].pair();
        let (out, back) = sizes(&mut driver.random);
        let (outgoing, incoming) = (Pattern(number), Pattern(1000 + number));
        driver.add(one, (out, outgoing), (back, incoming));
        driver.add(other, (back, incoming), (out, outgoing));
    }
    driver.run();
    println!("{} refusals", driver.refusals);
    assert!(driver.refusals > 0, "nothing was ever full");
}

/// Messages of random sizes, in both directions of connections of every kind: what arrives is
/// what was sent, in order, with its bounds.
fn messages<F: Face>() {
    let seed = seed();
    let mut random = Random(seed);
    for family in each(MESSAGES) {
        let area = Area::<F>::new(1 << 20);
        let channel = Channel::<F>::new(0);
        let (socket, peer) = family.pair();
        let end = Endpoint::new(&area, socket);
        end.attach(&channel, 0);
        for round in 0..300 {
            // A few at a time: a datagram socket may drop what nobody fetches.
            let sizes: Vec<usize> = (0..1 + random.below(4))
                .map(|_| {
                    let most = if random.below(8) == 0 { 40_000 } else { 2000 };
                    Setting::current().datagram(1 + random.below(most))
                })
                .collect();
            for (number, &size) in sizes.iter().enumerate() {
                sockets::write(&peer, &Pattern(round).bytes(number, size));
            }
            for (number, &size) in sizes.iter().enumerate() {
                let block = end.take(50_000);
                assert_eq!(block.size, size);
                Pattern(round).check(number, block.bytes());
                end.must_send(block, SIO_RELEASE);
            }
            for _ in &sizes {
                assert!(channel.wait_for(event::SENT).result > 0);
            }
            for (number, &size) in sizes.iter().enumerate() {
                assert_eq!(sockets::read(&peer), Pattern(round).bytes(number, size));
            }
        }
    }
}

behaviours!(against_plain_sockets, against_itself, messages);

over_interfaces!(messages);
