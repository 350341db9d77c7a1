//! The tables of a family: ratios with the goals they are measured by, what is to be said about those
//! that are missed, and the values.

use std::fmt::Write;

use sio_benches::machine::Machine;
use sio_benches::record::{Case, Cell, Entry, Family, Goal};
use sio_benches::spread::Spread;

use crate::glance::{bound, sign};
use crate::notes::Notes;

const NOTHING: &str = "-";
/// Where there is no goal: worse by more than that is told.
const TOLERANCE: f64 = 0.1;

/// `usual`: the machine that stands at the top of the page.
pub fn family(family: &Family, usual: &Machine, notes: &Notes, pictures: Option<&str>) -> String {
    let mut text = format!("## {}\n\n{}\n\n", family.title, family.about);
    text += &machines(family, usual);
    if let Some(place) = pictures.filter(|_| crate::plot::picture(family).is_some()) {
        let _ =
            writeln!(text, "![{}: {}]({place}/{}.svg)\n", family.title, family.plotted, family.id);
    }
    let is_measured = family.cases.iter().any(|case| !case.entries.is_empty());
    if is_measured {
        text += &ratios(family);
    }
    text += &in_words(family, notes);
    if is_measured {
        text += &values(family);
    }
    text
}

/// Cases that were measured elsewhere or at another time say so.
fn machines(family: &Family, usual: &Machine) -> String {
    let mut others: Vec<(&Machine, Vec<&str>)> = Vec::new();
    for case in family.cases.iter().filter(|case| case.machine != *usual) {
        match others.iter_mut().find(|(machine, _)| *machine == &case.machine) {
            Some((_, titles)) => titles.push(&case.title),
            None => others.push((&case.machine, vec![&case.title])),
        }
    }
    let mut text = String::new();
    for (machine, titles) in others {
        // Whether and how calls were counted is seen in the table.
        let is_same = Machine { counter: usual.counter.clone(), ..machine.clone() } == *usual;
        if !is_same {
            let _ = writeln!(text, "{}: {}\n", titles.join("; "), crate::described(machine));
        }
    }
    text
}

/// The heads of columns, in the order in which they come.
fn titles(family: &Family, cells: impl Fn(&Entry) -> &Vec<Cell>) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for entry in family.cases.iter().flat_map(|case| &case.entries) {
        // In front of the one that follows it elsewhere.
        let mut place = titles.len();
        for cell in cells(entry).iter().rev() {
            match titles.iter().position(|title| *title == cell.title) {
                Some(known) => place = known,
                None => titles.insert(place, cell.title.clone()),
            }
        }
    }
    titles
}

fn head(fixed: &[&str], titles: &[String], last: &[&str]) -> String {
    let all: Vec<&str> = fixed
        .iter()
        .copied()
        .chain(titles.iter().map(String::as_str))
        .chain(last.iter().copied())
        .collect();
    format!("| {} |\n|{}\n", all.join(" | "), "---|".repeat(all.len()))
}

/// The command that measures a case again.
fn command(case: &Case) -> String {
    let word = ["shim", "udp"].into_iter().find(|word| case.id.starts_with(word));
    format!("`scripts/bench {}`", word.unwrap_or(&case.id))
}

fn is_bold(family: &Family, entry: &Entry, title: &str, spread: Spread) -> bool {
    let mut goals = entry.goals.iter().filter(|goal| goal.what == title).peekable();
    if goals.peek().is_some() {
        return !goals.all(Goal::is_met);
    }
    let is_rate = title.starts_with("rate") || title.starts_with("operations");
    let is_compared = title == family.plotted || is_rate || title.starts_with("CPU");
    let cost = if is_rate { 1.0 / spread.median } else { spread.median };
    entry.is_ours && is_compared && cost > 1.0 + TOLERANCE
}

