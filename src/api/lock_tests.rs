//! A thread that has a channel to itself takes no lock on the way of an event; on the way of data
//! it takes those of the area alone.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use super::blocking::{Receive, Wait, run, wait_in_passing};
use super::send::{How, Outgoing, Send};
use super::{channel, region, short, socket, source};
use crate::channel::state::Modify;
use crate::channel::{Event, Options, event};
use crate::engine::{Form, Received};
use crate::region::map::Pages;
use crate::sys::descriptor::Counter;
use crate::sys::socket::DONTWAIT;
use crate::sys::sync::locks_taken;
use crate::sys::wait::Terms;
use crate::sys::{annotate, poll};

const ROUNDS: u64 = 100;
const PIECE_BYTES: usize = 512;
const AREA_BYTES: usize = 1 << 20;

fn single() -> RawFd {
    channel::create(Options { single: true, ..Options::default() }).expect("a channel")
}

/// Waits for one event that is not of another kind.
fn wait_for(channel: RawFd, kind: i32) {
    let mut room = [Event::new(event::USER, -1, -1, 0)];
    loop {
        let wait = Wait::new(channel, Some(&mut room), Terms::default()).expect("a wait");
        assert_eq!(run(wait), Ok(1));
        if room[0].kind == kind {
            return;
        }
    }
}

/// How many locks a round takes once everything is warm.
fn locks_of(mut round: impl FnMut()) -> u64 {
    (0..ROUNDS).for_each(|_| round());
    let before = locks_taken();
    (0..ROUNDS).for_each(|_| round());
    (locks_taken() - before).div_ceil(ROUNDS)
}

#[test]
fn events_take_no_lock() {
    assert!(!annotate::is_under_valgrind(), "there the tables have a lock");
    let channel = single();
    let posted = locks_of(|| {
        let event = Event::new(event::USER, -1, -1, 7);
        channel::post(channel, event).expect("room");
        wait_for(channel, event::USER);
    });
    assert_eq!(posted, 0, "an event of the program's own");

    for edge in [false, true] {
        let counter = Counter::new().expect("an eventfd");
        let flags = Modify { edge, ..Modify::default() };
        let source = source::add_fd(channel, counter.fd(), poll::IN, flags, 0).expect("a source");
        let ready = locks_of(|| {
            counter.raise();
            wait_for(channel, event::FD);
            counter.lower();
        });
        assert_eq!(ready, 0, "a descriptor, edge {edge}");
        source::remove(channel, source).expect("it goes");
    }
    channel::destroy(channel).expect("it goes");
}

#[test]
fn who_has_a_channel_to_himself_goes_the_short_way() {
    for single in [false, true] {
        let channel = channel::create(Options { single, ..Options::default() }).expect("a channel");
        let counter = Counter::new().expect("an eventfd");
        let flags = Modify { edge: true, ..Modify::default() };
        source::add_fd(channel, counter.fd(), poll::IN, flags, 0).expect("a source");
        for _ in 0..ROUNDS {
            counter.raise();
            wait_for(channel, event::FD);
            counter.lower();
        }
        let mut room = [Event::EMPTY; 2];
        let mut fetch = || wait_in_passing(channel, &mut room, true);
        for _ in 0..ROUNDS {
            counter.raise();
            assert_eq!(fetch(), Some(1), "single {single}");
            counter.lower();
        }
        assert_eq!(fetch(), None, "there is nothing");
        counter.raise();
        let looked = channel::next_events(channel, &mut [Event::EMPTY; 2]);
        assert_eq!(looked, Ok(1), "single {single}");
        counter.lower();
        channel::post(channel, Event { kind: event::USER, ..Event::EMPTY }).expect("room");
        assert_eq!(fetch(), None, "what stands in the queue is fetched on the whole way");
        wait_for(channel, event::USER);
        channel::destroy(channel).expect("it goes");
        assert_eq!(wait_in_passing(channel, &mut room, true), None, "there is no channel");
    }
}

