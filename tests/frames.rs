//! The frame engine over a pair of ports that nothing but memory connects: the same every time.
//!
//! Both sockets are real ones, bound to 127.0.0.1, so that what the engine leaves to the kernel
//! goes through there. And the engine over rings of packet(7), which carry whole frames.

#[path = "frames/rig.rs"]
mod rig;
#[path = "frames/rings.rs"]
mod rings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rig::{AREA_BYTES, Pair, Side, bytes};
use sio::api::Options;
use sio::channel::{Channel, event};
use sio::engine::Form;
use sio::engine::frame::Looker;
use sio::error::Errno;
use sio::limits::{FRAME_BYTES, FRAME_HEADROOM_BYTES};
use sio::port::Facts;
use sio::port::memory::usual_facts;

#[test]
fn a_datagram_arrives_where_the_driver_has_put_it() {
    let pair = Pair::usual();
    for length in [1, 7, 64, 500, 1472] {
        let sent = bytes(length);
        assert!(!pair.first.send(&sent), "in place");
        let received = pair.second.receive().expect("a datagram");
        assert_eq!(received.data, sent);
        assert_eq!(received.from, Some(pair.first.address()));
        let offset = received.address - pair.second.region.mapping().base() as usize;
        // Behind the driver's room and the headers of Ethernet, IPv4 and UDP.
        assert_eq!(offset % FRAME_BYTES, 256 + 14 + 20 + 8);
        pair.second.release(&received);
    }
    let counters = &pair.second.socket.counters;
    assert_eq!(counters.received(), (1 + 7 + 64 + 500 + 1472, 0));
    assert_eq!(pair.second.receive().map(drop), Err(Errno::EAGAIN));
}

#[test]
fn an_echo_is_sent_from_where_it_arrived() {
    let pair = Pair::usual();
    pair.first.send(b"there and back");
    let received = pair.second.receive().expect("a datagram");
    let copied = pair.second.send_block(received.address, received.data.len());
    assert!(!copied);
    pair.second.release(&received);
    let echo = pair.first.receive().expect("an echo");
    assert_eq!(echo.data, b"there and back");
    pair.first.release(&echo);
    pair.first.release_all();
    assert!(pair.is_idle());
}

#[test]
fn what_is_still_on_its_way_is_pushed_on() {
    let pair = Pair::usual();
    let doorbells = || pair.first.gate.lock().doorbells;
    pair.first.gate.lock().is_open = false;
    pair.first.send(b"slowly");
    let before = doorbells();
    // A port may have had no room for all of it when it was told to begin.
    assert!(pair.first.hub.watch_flights());
    assert_eq!(doorbells(), before + 1);
    pair.first.gate.lock().is_open = true;
    pair.first.hub.poll(Looker::Nobody);
    assert!(!pair.first.hub.watch_flights());
    assert_eq!(doorbells(), before + 1);
}

#[test]
fn an_empty_datagram_is_one_too() {
    let pair = Pair::usual();
    pair.first.send(b"");
    let received = pair.second.receive().expect("a datagram");
    assert_eq!((received.data.len(), received.address != 0), (0, true));
    pair.second.release(&received);
}

#[test]
fn what_is_too_large_for_the_way_is_the_kernels() {
    let pair = Pair::usual();
    let large = bytes(3000);
    assert!(pair.first.send(&large), "the kernel copies");
    assert_eq!(pair.first.wires.0.waiting(), 0);
    let received = pair.second.receive().expect("by the kernel's socket");
    assert_eq!(received.data, large);
    assert!(pair.second.receive().is_err());
}

#[test]
fn jumbo_frames_are_gathered() {
    let facts = Facts { mtu_bytes: 9000, ..usual_facts() };
    let pair = Pair::new(&facts, AREA_BYTES);
    // In three pieces of three blocks: no single one is so large.
    let sent = bytes(8972);
    assert!(!pair.first.send_pieces(&sent.chunks(3000).collect::<Vec<_>>()));
    let received = pair.second.receive().expect("a datagram");
    assert_eq!(received.data, sent);
    let (_, copied) = pair.second.socket.counters.received();
    assert_eq!(copied, 8972);
    pair.second.release(&received);
    pair.first.release_all();
    assert!(pair.is_idle());
}

