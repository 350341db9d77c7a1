//! The tables of POSIX AIO: ratios with the goals that they are measured by, and the values.

use std::fmt::Write;

use crate::aio::{Aio, Goal};
use crate::case::Kind;
use crate::table::{Result, Series, Spread, significant};

const NOTHING: &str = "-";

pub fn tables(family: Aio, results: &[&Result], command: &str) -> String {
    let mut text = format!("{}\n\n", family.explanation());
    text += &ratios(results, command);
    text += &in_words(results);
    text += &values(results);
    text
}

/// Every series but the first of each result, with its goal.
fn compared<'a>(
    results: &'a [&Result],
) -> impl Iterator<Item = (&'a Result, &'a Series, Option<Goal>)> {
    results.iter().flat_map(|result| {
        result.series[1..].iter().map(|series| {
            let goal = match result.kind {
                Kind::Aio(aio) => aio.goal(&series.name),
                _ => None,
            };
            (*result, series, goal)
        })
    })
}

fn rate(result: &Result, series: &Series) -> Option<Spread> {
    series.over(&result.series[0], |sample| sample.rate)
}

fn cpu(result: &Result, series: &Series) -> Option<Spread> {
    series.over(&result.series[0], |sample| sample.cpu)
}

/// Bold where a goal is missed.
fn shown(spread: Option<Spread>, is_missed: impl Fn(f64) -> bool) -> String {
    match spread {
        Some(spread) if is_missed(spread.median) => format!("**{}**", spread.ratio()),
        Some(spread) => spread.ratio(),
        None => NOTHING.to_string(),
    }
}

fn ratios(results: &[&Result], command: &str) -> String {
    let mut text = "| case | program | operations per second ÷ glibc | goal | \
                    CPU per operation ÷ glibc | goal | again |\n|---|---|---|---|---|---|---|\n"
        .to_string();
    for (result, series, goal) in compared(results) {
        let rate_goal = goal.map(|goal| goal.rate);
        let cpu_goal = goal.and_then(|goal| goal.cpu);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | `{command} {}` |",
            result.kind.title(),
            series.name,
            shown(rate(result, series), |ratio| rate_goal.is_some_and(|goal| ratio < goal)),
            rate_goal.map_or(NOTHING.to_string(), |goal| format!("at least {goal:.1}")),
            shown(cpu(result, series), |ratio| cpu_goal.is_some_and(|goal| ratio > goal)),
            cpu_goal.map_or(NOTHING.to_string(), |goal| format!("at most {goal:.2}")),
            result.kind.id(),
        );
    }
    text + "\n"
}

/// Every goal that is missed, and what was not measured.
fn in_words(results: &[&Result]) -> String {
    let mut text = String::new();
    for result in results {
        for series in &result.series {
            if let Some(failure) = &series.failure {
                let (title, name) = (result.kind.title(), &series.name);
                let _ = writeln!(text, "- {title}, {name}: not measured: {failure}");
            }
        }
    }
    for (result, series, goal) in compared(results) {
        let Some(goal) = goal else { continue };
        let title = result.kind.title();
        if let Some(found) = rate(result, series)
            && found.median < goal.rate
        {
            let _ = writeln!(
                text,
                "- Misses its goal: {title}: {:.2} times the operations per second of glibc, not \
                 {:.1}.",
                found.median, goal.rate
            );
        }
        if let (Some(found), Some(most)) = (cpu(result, series), goal.cpu)
            && found.median > most
        {
            let _ = writeln!(
                text,
                "- Misses its goal: {title}: {:.2} times the processor time of glibc for each \
                 operation, not {most:.2}.",
                found.median
            );
        }
    }
    if text.is_empty() {
        text = "Every goal is reached.\n".to_string();
    }
    text + "\n"
}

fn values(results: &[&Result]) -> String {
    let mut text = "| case | program | operations per second | CPU µs per operation | \
                    system calls per operation |\n|---|---|---|---|---|\n"
        .to_string();
    for result in results {
        for series in &result.series {
            let cell = |spread: Option<Spread>| spread.map_or(NOTHING.to_string(), Spread::value);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                result.kind.title(),
                series.name,
                cell(series.spread(|sample| sample.rate)),
                cell(series.spread(|sample| sample.cpu)),
                series.calls.map_or(NOTHING.to_string(), significant),
            );
        }
    }
    text + "\n"
}
