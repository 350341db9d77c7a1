//! What the runs of a program have measured, and how that becomes a part of a record: medians, and
//! ratios of runs that followed one another.

use std::borrow::Cow;

use crate::record::{Cell, Entry, Goal};
use crate::spread::Spread;

/// Runs are short, and so many times as many as are asked for: what else the machine does comes and
/// goes.
pub const ROUNDS_FACTOR: usize = 2;

/// What can be measured. Times are microseconds for each unit unless the layout says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Processor time of the process.
    Cpu,
    /// Units in a second.
    Rate,
    /// Softirqs on the processor of the process, and on all.
    Softirq,
    SoftirqAll,
    /// System calls.
    Calls,
    /// The share of the bytes that the library knows to have been copied, by it or by the kernel.
    CopiedSent,
    CopiedReceived,
    /// What the other process pays for each event, and both together.
    Writer,
    Together,
    /// Bytes of memory, of the process and of the kernel.
    OwnBytes,
    KernelBytes,
    /// How long something takes: the median of one run, and its 99th percentile.
    Usual,
    Late,
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<(Measure, f64)>);

impl Sample {
    pub fn set(&mut self, measure: Measure, value: f64) {
        self.0.retain(|(known, _)| *known != measure);
        self.0.push((measure, value));
    }

    pub fn with(mut self, measure: Measure, value: f64) -> Self {
        self.set(measure, value);
        self
    }

    pub fn get(&self, measure: Measure) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == measure).map(|(_, value)| *value)
    }
}

/// All runs of one program in one case. A run that failed leaves a gap, not a shift.
pub struct Series {
    pub name: Cow<'static, str>,
    pub is_ours: bool,
    pub samples: Vec<Option<Sample>>,
    /// What is measured in a run of its own.
    pub once: Sample,
    pub failure: Option<String>,
}

impl Series {
    pub fn new(name: impl Into<Cow<'static, str>>, is_ours: bool) -> Self {
        let once = Sample::default();
        Self { name: name.into(), is_ours, samples: Vec::new(), once, failure: None }
    }

    pub fn push(&mut self, result: Result<Sample, impl ToString>) {
        let sample = result.map_err(|error| self.failure = Some(error.to_string())).ok();
        self.samples.push(sample);
    }

    fn spread(&self, measure: Measure) -> Option<Spread> {
        let values = self.samples.iter().flatten().filter_map(|one| one.get(measure));
        Spread::of(values.collect()).or_else(|| self.once.get(measure).map(Spread::exact))
    }

    /// Round by round: this program's value by the other's.
    fn over(&self, other: &Self, measure: Measure) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios = pairs.filter_map(|(own, other)| {
            Some(own.as_ref()?.get(measure)? / other.as_ref()?.get(measure)?)
        });
        Spread::of(ratios.collect())
    }
}

/// What a table shows of the measures, in this order.
pub struct Layout {
    pub ratios: Vec<(Measure, &'static str)>,
    /// What the ratios are to, in the heads of the columns: "epoll" in "CPU ÷ epoll".
    pub base: String,
    /// Another program that ours are compared with, by the beginning of its name.
    pub other_base: Option<&'static str>,
    pub values: Vec<(Measure, String)>,
}

/// What a goal is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The ratio to the first program.
    Base(Measure),
    /// The ratio to the other one.
    Other(Measure),
    Value(Measure),
    /// A value by the first program's, medians of both: where runs are not to be paired.
    Calls,
}

/// A goal before anything was measured.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The line of the summary that it belongs to.
    pub topic: &'static str,
    pub of: Of,
    pub bound: f64,
    pub is_at_most: bool,
}

impl Wanted {
    pub fn at_most(topic: &'static str, of: Of, bound: f64) -> Self {
        Self { topic, of, bound, is_at_most: true }
    }

    pub fn at_least(topic: &'static str, of: Of, bound: f64) -> Self {
        Self { topic, of, bound, is_at_most: false }
    }
}

/// A head for the ratio of a measure to a program.
pub fn ratio_title(word: &str, base: &str) -> String {
    format!("{word} ÷ {base}")
}

