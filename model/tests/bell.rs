//! The bell of a channel in every order there is, and words that change while they are waited on.

mod rig;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rig::{Way, create, explore_on, fetch};
use shuttle::thread;
use sio_model::api::engines::Kind;
use sio_model::api::{channel, source};
use sio_model::channel::Event;
use sio_model::channel::bell::{Bell, Errand};
use sio_model::channel::state::Modify;
use sio_model::error::Errno;
use sio_model::sys::descriptor::Counter;
use sio_model::sys::poll;
use sio_model::sys::wait::{Sleep, Terms, block};
use sio_model::sys::word::Word;

/// What is in an answer, as numbers.
fn errands(bell: &Bell) -> Vec<u64> {
    let answer = bell.answer().unwrap_or_default();
    let number = |errand| match errand {
        Errand::Retire(area) | Errand::Spare(area) => area,
        Errand::Abandon(key) | Errand::Woken(key, ..) => key as u64,
    };
    answer.into_iter().map(number).collect()
}

/// Two ring; one looks as a thread does that is about to sleep: it takes the token down, then
/// answers. What it has not seen then makes the token readable, so that it does not sleep on.
fn nothing_is_missed() {
    let token = Arc::new(Counter::new().expect("an eventfd"));
    let bell = Arc::new(Bell::new(token.clone()));
    let ringers: Vec<_> = (1..=2)
        .map(|number| {
            let bell = bell.clone();
            thread::spawn(move || bell.ring_for(Errand::Retire(number)))
        })
        .collect();
    token.lower();
    let mut found = errands(&bell);
    ringers.into_iter().for_each(|ringer| ringer.join().expect("a ringer"));
    let is_readable = poll::now(token.fd(), libc::POLLIN).expect("poll") != 0;
    let rest = errands(&bell);
    assert!(rest.is_empty() || is_readable, "{rest:?} would be slept on");
    found.extend(rest);
    found.sort_unstable();
    assert_eq!(found, [1, 2]);
}

#[test]
fn nothing_is_missed_in_any_order() {
    rig::explore_all("nothing_is_missed_in_any_order", nothing_is_missed);
}

/// A word of the program's that lives as long as the process.
fn leaked_word() -> (&'static AtomicU32, Word) {
    let word: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
    (word, Word::of_static(word))
}

/// Two threads change words and wake; the channel tells of each word once, arms it again for the
/// next value, and gives up the last one while it may be about to tell of it.
fn words() {
    const CHANGES: u32 = 2;
    let ec = create();
    let words = [leaked_word(), leaked_word()];
    let keys = words.map(|(_, word)| source::add_word(ec, word, 0, 0).expect("ec_add_futex"));
    let seen = Arc::new(Mutex::new([0u32; 2]));
    let told = Arc::new(AtomicUsize::new(0));
    let fetchers: Vec<_> = [Way::Wait, Way::Limited]
        .into_iter()
        .map(|way| {
            let (seen, told) = (seen.clone(), told.clone());
            thread::spawn(move || {
                loop {
                    let mut room = [Event::EMPTY];
                    match fetch(ec, way, &mut room) {
                        Ok(_) => {
                            told.fetch_add(1, Ordering::SeqCst);
                            let index = usize::from(room[0].source == keys[1]);
                            let value = words[index].0.load(Ordering::SeqCst);
                            seen.lock().expect("nobody panics")[index] = value;
                            if value < CHANGES {
                                source::modify(ec, keys[index], value, Modify::default())
                                    .expect("ec_modify");
                            }
                        }
                        Err(Errno::EAGAIN | Errno::ETIMEDOUT) => thread::yield_now(),
                        Err(errno) => return assert_eq!(errno, Errno::EBADF),
                    }
                }
            })
        })
        .collect();
    let changers = words.map(|(word, key)| {
        thread::spawn(move || {
            for value in 1..=CHANGES {
                word.store(value, Ordering::SeqCst);
                key.wake(1);
            }
        })
    });
    changers.into_iter().for_each(|changer| changer.join().expect("a changer"));
    while *seen.lock().expect("nobody panics") != [CHANGES; 2] {
        thread::yield_now();
    }
    let before = told.load(Ordering::SeqCst);
    assert!(before <= 2 * CHANGES as usize, "{before} events for {} changes", 2 * CHANGES);
    keys.iter().for_each(|&key| assert_eq!(source::remove(ec, key), Ok(())));
    assert_eq!(channel::destroy(ec), Ok(()));
    fetchers.into_iter().for_each(|fetcher| fetcher.join().expect("a fetcher"));
}

#[test]
fn words_that_a_thread_waits_on() {
    explore_on(&[Kind::Epoll, Kind::Uring], "words_that_a_thread_waits_on", 300, words);
}

/// A word is changed, and the source removed by another thread: once it is, nobody waits on the
/// word any more, and the thread that did waits on.
fn removal() {
    let ec = create();
    let (value, word) = leaked_word();
    let key = source::add_word(ec, word, 0, 0).expect("ec_add_futex");
    let other = source::add_word(ec, leaked_word().1, 0, 0).expect("ec_add_futex");
    let changer = thread::spawn(move || {
        value.store(1, Ordering::SeqCst);
        word.wake(1);
    });
    assert_eq!(source::remove(ec, key), Ok(()));
    let mut room = [Event::EMPTY];
    assert_eq!(channel::next_events(ec, &mut room), Err(Errno::EAGAIN));
    changer.join().expect("the changer");
    assert_eq!(channel::next_events(ec, &mut room), Err(Errno::EAGAIN));
    assert_eq!(source::remove(ec, other), Ok(()));
    assert_eq!(channel::destroy(ec), Ok(()));
}

#[test]
fn removal_of_a_word() {
    explore_on(&[Kind::Epoll, Kind::Uring], "removal_of_a_word", 300, removal);
}

/// A word changes while events of the program's come and go: whoever takes one takes the token
/// down, and the bell that rings at this moment is seen all the same.
fn rung_beside_posts() {
    const POSTS: u64 = 3;
    let ec = create();
    let (value, word) = leaked_word();
    let key = source::add_word(ec, word, 0, 0).expect("ec_add_futex");
    value.store(1, Ordering::SeqCst);
    word.wake(1);
    let mut told = Vec::new();
    let mut take = || {
        let mut room = [Event::EMPTY; 2];
        let count = fetch(ec, Way::Passing, &mut room).unwrap_or(0);
        told.extend(room[..count].iter().map(|event| event.source));
        told.contains(&key)
    };
    let is_told = (0..POSTS).fold(false, |is_told, cookie| {
        rig::post(ec, cookie);
        take() || is_told
    });
    if !is_told {
        let sleep = Sleep::Poll { fd: ec, events: libc::POLLIN };
        assert_eq!(block(&sleep, &Terms::default()), Ok(()));
        assert!(take(), "readable, and nothing is told");
    }
    assert_eq!(told.len(), POSTS as usize + 1);
    assert_eq!(channel::destroy(ec), Ok(()));
}

#[test]
fn bell_that_rings_beside_posts() {
    explore_on(&[Kind::Epoll], "bell_that_rings_beside_posts", 1000, rung_beside_posts);
}
