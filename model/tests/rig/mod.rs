//! What the scenarios share: processes with an engine each, schedulers, and threads that use a
//! channel.
//!
//! A process chooses its engine once, so each test runs in a process of its own for each engine.
//! There the scenario is run again and again, each time with the threads in another order. The
//! orders are the same in every run of a test; `SIO_MODEL_RUNS` asks for more of them, and
//! `SHUTTLE_RANDOM_SEED` for others.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::os::fd::RawFd;
use std::process::Command;
use std::time::Duration;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use sio_model::api::blocking::{Blocking, Progress, Wait, deadline, run, wait_in_passing};
use sio_model::api::engines::Kind;
use sio_model::api::{Options, channel};
use sio_model::channel::{Event, event};
use sio_model::error::{Errno, Result};
use sio_model::sys::model;
use sio_model::sys::wait::{Terms, block};

#[path = "../../../tests/common/mod.rs"]
mod common;

/// Set for the process that runs a scenario.
const INNER: &str = "SIO_MODEL";
const RUNS: &str = "SIO_MODEL_RUNS";
const SEED: u64 = 2006;
/// Changes of priority in a run of the second scheduler.
const CHANGES: usize = 3;
/// No run needs a tenth of it, unless a wake-up is lost and the others look for ever.
const STEPS_MAX: usize = 100_000;
const LIMIT: Duration = Duration::from_secs(600);

/// A test: the scenario on every engine of this machine, in `runs` orders and as many more of the
/// other scheduler. `name` is the test's.
pub fn explore(name: &str, runs: usize, scenario: fn()) {
    explore_on(&[Kind::Uring, Kind::Epoll], name, runs, scenario);
}

pub fn explore_on(engines: &[Kind], name: &str, runs: usize, scenario: fn()) {
    in_processes(engines, name, || {
        let wish = std::env::var(RUNS).ok().and_then(|wish| wish.parse().ok());
        let runs = wish.unwrap_or(runs);
        run_with(RandomScheduler::new_from_seed(SEED, runs), scenario);
        run_with(PctScheduler::new_from_seed(SEED, CHANGES, runs), scenario);
    });
}

/// A scenario without loops, in every order that is possible.
pub fn explore_all(name: &str, scenario: fn()) {
    in_processes(&[Kind::Epoll], name, || {
        let orders = run_with(DfsScheduler::new(None, false), scenario);
        assert!(orders > 100, "only {orders} orders");
    });
}

fn in_processes(engines: &[Kind], name: &str, explore: impl Fn()) {
    if std::env::var_os(INNER).is_some() {
        return explore();
    }
    for &kind in engines {
        if let Err(refusal) = kind.check() {
            common::skip(&format!("{name} [{}]", kind.name()), &refusal.cause);
            continue;
        }
        let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
        command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
        for variable in ["SIO_WITHOUT", "SIO_LOG"] {
            command.env_remove(variable);
        }
        command.env(INNER, "1").env("SIO_ENGINE", kind.name()).env("SIO_REQUIRE", "1");
        let log = common::scratch("model").join(format!("{name}-{}", kind.name()));
        let outcome = common::run(&mut command, LIMIT, &log);
        let is_right = outcome.code() == Some(0) && outcome.output.contains("1 passed");
        assert!(is_right, "{}:\n{}", kind.name(), outcome.output);
    }
}

/// In how many orders it was run.
fn run_with(scheduler: impl Scheduler + 'static, scenario: fn()) -> usize {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    // The same order comes with the same seed.
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(move || {
        model::begin();
        scenario();
    })
}

/// A channel of this run.
pub fn create() -> RawFd {
    channel::create(Options { single: false, capacity_log2: 6 }).expect("ec_create")
}

pub fn post(ec: RawFd, cookie: u64) {
    let event = Event { kind: event::USER, cookie, ..Event::EMPTY };
    assert_eq!(channel::post(ec, event), Ok(()));
}

/// How a thread waits.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// `ec_wait_events`.
    Wait,
    /// The same with a time limit.
    Limited,
    /// The same with a signal mask.
    Masked,
    /// `ec_delay`, then `ec_next_events`.
    Delay,
    /// poll(2) of the channel's descriptor, then `ec_next_events`.
    Outside,
    /// `ec_wait_events` of a thread that is cancelled when it has gone to sleep.
    Cancelled,
    /// `ec_next_events`, of a thread that does not wait.
    Passing,
}

pub fn limited() -> Terms {
    Terms { deadline: deadline(Some(Duration::from_secs(1))), mask: None }
}

fn masked() -> Terms {
    Terms { deadline: None, mask: Some(0) }
}

/// `ec_wait_events`: the short way, then the whole one.
fn wait(ec: RawFd, room: &mut [Event], terms: Terms) -> Result<usize> {
    match wait_in_passing(ec, room, terms.deadline.is_none()) {
        Some(count) => Ok(count),
        None => run(Wait::new(ec, Some(room), terms)?),
    }
}

/// One call, or two, that fetch what there is: `EAGAIN` when there was nothing after all.
pub fn fetch(ec: RawFd, way: Way, room: &mut [Event]) -> Result<usize> {
    match way {
        Way::Wait => wait(ec, room, Terms::default()),
        Way::Limited => wait(ec, room, limited()),
        Way::Masked => wait(ec, room, masked()),
        Way::Delay => {
            run(Wait::new(ec, None, Terms::default())?)?;
            channel::next_events(ec, room)
        }
        Way::Passing => channel::next_events(ec, room),
        Way::Outside => {
            let sleep = sio_model::sys::wait::Sleep::Poll { fd: ec, events: libc::POLLIN };
            block(&sleep, &limited())?;
            channel::next_events(ec, room)
        }
        Way::Cancelled => {
            let mut wait = Wait::new(ec, Some(room), Terms::default())?;
            match wait.step(None)? {
                Progress::Done(count) => Ok(count),
                Progress::Block(sleep) => {
                    // As long as it takes, or not at all.
                    let _ = block(&sleep, &limited());
                    drop(wait);
                    Err(Errno::EAGAIN)
                }
            }
        }
    }
}
