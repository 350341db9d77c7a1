//! Servers that accept connections and close them: benches/accept.

use std::io;

use sio_benches::meter::Meter;
use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, Sample, Wanted};

use crate::case::{Case, Times, usual_layout};
use crate::counter::{Counter, CounterKind};
use crate::peer;
use crate::program::{Place, Program, Variant, variant};

const GOAL: f64 = 1.0;

pub fn cases() -> Vec<Box<dyn Case>> {
    vec![Box::new(Accept)]
}

struct Accept;

impl Case for Accept {
    fn id(&self) -> String {
        "accept".to_string()
    }

    fn family(&self) -> Family {
        Family {
            id: "accept".to_string(),
            title: "Accept and close".to_string(),
            about:
                "A client connects 64 times, waits for the server to close each connection, and \
                    begins again. The client has more to do than the server: the rates differ less \
                    than the servers' processor time."
                    .to_string(),
            plotted: "rate ÷ epoll".to_string(),
            is_less_better: false,
            glance: vec![Glance {
                what: "Many short connections".to_string(),
                program: "libsio, EC_SINGLE".to_string(),
            }],
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        "64 connections at a time".to_string()
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn layout(&self) -> Layout {
        usual_layout("epoll", "connection", Some("io_uring"))
    }

    fn variants(&self) -> Vec<Variant> {
        vec![
            variant("epoll", "accept_epoll", ""),
            variant("libsio, EC_SINGLE", "accept_sio", "single"),
            variant("libsio, shared channel", "accept_sio", "shared"),
            variant("", "accept_sio", "single").by_epoll_engine(),
            variant("io_uring", "sio-bench-accept-uring", ""),
        ]
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        let topic = "Accept and close, connections per second";
        let goal = Wanted::at_least(topic, Of::Base(Measure::Rate), GOAL);
        match name {
            "libsio, EC_SINGLE" | "libsio, shared channel" => vec![goal],
            _ => Vec::new(),
        }
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let mut program = Program::start(variant, place, None)?;
        let port = program.port()?;
        peer::come_and_go(port, times.warm_up)?;
        let window = times.window(counter);
        let counter = counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
        let meter = Meter::start(program.pid(), place.processor)?;
        let connections = peer::come_and_go(port, window)? as f64;
        let mut sample = meter.read(connections)?;
        if let Some(counter) = counter {
            sample.set(Measure::Calls, counter.stop()? / connections);
        }
        Ok(sample)
    }
}
