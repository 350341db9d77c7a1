//! sio-bench: runs programs that do the same with libsio, with epoll or send(2), and with
//! io_uring as it is, in turn, and prints how they compare, as Markdown.
//!
//!     sio-bench [--quick] [--rounds N] [--programs DIRECTORY] [CASE...]
//!     sio-bench load PORT CONNECTIONS BYTES SECONDS
//!
//! A CASE is the beginning of an id: echo, echo-64, echo-64-100, send-udp, receive-16384-1 ...
//! The second form is the load on an echo server alone, for a look at one with a profiler.

mod aio;
mod aio_table;
mod case;
mod event_table;
mod events;
mod load;
mod peer;
mod program;
mod system;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use case::{Case, Kind, Times};
use program::{CounterKind, Hole, Place};
use table::Series;

struct Arguments {
    quick: bool,
    rounds: usize,
    programs: PathBuf,
    wanted: Vec<String>,
}

fn arguments() -> Result<Arguments, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let programs = own.parent().map(PathBuf::from).unwrap_or_default();
    let mut found = Arguments { quick: false, rounds: 0, programs, wanted: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => found.quick = true,
            "--rounds" => found.rounds = value()?.parse().map_err(|_| "--rounds N")?,
            "--programs" => found.programs = value()?.into(),
            case if !case.starts_with('-') => found.wanted.push(word),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    if found.rounds == 0 {
        found.rounds = if found.quick { 1 } else { 3 };
    }
    Ok(found)
}

impl Arguments {
    fn wants(&self, case: &Case) -> bool {
        let id = case.kind.id();
        let is_meant = |word: &String| {
            id == *word || id.strip_prefix(word.as_str()).is_some_and(|rest| rest.starts_with('-'))
        };
        if self.wanted.is_empty() {
            case.is_quick || !self.quick
        } else {
            self.wanted.iter().any(is_meant)
        }
    }

    fn times(&self) -> Times {
        let milliseconds =
            |quick, full| Duration::from_millis(if self.quick { quick } else { full });
        Times {
            warm_up: milliseconds(50, 150),
            window: milliseconds(250, 700),
            count: milliseconds(100, 200),
        }
    }
}

/// Everything about one case: rounds in which every program has its turn, then system calls.
fn run(
    kind: Kind,
    arguments: &Arguments,
    place: &Place,
    counter: Option<CounterKind>,
) -> table::Result {
    let variants = kind.variants();
    let times = arguments.times();
    let mut series: Vec<Series> = variants
        .iter()
        .map(|variant| Series {
            name: variant.name.clone(),
            samples: Vec::new(),
            calls: None,
            failure: None,
        })
        .collect();
    if let (Kind::SendUdp { .. }, Err(reason)) = (kind, Hole::find()) {
        for one in &mut series {
            one.failure = Some(reason.clone());
        }
        return table::Result { kind, series };
    }
    let file = match kind {
        Kind::Aio(aio) => aio.prepare(place).map(Some),
        _ => Ok(None),
    };
    if let Err(error) = &file {
        for one in &mut series {
            one.failure = Some(error.to_string());
        }
        return table::Result { kind, series };
    }
    let rounds = match kind {
        Kind::Events(_) => events::rounds(arguments.rounds),
        _ => arguments.rounds,
    };
    for round in 0..rounds {
        for turn in 0..variants.len() {
            let index = (turn + round) % variants.len();
            let sample = match kind.measure(&variants[index], place, times) {
                Ok(sample) => Some(sample),
                Err(error) => {
                    series[index].failure = Some(error.to_string());
                    None
                }
            };
            series[index].samples.push(sample);
        }
    }
    for (variant, series) in variants.iter().zip(&mut series) {
        if let (Some(counter), None) = (counter, &series.failure) {
            series.calls = kind.count_calls(variant, place, times, counter).ok();
        }
    }
    table::Result { kind, series }
}

fn kernel() -> String {
    // The version alone: what a builder has appended to it tells nobody anything.
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().split('-').next().unwrap_or_default().to_string()
}

/// The load alone; the server has been started by hand.
fn load_alone(numbers: &[String]) -> Option<()> {
    let [port, connections, bytes, seconds] = numbers else { return None };
    let seconds: f64 = seconds.parse().ok()?;
    let mut load =
        load::Load::new(port.parse().ok()?, connections.parse().ok()?, bytes.parse().ok()?).ok()?;
    let count = load.run(Duration::from_secs_f64(seconds)).ok()?;
    println!("{:.0} requests per second", count as f64 / seconds);
    Some(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((_, numbers)) = words.split_first().filter(|(first, _)| *first == "load") {
        system::raise_descriptor_limit();
        return if load_alone(numbers).is_some() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("sio-bench: {error}");
            return ExitCode::from(2);
        }
    };
    let descriptors = system::raise_descriptor_limit();
    // The program under test and the runner, which is its peer, each have a processor.
    let processors = system::processors();
    let mut place = Place {
        directory: arguments.programs.clone(),
        processor: None,
        other: None,
        all: processors.clone(),
    };
    if let [own, .., other] = processors[..]
        && system::stay_on(&[own]).is_ok()
    {
        place.processor = Some(other);
        place.other = Some(own);
    }
    let counter = CounterKind::find();
    let start = Instant::now();
    let mut results = Vec::new();
    for case in case::cases(descriptors).iter().filter(|case| arguments.wants(case)) {
        eprintln!("sio-bench: {}", case.kind.id());
        results.push(run(case.kind, &arguments, &place, counter.as_ref().ok().copied()));
    }
    if results.is_empty() {
        eprintln!("sio-bench: there is no such case");
        return ExitCode::from(2);
    }
    println!("# Benchmarks\n");
    println!(
        "libsio beside the same programs written with epoll, read and write, or send, and with \
         io_uring as it is. In each of {} rounds every program has its turn, on one processor \
         while its peer is on another{}; shown are medians (least..most). CPU is the time that \
         the process under test spends, in user and kernel mode. A ratio is formed within each \
         round; below 1 is better for CPU, above 1 for rates. **Bold**: libsio is worse by more \
         than a tenth, or misses a goal. Events: {} rounds.\n",
        arguments.rounds,
        if place.processor.is_none() { " (here there is only one)" } else { "" },
        events::rounds(arguments.rounds),
    );
    println!(
        "Linux {}, {} processors. System calls: {}. Measured in {:.0} s.\n",
        kernel(),
        processors.len(),
        counter.map_or_else(
            |reason| format!("not counted: {reason}"),
            |kind| format!("counted by {}", kind.name())
        ),
        start.elapsed().as_secs_f64(),
    );
    print!("{}", table::tables(&results, "scripts/bench"));
    let is_complete =
        results.iter().all(|result| result.series.iter().all(|series| series.failure.is_none()));
    if is_complete { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