#[test]
fn a_block_in_flight_is_sent_again_with_headers_elsewhere() {
    let pair = Pair::usual();
    pair.first.gate.lock().is_open = false;
    let sent = bytes(1000);
    let block = pair.first.reserve(&sent);
    assert!(!pair.first.send_block(block, 1000));
    // The room in front is in use: headers in a frame of their own, the bytes where they are.
    assert!(!pair.first.send_block(block, 1000));
    assert!(!pair.first.send_block(block + 100, 400), "a part has other bytes in front of it");
    pair.first.region.release(block, 1000).expect("ours");
    for length in [0..1000, 0..1000, 100..500] {
        let received = pair.second.receive().expect("a datagram");
        assert_eq!(received.data, sent[length]);
        pair.second.release(&received);
    }
    pair.first.gate.lock().is_open = true;
    pair.first.hub.poll(Looker::Nobody);
    assert!(pair.is_idle());
}

#[test]
fn a_port_of_one_segment_has_a_part_copied() {
    let pair = Pair::new(&Facts { segments_max: 1, ..usual_facts() }, AREA_BYTES);
    let sent = bytes(1000);
    let block = pair.first.reserve(&sent);
    assert!(pair.first.send_block(block + 100, 400));
    assert_eq!(pair.second.receive().expect("a datagram").data, sent[100..500]);
}

#[test]
fn damage_loss_doubles_and_disorder_are_what_udp_makes_of_them() {
    let pair = Pair::usual();
    let wire = &pair.first.wires.0;
    let seen = Arc::new(Mutex::new(0));
    let mut kept: Option<Vec<u8>> = None;
    wire.set_tamper(Some(Box::new(move |packet| {
        let mut number = seen.lock().expect("nobody panics");
        *number += 1;
        match *number {
            1 => vec![],
            2 => vec![packet.clone(), packet],
            3 => {
                kept = Some(packet);
                vec![]
            }
            4 => vec![packet, kept.take().expect("the third")],
            at => {
                let mut packet = packet;
                let last = packet.len() - 1;
                packet[[14, 16, 24, 36, 40, last][at % 6]] ^= 0x10;
                vec![packet]
            }
        }
    })));
    for number in 1..=16u8 {
        pair.first.send(&[number; 100]);
    }
    let mut found = Vec::new();
    while let Ok(received) = pair.second.receive() {
        assert!(received.data.iter().all(|&byte| byte == received.data[0]));
        found.push(received.data[0]);
        pair.second.release(&received);
    }
    assert_eq!(found, [2, 2, 4, 3]);
    wire.set_tamper(None);
    pair.first.release_all();
    assert!(pair.is_idle(), "nothing was kept of what was thrown away");
}

#[test]
fn packets_of_no_flow_are_left_to_the_kernel() {
    let pair = Pair::usual();
    let wire = &pair.first.wires.0;
    pair.first.send(b"ours");
    // To another port.
    let mut other = rig::captured(&pair.first);
    other[36] ^= 1;
    rig::refresh_sum(&mut other);
    wire.put(other.clone());
    assert_eq!(pair.second.receive().expect("ours").data, b"ours");
    assert!(pair.second.receive().is_err());
    assert_eq!(wire.take_passed(), [other]);
}

#[test]
fn an_area_that_is_full_loses_what_comes_and_goes_on() {
    const FRAMES: usize = 64;
    let pair = Pair::new(&usual_facts(), FRAMES * FRAME_BYTES);
    let mut held = Vec::new();
    let mut number = 0u32;
    let mut last = 0;
    while number < 200 {
        pair.first.send(&number.to_ne_bytes());
        number += 1;
        if let Ok(received) = pair.second.receive() {
            last = u32::from_ne_bytes(received.data.clone().try_into().expect("four"));
            held.push(received);
        }
    }
    assert_eq!(held.len(), FRAMES, "all of the area is the program's");
    // Nothing is overwritten meanwhile.
    for received in &held {
        assert_eq!(pair.second.bytes_at(received.address, received.data.len()), received.data);
    }
    held.drain(..).for_each(|received| pair.second.release(&received));
    pair.second.hub.service(Looker::Nobody);
    pair.first.send(b"again");
    while let Ok(received) = pair.second.receive() {
        if received.data == b"again" {
            return;
        }
        assert!(u32::from_ne_bytes(received.data.try_into().expect("four")) > last);
    }
    panic!("it never went on");
}

#[test]
fn a_share_bounds_what_waits_and_what_is_held() {
    let pair = Pair::with_limit(&usual_facts(), AREA_BYTES, 250);
    for number in 0..10u8 {
        pair.first.send(&[number; 100]);
    }
    let first = pair.second.receive().expect("a datagram");
    let second = pair.second.receive().expect("a datagram");
    assert_eq!((first.data[0], second.data[0]), (0, 1));
    assert!(pair.second.receive().is_err(), "the share is used up");
    pair.second.release(&first);
    pair.first.send(&[11; 100]);
    assert_eq!(pair.second.receive().expect("there is room again").data[0], 11);
}

