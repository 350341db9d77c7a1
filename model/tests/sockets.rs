//! Threads that receive from one socket, and wait for its events and for room.

mod rig;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rig::{Way, create, explore, fetch, post};
use shuttle::thread;
use sio_model::api::blocking::{Receive, run};
use sio_model::api::{channel, region, socket, source};
use sio_model::channel::state::Modify;
use sio_model::channel::{Event, event};
use sio_model::engine::{Form, Received};
use sio_model::error::{Errno, Result};
use sio_model::region::map::Pages;
use sio_model::sys::descriptor::Counter;

const AREA_BYTES: usize = 64 * 1024;
const SMALL_AREA_BYTES: usize = 4096;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listening socket");
    let near = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    let far = listener.accept().expect("accepted").0;
    far.set_nodelay(true).expect("TCP_NODELAY");
    (near, far)
}

/// An area with one socket in it.
struct Rig {
    area: u64,
    near: TcpStream,
    far: TcpStream,
}

impl Rig {
    fn new(bytes: usize) -> Self {
        let area = region::alloc(bytes, Pages::Normal, 0).expect("dma_alloc");
        let (near, far) = pair();
        socket::assoc(near.as_raw_fd(), area, 0, 0).expect("dma_assoc");
        Self { area, near, far }
    }

    fn end(self, bytes: usize) {
        assert_eq!(socket::detach(self.near.as_raw_fd()), Ok(()));
        assert_eq!(region::free(self.area, bytes), Ok(()));
    }
}

/// The block that a call received; nothing is the end of the stream.
fn receive(sock: RawFd, size: usize) -> Result<Option<(usize, usize)>> {
    match run(Receive::new(sock, size, 0, Form::Data)?)? {
        Received::Block { address, count, .. } => Ok(Some((address, count))),
        Received::End => Ok(None),
    }
}

/// Receives to the end of the stream, and gives each block back: how many bytes came.
fn drain(sock: RawFd, area: u64) -> usize {
    let mut bytes = 0;
    while let Some((address, count)) = receive(sock, 1).expect("sio_recv") {
        bytes += count;
        assert_eq!(region::release(area, address, count), Ok(()));
    }
    bytes
}

/// Fetches until the channel is destroyed, and counts the events that were posted.
fn count_posts(ec: RawFd, way: Way, posts: &AtomicUsize) {
    loop {
        let mut room = [Event::EMPTY];
        match fetch(ec, way, &mut room) {
            Ok(_) if room[0].kind == event::USER => drop(posts.fetch_add(1, Ordering::SeqCst)),
            // What can be received is told again and again: let those go on who receive it.
            Ok(_) | Err(Errno::EAGAIN | Errno::ETIMEDOUT) => thread::yield_now(),
            Err(errno) => return assert_eq!(errno, Errno::EBADF),
        }
    }
}

/// Two threads block in `sio_recv` on a socket of a channel, others wait for events of it: each
/// byte comes once, each post too, and the end of the stream to everybody. `posts_first`: no byte
/// comes before the posts have been fetched.
fn receivers_beside_waiters(posts_first: bool) {
    const BYTES: usize = 3;
    let rig = Rig::new(AREA_BYTES);
    let (sock, area) = (rig.near.as_raw_fd(), rig.area);
    let ec = create();
    source::add_socket(ec, sock, Modify::default(), 0).expect("ec_add_socket");
    let posts = Arc::new(AtomicUsize::new(0));
    let receivers: Vec<_> = (0..2).map(|_| thread::spawn(move || drain(sock, area))).collect();
    let waiters: Vec<_> = [Way::Wait, Way::Delay]
        .into_iter()
        .map(|way| {
            let posts = posts.clone();
            thread::spawn(move || count_posts(ec, way, &posts))
        })
        .collect();
    for number in 0..BYTES {
        if !posts_first {
            (&rig.far).write_all(b"x").expect("sent");
        }
        post(ec, number as u64);
    }
    while posts_first && posts.load(Ordering::SeqCst) < BYTES {
        thread::yield_now();
    }
    if posts_first {
        (&rig.far).write_all(&[0; BYTES]).expect("sent");
    }
    rig.far.shutdown(std::net::Shutdown::Write).expect("shut down");
    let bytes: usize = receivers.into_iter().map(|one| one.join().expect("a receiver")).sum();
    assert_eq!(bytes, BYTES);
    while posts.load(Ordering::SeqCst) < BYTES {
        thread::yield_now();
    }
    assert_eq!(channel::destroy(ec), Ok(()));
    waiters.into_iter().for_each(|waiter| waiter.join().expect("a waiter"));
    rig.end(AREA_BYTES);
}