/// The programs of a case, the first of which is what the others are compared with.
pub fn entries(
    series: &[Series],
    layout: &Layout,
    goals: impl Fn(&str) -> Vec<Wanted>,
) -> Vec<Entry> {
    let Some(first) = series.first() else { return Vec::new() };
    series
        .iter()
        .map(|one| {
            let other = layout.other_base.filter(|_| one.is_ours);
            let other = other.and_then(|name| {
                series.iter().find(|other| !other.is_ours && other.name.starts_with(name))
            });
            let mut ratios = Vec::new();
            if !std::ptr::eq(one, first) {
                for (index, (measure, word)) in layout.ratios.iter().enumerate() {
                    let found = one.over(first, *measure);
                    ratios.extend(Cell::of(ratio_title(word, &layout.base), found));
                    // The first alone: one column more is enough.
                    if let (Some(other), 0) = (other, index) {
                        let title = ratio_title(word, layout.other_base.unwrap_or_default());
                        ratios.extend(Cell::of(title, one.over(other, *measure)));
                    }
                }
            }
            let values = layout
                .values
                .iter()
                .filter_map(|(measure, title)| Cell::of(title.clone(), one.spread(*measure)));
            let found = |of: Of| match of {
                Of::Base(measure) => one.over(first, measure),
                Of::Other(measure) => one.over(other?, measure),
                Of::Value(measure) => one.spread(measure),
                Of::Calls => {
                    let (own, first) = (one.spread(Measure::Calls)?, first.spread(Measure::Calls)?);
                    Some(Spread::exact(own.median / first.median))
                }
            };
            let goals = goals(&one.name).into_iter().map(|wanted| Goal {
                topic: wanted.topic.to_string(),
                what: layout.name_of(wanted.of),
                bound: wanted.bound,
                is_at_most: wanted.is_at_most,
                found: found(wanted.of).map(|spread| spread.median),
            });
            Entry {
                program: one.name.to_string(),
                is_ours: one.is_ours,
                ratios,
                values: values.collect(),
                goals: goals.collect(),
                failure: one.failure.clone(),
            }
        })
        .collect()
}

impl Layout {
    /// The head of the column in which that stands.
    fn name_of(&self, of: Of) -> String {
        let word = |measure| {
            let mut words = self.ratios.iter();
            words.find(|(known, _)| *known == measure).map_or("", |(_, word)| word)
        };
        match of {
            Of::Base(measure) => ratio_title(word(measure), &self.base),
            Of::Other(measure) => ratio_title(word(measure), self.other_base.unwrap_or_default()),
            Of::Value(measure) => {
                let mut values = self.values.iter();
                values
                    .find(|(known, _)| *known == measure)
                    .map_or(String::new(), |(_, title)| title.clone())
            }
            Of::Calls => ratio_title("system calls", &self.base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, is_ours: bool, values: &[Option<f64>]) -> Series {
        let mut series = Series::new(name, is_ours);
        for value in values {
            let sample = value.map(|value| Sample::default().with(Measure::Cpu, value));
            series.push(sample.ok_or("no run"));
        }
        series
    }

    #[test]
    fn ratios_are_formed_within_a_round() {
        let layout = Layout {
            ratios: vec![(Measure::Cpu, "CPU")],
            base: "epoll".to_string(),
            other_base: Some("io_uring"),
            values: vec![(Measure::Cpu, "µs".to_string())],
        };
        let all = [
            series("epoll", false, &[Some(2.0), Some(4.0), Some(8.0)]),
            series("libsio", true, &[Some(1.0), None, Some(2.0)]),
            series("io_uring", false, &[Some(1.0), Some(1.0), Some(8.0)]),
        ];
        let wanted = |name: &str| match name {
            "libsio" => vec![
                Wanted::at_most("a", Of::Base(Measure::Cpu), 0.3),
                Wanted::at_most("b", Of::Other(Measure::Cpu), 0.7),
            ],
            _ => Vec::new(),
        };
        let entries = entries(&all, &layout, wanted);
        assert!(entries[0].ratios.is_empty());
        let ours = &entries[1];
        assert_eq!(ours.failure.as_deref(), Some("no run"));
        // 1/2 and 2/8 of epoll, 1/1 and 2/8 of io_uring: the second round is missing.
        assert_eq!(ours.ratio("CPU ÷ epoll").expect("a ratio").median, 0.375);
        assert_eq!(ours.ratio("CPU ÷ io_uring").expect("a ratio").median, 0.625);
        assert_eq!(ours.goals.iter().map(Goal::is_met).collect::<Vec<_>>(), [false, true]);
        assert!(entries[2].goals.is_empty());
    }
}
