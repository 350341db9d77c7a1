//! What is compared: the cases, the programs of each, and one measurement.

use std::io;
use std::time::{Duration, Instant};

use crate::aio::{self, Aio};
use crate::events::{self, Cost, Events};
use crate::load::Load;
use crate::peer::{self, Sink};
use crate::program::{Counter, CounterKind, HOLE_PEER, Hole, Place, Program, Variant};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Echo { connections: usize, bytes: usize },
    SendTcp { bytes: usize },
    SendUdp { bytes: usize },
    Receive { connections: usize, bytes: usize },
    Events(Events),
    Aio(Aio),
}

pub struct Case {
    pub kind: Kind,
    /// Measured by `--quick` too.
    pub is_quick: bool,
}

/// What one run took.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Microseconds of processor time for each unit.
    pub cpu: f64,
    /// Units in a second.
    pub rate: f64,
    pub cost: Cost,
}

/// How long runs are.
#[derive(Clone, Copy)]
pub struct Times {
    pub warm_up: Duration,
    pub window: Duration,
    pub count: Duration,
}

const MEGABYTE: f64 = 1e6;

/// `descriptors`: how many a process may have.
pub fn cases(descriptors: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for bytes in [64, 16_384] {
        for connections in [1, 100, 1000] {
            let is_quick = connections == 100 || (connections == 1 && bytes == 64);
            cases.push(Case { kind: Kind::Echo { connections, bytes }, is_quick });
        }
    }
    let sizes = [1_472, 16_384, 60_000];
    cases.extend(
        sizes.map(|bytes| Case { kind: Kind::SendTcp { bytes }, is_quick: bytes == 16_384 }),
    );
    cases.extend(
        sizes.map(|bytes| Case { kind: Kind::SendUdp { bytes }, is_quick: bytes == 60_000 }),
    );
    for (connections, bytes) in [(1, 16_384), (1, 262_144), (16, 16_384)] {
        let is_quick = connections == 1 && bytes == 16_384;
        cases.push(Case { kind: Kind::Receive { connections, bytes }, is_quick });
    }
    for events in events::cases(descriptors) {
        cases.push(Case { kind: Kind::Events(events), is_quick: events.is_quick() });
    }
    for aio in aio::cases() {
        cases.push(Case { kind: Kind::Aio(aio), is_quick: aio.is_quick() });
    }
    cases
}

/// With spaces between groups of three digits, as a table shows it.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A program and its arguments, separated by spaces.
pub fn variant(name: &'static str, program: &'static str, arguments: &str) -> Variant {
    Variant {
        name: name.into(),
        program,
        arguments: arguments.split_whitespace().map(String::from).collect(),
        environment: None,
        sources: None,
    }
}

impl Kind {
    /// The word by which `--only` knows it.
    pub fn id(self) -> String {
        match self {
            Self::Echo { connections, bytes } => format!("echo-{bytes}-{connections}"),
            Self::SendTcp { bytes } => format!("send-tcp-{bytes}"),
            Self::SendUdp { bytes } => format!("send-udp-{bytes}"),
            Self::Receive { connections, bytes } => format!("receive-{bytes}-{connections}"),
            Self::Events(events) => events.id(),
            Self::Aio(aio) => aio.id(),
        }
    }