#[test]
fn a_message_has_a_name_and_its_bytes() {
    let pair = Pair::usual();
    pair.first.send(b"message");
    let message = pair.second.receive_as(Form::Message, usize::MAX).expect("a message");
    let header = pair.second.header_at(message.address);
    assert_eq!(header.data, b"message");
    assert_eq!(header.name, Some(pair.first.address()));
    // Its data may be sent back while it is held.
    assert!(!pair.second.send_block(header.data_address, 7));
    let echo = pair.first.receive().expect("an echo");
    assert_eq!(echo.data, b"message");
    pair.first.release(&echo);
    assert_eq!(pair.second.header_at(message.address).data, b"message");
    let bytes = size_of::<libc::msghdr>();
    pair.second.region.release(message.address, bytes).expect("the header");
    pair.first.release_all();
    assert!(pair.is_idle());
}

#[test]
fn the_rest_of_a_datagram_is_lost() {
    let pair = Pair::with_limit(&usual_facts(), AREA_BYTES, 1000);
    pair.first.send(b"0123456789");
    let received = pair.second.receive_as(Form::Data, 4).expect("a datagram");
    assert_eq!((received.count, &received.data[..]), (4, &b"0123"[..]));
    pair.second.release(&received);
    assert_eq!(pair.second.socket.account.left_bytes(), 1000);
    assert!(pair.second.receive().is_err());
}

#[test]
fn a_closed_flow_is_the_kernels() {
    let pair = Pair::usual();
    pair.first.send(b"waits");
    assert_eq!(pair.second.flow().close(), Err(Errno::EBUSY), "something has arrived");
    assert_eq!(pair.second.receive().expect("a datagram").data, b"waits");
    assert_eq!(pair.second.flow().close(), Ok(()));
    pair.first.send(b"late");
    assert!(pair.second.receive().is_err());
    pair.second.hub.poll(Looker::Nobody);
    assert_eq!(pair.first.wires.0.take_passed().len(), 1);
}

#[test]
fn a_port_that_was_full_takes_the_rest_later() {
    let pair = Pair::usual();
    let ec = Channel::new(Options::default()).expect("a channel");
    let key = pair.first.attach(&ec);
    let (gate, other) = (pair.first.gate.clone(), pair.second.attach(&ec));
    gate.lock().is_open = false;
    gate.lock().room = 3;
    for number in 0..8u8 {
        pair.first.send_in(&ec, key, &[number; 50]);
    }
    let sent = || rig::events(&ec).into_iter().filter(|event| event.kind == event::SENT).count();
    assert_eq!(sent(), 0, "none has ended");
    gate.lock().is_open = true;
    let mut ended = 0;
    for _ in 0..10 {
        ended += sent();
    }
    assert_eq!(ended, 8);
    for number in 0..8u8 {
        assert_eq!(pair.second.receive_in(&ec, other).expect("in order").data[0], number);
    }
}

#[test]
fn a_channel_tells_of_what_arrives() {
    let pair = Pair::usual();
    let ec = Channel::new(Options::default()).expect("a channel");
    let key = pair.second.attach(&ec);
    assert!(rig::events(&ec).is_empty());
    pair.first.send(b"one");
    pair.first.send(b"two!");
    for expected in [&b"one"[..], b"two!"] {
        // Level-triggered, with the length of the next datagram.
        for _ in 0..2 {
            let events = rig::events(&ec);
            assert_eq!(events.len(), 1);
            assert_eq!((events[0].kind, events[0].result), (event::RECV, expected.len() as i64));
        }
        assert!(rig::is_readable(ec.fd()));
        assert_eq!(pair.second.receive_in(&ec, key).expect("a datagram").data, expected);
    }
    assert!(rig::events(&ec).is_empty());
    assert!(!rig::is_readable(ec.fd()));
    pair.first.send(b"three");
    assert!(rig::is_readable(ec.fd()), "before anybody has looked");
    assert_eq!(rig::events(&ec).len(), 1);
}

#[test]
fn a_channel_hears_of_what_another_has_polled() {
    let pair = Pair::usual();
    let second = Side::beside(&pair.second);
    let channels = [0, 1].map(|_| Channel::new(Options::default()).expect("a channel"));
    let keys = [pair.second.attach(&channels[0]), second.attach(&channels[1])];
    pair.first.send_to(b"for the other", second.address());
    // The first one looks, and gets nothing.
    assert!(rig::events(&channels[0]).is_empty());
    assert!(rig::is_readable(channels[1].fd()), "it was told");
    assert_eq!(rig::events(&channels[1]).len(), 1);
    assert_eq!(second.receive_in(&channels[1], keys[1]).expect("its").data, b"for the other");
    // The same where a receive looks.
    pair.first.send_to(b"again", second.address());
    assert!(pair.second.receive_in(&channels[0], keys[0]).is_err());
    assert!(rig::is_readable(channels[1].fd()));
    assert_eq!(rig::events(&channels[1]).len(), 1);
}

