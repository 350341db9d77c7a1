//! What the table of datagrams shows.

use sio_benches::machine::Machine;
use sio_benches::record::{Case, Family, Glance};
use sio_benches::series::{self, Layout, Measure, Of, Series, Wanted, ratio_title};

const BASE: &str = "recvmmsg";
/// Over AF_XDP: datagrams in a second and what each costs in all, beside recvmmsg; and the latter
/// beside a loop over the rings.
const RATE_GOAL: f64 = 3.5;
const COST_GOAL: f64 = 0.12;
const RINGS_GOAL: f64 = 1.10;

pub fn family() -> Family {
    Family {
        id: "udp".to_string(),
        title: "Small datagrams over a pair of interfaces".to_string(),
        about: format!(
            "Datagrams of {} B from another network namespace, to a program on one processor. The \
             processor time of softirqs is that of the whole machine, the sender's included. As fast \
             as it goes, the receiver has all the load that its processor stands, and what one \
             program loses another may take; paced, every program takes all. Together: the program \
             and the softirqs.",
            crate::sender::PAYLOAD_BYTES
        ),
        plotted: ratio_title("together", BASE),
        is_less_better: true,
        glance: ["libsio, AF_XDP", "libsio, io_uring"]
            .map(|program| Glance {
                what: "Receiving many small datagrams".to_string(),
                program: program.to_string(),
            })
            .to_vec(),
        cases: Vec::new(),
    }
}

fn goals(id: &str, name: &str) -> Vec<Wanted> {
    if id != "udp-flood" || name != "libsio, AF_XDP" {
        return Vec::new();
    }
    let cost = "Small datagrams by AF_XDP, CPU beside recvmmsg";
    let rate = "Small datagrams by AF_XDP, rate beside recvmmsg";
    let rings = "Small datagrams by AF_XDP, CPU beside a loop over the rings";
    vec![
        Wanted::at_most(cost, Of::Base(Measure::Together), COST_GOAL),
        Wanted::at_least(rate, Of::Base(Measure::Rate), RATE_GOAL),
        Wanted::at_most(rings, Of::Other(Measure::Together), RINGS_GOAL),
    ]
}

/// `skipped`: why it could not be measured.
pub fn case(
    id: &str,
    title: &str,
    rounds: usize,
    series: &[Series],
    skipped: Option<String>,
) -> Case {
    let layout = Layout {
        ratios: vec![
            (Measure::Together, "together"),
            (Measure::Cpu, "CPU"),
            (Measure::Rate, "rate"),
        ],
        base: BASE.to_string(),
        other_base: Some("AF_XDP rings"),
        values: vec![
            (Measure::Rate, "received per second".to_string()),
            (Measure::Cpu, "CPU of the program, ns".to_string()),
            (Measure::SoftirqAll, "of softirqs, ns".to_string()),
        ],
    };
    Case {
        id: id.to_string(),
        title: title.to_string(),
        skipped,
        rounds,
        entries: series::entries(series, &layout, |name| goals(id, name)),
        machine: Machine::here(""),
    }
}
