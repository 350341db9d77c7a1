//! The cases of benches/events: what delivery of an event costs, and what a source costs that
//! has none.

use std::io;

use crate::case::{Sample, Times, grouped, variant};
use crate::program::{Counter, CounterKind, Place, Program, Variant};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Edge-triggered readiness; nothing is read.
    Edge,
    /// Every event with the value that was read.
    Data,
    /// Level-triggered readiness, and read(2) by the program.
    Level,
    /// A channel that has every kind of source besides, against one that has not.
    Kinds,
    /// More and more idle sources.
    Growth(Grower),
    /// Memory of idle sources.
    Memory,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grower {
    Epoll,
    Uring,
    Sio,
    SioEpoll,
}

/// Who writes to the descriptors: see events.h.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    Own,
    Apart,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Events {
    pub row: Row,
    pub writer: Writer,
    /// As many as the limits allow; of [`Row::Growth`] the most.
    pub sources: usize,
}

/// What a run has told besides time.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Microseconds of the process that writes for each event, beyond bare writing; 0 where the
    /// program itself writes.
    pub writer: f64,
    /// Bytes for each source, of the program and of the kernel.
    pub own_bytes: f64,
    pub kernel_bytes: f64,
}

const ACTIVE: usize = 100;
const SOURCES: usize = 10_000;
/// The most that are tried, if the limit of descriptors allows it.
pub const SOURCES_MAX: usize = 100_000;
/// Descriptors that a program needs beside its sources.
pub const DESCRIPTORS_BESIDE: usize = 300;

pub fn cases(limit: usize) -> Vec<Events> {
    let most = SOURCES_MAX.min(limit.saturating_sub(DESCRIPTORS_BESIDE));
    let sources = SOURCES.min(most);
    let mut cases = Vec::new();
    for row in [Row::Edge, Row::Data, Row::Level] {
        cases.extend([Writer::Own, Writer::Apart].map(|writer| Events { row, writer, sources }));
    }
    let own = |row, sources| Events { row, writer: Writer::Own, sources };
    cases.push(own(Row::Kinds, sources));
    for grower in [Grower::Sio, Grower::SioEpoll, Grower::Epoll, Grower::Uring] {
        cases.push(own(Row::Growth(grower), most));
    }
    cases.push(own(Row::Memory, most));
    cases
}

impl Events {
    pub fn id(self) -> String {
        let row = match self.row {
            Row::Edge => "edge",
            Row::Data => "data",
            Row::Level => "level",
            Row::Kinds => return "events-kinds".to_string(),
            Row::Growth(Grower::Epoll) => return "events-growth-epoll".to_string(),
            Row::Growth(Grower::Uring) => return "events-growth-uring".to_string(),
            Row::Growth(Grower::Sio) => return "events-growth-sio".to_string(),
            Row::Growth(Grower::SioEpoll) => return "events-growth-engine".to_string(),
            Row::Memory => return "events-memory".to_string(),
        };
        let writer = if self.writer == Writer::Own { "own" } else { "apart" };
        format!("events-{row}-{writer}")
    }

    pub fn is_quick(self) -> bool {
        matches!(self.row, Row::Edge | Row::Data) && self.writer == Writer::Own
    }