#[test]
fn sockets_that_share_a_port_share_the_remote_ends() {
    let pair = Pair::sharing();
    let second = Side::sharing_with(&pair.second);
    let mut got = [0, 0];
    for _ in 0..64 {
        let stranger = Side::beside(&pair.first);
        stranger.send_to(b"x", pair.second.address());
        got[0] += usize::from(pair.second.receive().is_ok());
        got[1] += usize::from(second.receive().is_ok());
    }
    assert_eq!(got[0] + got[1], 64);
    assert!(got[0] > 5 && got[1] > 5, "{got:?}");
    drop(pair.second);
    pair.first.send_to(b"who is left", second.address());
    assert_eq!(second.receive().expect("all is its").data, b"who is left");
}

#[test]
fn a_thread_that_waits_is_woken_whoever_polls() {
    let pair = Pair::usual();
    let second = Arc::new(Side::beside(&pair.second));
    let done = Arc::new(AtomicBool::new(false));
    let waiter = {
        let (second, done) = (second.clone(), done.clone());
        std::thread::spawn(move || {
            for number in 0..200u32 {
                let received = second.receive_blocking();
                assert_eq!(received.data, number.to_ne_bytes());
                second.release(&received);
            }
            done.store(true, Ordering::Release);
        })
    };
    let mut number = 0u32;
    while !done.load(Ordering::Acquire) {
        if number < 200 {
            pair.first.send_to(&number.to_ne_bytes(), second.address());
            number += 1;
            pair.first.release_all();
        }
        // Somebody else polls all the time.
        assert!(pair.second.receive().is_err());
        std::thread::yield_now();
    }
    waiter.join().expect("the waiter");
}

/// Of several threads that sleep until something arrives at a socket of a channel each is called for
/// what is there, also where another one has heard the first call.
#[test]
fn who_wakes_up_in_a_channel_calls_for_the_rest() {
    let Pair { first, second } = Pair::usual();
    let channel = Channel::new(Options::default()).expect("a channel");
    let key = second.attach(&channel);
    let waiting = second.socket.waiting_fd().expect("a descriptor");
    let flow = second.flow();
    let sleepers = [flow.listen(), flow.listen(), flow.listen()];
    assert!(second.receive_in(&channel, key).is_err());
    for data in [b"a", b"b", b"c"] {
        first.send(data);
    }
    second.hub.poll(Looker::Nobody);
    for left in [2, 1, 0] {
        assert!(rig::is_readable(waiting), "there are {left} and one");
        flow.slept();
        let received = second.receive_in(&channel, key).expect("a datagram");
        second.release(&received);
    }
    // The last one finds nothing.
    flow.slept();
    assert!(second.receive_in(&channel, key).is_err());
    assert!(!rig::is_readable(waiting));
    drop(sleepers);
}

#[test]
fn what_is_left_when_all_have_gone_is_nothing() {
    let pair = Pair::usual();
    pair.first.gate.lock().is_open = false;
    pair.first.send(&bytes(100));
    pair.first.send(&bytes(1000));
    let regions = [pair.first.region.clone(), pair.second.region.clone()];
    pair.first.release_all();
    drop(pair);
    for region in regions {
        assert!(region.is_idle());
        let all = region.frame_count() * FRAME_BYTES;
        assert!(region.take(all).is_some(), "every frame has come back");
    }
}

#[test]
fn ipv6_and_tags_go_the_same_way() {
    let pair = Pair::tagged_ipv6();
    for length in [0, 1, 100, 1452] {
        let sent = bytes(length);
        pair.first.send(&sent);
        let received = pair.second.receive().expect("a datagram");
        assert_eq!(received.data, sent);
        assert_eq!(received.from, Some(pair.first.address()));
        pair.second.release(&received);
    }
}

#[test]
fn a_frame_is_reserved_with_room_for_headers() {
    let pair = Pair::usual();
    let largest = FRAME_BYTES - FRAME_HEADROOM_BYTES;
    assert_eq!(pair.first.region.reserve(largest + 1), Err(Errno::EMSGSIZE));
    assert!(pair.first.region.reserve(largest).is_ok());
}
