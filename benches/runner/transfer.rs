//! Bulk transfers: benches/bulk_send and benches/bulk_receive.

use std::io;
use std::time::Duration;

use sio_benches::meter::Meter;
use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, Sample, Wanted};
use sio_benches::spread::grouped;

use crate::case::{Case, Times, connections, usual_layout};
use crate::counter::{Counter, CounterKind};
use crate::peer::{self, Sink};
use crate::program::{HOLE_PEER, Hole, Place, Program, Variant, variant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transfer {
    SendTcp,
    SendUdp,
    /// Small datagrams, many of which are handed to the kernel at a time, which cuts them.
    SendSegments,
    /// From so many connections.
    Receive(usize),
}

#[derive(Clone, Copy)]
struct Bulk {
    transfer: Transfer,
    bytes: usize,
}

const MEGABYTE: f64 = 1e6;
/// What a large datagram costs without a copy, at most; the talk's promise.
const UDP_GOALS: [(usize, f64); 3] = [(1_472, 0.80), (16_384, 0.33), (60_000, 0.11)];
const SEGMENT_BYTES: usize = 1_472;
/// As many as a datagram holds.
const SEGMENTS: usize = 40;
const SEGMENTS_GOAL: f64 = 0.17;
const TCP_GOAL: f64 = 1.03;
/// Receiving: at buffers up to that size, and at any.
const SMALL_BYTES: usize = 16_384;
const SMALL_GOAL: f64 = 0.75;
const ANY_GOAL: f64 = 0.95;
const CALLS_GOAL: f64 = 0.01;

pub fn cases() -> Vec<Box<dyn Case>> {
    let mut cases = Vec::new();
    for transfer in [Transfer::SendTcp, Transfer::SendUdp] {
        cases.extend(UDP_GOALS.map(|(bytes, _)| Bulk { transfer, bytes }));
    }
    cases.push(Bulk { transfer: Transfer::SendSegments, bytes: SEGMENT_BYTES });
    for bytes in [1_472, 4_096, 16_384, 262_144] {
        cases.push(Bulk { transfer: Transfer::Receive(1), bytes });
    }
    cases.push(Bulk { transfer: Transfer::Receive(16), bytes: 16_384 });
    cases.into_iter().map(|bulk| Box::new(bulk) as Box<dyn Case>).collect()
}

impl Case for Bulk {
    fn id(&self) -> String {
        match self.transfer {
            Transfer::SendTcp => format!("send-tcp-{}", self.bytes),
            Transfer::SendUdp => format!("send-udp-{}", self.bytes),
            Transfer::SendSegments => "send-udp-segments".to_string(),
            Transfer::Receive(count) => format!("receive-{}-{count}", self.bytes),
        }
    }

    fn family(&self) -> Family {
        let (id, title, what, about) = match self.transfer {
            Transfer::SendTcp => (
                "send-tcp",
                "Bulk send, TCP over loopback",
                "Sending much over TCP to the same machine",
                "As much as goes, from 256 MiB that no cache holds; the peer discards it without a \
                 copy. Loopback copies whatever is sent without one: what can be saved are system \
                 calls.",
            ),
            Transfer::SendUdp | Transfer::SendSegments => (
                "send-udp",
                "Bulk send, UDP out of a device",
                "Sending large datagrams out of a device",
                "As much as goes, from 256 MiB that no cache holds, out of a device (ifb) whose \
                 driver takes the pages as they are, and drops them. With UDP_SEGMENT the kernel is \
                 given 40 small datagrams at a time, and cuts them; send is given them one by one.",
            ),
            Transfer::Receive(_) => (
                "receive",
                "Bulk receive, TCP over loopback",
                "Receiving much over TCP",
                "What a sender writes in pieces of 256 KiB is received into an area of 64 MiB, in \
                 buffers of the size given; io_uring by hand has buffers of 16 KiB throughout.",
            ),
        };
        let base = self.base();
        Family {
            id: id.to_string(),
            title: title.to_string(),
            about: about.to_string(),
            plotted: format!("CPU ÷ {base}"),
            is_less_better: true,
            glance: vec![Glance { what: what.to_string(), program: "libsio".to_string() }],
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        let bytes = grouped(self.bytes as i64);
        match self.transfer {
            Transfer::SendSegments => format!("{bytes} B, UDP_SEGMENT"),
            Transfer::Receive(count) => format!("{bytes} B at a time, {}", connections(count)),
            _ => format!("{bytes} B"),
        }
    }

    fn is_quick(&self) -> bool {
        match self.transfer {
            Transfer::SendTcp => self.bytes == 16_384,
            Transfer::SendUdp => self.bytes == 60_000,
            Transfer::SendSegments => false,
            Transfer::Receive(count) => count == 1 && self.bytes == 16_384,
        }
    }

    fn layout(&self) -> Layout {
        // The best of those that are written by hand.
        let (unit, raw) = match self.transfer {
            Transfer::SendTcp => ("send", "io_uring, copying"),
            Transfer::SendUdp | Transfer::SendSegments => ("datagram", "io_uring, SEND_ZC"),
            Transfer::Receive(_) => ("MB", "io_uring, bundles"),
        };
        usual_layout(self.base(), unit, Some(raw))
    }

    fn variants(&self) -> Vec<Variant> {
        // Host, port, bytes and seconds are added when it is known what they are.
        match self.transfer {
            Transfer::SendTcp => vec![
                variant("send", "send_plain", "tcp"),
                variant("libsio", "send_sio", "tcp"),
                variant("MSG_ZEROCOPY", "send_zerocopy", "tcp"),
                variant("io_uring, SEND_ZC", "sio-bench-send-uring", "tcp"),
                variant("io_uring, copying", "sio-bench-send-uring", "tcp"),
            ],
            Transfer::SendUdp => vec![
                variant("send", "send_plain", "udp"),
                variant("libsio", "send_sio", "udp"),
                variant("MSG_ZEROCOPY", "send_zerocopy", "udp"),
                variant("io_uring, SEND_ZC", "sio-bench-send-uring", "udp"),
            ],
            Transfer::SendSegments => vec![
                variant("send", "send_plain", "udp"),
                variant("libsio", "send_sio", "udp").segmenting(),
                variant("send, UDP_SEGMENT", "send_plain", "udp").segmenting(),
                variant("io_uring, SEND_ZC", "sio-bench-send-uring", "udp").segmenting(),
            ],
            Transfer::Receive(count) => {
                let arguments = format!("{count} {}", self.bytes);
                vec![
                    variant("epoll", "receive_epoll", &arguments),
                    variant("libsio", "receive_sio", &arguments),
                    variant("io_uring", "sio-bench-receive-uring", &count.to_string()),
                    variant(
                        "io_uring, bundles",
                        "sio-bench-receive-uring",
                        &format!("{count} bundle"),
                    ),
                ]
            }
        }
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        if name != "libsio" {
            return Vec::new();
        }
        let cpu = Of::Base(Measure::Cpu);
        match self.transfer {
            Transfer::SendTcp => vec![Wanted::at_most("Bulk send, TCP, any size", cpu, TCP_GOAL)],
            Transfer::SendUdp => UDP_GOALS
                .iter()
                .filter(|(bytes, _)| *bytes == self.bytes)
                .map(|(bytes, goal)| {
                    let topic = match bytes {
                        1_472 => "Bulk send, UDP, 1 472 B",
                        16_384 => "Bulk send, UDP, 16 KiB",
                        _ => "Bulk send, UDP, 60 000 B",
                    };
                    Wanted::at_most(topic, cpu, *goal)
                })
                .collect(),
            Transfer::SendSegments => {
                vec![Wanted::at_most("Bulk send, UDP, UDP_SEGMENT", cpu, SEGMENTS_GOAL)]
            }
            Transfer::Receive(_) => {
                let mut goals = vec![
                    Wanted::at_most("Bulk receive, any size", cpu, ANY_GOAL),
                    Wanted::at_most("Bulk receive, system calls of epoll's", Of::Calls, CALLS_GOAL),
                ];
                if self.bytes <= SMALL_BYTES {
                    let topic = "Bulk receive, buffers up to 16 KiB";
                    goals.insert(0, Wanted::at_most(topic, cpu, SMALL_GOAL));
                }
                goals
            }
        }
    }

    fn obstacle(&self) -> Option<String> {
        match self.transfer {
            Transfer::SendUdp | Transfer::SendSegments => Hole::find().err(),
            _ => None,
        }
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let run = Run { variant, place, window: times.window(counter), counter };
        match self.transfer {
            Transfer::SendTcp => {
                let sink = Sink::start()?;
                let measured = run.send("127.0.0.1", sink.port, self.bytes, None)?;
                sink.finish()?;
                Ok(measured)
            }
            Transfer::SendUdp => {
                let hole = Hole::find().map_err(io::Error::other)?;
                run.send(HOLE_PEER, 9, self.bytes, Some(hole))
            }
            Transfer::SendSegments => {
                let hole = Hole::find().map_err(io::Error::other)?;
                let count = if variant.is_segmenting() { SEGMENTS } else { 1 };
                run.send(HOLE_PEER, 9, SEGMENT_BYTES * count, Some(hole))
            }
            Transfer::Receive(count) => run.receive(count),
        }
    }
}

impl Bulk {
    fn base(self) -> &'static str {
        if matches!(self.transfer, Transfer::Receive(_)) { "epoll" } else { "send" }
    }
}

const SEGMENT: (&str, &str) = ("BENCH_SEGMENT", "1472");

impl Variant {
    fn segmenting(self) -> Self {
        Self { environment: Some(SEGMENT), ..self }
    }

    fn is_segmenting(&self) -> bool {
        self.environment == Some(SEGMENT)
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
    ) -> io::Result<Sample> {
        let counter = self.counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
        let meter = Meter::start(program.pid(), self.place.processor)?;
        let units = work(program)?;
        let mut sample = meter.read(units)?;
        if let Some(counter) = counter {
            sample.set(Measure::Calls, counter.stop()? / units);
        }
        if self.variant.is_ours() {
            program.tell_copies(&mut sample);
        }
        Ok(sample)
    }

    fn send(&self, host: &str, port: u16, bytes: usize, hole: Option<Hole>) -> io::Result<Sample> {
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
            let done = program.done()?;
            let is_cut = variant.is_segmenting();
            Ok(if is_cut { done.bytes as f64 / SEGMENT_BYTES as f64 } else { done.requests as f64 })
        })
    }

    fn receive(&self, connections: usize) -> io::Result<Sample> {
        let mut program = Program::start(self.variant, self.place, None)?;
        let mut streams = peer::connect(program.port()?, connections)?;
        self.watch(&mut program, |program| {
            let sent = peer::send(&mut streams, self.window)?;
            let done = program.done()?;
            if done.bytes != sent {
                let text = format!("{sent} bytes were sent and {} arrived", done.bytes);
                return Err(io::Error::other(text));
            }
            Ok(done.bytes as f64 / MEGABYTE)
        })
    }
}
