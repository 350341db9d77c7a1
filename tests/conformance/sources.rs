//! Sources that are no sockets of the library: descriptors, timers, other channels, and events of
//! the program's own.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{setsockopt, sockopt};
use sio::capi::types::{EC_ABSTIME, EC_ATTACH, EC_EDGE, EC_NONBLOCK, EC_ONESHOT};
use sio::channel::{Event, event};
use sio::error::Errno;
use sio::sys::descriptor::borrow;

use super::face::Face;
use super::rig::{Channel, NOW, capacity};
use super::sockets::{self, Family};

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;

fn pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().expect("pipe")
}

fn add<F: Face>(channel: &Channel<F>, fd: RawFd, events: i16, flags: u32, cookie: u64) -> i32 {
    F::add_fd(channel.fd, fd, events, flags, cookie).expect("ec_add_fd")
}

/// Level: told as long as it is so, and every member of the event is what the contract says.
fn level<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (mut reader, mut writer) = pipe();
    let source = add(&channel, reader.as_raw_fd(), IN, 0, 7);
    channel.check_empty();
    writer.write_all(b"xy").expect("write");
    for byte in *b"xy" {
        for _ in 0..3 {
            let expected = Event {
                fd: reader.as_raw_fd(),
                cookie: 7,
                result: IN.into(),
                source,
                ..Event { kind: event::FD, ..Event::EMPTY }
            };
            assert_eq!(channel.wait(), expected);
        }
        let mut room = [0];
        reader.read_exact(&mut room).expect("read");
        assert_eq!(room, [byte]);
    }
    channel.check_empty();
    drop(writer);
    let told = channel.wait();
    assert_eq!(told.result & i64::from(libc::POLLHUP), i64::from(libc::POLLHUP));
    assert_eq!(told.flags & event::F_HUP, event::F_HUP);
}

/// Edge: told once for each change.
fn edge<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (mut reader, mut writer) = pipe();
    add(&channel, reader.as_raw_fd(), IN, EC_EDGE, 7);
    for _ in 0..3 {
        writer.write_all(b"x").expect("write");
        assert_eq!(channel.wait().result, i64::from(IN));
        channel.check_empty();
    }
    reader.read_exact(&mut [0; 3]).expect("read");
    channel.check_empty();
}

/// Oneshot: told once, then not before it is armed again; the source stays meanwhile.
fn oneshot<F: Face>() {
    for flags in [EC_ONESHOT, EC_ONESHOT | EC_EDGE] {
        let channel = Channel::<F>::new(0);
        let (_reader, mut writer) = pipe();
        let source = add(&channel, _reader.as_raw_fd(), IN, flags, 7);
        writer.write_all(b"x").expect("write");
        for _ in 0..3 {
            assert_eq!(channel.wait().source, source);
            channel.check_empty();
            writer.write_all(b"more").expect("write");
            channel.check_empty();
            assert_eq!(F::modify(channel.fd, source, IN, flags), Ok(()));
        }
        assert_eq!(F::remove(channel.fd, source), Ok(()));
        channel.check_empty();
        assert_eq!(F::modify(channel.fd, source, IN, flags), Err(Errno::ENOENT));
        assert_eq!(F::remove(channel.fd, source), Err(Errno::ENOENT));
    }
}

/// The mask and the flags of a source can be changed.
fn modified<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (one, other) = Family::UnixStream.pair();
    let source = add(&channel, one.as_raw_fd(), IN, 0, 7);
    channel.check_empty();
    assert_eq!(F::modify(channel.fd, source, OUT, 0), Ok(()));
    assert_eq!(channel.wait().result, i64::from(OUT));
    sockets::write(&other, b"x");
    assert_eq!(F::modify(channel.fd, source, IN | OUT, EC_EDGE), Ok(()));
    assert_eq!(channel.wait().result, i64::from(IN | OUT));
    channel.check_empty();
    // What was queued under the old terms does not come under the new ones.
    assert_eq!(F::modify(channel.fd, source, OUT, 0), Ok(()));
    assert_eq!(F::delay(channel.fd, None), Ok(()));
    assert_eq!(F::modify(channel.fd, source, libc::POLLPRI, 0), Ok(()));
    channel.check_empty();
}

/// A change that comes between `ec_delay` and the fetch is told, also where it is told only once.
fn edge_after_a_look<F: Face>() {
    // Which of its parts a channel looks at first is its own affair: both turns are tried.
    for fetches_before in 0..2 {
        let channel = Channel::<F>::new(0);
        let (one, other) = Family::UnixStream.pair();
        setsockopt(&one, sockopt::SndBuf, &4096).expect("SO_SNDBUF");
        let written = sockets::push_pattern(&one, super::rig::Pattern(60), 0);
        add(&channel, one.as_raw_fd(), IN | OUT, EC_EDGE, 7);
        for _ in 0..fetches_before {
            channel.check_empty();
        }
        sockets::write(&other, b"x");
        assert_eq!(F::delay(channel.fd, None), Ok(()));
        sockets::read_pattern(&other, super::rig::Pattern(60), 0, written);
        let mut told = 0;
        let mut room = [Event::EMPTY; 4];
        while let Ok(count) = F::next_events(channel.fd, &mut room) {
            told |= room[..count].iter().fold(0, |told, found| told | found.result);
        }
        assert_eq!(told, i64::from(IN | OUT), "after {fetches_before} fetches");
    }
}

