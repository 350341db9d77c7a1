//! Sources of a channel against a model, by random sequences of adding, removing, changing, firing
//! and fetching. A sequence that fails is made as short as it can be before it is told.
//!
//! The model knows of each source what it has to tell and what it may tell. Invariants: nothing
//! is told of a source that has gone, or that it cannot have to tell; everything that it has to
//! tell comes; what is counted adds up; in the end nothing is left open.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRunner};
use sio::capi::types::{EC_EDGE, EC_ONESHOT};
use sio::channel::{Event, event};
use sio::error::Errno;

use super::churn_world::{COUNTS, Sort, World};
use super::face::Face;
use super::rig::NOW;
use super::system::{allow_descriptors, descriptors, settled};

/// One step; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Add(Sort, usize),
    Remove(usize),
    Modify(usize, bool),
    Fire(Sort, usize),
    /// What has been told is dealt with, or not told yet and gone.
    Quiet(Sort, usize),
    Post,
    /// `ec_delay`.
    Look,
    Fetch(usize),
    /// Everything is fetched, and compared.
    Check,
}

/// Enough to choose among what there is, and small numbers are tried when a sequence is shortened.
const CHOICES: usize = 500;

type Make = fn(Sort, usize) -> Step;

/// What is done how often.
const WEIGHTS: [(u32, Make); 9] = [
    (3, |_, _| Step::Check),
    (80, Step::Add),
    (70, |_, which| Step::Remove(which)),
    (20, |_, which| Step::Modify(which, which.is_multiple_of(2))),
    (40, Step::Fire),
    (15, Step::Quiet),
    (4, |_, _| Step::Post),
    (4, |_, _| Step::Look),
    (8, |_, which| Step::Fetch(1 + which % 40)),
];

/// Made of plain numbers: a case has thousands, and `prop_oneof` takes its time for each.
fn step() -> impl Strategy<Value = Step> {
    let total = WEIGHTS.iter().map(|(weight, _)| weight).sum::<u32>();
    (0..total, 0..COUNTS.len(), 0..CHOICES).prop_map(|(mut number, sort, which)| {
        let (sort, _) = COUNTS[sort];
        for (weight, make) in WEIGHTS {
            if number < weight {
                return make(sort, which);
            }
            number -= weight;
        }
        unreachable!("less than the total")
    })
}

/// A source as the model has it.
#[derive(Clone, Debug)]
struct Entry {
    sort: Sort,
    /// Which of its sort it belongs to.
    which: usize,
    cookie: u64,
    /// Of those that tell once: not told yet.
    armed: bool,
    /// Told for each change: there was one.
    pending: bool,
    /// Events that may come, whatever becomes of its cause.
    allowed: u32,
    /// What a word is expected to be.
    expected: u32,
}

type Verdict = Result<(), TestCaseError>;

struct Model<F: Face> {
    ec: i32,
    world: World<F>,
    sources: Vec<i32>,
    entries: HashMap<i32, Entry>,
    posted: VecDeque<u64>,
    next_cookie: u64,
    added: usize,
}

impl<F: Face> Model<F> {
    fn new() -> Self {
        Self {
            ec: F::create(0).expect("ec_create"),
            world: World::new(),
            sources: Vec::new(),
            entries: HashMap::new(),
            posted: VecDeque::new(),
            next_cookie: 1,
            added: 0,
        }
    }

    fn take(&mut self, step: &Step) -> Verdict {
        match *step {
            Step::Add(sort, which) => self.add(sort, which),
            Step::Remove(which) => self.remove(which),
            Step::Modify(which, other) => self.modify(which, other),
            Step::Fire(sort, which) => self.fire(sort, which),
            Step::Quiet(sort, which) => {
                self.world.quiet(sort, which % sort.count());
                Ok(())
            }
            Step::Post => {
                self.next_cookie += 1;
                let cookie = self.next_cookie;
                let posted = Event { kind: event::USER, cookie, ..Event::EMPTY };
                prop_assert_eq!(F::post(self.ec, &posted), Ok(()));
                self.posted.push_back(cookie);
                Ok(())
            }
            Step::Look => self.look(),
            Step::Fetch(most) => self.fetch(most).map(drop),
            Step::Check => self.check(),
        }
    }

    fn add(&mut self, sort: Sort, which: usize) -> Verdict {
        let which = which % sort.count();
        let is_taken =
            self.entries.values().any(|entry| (entry.sort, entry.which) == (sort, which));
        if is_taken && !sort.is_shared() {
            return Ok(());
        }
        self.next_cookie += 1;
        self.added += 1;
        let cookie = self.next_cookie;
        let source = self.world.add(self.ec, sort, which, cookie);
        prop_assert!(source.is_ok(), "{sort:?} {which}: {source:?}");
        let id = source.expect("checked");
        let pending = sort.is_edge() && self.world.is_ready(sort, which);
        let expected = self.world.value(which);
        let allowed = u32::from(pending);
        let entry = Entry { sort, which, cookie, armed: true, pending, allowed, expected };
        prop_assert!(self.entries.insert(id, entry).is_none(), "two sources have one id");
        self.sources.push(id);
        Ok(())
    }

