//! Echo servers: benches/echo. What a request costs, how that grows with the connections, and the
//! memory of those that do nothing.

use std::io;

use sio_benches::meter::{self, Meter};
use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, ROUNDS_FACTOR, Sample, Wanted};
use sio_benches::spread::grouped;

use crate::case::{Case, Times, connections, usual_layout};
use crate::counter::{Counter, CounterKind};
use crate::load::Load;
use crate::peer;
use crate::program::{Place, Program, Variant, variant};

const SIZES: [usize; 3] = [64, 1_024, 16_384];
const COUNTS: [usize; 4] = [1, 100, 1_000, 10_000];
/// What growth is compared with, and how far it goes.
const SCALE_COUNTS: [usize; 3] = [100, 1_000, 10_000];
const SCALE_BYTES: usize = 64;
const IDLE: usize = 10_000;
const IDLE_BYTES: usize = 1_024;
/// What comes before the idle connections, so that what a server has once is not counted.
const ACTIVE: usize = 100;
/// Descriptors that a server, or the runner, needs beside its connections.
const DESCRIPTORS_BESIDE: usize = 200;
/// One of these on each side.
const GOAL: f64 = 0.85;
const GOAL_ANYWHERE: f64 = 1.05;
const GOAL_OF_RAW: f64 = 1.03;
const GOAL_CALLS: f64 = 0.03;
const GOAL_SCALE: f64 = 1.15;
const GOAL_IDLE_BYTES: f64 = 1_024.0;

pub fn cases(descriptors: usize) -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for bytes in SIZES {
        for connections in COUNTS {
            cases.push(Box::new(Echo { connections, bytes, descriptors }));
        }
    }
    for grower in [Grower::Single, Grower::Shared, Grower::Epoll, Grower::Uring] {
        cases.push(Box::new(Scale { grower, descriptors }));
    }
    cases.push(Box::new(Idle { descriptors }));
    cases
}

fn servers() -> Vec<Variant> {
    vec![
        variant("epoll", "echo_epoll", ""),
        variant("libsio, EC_SINGLE", "echo_sio", "single"),
        variant("libsio, shared channel", "echo_sio", "shared"),
        variant("", "echo_sio", "single").by_epoll_engine(),
        variant("io_uring", "sio-bench-echo-uring", ""),
        variant("libevent", "echo_libevent", ""),
        variant("libuv", "echo_libuv", ""),
    ]
}

/// Why there cannot be so many connections.
fn too_many(connections: usize, descriptors: usize) -> Option<String> {
    let needed = connections + DESCRIPTORS_BESIDE;
    (needed > descriptors).then(|| {
        let (needed, allowed) = (grouped(needed as i64), grouped(descriptors as i64));
        format!("needs {needed} descriptors in a process, and {allowed} are allowed")
    })
}

/// One run of a server under load.
fn measure(
    variant: &Variant,
    place: &Place,
    (connections, bytes): (usize, usize),
    times: Times,
    counter: Option<CounterKind>,
) -> io::Result<Sample> {
    let mut program = Program::start(variant, place, None)?;
    let mut load = Load::new(program.port()?, connections, bytes)?;
    load.run(times.warm_up)?;
    let window = times.window(counter);
    let counter = counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
    let meter = Meter::start(program.pid(), place.processor)?;
    let requests = load.run(window)? as f64;
    let mut sample = meter.read(requests)?;
    if let Some(counter) = counter {
        sample.set(Measure::Calls, counter.stop()? / requests);
    }
    if variant.is_ours() {
        program.ask_copies()?;
        program.tell_copies(&mut sample);
    }
    Ok(sample)
}

struct Echo {
    connections: usize,
    bytes: usize,
    descriptors: usize,
}

impl Case for Echo {
    fn id(&self) -> String {
        format!("echo-{}-{}", self.bytes, self.connections)
    }

    fn family(&self) -> Family {
        Family {
            id: "echo".to_string(),
            title: "Echo over TCP, loopback".to_string(),
            about: "Each connection has one message under way, which comes back as it was. The \
                    server has one thread and one processor, the load the other. On loopback the \
                    kernel does the work of both ends of a connection mostly in the system calls of \
                    one of them: most of a request's cost is the same for all."
                .to_string(),
            plotted: "CPU ÷ epoll".to_string(),
            is_less_better: true,
            glance: vec![Glance {
                what: "An echo server over TCP".to_string(),
                program: "libsio, EC_SINGLE".to_string(),
            }],
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        format!("{} B, {}", grouped(self.bytes as i64), connections(self.connections))
    }

    fn is_quick(&self) -> bool {
        self.bytes == 64 && self.connections <= 1_000 || self.bytes == 16_384 && self.is_hundred()
    }

    fn layout(&self) -> Layout {
        usual_layout("epoll", "request", Some("io_uring"))
    }

    fn variants(&self) -> Vec<Variant> {
        servers()
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        if !matches!(name, "libsio, EC_SINGLE" | "libsio, shared channel") {
            return Vec::new();
        }
        let cpu = Of::Base(Measure::Cpu);
        let mut goals = Vec::new();
        if self.bytes == 64 && self.is_hundred() {
            goals.push(Wanted::at_most("Echo, 64 B, 100 connections", cpu, GOAL));
            let calls = Of::Value(Measure::Calls);
            goals.push(Wanted::at_most("Echo, system calls", calls, GOAL_CALLS));
        } else {
            goals.push(Wanted::at_most("Echo, any cell, beside epoll", cpu, GOAL_ANYWHERE));
        }
        let raw = Of::Other(Measure::Cpu);
        goals.push(Wanted::at_most("Echo, any cell, beside io_uring by hand", raw, GOAL_OF_RAW));
        goals
    }

    fn obstacle(&self) -> Option<String> {
        too_many(self.connections, self.descriptors)
    }

    fn rounds(&self, asked: usize) -> usize {
        if self.is_short() { asked * ROUNDS_FACTOR } else { asked }
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let times = if self.is_short() { times.short() } else { times };
        measure(variant, place, (self.connections, self.bytes), times, counter)
    }
}

impl Echo {
    fn is_hundred(&self) -> bool {
        self.connections == 100
    }