fn goal_text(entry: &Entry) -> String {
    let several = entry.goals.len() > 1;
    let goals = entry.goals.iter().map(|goal| {
        let what = if several { format!("{} ", goal.what) } else { String::new() };
        let met = if goal.is_met() { "yes" } else { "**no**" };
        format!("{what}{} {}: {met}", sign(goal), bound(goal))
    });
    if entry.goals.is_empty() { NOTHING.to_string() } else { goals.collect::<Vec<_>>().join("; ") }
}

fn ratios(family: &Family) -> String {
    let titles = titles(family, |entry| &entry.ratios);
    let has_values_only = titles.is_empty();
    let titles = if has_values_only { self::titles(family, |entry| &entry.values) } else { titles };
    let mut text = head(&["case", "program"], &titles, &["goal, met", "again"]);
    for case in &family.cases {
        // The first is what the others are compared with.
        let entries = case.entries.iter().skip(usize::from(!has_values_only));
        for entry in entries {
            let _ = write!(text, "| {} | {} |", case.title, entry.program);
            for title in &titles {
                let (found, show): (_, fn(Spread) -> String) = if has_values_only {
                    (entry.value(title), Spread::value)
                } else {
                    (entry.ratio(title), Spread::ratio)
                };
                let cell = match found {
                    Some(spread)
                        if is_bold(family, entry, title, spread) && !has_values_only
                            || misses(entry, title) =>
                    {
                        format!("**{}**", found.map_or(String::new(), show))
                    }
                    Some(spread) => show(spread),
                    None => NOTHING.to_string(),
                };
                let _ = write!(text, " {cell} |");
            }
            let _ = writeln!(text, " {} | {} |", goal_text(entry), command(case));
        }
    }
    text + "\n"
}

fn misses(entry: &Entry, title: &str) -> bool {
    entry.goals.iter().any(|goal| goal.what == title && goal.is_known() && !goal.is_met())
}

/// How many goals are missed, why, and what was not measured.
fn in_words(family: &Family, notes: &Notes) -> String {
    let mut text = String::new();
    let goals =
        || family.cases.iter().flat_map(|case| &case.entries).flat_map(|entry| &entry.goals);
    let (all, missed) = (goals().count(), goals().filter(|goal| !goal.is_met()).count());
    if all > 0 && missed > 0 {
        let _ = writeln!(text, "Goals missed: {missed} of {all}.\n");
    } else if all > 0 {
        let _ = writeln!(text, "Every goal is met.\n");
    }
    let mut list = String::new();
    for case in &family.cases {
        if let Some(reason) = &case.skipped {
            let _ = writeln!(list, "- {}: not measured: {reason}.", case.title);
        }
        for entry in &case.entries {
            if let Some(failure) = &entry.failure {
                let _ = writeln!(list, "- {}, {}: failed: {failure}.", case.title, entry.program);
            }
        }
        let is_missed = |entry: &Entry| entry.goals.iter().any(|goal| !goal.is_met());
        if case.entries.iter().any(is_missed) {
            for sentence in notes.about(&case.id).filter(|_| case.id != family.id) {
                let _ = writeln!(list, "- {}: {sentence}", case.title);
            }
        }
    }
    if missed > 0 {
        for sentence in notes.about(&family.id) {
            let _ = writeln!(text, "{sentence}\n");
        }
    }
    if !list.is_empty() {
        text += &list;
        text.push('\n');
    }
    text
}

fn values(family: &Family) -> String {
    if titles(family, |entry| &entry.ratios).is_empty() {
        return String::new(); // they have been shown
    }
    let titles = titles(family, |entry| &entry.values);
    let mut text = "<details><summary>The values</summary>\n\n".to_string();
    text += &head(&["case", "program"], &titles, &[]);
    for case in &family.cases {
        for entry in &case.entries {
            let _ = write!(text, "| {} | {} |", case.title, entry.program);
            for title in &titles {
                let cell = entry.value(title).map_or(NOTHING.to_string(), Spread::value);
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
    }
    text + "\n</details>\n\n"
}