/// One fetch does not tell the same thing of the same source twice.
fn once_in_each_fetch<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (one, other) = Family::UnixStream.pair();
    add(&channel, one.as_raw_fd(), IN, 0, 7);
    sockets::write(&other, b"x");
    for _ in 0..6 {
        assert_eq!(F::delay(channel.fd, None), Ok(()));
        let mut room = [Event::EMPTY; 4];
        assert_eq!(F::wait_events(channel.fd, &mut room, None), Ok(1), "{room:?}");
    }
}

/// A descriptor may be in several channels, several times in one, and in a poll(2) beside.
fn many_times<F: Face>() {
    let channels = [Channel::<F>::new(0), Channel::<F>::new(0)];
    let (reader, mut writer) = pipe();
    for channel in &channels {
        for cookie in 0..3 {
            add(channel, reader.as_raw_fd(), IN, 0, cookie);
        }
    }
    writer.write_all(b"x").expect("write");
    assert!(sockets::is_readable(reader.as_raw_fd(), 0));
    for channel in &channels {
        let mut cookies: Vec<u64> = Vec::new();
        while cookies.len() < 3 {
            let cookie = channel.wait().cookie;
            if !cookies.contains(&cookie) {
                cookies.push(cookie);
            }
        }
        cookies.sort_unstable();
        assert_eq!(cookies, [0, 1, 2]);
    }
}

/// What cannot be a source is refused.
fn refused<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (reader, _writer) = pipe();
    let fd = reader.as_raw_fd();
    let file = std::fs::File::open("/proc/self/exe").expect("a file");
    let add = |fd, events, flags| F::add_fd(channel.fd, fd, events, flags, 0);
    assert_eq!(add(fd, 0, 0), Err(Errno::EINVAL));
    assert_eq!(add(fd, libc::POLLNVAL, 0), Err(Errno::EINVAL));
    assert_eq!(add(fd, IN, EC_ATTACH), Err(Errno::EINVAL));
    assert_eq!(add(fd, IN, EC_NONBLOCK), Err(Errno::EINVAL));
    assert_eq!(add(-1, IN, 0), Err(Errno::EBADF));
    assert_eq!(add(channel.fd, IN, 0), Err(Errno::EINVAL));
    assert_eq!(add(file.as_raw_fd(), IN, 0), Err(Errno::EPERM));
    for number in [-1, fd, 1 << 30] {
        assert_eq!(F::add_fd(number, fd, IN, 0, 0), Err(Errno::EBADF));
        assert_eq!(F::post(number, &Event { kind: event::USER, ..Event::EMPTY }), {
            Err(Errno::EBADF)
        });
        assert_eq!(F::wait_events(number, &mut [Event::EMPTY], None), Err(Errno::EBADF));
        assert_eq!(F::destroy(number), Err(Errno::EBADF));
    }
    assert_eq!(F::create(capacity(21)), Err(Errno::EINVAL));
    for wrong in [Event::EMPTY, Event { kind: event::USER, pad: 1, ..Event::EMPTY }] {
        assert_eq!(F::post(channel.fd, &wrong), Err(Errno::EINVAL));
    }
    assert_eq!(F::remove(channel.fd, 0), Err(Errno::ENOENT));
    assert_eq!(F::remove(channel.fd, -1), Err(Errno::ENOENT));
    channel.check_empty();
}

fn time(first: Duration, period: Duration) -> libc::itimerspec {
    let time = |of: Duration| libc::timespec {
        tv_sec: of.as_secs() as i64,
        tv_nsec: of.subsec_nanos().into(),
    };
    libc::itimerspec { it_value: time(first), it_interval: time(period) }
}