    fn remove(&mut self, which: usize) -> Verdict {
        let Some(index) = which.checked_rem(self.sources.len()) else { return Ok(()) };
        let id = self.sources.swap_remove(index);
        prop_assert_eq!(F::remove(self.ec, id), Ok(()));
        let entry = self.entries.remove(&id).expect("it was added");
        self.world.forget(entry.sort, entry.which);
        if entry.sort == Sort::Word && entry.armed {
            self.pass_on(entry.which);
        }
        prop_assert_eq!(F::remove(self.ec, id), Err(Errno::ENOENT));
        Ok(())
    }

    /// What may have woken one source of a word, and was not told, is passed on to others.
    fn pass_on(&mut self, which: usize) {
        let is_other = |other: &&mut Entry| (other.sort, other.which) == (Sort::Word, which);
        self.entries.values_mut().filter(is_other).for_each(|other| other.allowed = 1);
    }

    fn modify(&mut self, which: usize, other: bool) -> Verdict {
        let Some(index) = which.checked_rem(self.sources.len()) else { return Ok(()) };
        let id = self.sources[index];
        let entry = self.entries.get_mut(&id).expect("it was added");
        let (sort, which, was_armed) = (entry.sort, entry.which, entry.armed);
        let answer = match sort {
            Sort::Level => F::modify(self.ec, id, libc::POLLIN, 0),
            Sort::Edge => F::modify(self.ec, id, libc::POLLIN, EC_EDGE),
            Sort::Oneshot => F::modify(self.ec, id, libc::POLLIN, EC_ONESHOT),
            Sort::Word => {
                // Another value than it has is told at once.
                entry.expected = self.world.value(which).wrapping_add(u32::from(other));
                F::rearm(self.ec, id, entry.expected)
            }
            Sort::OneUnit => F::modify(self.ec, id, 0, EC_ONESHOT),
            Sort::Units | Sort::Queue | Sort::Connections | Sort::Stream => {
                F::modify(self.ec, id, 0, 0)
            }
            Sort::Counter | Sort::Soon | Sort::Later | Sort::Signal => {
                prop_assert_eq!(F::modify(self.ec, id, 0, 0), Err(Errno::EINVAL));
                return Ok(());
            }
        };
        prop_assert_eq!(answer, Ok(()), "{:?}", sort);
        if sort == Sort::Word && was_armed {
            self.pass_on(which);
        }
        let entry = self.entries.get_mut(&id).expect("it is there");
        entry.armed = true;
        if sort != Sort::Connections && sort != Sort::Stream {
            entry.pending = sort.is_edge() && self.world.is_ready(sort, which);
            entry.allowed = u32::from(entry.pending);
        }
        Ok(())
    }

