//! Where and when something was measured.

use serde::{Deserialize, Serialize};

use crate::system;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Machine {
    pub date: String,
    pub processor: String,
    pub processors: usize,
    pub kernel: String,
    /// What the programs set, and what the others have that do not.
    pub congestion_control: String,
    /// How system calls were counted, or why not; empty where nobody wanted to.
    pub counter: String,
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_string())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    // Other architectures have numbers at most.
    let model = field("model name").or_else(|| field("Model")).or_else(|| field("cpu model"));
    let number = match (field("cpu family"), field("model\t")) {
        (Some(family), Some(model)) => format!(", family {family}, model {model}"),
        _ => String::new(),
    };
    model.map_or(std::env::consts::ARCH.to_string(), |model| model + &number)
}

impl Machine {
    /// This one, today.
    pub fn here(counter: impl Into<String>) -> Self {
        // The version alone: what a builder has appended to it tells nobody anything.
        let release = first_line("/proc/sys/kernel/osrelease").unwrap_or_default();
        let available = first_line("/proc/sys/net/ipv4/tcp_available_congestion_control");
        let pinned = match available {
            Some(names) if names.split(' ').any(|name| name == "cubic") => "cubic",
            _ => "reno",
        };
        Self {
            date: system::today(),
            processor: processor(),
            processors: system::processors_online(),
            kernel: release.split('-').next().unwrap_or_default().to_string(),
            congestion_control: match first_line("/proc/sys/net/ipv4/tcp_congestion_control") {
                Some(own) if own != pinned => {
                    format!("{pinned}, set by the programs; of others' programs (redis) {own}")
                }
                _ => pinned.to_string(),
            },
            counter: counter.into(),
        }
    }
}