/// Once, again and again with a count of what was missed, at a time of the clock, and never.
fn timers<F: Face>() {
    const CLOCK: i32 = libc::CLOCK_MONOTONIC;
    let channel = Channel::<F>::new(0);
    let add = |when: &libc::itimerspec, flags, cookie| {
        F::add_timer(channel.fd, CLOCK, when, flags, cookie).expect("ec_add_timer")
    };
    let short = Duration::from_millis(1);
    let hour = Duration::from_secs(3600);
    let once = add(&time(short, Duration::ZERO), 0, 1);
    let expected = Event { cookie: 1, result: 1, source: once, ..Event::EMPTY };
    assert_eq!(channel.wait(), Event { kind: event::TIMER, ..expected });
    let never = add(&time(Duration::ZERO, Duration::ZERO), 0, 2);
    let later = add(&time(hour, Duration::ZERO), 0, 3);
    thread::sleep(short);
    channel.check_empty();

    let past = add(&time(Duration::from_nanos(1), Duration::ZERO), EC_ABSTIME, 4);
    assert_eq!(channel.wait().source, past);
    let periodic = add(&time(short, short), 0, 5);
    thread::sleep(3 * short);
    let told = channel.wait();
    assert_eq!((told.source, told.kind), (periodic, event::TIMER));
    assert!(told.result >= 2, "expirations are merged: {told:?}");
    assert!(channel.wait().result >= 1);
    assert_eq!(F::modify(channel.fd, periodic, 0, 0), Err(Errno::EINVAL));
    for source in [once, never, later, past, periodic] {
        assert_eq!(F::remove(channel.fd, source), Ok(()));
    }
    channel.check_empty();
    let wrong = time(Duration::ZERO, Duration::ZERO);
    let refused = F::add_timer(channel.fd, 4711, &wrong, 0, 0);
    assert_eq!(refused, Err(Errno::EINVAL));
}

/// A channel in a channel in an epoll set: readable while an event is queued at the bottom.
fn nested<F: Face>() {
    let [bottom, top] = [Channel::<F>::new(0), Channel::new(0)];
    let outside = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll_create");
    add(&top, bottom.fd, IN, 0, 2);
    let top_fd = borrow(top.fd).expect("a number");
    outside.add(top_fd, EpollEvent::new(EpollFlags::EPOLLIN, 5)).expect("epoll_ctl");
    let outside = outside.0.as_raw_fd();
    for round in 0..5 {
        top.check_empty();
        assert!(!sockets::is_readable(outside, 0));
        assert_eq!(bottom.post(round), Ok(()));
        for fd in [bottom.fd, top.fd, outside] {
            assert!(sockets::is_readable(fd, 0), "{fd} of {round}");
        }
        assert_eq!(F::to_fd(top.fd), Ok(top.fd));
        let told = top.wait();
        assert_eq!((told.fd, told.cookie, told.result), (bottom.fd, 2, i64::from(IN)));
        assert_eq!(bottom.wait().cookie, round);
        for channel in [&bottom, &top] {
            channel.check_empty();
            assert!(!sockets::is_readable(channel.fd, 0));
        }
        assert!(!sockets::is_readable(outside, 0));
    }
    // Wherever the event is waited for, it is waited for without end.
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(2));
            bottom.post(9).expect("ec_post");
        });
        assert_eq!(top.wait().cookie, 2);
    });
}

/// Events of the program's own come as they were posted, in order.
fn posts<F: Face>() {
    let channel = Channel::<F>::new(0);
    let posted: Vec<Event> = (0..100)
        .map(|number| Event {
            kind: event::USER,
            fd: number - 50,
            cookie: u64::MAX - number as u64,
            result: i64::MIN + i64::from(number),
            errno: number,
            flags: 1 << (number % 32),
            pointer: number as usize * 1000,
            length: usize::MAX,
            ..Event::EMPTY
        })
        .collect();
    for event in &posted {
        assert_eq!(F::post(channel.fd, &Event { source: 5, ..*event }), Ok(()));
    }
    let mut found = Vec::new();
    while found.len() < posted.len() {
        let mut room = [Event::EMPTY; 7];
        let count = F::next_events(channel.fd, &mut room).expect("there are more");
        found.extend_from_slice(&room[..count]);
    }
    assert_eq!(found, posted);
    channel.check_empty();
    let mut room = [Event::EMPTY; 2];
    assert_eq!(F::next_events(channel.fd, &mut room), Err(Errno::EAGAIN));
    assert_eq!(F::wait_events(channel.fd, &mut room, NOW), Err(Errno::ETIMEDOUT));
}

/// After `ec_remove` nothing comes of a source, whatever was queued or ready.
fn removed<F: Face>() {
    let channel = Channel::<F>::new(0);
    let (reader, mut writer) = pipe();
    let second = Channel::<F>::new(0);
    add(&second, reader.as_raw_fd(), IN, 0, 8);
    writer.write_all(b"x").expect("write");
    for has_looked in [true, false] {
        let source = add(&channel, reader.as_raw_fd(), IN, 0, 7);
        if has_looked {
            assert_eq!(F::delay(channel.fd, None), Ok(()));
        }
        assert_eq!(F::remove(channel.fd, source), Ok(()));
        channel.check_empty();
        assert!(!sockets::is_readable(channel.fd, 0));
    }
    assert_eq!(second.wait().cookie, 8, "others are not concerned");
}

behaviours!(
    level,
    edge,
    oneshot,
    modified,
    edge_after_a_look,
    once_in_each_fetch,
    many_times,
    refused,
    timers,
    nested,
    posts,
    removed,
);
