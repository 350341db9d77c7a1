//! Limits: of descriptors, which make calls fail half-way, and of time, which is kept whatever
//! else goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use sio::channel::Event;
use sio::error::{Errno, Result};

use super::face::Face;
use super::kinds::{self, Cause, Kind};
use super::rig::{AREA, Channel, Rig, capacity};
use super::sockets::Family;
use super::system::descriptors;
use crate::common;

/// Does something while so many descriptors may still be opened.
fn with_room_for<T>(count: u64, action: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    // Numbers are given from below: the first gaps are filled before the limit is met.
    let next = std::io::pipe().expect("pipe").0;
    let lowest = std::os::fd::AsRawFd::as_raw_fd(&next) as u64;
    drop(next);
    setrlimit(Resource::RLIMIT_NOFILE, lowest + count, hard).expect("setrlimit");
    let made = action();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("setrlimit");
    made
}

/// Whatever number of descriptors is left: a source is added, or `EMFILE` says why not and nothing
/// is left behind, and then it can be added when there is room.
fn no_descriptors_left<F: Face>() {
    for &kind in kinds::ALL {
        println!("{kind:?}");
        // The second source of a descriptor needs more than the first.
        let cause = Cause::<F>::new(kind);
        let channel = Channel::<F>::new(0);
        let may_be_twice = !matches!(kind, Kind::Stream | Kind::Messages);
        for earlier in 0..if may_be_twice { 2 } else { 1 } {
            let before = descriptors();
            for count in 0.. {
                assert!(count < 10, "that many?");
                match with_room_for(count, || cause.add(channel.fd, count)) {
                    Ok(_) => break,
                    Err(errno) => assert_eq!(errno, Errno::EMFILE),
                }
                assert_eq!(descriptors(), before);
                if earlier == 0 {
                    channel.check_empty();
                }
            }
        }
        assert!(cause.fire());
        assert_eq!(channel.wait().kind, cause.event_kind());
    }
}

/// The same for channels themselves.
fn no_descriptors_left_for_a_channel<F: Face>() {
    drop(Channel::<F>::new(0));
    let before = descriptors();
    for count in 0.. {
        assert!(count < 10, "that many?");
        match with_room_for(count, || F::create(0)) {
            Ok(ec) => {
                assert_eq!(F::destroy(ec), Ok(()));
                break;
            }
            Err(errno) => assert_eq!(errno, Errno::EMFILE),
        }
        assert_eq!(descriptors(), before);
    }
    assert_eq!(descriptors(), before);
}

const LIMIT: Duration = Duration::from_millis(40);
const TRIES: usize = 5;
const ATTEMPTS: usize = 4;

/// How much longer than it should something took. It never takes less.
fn late_by(wait: impl FnOnce()) -> Duration {
    let start = Instant::now();
    wait();
    start.elapsed().checked_sub(LIMIT).expect("not before the time is over")
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort_unstable();
    of[of.len() / 2]
}

/// How late a wait is, and a plain sleep of the same length beside it: the middle one of several.
fn lateness(wait: &(impl Fn() + Sync)) -> (Duration, Duration) {
    let tries = (0..TRIES).map(|_| {
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| late_by(|| thread::sleep(LIMIT)));
            let late = late_by(wait);
            (late, sleeper.join().expect("the sleeper"))
        })
    });
    let (late, plain) = tries.unzip();
    (median(late), median(plain))
}

/// No more than a tenth late. On a machine where plain sleeps are late too, nothing can be said.
fn check_on_time(what: &str, wait: impl Fn() + Sync) {
    let mut found = Vec::new();
    for _ in 0..ATTEMPTS {
        let (late, plain) = lateness(&wait);
        if late <= LIMIT / 10 {
            return;
        }
        found.push((late, plain));
    }
    if found.iter().any(|(_, plain)| *plain > LIMIT / 40) {
        return common::skip(what, &format!("waits and plain sleeps are late: {found:?}"));
    }
    panic!("{what} is late, and a plain sleep is not: {found:?}");
}

fn timed_out<T: std::fmt::Debug>(answer: Result<T>, errno: Errno) {
    assert_eq!(answer.map(drop), Err(errno));
}

/// Waits end when their time is over, and not before, while others of the same and of another
/// channel are woken all the time.
fn in_time_among_others<F: Face>() {
    let busy = Channel::<F>::new(capacity(4));
    let quiet = Channel::<F>::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let _ = busy.post(1);
                // For those who wait without a limit, if there are any.
                thread::sleep(Duration::from_micros(50));
            }
        });
        scope.spawn(|| {
            let mut room = [Event::EMPTY; 4];
            while !is_over.load(Ordering::SeqCst) {
                let _ = F::wait_events(busy.fd, &mut room, Some(Duration::from_millis(5)));
            }
        });
        check_on_time("ec_delay", || timed_out(F::delay(quiet.fd, Some(LIMIT)), Errno::ETIMEDOUT));
        // One of them leads, the others follow.
        check_on_time("ec_wait_events", || {
            let wait = |limit| F::wait_events(quiet.fd, &mut [Event::EMPTY; 2], Some(limit));
            thread::scope(|scope| {
                for number in 0..3u32 {
                    scope.spawn(move || {
                        timed_out(wait(LIMIT / 4 * number), Errno::ETIMEDOUT);
                    });
                }
                timed_out(wait(LIMIT), Errno::ETIMEDOUT);
            });
        });
        is_over.store(true, Ordering::SeqCst);
    });
}

/// A receive that waits for its own socket is not held up by what comes for others.
fn receive_in_time<F: Face>() {
    for family in [Family::Tcp4, Family::UnixStream] {
        for attached in super::rig::ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let time = TimeVal::new(0, LIMIT.as_micros() as i64);
            setsockopt(rig.end.socket(), sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::SeqCst) {
                        assert_eq!(rig.channel.post(1), Ok(()));
                        thread::sleep(Duration::from_micros(50));
                        assert_eq!(rig.channel.wait().cookie, 1);
                    }
                });
                check_on_time("sio_recv", || timed_out(rig.end.receive(100, 0), Errno::EAGAIN));
                is_over.store(true, Ordering::SeqCst);
            });
        }
    }
}

behaviours!(
    no_descriptors_left,
    no_descriptors_left_for_a_channel,
    in_time_among_others,
    receive_in_time,
);

over_interfaces!(no_descriptors_left);
