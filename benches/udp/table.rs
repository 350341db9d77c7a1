//! What the table of datagrams shows.

use sio_benches::machine::Machine;
use sio_benches::record::{Case, Family, Glance};
use sio_benches::series::{self, Layout, Measure, Of, Series, Wanted, ratio_title};

const BASE: &str = "recvmmsg";
const SEND_BASE: &str = "sendmmsg";
const PING_BASE: &str = "send, recv";
const FLOW_BASE: &str = "1 flow";
const FLOWS_GOAL: f64 = 1.10;
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

/// A family that is in no summary.
fn plain_family(id: &str, title: &str, about: &str, plotted: String) -> Family {
    Family {
        id: id.to_string(),
        title: title.to_string(),
        about: about.to_string(),
        plotted,
        is_less_better: true,
        glance: Vec::new(),
        cases: Vec::new(),
    }
}

pub fn send_family() -> Family {
    let about = format!(
        "Datagrams of {} B, as fast as a program on one processor sends them, to an interface that \
         drops them in its driver. Together: the program and the softirqs, which over a pair of \
         interfaces have the other side's work to do.",
        crate::sender::PAYLOAD_BYTES
    );
    plain_family("udp-send", "Sending small datagrams", &about, ratio_title("together", SEND_BASE))
}

pub fn ping_family() -> Family {
    let about = "A question of 64 B over a pair of interfaces, and its answer, one at a time. The \
                 other side answers with the calls of the kernel's sockets. Spinning: the one who asks \
                 looks for the answer all the time.";
    plain_family("udp-ping", "A question and its answer", about, ratio_title("median", PING_BASE))
}

pub fn flows_family() -> Family {
    let about = "How long the engine of AF_XDP needs to find whose a datagram is, among so many flows \
                 and in any order of them, and what a datagram costs in all then, beside one of a \
                 single flow: by the program that receives as fast as it goes, from above.";
    plain_family("udp-flows", "Many flows", about, ratio_title("together", FLOW_BASE))
}

pub fn send_case(rounds: usize, series: &[Series]) -> Case {
    let layout = Layout {
        ratios: vec![
            (Measure::Together, "together"),
            (Measure::Cpu, "CPU"),
            (Measure::Rate, "rate"),
        ],
        base: SEND_BASE.to_string(),
        other_base: Some("AF_XDP rings"),
        values: vec![
            (Measure::Rate, "sent per second".to_string()),
            (Measure::Cpu, "CPU of the program, ns".to_string()),
            (Measure::SoftirqAll, "of softirqs, ns".to_string()),
        ],
    };
    let goals = |name: &str| {
        if name != "libsio, AF_XDP" {
            return Vec::new();
        }
        vec![
            Wanted::at_most(
                "Sending small datagrams by AF_XDP, CPU beside sendmmsg",
                Of::Base(Measure::Together),
                1.0,
            ),
            Wanted::at_most(
                "Sending small datagrams by AF_XDP, CPU beside a loop over the rings",
                Of::Other(Measure::Together),
                RINGS_GOAL,
            ),
        ]
    };
    finished("udp-send", "as fast as it goes", rounds, series, &layout, goals)
}

pub fn ping_case(id: &str, title: &str, rounds: usize, series: &[Series]) -> Case {
    let layout = Layout {
        ratios: vec![(Measure::Usual, "median"), (Measure::Late, "p99")],
        base: PING_BASE.to_string(),
        other_base: None,
        values: vec![
            (Measure::Usual, "median, µs".to_string()),
            (Measure::Late, "p99, µs".to_string()),
        ],
    };
    let goals = |name: &str| {
        if !name.starts_with("libsio") {
            return Vec::new();
        }
        let topic = "A question and its answer by AF_XDP, beside the kernel's calls";
        vec![
            Wanted::at_most(topic, Of::Base(Measure::Usual), 1.0),
            Wanted::at_most(topic, Of::Base(Measure::Late), 1.0),
        ]
    };
    finished(id, title, rounds, series, &layout, goals)
}

pub fn flows_case(rounds: usize, series: &[Series]) -> Case {
    let layout = Layout {
        ratios: vec![(Measure::Together, "together")],
        base: FLOW_BASE.to_string(),
        other_base: None,
        values: vec![(Measure::Cpu, "to find one, ns".to_string())],
    };
    let goals = |_: &str| {
        let topic = "A datagram of one flow among a million, beside one of a single flow";
        vec![Wanted::at_most(topic, Of::Base(Measure::Together), FLOWS_GOAL)]
    };
    finished("udp-flows", "in any order", rounds, series, &layout, goals)
}

/// All families, with the reason why nothing was measured. `receiving` are the cases of the first.
pub fn skipped(receiving: &[(&str, &str)], reason: &str) -> Vec<Family> {
    let with = |mut family: Family, cases: &[(&str, &str)]| {
        family.cases.extend(cases.iter().map(|(id, title)| Case {
            id: (*id).to_string(),
            title: (*title).to_string(),
            skipped: Some(reason.to_string()),
            rounds: 0,
            entries: Vec::new(),
            machine: Machine::here(""),
        }));
        family
    };
    let asking = [("udp-ping-blocking", "blocking"), ("udp-ping-spinning", "spinning")];
    vec![
        with(family(), receiving),
        with(send_family(), &[("udp-send", "as fast as it goes")]),
        with(ping_family(), &asking),
        with(flows_family(), &[("udp-flows", "in any order")]),
    ]
}

fn finished(
    id: &str,
    title: &str,
    rounds: usize,
    series: &[Series],
    layout: &Layout,
    goals: impl Fn(&str) -> Vec<Wanted>,
) -> Case {
    // The first is what the others are compared with, and has no goal.
    let first = series.first().map_or("", |first| &first.name);
    Case {
        id: id.to_string(),
        title: title.to_string(),
        skipped: None,
        rounds,
        entries: series::entries(series, layout, |name| {
            if name == first { Vec::new() } else { goals(name) }
        }),
        machine: Machine::here(""),
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
pub fn case(id: &str, title: &str, rounds: usize, series: &[Series]) -> Case {
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
    finished(id, title, rounds, series, &layout, |name| goals(id, name))
}