    /// More connections have hardly all had their turn in a short run.
    fn is_short(&self) -> bool {
        self.connections <= 1_000
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grower {
    Single,
    Shared,
    Epoll,
    Uring,
}

/// More and more connections, each program compared with itself.
struct Scale {
    grower: Grower,
    descriptors: usize,
}

impl Case for Scale {
    fn id(&self) -> String {
        let name = match self.grower {
            Grower::Single => "single",
            Grower::Shared => "shared",
            Grower::Epoll => "epoll",
            Grower::Uring => "uring",
        };
        format!("scale-{name}")
    }

    fn family(&self) -> Family {
        Family {
            id: "scale".to_string(),
            title: "Echo: the number of connections".to_string(),
            about: "What a request of 64 B costs with more connections, all of which are active, \
                    beside the same program with 100. With thousands of sockets the caches no longer \
                    hold what the kernel keeps for each."
                .to_string(),
            plotted: "CPU ÷ the same at 100".to_string(),
            is_less_better: true,
            glance: Vec::new(),
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        "64 B".to_string()
    }

    fn is_quick(&self) -> bool {
        self.grower == Grower::Single
    }

    fn layout(&self) -> Layout {
        usual_layout("the same at 100", "request", None)
    }

    fn variants(&self) -> Vec<Variant> {
        let base = match self.grower {
            Grower::Single => variant("libsio, EC_SINGLE", "echo_sio", "single"),
            Grower::Shared => variant("libsio, shared channel", "echo_sio", "shared"),
            Grower::Epoll => variant("epoll", "echo_epoll", ""),
            Grower::Uring => variant("io_uring", "sio-bench-echo-uring", ""),
        };
        let allowed = |count: &usize| too_many(*count, self.descriptors).is_none();
        let sized = |count| base.sized(count, &format!(", {}", connections(count)));
        SCALE_COUNTS.into_iter().filter(allowed).map(sized).collect()
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        let is_larger = !name.ends_with(&format!(", {}", connections(SCALE_COUNTS[0])));
        let goal = Wanted::at_most(
            "Echo, a request with up to 10 000 connections, of 100",
            Of::Base(Measure::Cpu),
            GOAL_SCALE,
        );
        if name.starts_with("libsio") && is_larger { vec![goal] } else { Vec::new() }
    }

    fn obstacle(&self) -> Option<String> {
        too_many(SCALE_COUNTS[1], self.descriptors)
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let connections = variant.size.unwrap_or(SCALE_COUNTS[0]);
        measure(variant, place, (connections, SCALE_BYTES), times, counter)
    }
}

/// Connections that have been used once, and do nothing any more.
struct Idle {
    descriptors: usize,
}

impl Case for Idle {
    fn id(&self) -> String {
        "idle".to_string()
    }

    fn family(&self) -> Family {
        Family {
            id: "idle".to_string(),
            title: "Memory of idle connections".to_string(),
            about: "What an echo server grows by with 10 000 connections more, over each of which \
                    one message of 1 KiB has gone and come back. Areas and buffers that are there \
                    from the start are not in it: a connection that kept a part of them would make a \
                    server grow, or stop. The kernel's memory is that of both ends, as \
                    /proc/meminfo tells for the whole machine."
                .to_string(),
            plotted: "bytes of the process".to_string(),
            is_less_better: true,
            glance: Vec::new(),
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        format!("{} idle connections", grouped(IDLE as i64))
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn layout(&self) -> Layout {
        Layout {
            ratios: Vec::new(),
            base: "epoll".to_string(),
            other_base: None,
            values: vec![
                (Measure::OwnBytes, "bytes of the process".to_string()),
                (Measure::KernelBytes, "bytes of the kernel".to_string()),
            ],
        }
    }

    fn variants(&self) -> Vec<Variant> {
        servers()
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        let topic = "Memory of an idle connection, bytes";
        let goal = Wanted::at_most(topic, Of::Value(Measure::OwnBytes), GOAL_IDLE_BYTES);
        if name.starts_with("libsio") { vec![goal] } else { Vec::new() }
    }

    fn obstacle(&self) -> Option<String> {
        too_many(IDLE + ACTIVE, self.descriptors)
    }

    fn has_calls(&self) -> bool {
        false
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        _counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let mut program = Program::start(variant, place, None)?;
        let port = program.port()?;
        Load::new(port, ACTIVE, IDLE_BYTES)?.run(times.warm_up)?;
        let before = (meter::memory_bytes(program.pid())?, meter::kernel_bytes()?);
        let _streams = peer::connect_idle(port, IDLE, IDLE_BYTES)?;
        let after = (meter::memory_bytes(program.pid())?, meter::kernel_bytes()?);
        let each = |before: f64, after: f64| (after - before) / IDLE as f64;
        Ok(Sample::default()
            .with(Measure::OwnBytes, each(before.0, after.0))
            .with(Measure::KernelBytes, each(before.1, after.1)))
    }
}