    fn fire(&mut self, sort: Sort, which: usize) -> Verdict {
        let which = which % sort.count();
        if self.world.fire(sort, which) && sort.is_polled() {
            let is_edge = |entry: &&mut Entry| entry.sort.is_edge() && entry.which == which;
            for entry in self.entries.values_mut().filter(is_edge) {
                entry.pending = true;
                entry.allowed += 1;
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Verdict {
        let _ = F::delay(self.ec, NOW);
        self.allow(|sort| !sort.is_edge());
        Ok(())
    }

    /// What has been found out is told, even if it is not so any more.
    fn allow(&mut self, is_found: impl Fn(Sort) -> bool) {
        for entry in self.entries.values_mut().filter(|entry| is_found(entry.sort)) {
            let is_ready = entry.armed && self.world.is_ready(entry.sort, entry.which);
            entry.allowed |= u32::from(is_ready);
        }
    }

    /// Fetches once; how many of the events were no mere repetitions.
    fn fetch(&mut self, most: usize) -> Result<HashSet<(i32, bool)>, TestCaseError> {
        // Signals may have filled the room: then what is told once is kept.
        self.allow(|sort| sort == Sort::Oneshot);
        let mut room = vec![Event::EMPTY; most];
        let count = match F::next_events(self.ec, &mut room) {
            Ok(count) => count,
            Err(errno) => {
                prop_assert_eq!(errno, Errno::EAGAIN);
                0
            }
        };
        let mut told = HashSet::new();
        for event in &room[..count] {
            told.insert(self.told(event)?);
        }
        Ok(told)
    }

    /// Its source, and whether it would be told again.
    fn told(&mut self, event: &Event) -> Result<(i32, bool), TestCaseError> {
        if event.kind == event::USER {
            prop_assert_eq!(Some(event.cookie), self.posted.pop_front());
            return Ok((-1, false));
        }
        let Some(entry) = self.entries.get_mut(&event.source) else {
            return Err(TestCaseError::fail(format!("of a source that has gone: {event:?}")));
        };
        let (sort, which) = (entry.sort, entry.which);
        prop_assert_eq!((event.cookie, event.errno), (entry.cookie, 0), "{:?}", event);
        prop_assert_eq!(event.kind, sort.event_kind());
        let is_ready = self.world.is_ready(sort, which);
        let may = match sort {
            Sort::Level | Sort::Queue | Sort::Stream => is_ready || entry.allowed > 0,
            Sort::Edge => entry.allowed > 0,
            Sort::Oneshot => entry.armed && (is_ready || entry.allowed > 0),
            Sort::Word => {
                entry.armed && (entry.allowed > 0 || self.world.value(which) != entry.expected)
            }
            Sort::OneUnit => entry.armed,
            Sort::Soon => entry.armed && event.result == 1,
            Sort::Later => false,
            Sort::Units | Sort::Counter | Sort::Signal | Sort::Connections => true,
        };
        prop_assert!(may, "{entry:?} has nothing to tell: {event:?}");
        entry.armed &= !sort.is_once();
        entry.pending = false;
        entry.allowed = entry.allowed.saturating_sub(1);
        let is_counted = self.world.told(sort, which, event);
        prop_assert!(is_counted, "more than there is: {entry:?}, {event:?}");
        Ok((event.source, matches!(sort, Sort::Level | Sort::Queue | Sort::Stream)))
    }

    /// Fetches until there is nothing new, and insists that all has been told that must be.
    fn check(&mut self) -> Verdict {
        let limit = Instant::now() + Duration::from_secs(5);
        let mut seen = HashSet::new();
        loop {
            let mut idle = 0;
            while idle < 2 {
                let told = self.fetch(64)?;
                let is_new = told.iter().any(|&(id, repeats)| !repeats || seen.insert(id));
                seen.extend(told.into_iter().map(|(id, _)| id));
                idle = if is_new { 0 } else { idle + 1 };
            }
            let Some(missing) = self.missing(&seen) else { break };
            // What comes by way of another thread takes its time.
            prop_assert!(Instant::now() < limit, "not told: {missing}");
            std::thread::sleep(Duration::from_micros(50));
        }
        for entry in self.entries.values_mut() {
            entry.pending = false;
            entry.allowed &= u32::from(entry.sort == Sort::Word);
        }
        Ok(())
    }

    /// Something that has to be told and was not.
    fn missing(&self, seen: &HashSet<i32>) -> Option<String> {
        if !self.posted.is_empty() {
            return Some("what was posted".to_owned());
        }
        for (id, entry) in &self.entries {
            let is_ready = self.world.is_ready(entry.sort, entry.which);
            let must = match entry.sort {
                Sort::Level | Sort::Queue | Sort::Stream => is_ready && !seen.contains(id),
                Sort::Edge => is_ready && entry.pending,
                Sort::Oneshot => is_ready && entry.armed,
                Sort::Word => entry.armed && self.world.value(entry.which) != entry.expected,
                Sort::Soon => entry.armed,
                Sort::Units | Sort::Counter | Sort::Signal | Sort::Connections => is_ready,
                Sort::OneUnit => is_ready && entry.armed,
                Sort::Later => false,
            };
            if must {
                return Some(format!("{entry:?}"));
            }
        }
        None
    }

    /// Everything goes, in one of two ways; how many sources there were.
    fn end(mut self) -> Result<usize, TestCaseError> {
        self.check()?;
        if self.added.is_multiple_of(2) {
            while !self.sources.is_empty() {
                self.remove(0)?;
            }
            prop_assert_eq!(F::next_events(self.ec, &mut [Event::EMPTY]), Err(Errno::EAGAIN));
        }
        prop_assert_eq!(F::destroy(std::mem::replace(&mut self.ec, -1)), Ok(()));
        self.world.check_end().map_err(TestCaseError::fail)?;
        Ok(self.added)
    }
}

impl<F: Face> Drop for Model<F> {
    /// A case that has failed goes too, before the words that its channel waits for.
    fn drop(&mut self) {
        let _ = F::destroy(self.ec);
    }
}

/// A hundred thousand sources come and go on every engine: half of them through each face.
fn sources<F: Face>() {
    const SOURCES: usize = 50_000;
    const STEPS: usize = 1000;
    allow_descriptors(2000);
    // A panic is a finding too, and must not end the process before it has been made short.
    drop(std::panic::take_hook());
    // What is made once for the life of the process.
    drop(Model::<F>::new().end());
    let before = descriptors();
    let added = std::cell::Cell::new(0);
    let steps = proptest::collection::vec(step(), STEPS / 2..STEPS);
    while added.get() < SOURCES {
        let config = Config {
            cases: 10,
            failure_persistence: None,
            max_shrink_iters: 20_000,
            rng_algorithm: RngAlgorithm::XorShift,
            ..Config::default()
        };
        let verdict = TestRunner::new(config).run(&steps, |steps| {
            let mut model = Model::<F>::new();
            for step in &steps {
                model.take(step)?;
            }
            added.set(added.get() + model.end()?);
            Ok(())
        });
        if let Err(error) = verdict {
            panic!("{error}");
        }
        assert_eq!(settled(descriptors, &before), before);
    }
    println!("{} sources", added.get());
}

behaviours!(sources);
