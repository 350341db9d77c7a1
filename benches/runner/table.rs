//! Numbers into tables: medians with their spread, ratios of runs that followed one another, and
//! what they say in words.

use std::borrow::Cow;
use std::fmt::Write;

use crate::case::{Kind, Sample};
use crate::{aio_table, event_table};

/// The median of some values, and the smallest and largest of them.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, least, most })
    }

    pub fn ratio(self) -> String {
        format!("{:.2} ({:.2}..{:.2})", self.median, self.least, self.most)
    }

    pub fn value(self) -> String {
        let Self { median, least, most } = self;
        format!("{} ({}..{})", significant(median), significant(least), significant(most))
    }
}

/// All runs of one program in one case. A run that failed leaves a gap, not a shift.
pub struct Series {
    pub name: Cow<'static, str>,
    pub samples: Vec<Option<Sample>>,
    pub calls: Option<f64>,
    pub failure: Option<String>,
}

impl Series {
    pub fn spread(&self, value: impl Fn(Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().flatten().copied().map(value).collect())
    }

    /// Round by round: this program's value by the other's.
    pub fn over(&self, other: &Self, value: impl Fn(Sample) -> f64) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(
            pairs.filter_map(|(own, other)| Some(value((*own)?) / value((*other)?))).collect(),
        )
    }

    pub fn is_ours(&self) -> bool {
        self.name.starts_with("libsio")
    }
}

/// One case, measured.
pub struct Result {
    pub kind: Kind,
    /// The first is what the others are compared with.
    pub series: Vec<Series>,
}

const TOLERANCE: f64 = 0.1;

pub fn significant(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The tables of all results, family by family.
pub fn tables(results: &[Result], command: &str) -> String {
    let mut text = String::new();
    let mut families: Vec<&str> = results.iter().map(|result| result.kind.family()).collect();
    families.dedup();
    for family in families {
        let of_family: Vec<&Result> =
            results.iter().filter(|result| result.kind.family() == family).collect();
        let _ = writeln!(text, "## {family}\n");
        match of_family[0].kind {
            Kind::Events(events) => text += &event_table::tables(events, &of_family, command),
            Kind::Aio(aio) => text += &aio_table::tables(aio, &of_family, command),
            _ => {
                text += &ratios(&of_family, command);
                text += &in_words(&of_family);
                text += &values(&of_family);
            }
        }
    }
    text
}

fn ratios(results: &[&Result], command: &str) -> String {
    let (base, unit) = (&results[0].series[0].name, results[0].kind.unit());
    let mut text = format!(
        "| case | program | CPU ÷ {base} | CPU ÷ io_uring | {unit}s per second ÷ {base} | \
         system calls per {unit} | again |\n|---|---|---|---|---|---|---|\n"
    );
    for result in results {
        let base = &result.series[0];
        let raw = result.series.iter().find(|series| series.name.starts_with("io_uring"));
        for series in &result.series[1..] {
            let cell = |spread: Option<Spread>, is_worse: fn(f64) -> bool| match spread {
                Some(spread) if series.is_ours() && is_worse(spread.median) => {
                    format!("**{}**", spread.ratio())
                }
                Some(spread) => spread.ratio(),
                None => "-".to_string(),
            };
            let cpu = cell(series.over(base, |sample| sample.cpu), |ratio| ratio > 1.0 + TOLERANCE);
            let by_raw = raw.filter(|_| series.is_ours());
            let by_raw = by_raw.and_then(|raw| series.over(raw, |sample| sample.cpu));
            let rate =
                cell(series.over(base, |sample| sample.rate), |ratio| ratio < 1.0 - TOLERANCE);
            let calls = series.calls.map_or("-".to_string(), significant);
            let _ = writeln!(
                text,
                "| {} | {} | {cpu} | {} | {rate} | {calls} | `{command} {}` |",
                result.kind.title(),
                series.name,
                by_raw.map_or("-".to_string(), Spread::ratio),
                result.kind.id(),
            );
        }
    }
    text + "\n"
}

/// Every row in which libsio is worse by more than the tolerance, and what was not measured.
fn in_words(results: &[&Result]) -> String {
    let mut text = String::new();
    for result in results {
        let base = &result.series[0];
        for series in &result.series {
            if let Some(failure) = &series.failure {
                let _ = writeln!(
                    text,
                    "- {}, {}: not measured: {failure}",
                    result.kind.title(),
                    series.name
                );
            }
            let cpu = series.over(base, |sample| sample.cpu).map_or(1.0, |spread| spread.median);
            let rate = series.over(base, |sample| sample.rate).map_or(1.0, |spread| spread.median);
            if series.is_ours() && cpu > 1.0 + TOLERANCE {
                let _ = writeln!(
                    text,
                    "- Worse: {}, {}: {cpu:.2} times the processor time of {} for each {}.",
                    result.kind.title(),
                    series.name,
                    base.name,
                    result.kind.unit(),
                );
            }
            if series.is_ours() && rate < 1.0 - TOLERANCE {
                let _ = writeln!(
                    text,
                    "- Worse: {}, {}: {rate:.2} times the {}s per second of {}.",
                    result.kind.title(),
                    series.name,
                    result.kind.unit(),
                    base.name,
                );
            }
        }
    }
    if text.is_empty() {
        text = "Nowhere is libsio worse by more than a tenth.\n".to_string();
    }
    text + "\n"
}

fn values(results: &[&Result]) -> String {
    let unit = results[0].kind.unit();
    let mut text = format!(
        "| case | program | CPU µs per {unit} | {unit}s per second | system calls per {unit} |\n\
         |---|---|---|---|---|\n"
    );
    for result in results {
        for series in &result.series {
            let cell = |spread: Option<Spread>| spread.map_or("-".to_string(), Spread::value);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                result.kind.title(),
                series.name,
                cell(series.spread(|sample| sample.cpu)),
                cell(series.spread(|sample| sample.rate)),
                series.calls.map_or("-".to_string(), significant),
            );
        }
    }
    text + "\n"
}
