//! A picture of a family: a bar for each program of each case, from the line at 1.0 to its ratio, on a
//! scale where twice and half are equally far. Readable on light and on dark ground, which is its own.

use sio_benches::record::{Entry, Family, Goal};
use sio_benches::spread::{Spread, significant};
use svg::Document;
use svg::node::element::{Line, Rectangle, Style, Text, Title};

const WIDTH: f64 = 900.0;
const LABELS_WIDTH: f64 = 250.0;
const RIGHT_MARGIN: f64 = 70.0;
const TOP: f64 = 54.0;
const ROW_HEIGHT: f64 = 17.0;
const BAR_HEIGHT: f64 = 11.0;
const GROUP_HEIGHT: f64 = 24.0;
const FOOT_HEIGHT: f64 = 64.0;
/// How wide a character is, about.
const CHARACTER_WIDTH: f64 = 6.4;

const STYLE: &str = "
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.case { font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.ground { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.one { stroke: #1f2328; stroke-width: 1.5 }
.spread { stroke: #1f2328; stroke-width: 1; opacity: 0.55 }
.ours { fill: #2f6fd0 }
.missed { fill: #d1702a }
.other { fill: #a0a8b1 }
.goal { stroke: #1a7f37; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .ground { fill: #0d1117 }
  .grid { stroke: #30363d }
  .one, .spread { stroke: #e6edf3 }
  .ours { fill: #4a8df0 }
  .missed { fill: #e08a45 }
  .other { fill: #6e7681 }
  .goal { stroke: #3fb950 }
}
";

/// One bar.
struct Bar<'a> {
    program: &'a str,
    class: &'static str,
    spread: Spread,
    goal: Option<f64>,
}

struct Group<'a> {
    title: &'a str,
    bars: Vec<Bar<'a>>,
}

fn bar<'a>(family: &Family, entry: &'a Entry) -> Option<Bar<'a>> {
    let spread = entry.ratio(&family.plotted).or_else(|| entry.value(&family.plotted))?;
    let goal = entry.goals.iter().find(|goal| goal.what == family.plotted);
    let class = match goal.map(Goal::is_met) {
        Some(false) => "missed",
        _ if entry.is_ours => "ours",
        _ => "other",
    };
    let is_shown = spread.median > 0.0;
    is_shown.then_some(Bar { program: &entry.program, class, spread, goal: goal.map(|g| g.bound) })
}

/// Where a number is on the scale.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(groups: &[Group], is_ratio: bool) -> Self {
        let (mut least, mut most) = if is_ratio { (0.8, 1.25) } else { (f64::MAX, f64::MIN) };
        for bar in groups.iter().flat_map(|group| &group.bars) {
            for value in [Some(bar.spread.median), bar.goal].into_iter().flatten() {
                least = f64::min(least, value);
                most = f64::max(most, value);
            }
        }
        // To the left of the longest bar there is room for its number.
        let room = if is_ratio { (most / least).powf(0.09) } else { 2.0 };
        Self { least: least / room, most: most * 1.1 }
    }

    /// What lies outside is drawn at the edge.
    fn at(&self, value: f64) -> f64 {
        let share = (value / self.least).ln() / (self.most / self.least).ln();
        let width = WIDTH - LABELS_WIDTH - RIGHT_MARGIN;
        rounded(LABELS_WIDTH + share.clamp(0.0, 1.0) * width)
    }

    /// Numbers that are easily read, as many as the scale has room for.
    fn marks(&self) -> Vec<f64> {
        let (first, last) = (self.least.log10().floor() as i32, self.most.log10().ceil() as i32);
        let steps: &[f64] = match self.most / self.least {
            ..5.0 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            ..1_000.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let all =
            (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        all.filter(|mark| (self.least..=self.most).contains(mark)).collect()
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn text(content: &str, x: f64, y: f64, class: &str, anchor: &str) -> Text {
    Text::new(content)
        .set("x", rounded(x))
        .set("y", rounded(y))
        .set("class", class)
        .set("text-anchor", anchor)
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", rounded(from.0))
        .set("y1", rounded(from.1))
        .set("x2", rounded(to.0))
        .set("y2", rounded(to.1))
}

fn rectangle(class: &str, x: f64, y: f64, width: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", rounded(x))
        .set("y", rounded(y))
        .set("width", rounded(width))
        .set("height", rounded(height))
}

/// `None` where there is nothing to be seen.
pub fn picture(family: &Family) -> Option<String> {
    let groups: Vec<Group> = family
        .cases
        .iter()
        .map(|case| Group {
            title: &case.title,
            bars: case.entries.iter().filter_map(|entry| bar(family, entry)).collect(),
        })
        .filter(|group| !group.bars.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let is_ratio = family.plotted.contains('÷');
    let scale = Scale::of(&groups, is_ratio);
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let bottom = TOP + groups.len() as f64 * GROUP_HEIGHT + rows as f64 * ROW_HEIGHT + 6.0;
    let height = bottom + FOOT_HEIGHT;
    let better = if family.is_less_better { "left is better" } else { "right is better" };
    let heading = format!("{}: {}, {better}", family.title, family.plotted);
    let mut document = Document::new()
        .set("viewBox", (0.0, 0.0, WIDTH, rounded(height)))
        .set("width", WIDTH)
        .set("height", rounded(height))
        .set("role", "img")
        .add(Title::new(heading.clone()))
        .add(Style::new(STYLE))
        .add(rectangle("ground", 0.0, 0.0, WIDTH, height))
        .add(text(&heading, 12.0, 22.0, "title", "start"));
    for mark in scale.marks() {
        let x = scale.at(mark);
        document = document
            .add(line("grid", (x, TOP - 6.0), (x, bottom)))
            .add(text(&number(mark), x, TOP - 10.0, "small", "middle"))
            .add(text(&number(mark), x, bottom + 14.0, "small", "middle"));
    }
    let start = if is_ratio { scale.at(1.0) } else { LABELS_WIDTH };
    let mut y = TOP;
    for group in &groups {
        document = document.add(text(group.title, 12.0, y + 16.0, "case", "start"));
        y += GROUP_HEIGHT;
        for bar in &group.bars {
            document = row(document, bar, &scale, start, y);
            y += ROW_HEIGHT;
        }
    }
    if is_ratio {
        document = document.add(line("one", (start, TOP - 6.0), (start, bottom)));
    }
    Some(legend(document, bottom + 42.0).to_string())
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{}", (value * 1e4).round() / 1e4) } else { significant(value) }
}

fn row(document: Document, bar: &Bar, scale: &Scale, start: f64, y: f64) -> Document {
    let Spread { median, least, most } = bar.spread;
    let (end, middle) = (scale.at(median), y + BAR_HEIGHT / 2.0);
    let (left, width) = (f64::min(start, end), f64::max((end - start).abs(), 1.0));
    let (from, to) = (scale.at(f64::max(least, scale.least)), scale.at(most));
    // Beside the bar and its spread, on the far side of the line.
    let is_left = end < start;
    let shown = if median < 10.0 { format!("{median:.2}") } else { significant(median) };
    let fits = from - LABELS_WIDTH > shown.len() as f64 * CHARACTER_WIDTH;
    let (x, anchor) = match (is_left, fits) {
        (true, true) => (f64::min(from, end) - 5.0, "end"),
        (true, false) => (f64::max(start, to) + 5.0, "start"),
        (false, _) => (f64::max(to, end) + 5.0, "start"),
    };
    let mut document = document
        .add(text(bar.program, LABELS_WIDTH - 8.0, y + 10.0, "", "end"))
        .add(rectangle(bar.class, left, y, width, BAR_HEIGHT))
        .add(line("spread", (from, middle), (to, middle)))
        .add(text(&shown, x, y + 10.0, "small", anchor));
    if let Some(goal) = bar.goal {
        let x = scale.at(goal);
        document = document.add(line("goal", (x, y - 2.5), (x, y + BAR_HEIGHT + 2.5)));
    }
    document
}

fn legend(mut document: Document, y: f64) -> Document {
    let mut x = 12.0;
    for (class, words) in [
        ("ours", "libsio"),
        ("missed", "libsio, misses its goal"),
        ("other", "without libsio"),
        ("goal", "goal"),
        ("spread", "least to most"),
    ] {
        document = match class {
            "goal" => document.add(line(class, (x + 7.0, y - 11.0), (x + 7.0, y + 3.0))),
            "spread" => document.add(line(class, (x, y - 4.0), (x + 14.0, y - 4.0))),
            _ => document.add(rectangle(class, x, y - 10.0, 14.0, BAR_HEIGHT)),
        };
        document = document.add(text(words, x + 20.0, y, "", "start"));
        x += 20.0 + words.len() as f64 * CHARACTER_WIDTH + 24.0;
    }
    document
}
