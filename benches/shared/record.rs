//! The record: what was found, family by family, as the runners leave it in JSON and the page shows
//! it. A family is a table; its cases are compared programs; a run of a few cases replaces those
//! in the record that was there, and leaves the others.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::spread::Spread;

/// Cases that stand in one table, and in one picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    pub id: String,
    pub title: String,
    /// A few sentences above the table.
    pub about: String,
    /// The column of ratios that the picture shows.
    pub plotted: String,
    /// Whether less is better there.
    pub is_less_better: bool,
    /// Programs, of which the summary has a line each.
    pub glance: Vec<Glance>,
    pub cases: Vec<Case>,
}

/// A line of the summary: "An echo server", and which program's ratios it tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Glance {
    pub what: String,
    pub program: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    pub id: String,
    pub title: String,
    /// Why it was not measured.
    pub skipped: Option<String>,
    pub rounds: usize,
    pub entries: Vec<Entry>,
    pub machine: Machine,
}

/// One program in a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub program: String,
    pub is_ours: bool,
    pub ratios: Vec<Cell>,
    pub values: Vec<Cell>,
    pub goals: Vec<Goal>,
    pub failure: Option<String>,
}

/// A number under the head of a column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    pub title: String,
    pub spread: Spread,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Goal {
    pub topic: String,
    /// The head of a column.
    pub what: String,
    pub bound: f64,
    pub is_at_most: bool,
    pub found: Option<f64>,
}

impl Family {
    /// Whether every program ran that could.
    pub fn is_complete(&self) -> bool {
        self.cases.iter().all(|case| case.entries.iter().all(|entry| entry.failure.is_none()))
    }
}

impl Cell {
    pub fn of(title: String, spread: Option<Spread>) -> Option<Self> {
        spread.map(|spread| Self { title, spread })
    }
}

impl Entry {
    pub fn ratio(&self, title: &str) -> Option<Spread> {
        self.ratios.iter().find(|cell| cell.title == title).map(|cell| cell.spread)
    }

    pub fn value(&self, title: &str) -> Option<Spread> {
        self.values.iter().find(|cell| cell.title == title).map(|cell| cell.spread)
    }
}

impl Goal {
    /// As the numbers are shown: what reads 1.00 meets a bound of 1.00.
    pub fn is_met(&self) -> bool {
        self.excess().is_some_and(|excess| excess <= 1.0)
    }

    /// By what factor the bound is missed, above 1; or kept, below.
    pub fn excess(&self) -> Option<f64> {
        let shown = if self.bound < 0.1 { 1000.0 } else { 100.0 };
        let found = (self.found? * shown).round() / shown;
        Some(if self.is_at_most { found / self.bound } else { self.bound / found })
    }

    pub fn is_known(&self) -> bool {
        self.found.is_some()
    }
}

/// Puts newer families over older ones: case by case, those that are new behind the others.
pub fn merge(old: &mut Vec<Family>, new: Vec<Family>) {
    for mut family in new {
        let Some(known) = old.iter_mut().find(|known| known.id == family.id) else {
            old.push(family);
            continue;
        };
        let cases = std::mem::take(&mut known.cases);
        let fresh = std::mem::take(&mut family.cases);
        *known = family;
        known.cases = cases;
        for case in fresh {
            match known.cases.iter_mut().find(|old| old.id == case.id) {
                Some(old) => *old = case,
                None => known.cases.push(case),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(id: &str, cases: &[(&str, usize)]) -> Family {
        let case = |&(id, rounds): &(&str, usize)| Case {
            id: id.to_string(),
            title: String::new(),
            skipped: None,
            rounds,
            entries: Vec::new(),
            machine: Machine::default(),
        };
        Family {
            id: id.to_string(),
            title: String::new(),
            about: String::new(),
            plotted: String::new(),
            is_less_better: true,
            glance: Vec::new(),
            cases: cases.iter().map(case).collect(),
        }
    }

    #[test]
    fn newer_cases_replace_older_ones_and_leave_the_others() {
        let mut known = vec![family("a", &[("a-1", 3), ("a-2", 3)]), family("b", &[("b-1", 3)])];
        merge(&mut known, vec![family("a", &[("a-2", 5), ("a-3", 5)]), family("c", &[])]);
        let ids: Vec<&str> = known.iter().map(|family| family.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let rounds: Vec<usize> = known[0].cases.iter().map(|case| case.rounds).collect();
        assert_eq!(rounds, [3, 5, 5]);
    }

    #[test]
    fn a_goal_is_judged_by_what_is_shown() {
        let goal = |bound, is_at_most, found| Goal {
            topic: String::new(),
            what: String::new(),
            bound,
            is_at_most,
            found,
        };
        assert!(goal(1.0, true, Some(1.004)).is_met());
        assert!(!goal(1.0, true, Some(1.006)).is_met());
        assert!(goal(1.0, false, Some(0.996)).is_met());
        assert!(!goal(0.03, true, Some(0.031)).is_met());
        assert!(!goal(1.0, true, None).is_met());
    }
}
