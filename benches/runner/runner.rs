//! sio-bench: runs programs that do the same with libsio, with epoll or send(2), with io_uring as it
//! is, and with other libraries, in turn, and prints what it has found, as JSON: see sio-bench-page.
//!
//!     sio-bench [--quick] [--rounds N] [--programs DIRECTORY] [CASE...]
//!     sio-bench load PORT CONNECTIONS BYTES SECONDS
//!
//! A CASE is the beginning of an id: echo, echo-64, echo-64-100, send-udp, receive-16384-1 ...
//! The second form is the load on an echo server alone, for a look at one with a profiler.

mod accept;
mod aio;
mod case;
mod counter;
mod echo;
mod events;
mod http;
mod load;
mod peer;
mod program;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use case::{Case, Times};
use counter::CounterKind;
use program::Place;
use sio_benches::machine::Machine;
use sio_benches::record::{self, Family};
use sio_benches::series::{self, Series};
use sio_benches::system;

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
    fn wants(&self, case: &dyn Case) -> bool {
        let id = case.id();
        let is_meant = |word: &String| {
            id == *word || id.strip_prefix(word.as_str()).is_some_and(|rest| rest.starts_with('-'))
        };
        if self.wanted.is_empty() {
            case.is_quick() || !self.quick
        } else {
            self.wanted.iter().any(is_meant)
        }
    }

    fn times(&self) -> Times {
        let milliseconds =
            |quick, full| Duration::from_millis(if self.quick { quick } else { full });
        Times {
            warm_up: milliseconds(50, 100),
            window: milliseconds(250, 500),
            count: milliseconds(100, 150),
        }
    }
}

/// Rounds in which every program has its turn, then system calls.
fn run(
    case: &dyn Case,
    arguments: &Arguments,
    place: &Place,
    counter: Option<CounterKind>,
) -> (Vec<Series>, Option<String>) {
    let mut variants = case.variants();
    variants.retain(|variant| variant.is_here(place));
    let named = |variant: &program::Variant| Series::new(variant.name.clone(), variant.is_ours());
    let mut series: Vec<Series> = variants.iter().map(named).collect();
    if let Some(reason) = case.obstacle() {
        return (Vec::new(), Some(reason));
    }
    let _prepared = match case.prepare(place) {
        Ok(prepared) => prepared,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let times = arguments.times();
    for round in 0..case.rounds(arguments.rounds) {
        for turn in 0..variants.len() {
            let index = (turn + round) % variants.len();
            series[index].push(case.run(&variants[index], place, times, None));
        }
    }
    for (variant, series) in variants.iter().zip(&mut series) {
        if let (Some(counter), None, true) = (counter, &series.failure, case.has_calls()) {
            match case.run(variant, place, times, Some(counter)) {
                Ok(sample) => series.once = sample,
                Err(error) => eprintln!("sio-bench: {}: not counted: {error}", series.name),
            }
        }
    }
    (series, None)
}

/// The case, with what was found.
fn record(
    case: &dyn Case,
    arguments: &Arguments,
    place: &Place,
    counter: &Result<CounterKind, String>,
) -> Family {
    let (series, skipped) = run(case, arguments, place, counter.as_ref().ok().copied());
    for one in &series {
        if let Some(failure) = &one.failure {
            eprintln!("sio-bench: {}, {}: {failure}", case.id(), one.name);
        }
    }
    if let Some(reason) = &skipped {
        eprintln!("sio-bench: {} is skipped: {reason}", case.id());
    }
    let counted = match counter {
        Ok(kind) => format!("counted by {}", kind.name()),
        Err(reason) => format!("not counted: {reason}"),
    };
    let mut family = case.family();
    family.cases.push(record::Case {
        id: case.id(),
        title: case.title(),
        skipped,
        rounds: case.rounds(arguments.rounds),
        entries: series::entries(&series, &case.layout(), |name| case.goals(name)),
        machine: Machine::here(counted),
    });
    family
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
    let mut families = Vec::new();
    let cases = case::cases(descriptors);
    let wanted: Vec<_> = cases.iter().filter(|case| arguments.wants(case.as_ref())).collect();
    for (index, case) in wanted.iter().enumerate() {
        eprintln!("sio-bench: {} ({} of {})", case.id(), index + 1, wanted.len());
        let family = record(case.as_ref(), &arguments, &place, &counter);
        record::merge(&mut families, vec![family]);
    }
    if families.is_empty() {
        eprintln!("sio-bench: there is no such case");
        return ExitCode::from(2);
    }
    let is_complete = families.iter().all(Family::is_complete);
    match serde_json::to_writer_pretty(std::io::stdout().lock(), &families) {
        Ok(()) if is_complete => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(error) => {
            eprintln!("sio-bench: {error}");
            ExitCode::from(1)
        }
    }
}
