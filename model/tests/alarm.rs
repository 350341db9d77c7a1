//! What wakes the thread that lets go of what sockets hold back (`engine/frame/outgoing.rs`): nothing
//! is held back for ever, and the thread does not run for nothing.

mod rig;

use std::sync::Arc;

use shuttle::thread;
use sio_model::api::engines::Kind;
use sio_model::engine::frame::Alarm;
use sio_model::sys::poll;
use sio_model::sys::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Two threads hold something back several times each, and go on when it has left.
fn held_back(times: u32) {
    const HOLDERS: usize = 2;
    let alarm = Arc::new(Alarm::new().expect("an eventfd"));
    let is_holding: Arc<[AtomicBool; HOLDERS]> =
        Arc::new([const { AtomicBool::new(false) }; HOLDERS]);
    let left = Arc::new(AtomicU32::new(HOLDERS as u32));
    let holders: Vec<_> = (0..HOLDERS)
        .map(|number| {
            let (alarm, is_holding, left) = (alarm.clone(), is_holding.clone(), left.clone());
            thread::spawn(move || {
                for _ in 0..times {
                    is_holding[number].swap(true, Ordering::SeqCst);
                    alarm.wake();
                    // A wake-up that is lost is a run without end.
                    while is_holding[number].load(Ordering::SeqCst) {
                        thread::yield_now();
                    }
                }
                left.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    let mut released = 0;
    while released < times * HOLDERS as u32 {
        alarm.goes_to_sleep();
        if !is_holding.iter().any(|holding| holding.load(Ordering::SeqCst)) {
            while poll::now(alarm.fd(), libc::POLLIN).expect("poll") == 0 {
                thread::yield_now();
            }
        }
        alarm.has_slept();
        for holding in is_holding.iter() {
            released += u32::from(holding.swap(false, Ordering::SeqCst));
        }
    }
    for holder in holders {
        holder.join().expect("a holder");
    }
    assert_eq!(left.load(Ordering::SeqCst), 0);
    // Somebody who was late may wake it once more, and then it sleeps.
    alarm.goes_to_sleep();
    assert!(!alarm.has_slept());
    assert_eq!(poll::now(alarm.fd(), libc::POLLIN), Ok(0), "it would run for nothing");
}

#[test]
fn what_is_held_back_leaves_in_any_order() {
    rig::explore_on(&[Kind::Epoll], "what_is_held_back_leaves_in_any_order", 2000, || held_back(3));
}