    pub fn family(self) -> &'static str {
        match self {
            Self::Echo { .. } => "Echo over TCP, loopback",
            Self::SendTcp { .. } => "Bulk send, TCP over loopback",
            Self::SendUdp { .. } => "Bulk send, UDP into a device that drops",
            Self::Receive { .. } => "Bulk receive, TCP over loopback",
            Self::Events(events) => events.family(),
            Self::Aio(aio) => aio.family(),
        }
    }

    /// What is counted: the word for one.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Echo { .. } => "request",
            Self::SendTcp { .. } | Self::SendUdp { .. } => "send",
            Self::Receive { .. } => "MB",
            Self::Events(_) => "event",
            Self::Aio(_) => "operation",
        }
    }

    pub fn title(self) -> String {
        let of = |connections| if connections == 1 { "connection" } else { "connections" };
        match self {
            Self::Echo { connections, bytes } => {
                format!("{} B, {} {}", grouped(bytes), grouped(connections), of(connections))
            }
            Self::SendTcp { bytes } | Self::SendUdp { bytes } => format!("{} B", grouped(bytes)),
            Self::Receive { connections, bytes } => {
                format!("{} B at a time, {connections} {}", grouped(bytes), of(connections))
            }
            Self::Events(events) => events.title(),
            Self::Aio(aio) => aio.title(),
        }
    }

    /// The programs; the first is what the others are compared with.
    pub fn variants(self) -> Vec<Variant> {
        let by_epoll = |base: Variant| Variant {
            environment: Some(("SIO_ENGINE", "epoll")),
            name: "libsio, epoll engine".into(),
            ..base
        };
        match self {
            Self::Echo { .. } => vec![
                variant("epoll", "echo_epoll", ""),
                variant("libsio, EC_SINGLE", "echo_sio", "single"),
                variant("libsio, shared channel", "echo_sio", "shared"),
                by_epoll(variant("", "echo_sio", "single")),
                variant("io_uring", "sio-bench-echo-uring", ""),
            ],
            // Host, port, bytes and seconds are added when it is known what they are.
            Self::SendTcp { .. } => vec![
                variant("send", "send_plain", "tcp"),
                variant("libsio", "send_sio", "tcp"),
                variant("io_uring, SEND_ZC", "sio-bench-send-uring", "tcp"),
                variant("io_uring, copying", "sio-bench-send-uring", "tcp"),
            ],
            Self::SendUdp { .. } => vec![
                variant("send", "send_plain", "udp"),
                variant("libsio", "send_sio", "udp"),
                variant("io_uring, SEND_ZC", "sio-bench-send-uring", "udp"),
            ],
            Self::Receive { connections, bytes } => {
                let arguments = format!("{connections} {bytes}");
                vec![
                    variant("epoll", "receive_epoll", &arguments),
                    variant("libsio", "receive_sio", &arguments),
                    variant("io_uring", "sio-bench-receive-uring", &connections.to_string()),
                    variant(
                        "io_uring, bundles",
                        "sio-bench-receive-uring",
                        &format!("{connections} bundle"),
                    ),
                ]
            }
            Self::Events(events) => events.variants(),
            Self::Aio(aio) => aio.variants(),
        }
    }

    /// One run of one program.
    pub fn measure(self, variant: &Variant, place: &Place, times: Times) -> io::Result<Sample> {
        self.run(variant, place, times, None).map(|(sample, _)| sample)
    }

    /// System calls for each unit.
    pub fn count_calls(
        self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: CounterKind,
    ) -> io::Result<f64> {
        self.run(variant, place, times, Some(counter)).map(|(_, calls)| calls)
    }

    fn run(
        self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<(Sample, f64)> {
        let window = if counter.is_some() { times.count } else { times.window };
        let run = Run { variant, place, window, counter };
        match self {
            Self::Echo { connections, bytes } => run.echo(connections, bytes, times.warm_up),
            Self::SendTcp { bytes } => {
                let sink = Sink::start()?;
                let measured = run.send("127.0.0.1", sink.port, bytes, None)?;
                sink.finish()?;
                Ok(measured)
            }
            Self::SendUdp { bytes } => {
                let hole = Hole::find().map_err(io::Error::other)?;
                run.send(HOLE_PEER, 9, bytes, Some(hole))
            }
            Self::Receive { connections, bytes } => run.receive(connections, bytes),
            Self::Events(events) => events.run(variant, place, times, counter),
            Self::Aio(aio) => aio.run(variant, place, times, counter),
        }
    }
}

struct Run<'a> {
    variant: &'a Variant,
    place: &'a Place,
    window: Duration,
    counter: Option<CounterKind>,
}

impl Run<'_> {
    /// Measures a process while `work` runs, which returns the number of units.
    fn watch(
        &self,
        program: &mut Program,
        work: impl FnOnce(&mut Program) -> io::Result<f64>,
    ) -> io::Result<(Sample, f64)> {
        let counter = self.counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
        let (cpu, start) = (program.cpu_time()?, Instant::now());
        let units = work(program)?;
        let (cpu, wall) = (program.cpu_time()? - cpu, start.elapsed());
        let calls = counter.map_or(Ok(0.0), Counter::stop)?;
        if units <= 0.0 {
            return Err(io::Error::other("nothing was done in the time"));
        }
        let sample = Sample {
            cpu: cpu.as_secs_f64() * 1e6 / units,
            rate: units / wall.as_secs_f64(),
            cost: Cost::default(),
        };
        Ok((sample, calls / units))
    }

    fn echo(
        &self,
        connections: usize,
        bytes: usize,
        warm_up: Duration,
    ) -> io::Result<(Sample, f64)> {
        let mut program = Program::start(self.variant, self.place, None)?;
        let mut load = Load::new(program.port()?, connections, bytes)?;
        load.run(warm_up)?;
        self.watch(&mut program, |_| load.run(self.window).map(|count| count as f64))
    }

    fn send(
        &self,
        host: &str,
        port: u16,
        bytes: usize,
        hole: Option<Hole>,
    ) -> io::Result<(Sample, f64)> {
        let mut variant = self.variant.clone();
        let seconds = self.window.as_secs_f64().to_string();
        for argument in [host, &port.to_string(), &bytes.to_string(), &seconds] {
            variant.arguments.push(argument.to_string());
        }
        if variant.name.ends_with("copying") {
            variant.arguments.push("copy".to_string());
        }
        let mut program = Program::start(&variant, self.place, hole)?;
        program.ready()?;
        self.watch(&mut program, |program| {
            program.go()?;
            program.done().map(|done| done.requests as f64)
        })
    }

    fn receive(&self, connections: usize, bytes: usize) -> io::Result<(Sample, f64)> {
        let mut program = Program::start(self.variant, self.place, None)?;
        let mut streams = peer::connect(program.port()?, connections)?;
        self.watch(&mut program, |program| {
            let sent = peer::send(&mut streams, bytes, self.window)?;
            let done = program.done()?;
            if done.bytes != sent {
                let text = format!("{sent} bytes were sent and {} arrived", done.bytes);
                return Err(io::Error::other(text));
            }
            Ok(done.bytes as f64 / MEGABYTE)
        })
    }
}