#[test]
fn receivers_and_waiters() {
    explore("receivers_and_waiters", 150, || receivers_beside_waiters(false));
}

#[test]
fn waiters_behind_receivers() {
    explore("waiters_behind_receivers", 150, || receivers_beside_waiters(true));
}

/// One thread blocks in `sio_recv`, others wait for events. Of those some are told by descriptors, of
/// which there are `beside` more, and one is posted: they get all of them before the first byte comes.
fn descriptors_beside_a_receiver(beside: usize) {
    let rig = Rig::new(AREA_BYTES);
    let (sock, area) = (rig.near.as_raw_fd(), rig.area);
    let ec = create();
    let edge = Modify { edge: true, ..Modify::default() };
    let counters: Vec<_> = (0..beside + 2).map(|_| Counter::new().expect("an eventfd")).collect();
    for (cookie, counter) in counters.iter().enumerate() {
        let events = libc::POLLIN as u32;
        source::add_fd(ec, counter.fd(), events, edge, cookie as u64).expect("ec_add_fd");
    }
    source::add_socket(ec, sock, edge, 0).expect("ec_add_socket");
    let told = Arc::new(AtomicUsize::new(0));
    let receiver = thread::spawn(move || drain(sock, area));
    let waiters: Vec<_> = [Way::Wait, Way::Limited]
        .into_iter()
        .map(|way| {
            let told = told.clone();
            thread::spawn(move || count_told(ec, way, &told))
        })
        .collect();
    post(ec, 0);
    counters[beside].raise();
    counters[beside + 1].raise();
    while told.load(Ordering::SeqCst) < 3 {
        thread::yield_now();
    }
    (&rig.far).write_all(b"x").expect("sent");
    rig.far.shutdown(std::net::Shutdown::Write).expect("shut down");
    assert_eq!(receiver.join().expect("a receiver"), 1);
    assert_eq!(channel::destroy(ec), Ok(()));
    waiters.into_iter().for_each(|waiter| waiter.join().expect("a waiter"));
    assert_eq!(told.load(Ordering::SeqCst), 3);
    rig.end(AREA_BYTES);
}

/// Fetches until the channel is destroyed, and counts what is not of the socket.
fn count_told(ec: RawFd, way: Way, told: &AtomicUsize) {
    loop {
        let mut room = [Event::EMPTY];
        match fetch(ec, way, &mut room) {
            Ok(_) if room[0].kind != event::RECV => drop(told.fetch_add(1, Ordering::SeqCst)),
            Ok(_) | Err(Errno::ETIMEDOUT) => thread::yield_now(),
            Err(errno) => return assert_eq!(errno, Errno::EBADF),
        }
    }
}

#[test]
fn descriptors_and_a_receiver() {
    explore("descriptors_and_a_receiver", 150, || descriptors_beside_a_receiver(0));
}

#[test]
fn many_descriptors_and_a_receiver() {
    explore("many_descriptors_and_a_receiver", 60, || descriptors_beside_a_receiver(20));
}