#[test]
fn a_channel_of_many_threads_takes_one() {
    let channel = channel::create(Options::default()).expect("a channel");
    let posted = locks_of(|| {
        channel::post(channel, Event::new(event::USER, -1, -1, 7)).expect("room");
    });
    assert_eq!(posted, 1, "this is how the others are counted");
    channel::destroy(channel).expect("it goes");
}

#[test]
fn an_echo_takes_the_locks_of_its_area_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listening socket");
    let mut peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("a peer");
    let (connection, _) = listener.accept().expect("a connection");
    let fd = connection.as_raw_fd();
    let area = region::alloc(AREA_BYTES, Pages::Normal, 0).expect("an area");
    socket::assoc(fd, area, 0, 0).expect("an association");
    let channel = single();
    source::add_socket(channel, fd, Modify::default(), 0).expect("a source");
    let mut text = [7; PIECE_BYTES];
    let echo = locks_of(|| {
        peer.write_all(&text).expect("the peer sends");
        wait_for(channel, event::RECV);
        let receive = Receive::new(fd, PIECE_BYTES, 0, Form::Data).expect("a receive");
        let Ok(Received::Block { address, count, .. }) = run(receive) else {
            panic!("nothing was received");
        };
        assert_eq!(count, PIECE_BYTES);
        let asked = Outgoing {
            parts: &[(address, count)],
            name: None,
            control: Vec::new(),
            how: How { flags: 0, release: true, quiet: false },
        };
        assert_eq!(run(Send::new(fd, asked).expect("a send")), Ok(count));
        wait_for(channel, event::SENT);
        peer.read_exact(&mut text).expect("the echo");
    });
    assert!(echo <= ECHO_LOCKS_MAX, "{echo} locks in an echo");
    socket::detach(fd).expect("it goes");
    channel::destroy(channel).expect("it goes");
    region::free(area, AREA_BYTES).expect("nothing is left");
}

/// To take a chunk, to lend it to the kernel's ring or the socket, to hand it out, to lend it for
/// the send, to take the block back, to let go of each of these.
const ECHO_LOCKS_MAX: u64 = 12;

#[test]
fn a_datagram_takes_the_lock_of_its_area_twice() {
    let near = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let far = UdpSocket::bind("127.0.0.1:0").expect("another one");
    far.connect(near.local_addr().expect("an address")).expect("connected");
    let fd = near.as_raw_fd();
    let area = region::alloc(DATAGRAM_AREA_BYTES, Pages::Normal, 0).expect("an area");
    socket::assoc(fd, area, 0, 0).expect("an association");
    let channel = single();
    source::add_socket(channel, fd, Modify::default(), 0).expect("a source");
    let locks = locks_of(|| {
        for _ in 0..DATAGRAMS {
            far.send(&[7; 64]).expect("sent");
        }
        let mut left = DATAGRAMS;
        while left > 0 {
            wait_for(channel, event::RECV);
            loop {
                let form = if left.is_multiple_of(2) { Form::Data } else { Form::Name };
                let found = short::receive(fd, PIECE_BYTES, DONTWAIT, form);
                let Some(Ok(Received::Block { address, count, name })) = found else { break };
                assert_eq!(name.is_some(), form == Form::Name);
                region::release(area, address, count).expect("ours");
                left -= 1;
            }
        }
    });
    // For all of them together: to supply the kernel with room for others.
    assert!(locks <= 2 * DATAGRAMS + 8, "{locks} locks for {DATAGRAMS} datagrams");
    socket::detach(fd).expect("it goes");
    channel::destroy(channel).expect("it goes");
    region::free(area, DATAGRAM_AREA_BYTES).expect("nothing is left");
}

const DATAGRAMS: u64 = 32;
const DATAGRAM_AREA_BYTES: usize = 16 << 20;
