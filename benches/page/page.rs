//! sio-bench-page: makes a page of what the runners have found: a summary, a table and a picture for
//! each family.
//!
//!     sio-bench-page RECORD...
//!     sio-bench-page --write DIRECTORY [--fresh] [RECORD...]
//!
//! The first form prints the page, without pictures. The second puts the records over those that are in
//! DIRECTORY/benchmarks/results.json, forgets those first with --fresh, and writes that file,
//! DIRECTORY/benchmarks.md, and a picture for each family to DIRECTORY/benchmarks. What is to be said
//! about a case or a family that misses a goal stands in DIRECTORY/benchmarks/notes.txt.

mod glance;
mod notes;
mod plot;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use notes::Notes;
use sio_benches::machine::Machine;
use sio_benches::record::{self, Case, Family};

/// What is asked for most often comes first; what is not here comes last.
const ORDER: &[&str] = &[
    "echo",
    "scale",
    "idle",
    "accept",
    "send-udp",
    "send-tcp",
    "receive",
    "http",
    "events-edge",
    "events-data",
    "events-level",
    "events-kinds",
    "events-growth",
    "events-memory",
    "aio",
    "aio-own",
    "shim",
    "udp",
];

struct Arguments {
    directory: Option<PathBuf>,
    is_fresh: bool,
    records: Vec<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { directory: None, is_fresh: false, records: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--write" => {
                let directory = words.next().ok_or("--write needs a directory")?;
                found.directory = Some(directory.into());
            }
            "--fresh" => found.is_fresh = true,
            _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
            _ => found.records.push(word.into()),
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<Family>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if text.trim().is_empty() {
        return Ok(Vec::new()); // a runner that could not run
    }
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn place(family: &Family) -> usize {
    ORDER.iter().position(|id| *id == family.id).unwrap_or(ORDER.len())
}

/// What holds for most cases stands at the top; not all runners count system calls.
fn usual_machine(families: &[Family]) -> Machine {
    let uncounted = |machine: &Machine| Machine { counter: String::new(), ..machine.clone() };
    let machines: Vec<Machine> = cases(families).map(|case| uncounted(&case.machine)).collect();
    let count = |wanted: &Machine| machines.iter().filter(|one| *one == wanted).count();
    let usual = machines.iter().max_by_key(|one| count(one)).cloned().unwrap_or_default();
    let mut counters = cases(families).map(|case| &case.machine.counter);
    let counter = counters.find(|counter| !counter.is_empty()).cloned().unwrap_or_default();
    Machine { counter, ..usual }
}

fn cases(families: &[Family]) -> impl Iterator<Item = &Case> {
    families.iter().flat_map(|family| &family.cases)
}

fn described(machine: &Machine) -> String {
    let Machine { date, processor, processors, kernel, congestion_control, counter } = machine;
    let counted = match counter.as_str() {
        "" => String::new(),
        _ => format!(" System calls: {counter}."),
    };
    format!(
        "Measured on {date}. {processors} processors: {processor}. Linux {kernel}. TCP congestion \
         control: {congestion_control}.{counted}"
    )
}

/// `pictures`: where they lie, as the page links to them.
fn page(families: &[Family], notes: &Notes, pictures: Option<&str>) -> String {
    let usual = usual_machine(families);
    let measured = cases(families).filter(|case| case.skipped.is_none());
    let mut rounds: Vec<usize> = measured.map(|case| case.rounds).collect();
    rounds.sort_unstable();
    let rounds = match (rounds.first(), rounds.last()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(least), _) => least.to_string(),
        (None, _) => "no".to_string(),
    };
    let mut text = format!(
        "# Benchmarks\n\nlibsio beside programs that do the same without it. This page is made by \
         `scripts/bench --write`.\n\n{}\n\n",
        described(&usual)
    );
    text += &glance::when_to_use(families);
    text += &glance::goals(families);
    text += &format!(
        "## How to read the tables\n\nRounds: {rounds}; in each every program has its turn, the \
         program under test on one processor and its peer on another. Shown are medians \
         (least..most). A ratio is formed within each round; below 1 is better for CPU, above 1 for \
         rates. CPU is the time of the process under test, in user and kernel mode; on loopback that \
         has most of its softirqs in it, which run inside of system calls. Softirqs are told apart \
         besides, as the kernel's ticks count them: those on the processor of the process, and \
         those on all, with what its peer's system calls do for it. **Bold**: misses its goal, or, \
         where it has none, is worse by more than a tenth. In the pictures the line is 1.0, a bar to \
         its left is less, and the mark in a row is its goal.\n\n",
    );
    for family in families {
        text += &tables::family(family, &usual, notes, pictures);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn run() -> Result<(), String> {
    let arguments = arguments()?;
    let store = arguments.directory.as_ref().map(|directory| directory.join("benchmarks"));
    let mut families = Vec::new();
    let results = store.as_ref().map(|store| store.join("results.json"));
    if let Some(results) = results.as_ref().filter(|path| !arguments.is_fresh && path.exists()) {
        families = read(results)?;
    }
    for path in &arguments.records {
        record::merge(&mut families, read(path)?);
    }
    families.sort_by_key(place);
    let (Some(directory), Some(store), Some(results)) = (arguments.directory, store, results)
    else {
        print!("{}", page(&families, &Notes::default(), None));
        return Ok(());
    };
    let notes = Notes::read(&store.join("notes.txt"))?;
    for stray in notes.strays(&families) {
        eprintln!("sio-bench-page: notes.txt: there is no {stray}");
    }
    fs::create_dir_all(&store).map_err(|error| format!("{}: {error}", store.display()))?;
    let json = serde_json::to_string_pretty(&families).map_err(|error| error.to_string())?;
    write(&results, &(json + "\n"))?;
    // Made of what is there: a number may differ from itself after it was written, in the last place.
    let families = read(&results)?;
    for family in &families {
        if let Some(picture) = plot::picture(family) {
            write(&store.join(format!("{}.svg", family.id)), &(picture + "\n"))?;
        }
    }
    write(&directory.join("benchmarks.md"), &page(&families, &notes, Some("benchmarks")))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sio-bench-page: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written by hand belongs into the notes.
    #[test]
    fn the_page_is_what_its_record_and_the_notes_make() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let store = docs.join("benchmarks");
        let results = store.join("results.json");
        if !results.exists() {
            eprintln!("skipped: there is no {}", results.display());
            return;
        }
        let families = read(&results).expect("the record");
        let notes = Notes::read(&store.join("notes.txt")).expect("the notes");
        let made = page(&families, &notes, Some("benchmarks"));
        let written = fs::read_to_string(docs.join("benchmarks.md")).expect("the page");
        assert!(made == written, "not what scripts/bench --write --page makes");
        for family in &families {
            let path = store.join(format!("{}.svg", family.id));
            let written = fs::read_to_string(path).ok().map(|text| text.trim_end().to_string());
            assert!(plot::picture(family) == written, "{}: not what its record makes", family.id);
        }
    }
}
