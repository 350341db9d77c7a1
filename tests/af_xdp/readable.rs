//! Whether the descriptor of a channel says what is so, where an interface keeps it readable.

use std::os::fd::RawFd;
use std::time::Duration;

use sio::api::{channel, source};
use sio::channel::Options;
use sio::channel::event::{self, Event};
use sio::channel::state::Modify;
use sio::error::Errno;
use sio::sys::poll;

use super::common::network::{FAR, NEAR};
use super::node::{Node, pattern, wait};
use super::{far_socket, on_network};

const DATAGRAMS: usize = 20;

fn is_readable(ec: RawFd) -> bool {
    let fd = channel::to_fd(ec).expect("ec_to_fd");
    poll::now(fd, libc::POLLIN).expect("poll") != 0
}

fn drain(ec: RawFd, node: &Node, count: usize) {
    for number in 0..count {
        assert!(is_readable(ec), "{number} of {count} are fetched");
        let got = node.receive_within(Duration::from_secs(5)).expect("a datagram");
        node.release(&got);
    }
    assert_eq!(node.receive().err(), Some(Errno::EAGAIN));
    // There may be news of the network, which no event tells.
    assert_eq!(channel::next_events(ec, &mut [Event::EMPTY]), Err(Errno::EAGAIN));
    assert!(!is_readable(ec), "nothing is left");
}

#[test]
fn a_channel_is_readable_as_long_as_something_waits() {
    on_network("a_channel_is_readable", 2, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        let ec =
            channel::create(Options { single: true, ..Options::default() }).expect("a channel");
        source::add_socket(ec, node.fd(), Modify::default(), 0).expect("ec_add_socket");
        assert!(!is_readable(ec));
        let send = |count: usize| {
            (0..count).for_each(|number| {
                far.send_to(&pattern(64, number), node.address()).expect("sent");
            });
            // All of them are to be there when the first is looked for.
            std::thread::sleep(Duration::from_millis(50));
        };
        for _ in 0..3 {
            send(DATAGRAMS);
            assert!(is_readable(ec));
            assert_eq!(wait(ec, event::RECV).fd, node.fd());
            drain(ec, &node, DATAGRAMS);
        }
        // Another socket comes to the interface, or goes, in between.
        send(DATAGRAMS);
        node.release(&node.receive().expect("the first one"));
        let other = node.beside(&format!("{NEAR}:0"));
        drain(ec, &node, DATAGRAMS - 1);
        send(1);
        drop(other);
        drain(ec, &node, 1);
        // What is left does not keep others from waiting, nor does it wake them all the time.
        send(2);
        node.release(&node.receive().expect("the first one"));
        assert_eq!(wait(ec, event::RECV).fd, node.fd());
        source::remove(ec, wait(ec, event::RECV).source).expect("ec_remove");
        assert!(!is_readable(ec), "the channel has nothing to do with it");
        node.release(&node.receive().expect("the second one"));
        channel::destroy(ec).expect("ec_destroy");
    });
}
