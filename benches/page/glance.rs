//! The top of the page, made of the numbers: when to use libsio and when not, and every goal with what
//! was found.

use std::fmt::Write;

use sio_benches::record::{Case, Entry, Family, Glance, Goal};
use sio_benches::spread::significant;

/// Within that of 1.0 nothing is won, and nothing lost.
const SAME: f64 = 0.05;

/// A ratio, and where it was found.
struct Found<'a> {
    case: &'a Case,
    ratio: f64,
    /// The ratio or its inverse: less is better.
    cost: f64,
}

fn found<'a>(family: &'a Family, glance: &Glance) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    for case in &family.cases {
        for entry in case.entries.iter().filter(|entry| entry.program == glance.program) {
            if let Some(spread) = entry.ratio(&family.plotted) {
                let ratio = spread.median;
                let cost = if family.is_less_better { ratio } else { 1.0 / ratio };
                all.push(Found { case, ratio, cost });
            }
        }
    }
    all.sort_by(|one, other| one.cost.total_cmp(&other.cost));
    all
}

fn verdict(best: &Found, worst: &Found) -> String {
    let (gains, loses) = (best.cost < 1.0 - SAME, worst.cost > 1.0 + SAME);
    let never_gains = worst.cost < 1.0 - SAME;
    match (gains, loses) {
        (true, false) if never_gains => "**yes**".to_string(),
        (true, false) => "**yes**: nowhere worse".to_string(),
        (false, false) => "no difference".to_string(),
        (false, true) => "**no**".to_string(),
        (true, true) => {
            format!("it depends: best with {}, worst with {}", best.case.title, worst.case.title)
        }
    }
}

/// One line for each program that the families name.
pub fn when_to_use(families: &[Family]) -> String {
    let mut text = "## When to use libsio, and when not\n\n\
                    | for | program | compared: libsio's share, best to worst | use it? |\n\
                    |---|---|---|---|\n"
        .to_string();
    for family in families {
        for glance in &family.glance {
            let all = found(family, glance);
            let (Some(best), Some(worst)) = (all.first(), all.last()) else { continue };
            let range = if all.len() == 1 {
                format!("{:.2}", best.ratio)
            } else {
                format!("{:.2} to {:.2}", best.ratio, worst.ratio)
            };
            let _ = writeln!(
                text,
                "| [{}](#{}) | {} | {}: {range} | {} |",
                glance.what,
                anchor(&family.title),
                glance.program,
                family.plotted,
                verdict(best, worst),
            );
        }
    }
    text + "\nOf processor time, less than 1 is a gain; of rates and operations, more than 1.\n\n"
}

/// As those who show Markdown make links to headings.
pub fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Everything that is measured by one goal.
struct Topic<'a> {
    name: &'a str,
    all: Vec<(&'a Case, &'a Entry, &'a Goal)>,
}

fn topics(families: &[Family]) -> Vec<Topic<'_>> {
    let mut topics: Vec<Topic> = Vec::new();
    for case in families.iter().flat_map(|family| &family.cases) {
        for entry in &case.entries {
            for goal in &entry.goals {
                let one = (case, entry, goal);
                match topics.iter_mut().find(|topic| topic.name == goal.topic) {
                    Some(topic) => topic.all.push(one),
                    None => topics.push(Topic { name: &goal.topic, all: vec![one] }),
                }
            }
        }
    }
    topics
}

pub fn sign(goal: &Goal) -> &'static str {
    if goal.is_at_most { "≤" } else { "≥" }
}

pub fn bound(goal: &Goal) -> String {
    if goal.bound >= 100.0 { significant(goal.bound) } else { format!("{}", goal.bound) }
}

pub fn goals(families: &[Family]) -> String {
    let topics = topics(families);
    if topics.is_empty() {
        return String::new();
    }
    let is_met = |topic: &Topic| topic.all.iter().all(|(_, _, goal)| goal.is_met());
    let met = topics.iter().filter(|topic| is_met(topic)).count();
    let mut text = format!(
        "## Goals\n\n{met} of {} are met. Where a goal is about several cases, the one that is \
         farthest from it is shown.\n\n| goal | is | found | with | met |\n|---|---|---|---|---|\n",
        topics.len()
    );
    for topic in &topics {
        let known = topic.all.iter().filter(|(_, _, goal)| goal.is_known());
        let excess = |goal: &Goal| goal.excess().unwrap_or(0.0);
        let worst = known.max_by(|one, other| excess(one.2).total_cmp(&excess(other.2)));
        let (_, _, any) = topic.all[0];
        let Some((case, entry, goal)) = worst else {
            let _ = writeln!(
                text,
                "| {} | {} {} | not measured | | no |",
                topic.name,
                sign(any),
                bound(any)
            );
            continue;
        };
        let kept = topic.all.iter().filter(|(_, _, goal)| goal.is_met()).count();
        let met = match (kept, topic.all.len()) {
            (kept, all) if kept == all => "yes".to_string(),
            (0, _) => "**no**".to_string(),
            (kept, all) => format!("**no**, in {kept} of {all} rows only"),
        };
        let _ = writeln!(
            text,
            "| {} | {} {} | {} | {}, {} | {met} |",
            topic.name,
            sign(goal),
            bound(goal),
            significant(goal.found.unwrap_or(f64::NAN)),
            entry.program,
            case.title,
        );
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use sio_benches::machine::Machine;

    fn case(title: &str) -> Case {
        Case {
            id: String::new(),
            title: title.to_string(),
            skipped: None,
            rounds: 1,
            entries: Vec::new(),
            machine: Machine::default(),
        }
    }

    #[test]
    fn what_is_better_here_and_worse_there_depends() {
        let (a, b) = (case("a"), case("b"));
        let at = |case, cost| Found { case, ratio: cost, cost };
        assert_eq!(verdict(&at(&a, 0.5), &at(&b, 0.9)), "**yes**");
        assert_eq!(verdict(&at(&a, 0.5), &at(&b, 1.0)), "**yes**: nowhere worse");
        assert_eq!(verdict(&at(&a, 0.99), &at(&b, 1.01)), "no difference");
        assert_eq!(verdict(&at(&a, 1.0), &at(&b, 1.2)), "**no**");
        let depends = "it depends: best with a, worst with b";
        assert_eq!(verdict(&at(&a, 0.5), &at(&b, 1.2)), depends);
    }

    #[test]
    fn anchors_are_those_of_headings() {
        assert_eq!(anchor("Echo over TCP, loopback"), "echo-over-tcp-loopback");
        assert_eq!(anchor("POSIX AIO: fio"), "posix-aio-fio");
    }
}
