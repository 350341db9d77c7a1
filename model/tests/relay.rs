//! The ring between two threads (`sys/relay.rs`) in every order: nothing is lost, doubled or
//! turned round, and a taker that waits is told.

mod rig;

use std::sync::Arc;

use shuttle::thread;
use sio_model::sys::descriptor::Counter;
use sio_model::sys::poll;
use sio_model::sys::relay::relay;

/// Values through two slots. The taker sleeps on a counter when it was promised to be told.
fn values(count: u32) {
    let (mut putter, mut taker) = relay(2);
    let counter = Arc::new(Counter::new().expect("an eventfd"));
    let teller = counter.clone();
    let other = thread::spawn(move || {
        let mut next = 0;
        while next < count {
            if putter.put(next) {
                next += 1;
            } else {
                thread::yield_now();
            }
            if putter.is_unpublished() && putter.publish() {
                teller.raise();
            }
        }
    });
    let mut expected = 0;
    while expected < count {
        match taker.take() {
            Some(value) => {
                assert_eq!(value, expected);
                expected += 1;
            }
            None => {
                if taker.wait_for_more() {
                    // As a thread in poll(2) would: a wake-up that is lost is a run without end.
                    while poll::now(counter.fd(), libc::POLLIN).expect("poll") == 0 {
                        thread::yield_now();
                    }
                    counter.lower();
                }
            }
        }
    }
    other.join().expect("the putter");
    assert_eq!(taker.take(), None);
}

#[test]
fn values_in_any_order() {
    rig::explore_on(&[sio_model::api::engines::Kind::Epoll], "values_in_any_order", 3000, || {
        values(5)
    });
}

/// Without loops: two values are put, the taker looks, and says whether it may sleep.
fn two_values() {
    let (mut putter, mut taker) = relay(2);
    // The first is told anyway.
    assert!(putter.put(1) && putter.publish());
    assert_eq!((taker.take(), taker.take()), (Some(1), None));
    let other = thread::spawn(move || {
        [2, 3].into_iter().fold(false, |is_told, value| {
            assert!(putter.put(value));
            putter.publish() | is_told
        })
    });
    let may_sleep = taker.wait_for_more();
    let seen_before = if may_sleep { None } else { taker.take() };
    let was_told = other.join().expect("the putter");
    if may_sleep {
        assert!(was_told, "it would sleep for ever");
        assert_eq!(taker.take(), Some(2));
    } else {
        assert_eq!(seen_before, Some(2), "there was one, it was said");
    }
    assert_eq!((taker.take(), taker.take()), (Some(3), None));
}

#[test]
fn two_values_in_every_order() {
    rig::explore_all("two_values_in_every_order", two_values);
}
