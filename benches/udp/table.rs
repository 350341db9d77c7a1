//! The tables: medians, and ratios to the first program.

use std::fmt::Write;

/// What a program did in one window, by the second.
#[derive(Clone, Copy)]
pub struct Sample {
    pub received: f64,
    /// Processor time of the program, and of the kernel on behalf of nobody.
    pub own: f64,
    pub softirq: f64,
}

impl Sample {
    fn own_nanoseconds(&self) -> f64 {
        self.own / self.received * 1e9
    }

    fn softirq_nanoseconds(&self) -> f64 {
        self.softirq / self.received * 1e9
    }

    fn total_nanoseconds(&self) -> f64 {
        self.own_nanoseconds() + self.softirq_nanoseconds()
    }
}

pub struct Series {
    name: &'static str,
    pub samples: Vec<Sample>,
    pub failure: Option<String>,
}

impl Series {
    pub fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new(), failure: None }
    }

    fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        let mut values: Vec<f64> = self.samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

pub fn render(title: &str, series: &[Series]) -> String {
    let mut text = format!(
        "\n## UDP over a pair of interfaces, {} B, {title}\n\n\
         | program | received per second | ÷ {first} | CPU of the program, ns | of softirqs, ns \
         | together ÷ {first} |\n|---|---|---|---|---|---|\n",
        crate::sender::PAYLOAD_BYTES,
        first = series[0].name,
    );
    for one in series {
        if one.samples.is_empty() {
            let reason = one.failure.as_deref().unwrap_or("not run");
            let _ = writeln!(text, "| {} | {reason} | | | | |", one.name);
            continue;
        }
        let ratio = |value: fn(&Sample) -> f64| one.median(value) / series[0].median(value);
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} |",
            one.name,
            one.median(|sample| sample.received),
            ratio(|sample| sample.received),
            one.median(Sample::own_nanoseconds),
            one.median(Sample::softirq_nanoseconds),
            ratio(Sample::total_nanoseconds),
        );
    }
    text
}
