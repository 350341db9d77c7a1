//! The tables of events: ratios with the goals that they are measured by, and the values.

use std::fmt::Write;

use crate::case::Sample;
use crate::events::{Events, Row, Writer};
use crate::table::{Result, Series, Spread, significant};

const NOTHING: &str = "-";

/// What the members of a family show.
struct View {
    /// The number that is compared, and what the table calls it.
    value: fn(Sample) -> f64,
    what: &'static str,
}

pub fn tables(family: Events, results: &[&Result], command: &str) -> String {
    let mut text = format!("{}\n\n", family.explanation());
    if family.row == Row::Memory {
        text += &memory(results, command);
        text += &in_words(results, &View { value: |sample| sample.cost.own_bytes, what: "bytes" });
        return text;
    }
    text += &ratios(results, command);
    text += &in_words(results, &View { value: |sample| sample.cpu, what: "processor time" });
    text += &values(results);
    text
}

fn events(result: &Result) -> Events {
    match result.kind {
        crate::case::Kind::Events(events) => events,
        _ => unreachable!("only events come here"),
    }
}

fn goal_text(goal: Option<f64>) -> String {
    goal.map_or(NOTHING.to_string(), |goal| format!("{goal:.2}"))
}

/// Bold where the goal is missed.
fn judged(spread: Option<Spread>, goal: Option<f64>, show: fn(Spread) -> String) -> String {
    match (spread, goal) {
        (Some(spread), Some(goal)) if spread.median > goal => format!("**{}**", show(spread)),
        (Some(spread), _) => show(spread),
        (None, _) => NOTHING.to_string(),
    }
}

/// What the program and the one that writes have spent together.
fn both(sample: Sample) -> f64 {
    sample.cpu + sample.cost.writer
}

fn ratios(results: &[&Result], command: &str) -> String {
    let mut text = "| case | program | compared with | CPU ratio | goal | CPU ÷ io_uring | \
                    with what the writer pays | system calls per event | again |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_string();
    for result in results {
        let (base, events) = (&result.series[0], events(result));
        let raw = result.series.iter().find(|series| series.name == "io_uring");
        for series in &result.series[1..] {
            let goal = events.goal(&series.name);
            let by_raw = raw.filter(|_| series.is_ours());
            let by_raw = by_raw.and_then(|raw| series.over(raw, |sample| sample.cpu));
            let together = series.over(base, both);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | `{command} {}` |",
                events.title(),
                series.name,
                base.name,
                judged(series.over(base, |sample| sample.cpu), goal, Spread::ratio),
                goal_text(goal),
                by_raw.map_or(NOTHING.to_string(), Spread::ratio),
                together.map_or(NOTHING.to_string(), Spread::ratio),
                series.calls.map_or(NOTHING.to_string(), significant),
                events.id(),
            );
        }
    }
    text + "\n"
}

fn memory(results: &[&Result], command: &str) -> String {
    let mut text = "| case | program | bytes of the process per source | goal | \
                    bytes of the kernel per source | again |\n|---|---|---|---|---|---|\n"
        .to_string();
    for result in results {
        let events = events(result);
        for series in &result.series {
            let goal = events.goal(&series.name);
            let own = series.spread(|sample| sample.cost.own_bytes);
            let kernel = series.spread(|sample| sample.cost.kernel_bytes);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | `{command} {}` |",
                events.title(),
                series.name,
                judged(own, goal, Spread::value),
                goal_text(goal),
                kernel.map_or(NOTHING.to_string(), Spread::value),
                events.id(),
            );
        }
    }
    text + "\n"
}

/// Every goal that is missed, and what was not measured.
fn in_words(results: &[&Result], view: &View) -> String {
    let mut text = String::new();
    for result in results {
        let (base, events) = (&result.series[0], events(result));
        for series in &result.series {
            if let Some(failure) = &series.failure {
                let _ = writeln!(
                    text,
                    "- {}, {}: not measured: {failure}",
                    events.title(),
                    series.name
                );
            }
            let Some(goal) = events.goal(&series.name) else { continue };
            let missed = |found: Option<Spread>| found.filter(|found| found.median > goal);
            if events.row == Row::Memory {
                if let Some(found) = missed(series.spread(view.value)) {
                    let _ = writeln!(
                        text,
                        "- Misses its goal: {}, {}: {:.0} {} for each source, not {goal:.0}.",
                        events.title(),
                        series.name,
                        found.median,
                        view.what,
                    );
                }
            } else if !std::ptr::eq(series, base)
                && let Some(found) = missed(series.over(base, view.value))
            {
                let raw = result.series.iter().find(|series| series.name == "io_uring");
                let raw = raw.and_then(|raw| missed(raw.over(base, view.value)));
                let as_well = raw.map_or(String::new(), |raw| {
                    format!(" io_uring as it is, by hand, misses it too: {:.2}.", raw.median)
                });
                let _ = writeln!(
                    text,
                    "- Misses its goal: {}, {}: {:.2} times the {} of {} for each event, not \
                     {goal:.2}.{as_well}",
                    events.title(),
                    series.name,
                    found.median,
                    view.what,
                    base.name,
                );
            }
        }
    }
    if text.is_empty() {
        text = "Every goal is reached.\n".to_string();
    }
    text + "\n"
}

fn values(results: &[&Result]) -> String {
    let mut text = "| case | program | CPU ns per event | CPU ns of the writer per event | \
                    events per second |\n|---|---|---|---|---|\n"
        .to_string();
    for result in results {
        let events = events(result);
        for series in &result.series {
            let cell = |series: &Series, value: fn(Sample) -> f64| {
                series.spread(value).map_or(NOTHING.to_string(), Spread::value)
            };
            let writer = match events.writer {
                Writer::Own => NOTHING.to_string(),
                Writer::Apart => cell(series, |sample| sample.cost.writer * 1e3),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {writer} | {} |",
                events.title(),
                series.name,
                cell(series, |sample| sample.cpu * 1e3),
                cell(series, |sample| sample.rate),
            );
        }
    }
    text + "\n"
}