    pub fn family(self) -> &'static str {
        match self.row {
            Row::Edge => "Events: edge-triggered readiness",
            Row::Data => "Events: data",
            Row::Level => "Events: level-triggered readiness",
            Row::Kinds => "Events: every kind of source in one channel",
            Row::Growth(_) => "Events: the number of sources",
            Row::Memory => "Events: memory of idle sources",
        }
    }

    /// What the family is about, in a sentence or two.
    pub fn explanation(self) -> &'static str {
        match self.row {
            Row::Edge => {
                "Each write to an active descriptor is told, nothing is read. What a bare write to \
                 a descriptor costs that nobody watches is measured in the same run and subtracted: \
                 it is the same for all."
            }
            Row::Data => {
                "Each write is told with the value read. epoll and libevent: edge-triggered, and \
                 read(2) for each event; io_uring: a multishot read; libsio: EC_COUNTER."
            }
            Row::Level => {
                "Told until it has been read, which the program does with read(2). io_uring as it \
                 is has no such thing."
            }
            Row::Kinds => {
                "libsio with descriptors only, and with a source of every other kind armed besides."
            }
            Row::Growth(_) => {
                "Edge-triggered readiness of 100 active descriptors among more and more idle ones, \
                 each program compared with itself at 100."
            }
            Row::Memory => {
                "What the process grows by when idle sources are added, the descriptors themselves \
                 apart; and what the kernel grows by, as /proc/meminfo tells for the whole machine."
            }
        }
    }

    pub fn title(self) -> String {
        match (self.row, self.writer) {
            (Row::Growth(_), _) => "100 active".to_string(),
            (Row::Memory, _) => format!("{} idle sources", grouped(self.sources)),
            (_, Writer::Own) => {
                format!("100 active of {}, the program writes", grouped(self.sources))
            }
            (_, Writer::Apart) => {
                format!("100 active of {}, another process writes", grouped(self.sources))
            }
        }
    }

    /// What the ratio of a program is to be at most; of memory, the bytes.
    pub fn goal(self, name: &str) -> Option<f64> {
        let is_engine = name.ends_with("epoll engine");
        match self.row {
            _ if !name.starts_with("libsio") => None,
            Row::Edge | Row::Data | Row::Level if is_engine => Some(1.10),
            Row::Edge => Some(0.50),
            Row::Data => Some(0.45),
            Row::Level => None,
            Row::Kinds => Some(1.05),
            Row::Growth(_) => Some(1.10),
            Row::Memory => Some(200.0),
        }
    }

    /// The first is what the others are compared with.
    pub fn variants(self) -> Vec<Variant> {
        let engine = |arguments: &str| Variant {
            environment: Some(("SIO_ENGINE", "epoll")),
            ..variant("libsio, epoll engine", "events_sio", arguments)
        };
        let uring = "sio-bench-events-uring";
        match self.row {
            Row::Edge | Row::Data | Row::Level | Row::Memory => {
                let trigger = match self.row {
                    Row::Data => "data",
                    Row::Level => "level",
                    _ => "edge",
                };
                let single = format!("single {trigger}");
                let mut variants = vec![
                    variant("epoll", "events_epoll", trigger),
                    variant("libsio, EC_SINGLE", "events_sio", &single),
                    variant("libsio, shared channel", "events_sio", &format!("shared {trigger}")),
                    engine(&single),
                    variant("libevent", "events_libevent", trigger),
                ];
                if self.row != Row::Level {
                    variants.push(variant("io_uring", uring, trigger));
                }
                if self.row == Row::Memory {
                    variants.insert(3, variant("libsio, data", "events_sio", "single data"));
                    variants.insert(4, variant("libsio, level", "events_sio", "single level"));
                    variants.push(variant("io_uring, data", uring, "data"));
                }
                variants
            }
            Row::Kinds => vec![
                variant("descriptors only", "events_sio", "single edge"),
                variant("libsio, every kind", "events_sio", "single-kinds edge"),
            ],
            Row::Growth(grower) => {
                let counts = [100, 1_000, 10_000, 100_000].map(|count| self.sources.min(count));
                let name = match grower {
                    Grower::Epoll => "epoll",
                    Grower::Uring => "io_uring",
                    Grower::Sio => "libsio, EC_SINGLE",
                    Grower::SioEpoll => "libsio, epoll engine",
                };
                let sized = |count: usize| {
                    let base = match grower {
                        Grower::Epoll => variant("", "events_epoll", "edge"),
                        Grower::Uring => variant("", uring, "edge"),
                        Grower::Sio => variant("", "events_sio", "single edge"),
                        Grower::SioEpoll => engine("single edge"),
                    };
                    let name = format!("{name}, {} sources", grouped(count));
                    Variant { name: name.into(), sources: Some(count), ..base }
                };
                counts.into_iter().map(sized).collect()
            }
        }
    }

    /// One run of one program.
    pub fn run(
        self,
        base: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<(Sample, f64)> {
        if base.program == "events_libevent" && !place.directory.join(base.program).exists() {
            return Err(io::Error::other("libevent is not here"));
        }
        let mut variant = base.clone();
        let sources = base.sources.unwrap_or(self.sources);
        let window = if counter.is_some() { times.count } else { times.window };
        let writer = if self.writer == Writer::Own { "own" } else { "apart" };
        let processor = place.other.map_or("-1".to_string(), |number| number.to_string());
        let (active, seconds) = (ACTIVE.to_string(), window.as_secs_f64().to_string());
        for argument in [writer, &sources.to_string(), &active, &seconds, &processor] {
            variant.arguments.push(argument.to_string());
        }
        let mut program = Program::start(&variant, place, None)?;
        let [own_bytes, kernel_bytes] = program.numbers("memory")?;
        program.ready()?;
        let counter = counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
        program.go()?;
        let [cpu, bare, paid] = program.numbers("cost")?.map(|ns: f64| ns / 1e3);
        let events = program.done()?.requests as f64;
        let calls = counter.map_or(Ok(0.0), Counter::stop)? / events;
        let is_own = self.writer == Writer::Own;
        let sample = Sample {
            cpu: if is_own { cpu - bare } else { cpu },
            rate: events / window.as_secs_f64(),
            cost: Cost {
                writer: if is_own { 0.0 } else { paid - bare },
                own_bytes: own_bytes / sources as f64,
                kernel_bytes: kernel_bytes / sources as f64,
            },
        };
        // What the load itself calls is not the program's.
        Ok((sample, if is_own { calls - 2.0 } else { calls }))
    }
}
