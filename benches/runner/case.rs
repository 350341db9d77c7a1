//! What a case is: programs that do the same, how one run of one of them is measured, what of that
//! stands in the tables, and what is to be reached. The cases themselves are in the files beside.

use std::any::Any;
use std::io;
use std::time::Duration;

use sio_benches::record::Family;
use sio_benches::series::{Layout, Measure, ROUNDS_FACTOR, Sample, Wanted};

use crate::counter::CounterKind;
use crate::program::{Place, Variant};
use crate::{accept, aio, echo, events, http, transfer};

pub trait Case {
    /// The word by which the command line knows it.
    fn id(&self) -> String;
    /// The table in which it stands; without cases.
    fn family(&self) -> Family;
    fn title(&self) -> String;
    /// Measured by `--quick` too.
    fn is_quick(&self) -> bool;
    fn layout(&self) -> Layout;
    /// The programs; the first is what the others are compared with.
    fn variants(&self) -> Vec<Variant>;
    /// What a program of this name is to reach.
    fn goals(&self, name: &str) -> Vec<Wanted>;

    /// Why it cannot be measured here.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// How many rounds, where so many are asked for.
    fn rounds(&self, asked: usize) -> usize {
        asked
    }

    /// Whether system calls are counted, in a run of their own.
    fn has_calls(&self) -> bool {
        true
    }

    /// What is made before the first run, and is gone with the value.
    fn prepare(&self, _place: &Place) -> io::Result<Box<dyn Any>> {
        Ok(Box::new(()))
    }

    /// One run of one program; with the system calls for each unit if they are counted.
    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample>;
}

/// How long runs are.
#[derive(Clone, Copy)]
pub struct Times {
    pub warm_up: Duration,
    pub window: Duration,
    pub count: Duration,
}

const WINDOW_DIVISOR: u32 = ROUNDS_FACTOR as u32;

impl Times {
    /// For cases that have `ROUNDS_FACTOR` times the rounds.
    pub fn short(self) -> Self {
        Self { window: self.window / WINDOW_DIVISOR, ..self }
    }

    pub fn window(self, counter: Option<CounterKind>) -> Duration {
        if counter.is_some() { self.count } else { self.window }
    }
}

/// `descriptors`: how many a process may have.
pub fn cases(descriptors: usize) -> Vec<Box<dyn Case>> {
    let mut cases = Vec::new();
    cases.extend(echo::cases(descriptors));
    cases.extend(accept::cases());
    cases.extend(transfer::cases());
    cases.extend(http::cases());
    cases.extend(events::cases(descriptors));
    cases.extend(aio::cases());
    cases
}

/// The columns of most tables.
pub fn usual_layout(base: &str, unit: &str, other_base: Option<&'static str>) -> Layout {
    let plural = if unit == "MB" { unit.to_string() } else { format!("{unit}s") };
    Layout {
        ratios: vec![(Measure::Cpu, "CPU"), (Measure::Rate, "rate")],
        base: base.to_string(),
        other_base,
        values: vec![
            (Measure::Cpu, format!("CPU µs per {unit}")),
            (Measure::Softirq, "softirq µs, its processor".to_string()),
            (Measure::SoftirqAll, "softirq µs, all".to_string()),
            (Measure::Rate, format!("{plural} per second")),
            (Measure::Calls, format!("system calls per {unit}")),
            (Measure::CopiedSent, "copied of what is sent".to_string()),
            (Measure::CopiedReceived, "copied of what is received".to_string()),
        ],
    }
}

/// "1 connection", "10 000 connections".
pub fn connections(count: usize) -> String {
    let number = sio_benches::spread::grouped(count as i64);
    if count == 1 { format!("{number} connection") } else { format!("{number} connections") }
}