/// The area is full; somebody gives a block back, and whoever waits to receive goes on.
fn room_comes_back(is_attached: bool) {
    let rig = Rig::new(SMALL_AREA_BYTES);
    let (sock, area) = (rig.near.as_raw_fd(), rig.area);
    let half = SMALL_AREA_BYTES / 2;
    let blocks = [(); 2].map(|()| region::reserve(area, half).expect("sio_reserve"));
    let ec = create();
    if is_attached {
        source::add_socket(ec, sock, Modify::default(), 0).expect("ec_add_socket");
    }
    (&rig.far).write_all(b"xy").expect("sent");
    rig.far.shutdown(std::net::Shutdown::Write).expect("shut down");
    let receivers: Vec<_> = (0..2).map(|_| thread::spawn(move || drain(sock, area))).collect();
    let givers = blocks
        .map(|block| thread::spawn(move || assert_eq!(region::release(area, block, half), Ok(()))));
    let bytes: usize = receivers.into_iter().map(|one| one.join().expect("a receiver")).sum();
    assert_eq!(bytes, 2);
    givers.into_iter().for_each(|giver| giver.join().expect("a giver"));
    assert_eq!(channel::destroy(ec), Ok(()));
    rig.end(SMALL_AREA_BYTES);
}

#[test]
fn room_for_a_socket_in_no_channel() {
    explore("room_for_a_socket_in_no_channel", 150, || room_comes_back(false));
}

#[test]
fn room_for_a_socket_in_a_channel() {
    explore("room_for_a_socket_in_a_channel", 150, || room_comes_back(true));
}

/// The socket leaves its channel while others receive from it and wait: nobody is left behind.
fn leaves() {
    let rig = Rig::new(AREA_BYTES);
    let (sock, area) = (rig.near.as_raw_fd(), rig.area);
    let ec = create();
    let key = source::add_socket(ec, sock, Modify::default(), 0).expect("ec_add_socket");
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(move || {
                loop {
                    match receive(sock, 1) {
                        Ok(Some((address, count))) => {
                            region::release(area, address, count).expect("sio_release");
                        }
                        Ok(None) => return,
                        // It waited for the source that has gone.
                        Err(errno) => assert!(matches!(errno, Errno::EINVAL | Errno::ENOENT)),
                    }
                }
            })
        })
        .collect();
    (&rig.far).write_all(b"xy").expect("sent");
    assert_eq!(source::remove(ec, key), Ok(()));
    rig.far.shutdown(std::net::Shutdown::Write).expect("shut down");
    receivers.into_iter().for_each(|receiver| receiver.join().expect("a receiver"));
    assert_eq!(channel::destroy(ec), Ok(()));
    rig.end(AREA_BYTES);
}

#[test]
fn a_socket_leaves_while_others_receive() {
    explore("a_socket_leaves_while_others_receive", 150, leaves);
}

/// Threads wait in `sio_recv` for a socket in no channel, which comes into one or is taken out of the
/// library. Nothing arrives before that has been seen.
fn moves(is_attached: bool) {
    let rig = Rig::new(AREA_BYTES);
    let (sock, area) = (rig.near.as_raw_fd(), rig.area);
    let ec = create();
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(move || {
                let mut bytes = 0;
                loop {
                    match receive(sock, 1) {
                        Ok(Some((address, count))) => {
                            region::release(area, address, count).expect("sio_release");
                            bytes += count;
                        }
                        Ok(None) => return bytes,
                        Err(errno) => {
                            assert_eq!(errno, Errno::EINVAL);
                            return bytes;
                        }
                    }
                }
            })
        })
        .collect();
    let mut expected = 0;
    if is_attached {
        source::add_socket(ec, sock, Modify::default(), 0).expect("ec_add_socket");
        (&rig.far).write_all(b"xy").expect("sent");
        rig.far.shutdown(std::net::Shutdown::Write).expect("shut down");
        expected = 2;
    } else {
        assert_eq!(socket::detach(sock), Ok(()));
    }
    let bytes: usize = receivers.into_iter().map(|one| one.join().expect("a receiver")).sum();
    assert_eq!(bytes, expected);
    if is_attached {
        assert_eq!(socket::detach(sock), Ok(()));
    }
    assert_eq!(channel::destroy(ec), Ok(()));
    assert_eq!(region::free(area, AREA_BYTES), Ok(()));
}

#[test]
fn a_socket_comes_while_others_wait() {
    explore("a_socket_comes_while_others_wait", 150, || moves(true));
}

#[test]
fn a_socket_is_taken_out_while_others_wait() {
    explore("a_socket_is_taken_out_while_others_wait", 150, || moves(false));
}
