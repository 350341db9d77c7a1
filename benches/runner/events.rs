//! The cases of benches/events: what delivery of an event costs, and what a source costs that
//! has none.

use std::io;

use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, ROUNDS_FACTOR, Sample, Wanted, ratio_title};
use sio_benches::spread;

use crate::case::{Case, Times};
use crate::counter::{Counter, CounterKind};
use crate::program::{Place, Program, Variant, variant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
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
enum Grower {
    Epoll,
    Uring,
    Sio,
    SioEpoll,
}

/// Who writes to the descriptors: see events.h.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    Own,
    Apart,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Events {
    row: Row,
    writer: Writer,
    /// How many different descriptors a program can watch here.
    descriptors: usize,
}

const ACTIVE: usize = 100;
const SOURCES: usize = 10_000;
const SOURCES_MAX: usize = 100_000;
/// Descriptors that a program needs beside its sources, those included that are written to for
/// nothing.
const DESCRIPTORS_BESIDE: usize = 300;
/// System calls of the load itself for each event, where the program writes: two writes, and looks
/// at the clock.
const LOAD_CALLS: f64 = 2.03;

pub fn cases(limit: usize) -> Vec<Box<dyn Case>> {
    let descriptors = limit.saturating_sub(DESCRIPTORS_BESIDE);
    let case = |row, writer| Events { row, writer, descriptors };
    let mut cases = Vec::new();
    for row in [Row::Edge, Row::Data, Row::Level] {
        cases.extend([Writer::Own, Writer::Apart].map(|writer| case(row, writer)));
    }
    cases.push(case(Row::Kinds, Writer::Own));
    for grower in [Grower::Sio, Grower::SioEpoll, Grower::Epoll, Grower::Uring] {
        cases.push(case(Row::Growth(grower), Writer::Own));
    }
    cases.push(case(Row::Memory, Writer::Own));
    cases.into_iter().map(|events| Box::new(events) as Box<dyn Case>).collect()
}

fn grouped(number: usize) -> String {
    spread::grouped(number as i64)
}

/// The program with so many sources.
fn sized(base: &Variant, sources: usize) -> Variant {
    base.sized(sources, &format!(", {} sources", grouped(sources)))
}

impl Events {
    fn family_title(self) -> &'static str {
        match self.row {
            Row::Edge => "Events: edge-triggered readiness",
            Row::Data => "Events: data",
            Row::Level => "Events: level-triggered readiness",
            Row::Kinds => "Events: every kind of source in one channel",
            Row::Growth(_) => "Events: the number of sources",
            Row::Memory => "Events: memory of idle sources",
        }
    }

    fn sources(self) -> usize {
        SOURCES.min(self.descriptors)
    }

    /// Of programs that watch every descriptor once, as epoll does.
    fn most_once(self) -> usize {
        SOURCES_MAX.min(self.descriptors)
    }

    /// What the family is about, in a sentence or two.
    fn explanation(self) -> String {
        let mut text = self.about().to_string();
        if matches!(self.row, Row::Growth(_) | Row::Memory) && self.descriptors < SOURCES_MAX {
            text += &format!(
                " A process may have no more than {} descriptors here: programs with a ring watch \
                 idle ones several times, the others end there.",
                grouped(self.descriptors + DESCRIPTORS_BESIDE)
            );
        }
        text
    }

    fn about(self) -> &'static str {
        match self.row {
            Row::Edge => {
                "Each write to an active descriptor is told once, nothing is read. Where the program \
                 itself writes, it always finds 100 events, so that chance has no part in it: that \
                 is the comparison that has a goal. The processor time is what taking the events \
                 costs; the kernel does the first part of delivery inside of write(2), and what \
                 that costs beyond writing to descriptors that nobody watches is told as what the \
                 writer pays. A channel without EC_SINGLE cannot reach the goal: the kernel completes \
                 operations of its ring one by one in the thread that asked for them, at the end of \
                 each of its system calls or by an interrupt, so that such a channel has these \
                 descriptors in epoll sets, and asks two of them. Where another process writes, \
                 the program sleeps and is woken, and finds more events at a time the slower it \
                 is."
            }
            Row::Data => {
                "Each write is told with the value read. epoll and libevent: edge-triggered, and \
                 read(2) for each event; io_uring: a multishot read into a ring of buffers; libsio: \
                 EC_COUNTER, which is the same read on an EC_SINGLE channel. A ring saves the system \
                 call and the set's bookkeeping, not the read: for each event the kernel wakes the \
                 request, takes a buffer, reads into it and posts a completion. By hand, nine tenths \
                 of the cost are in there. A poll operation instead saves less, because it leaves the \
                 read(2) to the program."
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

    /// What the ratio of a program is to be at most; of memory, the bytes.
    fn bound(self, name: &str) -> Option<f64> {
        let is_engine = name.ends_with("epoll engine");
        match self.row {
            _ if !name.starts_with("libsio") => None,
            Row::Edge if !is_engine && self.writer == Writer::Own => Some(0.50),
            Row::Data if !is_engine && self.writer == Writer::Own => Some(0.45),
            Row::Edge | Row::Data | Row::Level => Some(1.10),
            Row::Kinds => Some(1.05),
            Row::Growth(_) => Some(1.10),
            Row::Memory => Some(200.0),
        }
    }

    /// What ratios are to.
    fn base(self) -> &'static str {
        match self.row {
            Row::Kinds => "descriptors only",
            Row::Growth(_) => "the same with 100",
            _ => "epoll",
        }
    }
}

impl Case for Events {
    fn id(&self) -> String {
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

    fn family(&self) -> Family {
        let (id, glance) = match self.row {
            Row::Edge => ("events-edge", Some("Readiness of many descriptors, edge-triggered")),
            Row::Data => ("events-data", Some("Values of many eventfds")),
            Row::Level => ("events-level", Some("Readiness of many descriptors, level-triggered")),
            Row::Kinds => ("events-kinds", None),
            Row::Growth(_) => ("events-growth", None),
            Row::Memory => ("events-memory", None),
        };
        let glance = glance.map(|what| Glance {
            what: what.to_string(),
            program: "libsio, EC_SINGLE".to_string(),
        });
        Family {
            id: id.to_string(),
            title: self.family_title().to_string(),
            about: self.explanation(),
            plotted: match self.row {
                Row::Memory => "bytes of the process per source".to_string(),
                _ => ratio_title("CPU", self.base()),
            },
            is_less_better: true,
            glance: glance.into_iter().collect(),
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        match (self.row, self.writer) {
            (Row::Growth(_), _) => "100 active".to_string(),
            (Row::Memory, _) => "idle sources".to_string(),
            (_, Writer::Own) => {
                format!("100 active of {}, the program writes", grouped(self.sources()))
            }
            (_, Writer::Apart) => {
                format!("100 active of {}, another process writes", grouped(self.sources()))
            }
        }
    }

    fn is_quick(&self) -> bool {
        matches!(self.row, Row::Edge | Row::Data) && self.writer == Writer::Own
    }

    fn layout(&self) -> Layout {
        if self.row == Row::Memory {
            return Layout {
                ratios: Vec::new(),
                base: String::new(),
                other_base: None,
                values: vec![
                    (Measure::OwnBytes, "bytes of the process per source".to_string()),
                    (Measure::KernelBytes, "bytes of the kernel per source".to_string()),
                ],
            };
        }
        Layout {
            ratios: vec![(Measure::Cpu, "CPU"), (Measure::Together, "with what the writer pays")],
            base: self.base().to_string(),
            other_base: Some("io_uring"),
            values: vec![
                (Measure::Cpu, "CPU ns per event".to_string()),
                (Measure::Writer, "CPU ns of the writer per event".to_string()),
                (Measure::Rate, "events per second".to_string()),
                (Measure::Calls, "system calls per event".to_string()),
            ],
        }
    }

    /// The first is what the others are compared with.
    fn variants(&self) -> Vec<Variant> {
        let engine = |arguments: &str| Variant {
            environment: Some(("SIO_ENGINE", "epoll")),
            ..variant("libsio, epoll engine", "events_sio", arguments)
        };
        let uring = "sio-bench-events-uring";
        match self.row {
            Row::Edge | Row::Data | Row::Level => {
                let trigger = match self.row {
                    Row::Edge => "edge",
                    Row::Data => "data",
                    _ => "level",
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
                variants
            }
            Row::Kinds => vec![
                variant("descriptors only", "events_sio", "single edge"),
                variant("libsio, every kind", "events_sio", "kinds edge"),
            ],
            Row::Growth(grower) => {
                let (base, most) = match grower {
                    Grower::Epoll => (variant("epoll", "events_epoll", "edge"), self.most_once()),
                    Grower::Uring => (variant("io_uring", uring, "edge"), SOURCES_MAX),
                    Grower::Sio => {
                        (variant("libsio, EC_SINGLE", "events_sio", "single edge"), SOURCES_MAX)
                    }
                    Grower::SioEpoll => (engine("single edge"), self.most_once()),
                };
                let counts = [100, 1_000, 10_000, 100_000].map(|count| most.min(count));
                counts.into_iter().map(|count| sized(&base, count)).collect()
            }
            Row::Memory => {
                let once = |base| sized(&base, self.most_once());
                let ring = |base| sized(&base, SOURCES_MAX);
                vec![
                    once(variant("epoll", "events_epoll", "edge")),
                    ring(variant("libsio, edge", "events_sio", "single edge")),
                    ring(variant("libsio, data", "events_sio", "single data")),
                    once(variant("libsio, level", "events_sio", "single level")),
                    once(engine("single edge")),
                    once(variant("libevent", "events_libevent", "edge")),
                    ring(variant("io_uring, edge", uring, "edge")),
                    ring(variant("io_uring, data", uring, "data")),
                ]
            }
        }
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        let Some(bound) = self.bound(name) else { return Vec::new() };
        let of = match self.row {
            Row::Memory => Of::Value(Measure::OwnBytes),
            // The first is what the others are compared with.
            Row::Growth(_) if name.ends_with(", 100 sources") => return Vec::new(),
            _ => Of::Base(Measure::Cpu),
        };
        let topic = match (self.row, self.writer) {
            (Row::Edge, Writer::Own) => "Events, edge-triggered, 100 of 10 000",
            (Row::Data, Writer::Own) => "Events with their data, 100 of 10 000",
            (Row::Edge | Row::Data | Row::Level, _) => "Events, any other way, beside epoll",
            (Row::Kinds, _) => "Events, every kind of source in one channel",
            (Row::Growth(_), _) => "Events, with up to 100 000 sources, of 100",
            (Row::Memory, _) => "Memory of an idle source, bytes",
        };
        let topic = if name.ends_with("epoll engine") && self.row != Row::Memory {
            "Events, the epoll engine beside epoll"
        } else {
            topic
        };
        vec![Wanted::at_most(topic, of, bound)]
    }

    fn rounds(&self, asked: usize) -> usize {
        asked * ROUNDS_FACTOR
    }

    fn has_calls(&self) -> bool {
        self.row != Row::Memory
    }

    fn run(
        &self,
        base: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let mut variant = base.clone();
        let sources = base.size.unwrap_or(self.sources());
        let window = times.short().window(counter);
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
        let [cpu, bare, paid] = program.numbers("cost")?;
        let events = program.done()?.requests as f64;
        let mut sample = Sample::default()
            .with(Measure::Cpu, cpu)
            .with(Measure::Together, cpu + paid - bare)
            .with(Measure::Rate, events / window.as_secs_f64())
            .with(Measure::OwnBytes, own_bytes / sources as f64)
            .with(Measure::KernelBytes, kernel_bytes / sources as f64);
        let is_own = self.writer == Writer::Own;
        if !is_own {
            sample.set(Measure::Writer, paid - bare);
        }
        if let Some(counter) = counter {
            let calls = counter.stop()? / events;
            // What the load itself calls is not the program's.
            sample.set(Measure::Calls, if is_own { calls - LOAD_CALLS } else { calls });
        }
        Ok(sample)
    }
}
