//! How long a question and its answer take, one at a time: the median, and what one in a hundred
//! takes at least.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use sio_benches::record::Case;
use sio_benches::series::{Measure, Sample, Series};
use sio_benches::system;

use crate::far::Echo;
use crate::network::{self, Network};
use crate::{Arguments, table};

struct Way {
    name: &'static str,
    program: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const WAYS: &[Way] = &[
    Way { name: "send, recv", program: "ping_kernel", environment: &[] },
    Way {
        name: "libsio, AF_XDP",
        program: "ping_sio",
        environment: &[("SIO_ENGINE", "af_xdp"), ("SIO_REQUIRE", "1")],
    },
];

fn ping(
    way: &Way,
    mode: &str,
    network: &Network,
    arguments: &Arguments,
    port: u16,
    processor: Option<usize>,
) -> Result<Sample, String> {
    let path = arguments.programs.join(way.program);
    let space = network.open_near().map_err(|error| error.to_string())?;
    let mut command = Command::new(&path);
    command.args([network::FAR, &port.to_string(), mode]);
    command.envs(way.environment.iter().copied()).stderr(Stdio::inherit());
    // SAFETY: three system calls, no memory is allocated.
    unsafe {
        command.pre_exec(move || {
            system::end_with_parent()?;
            network::enter(&space)?;
            processor.map_or(Ok(()), |one| system::stay_on(&[one]))
        });
    }
    let output = command.output().map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers.as_slice() {
        [median, late] => Ok(Sample::default()
            .with(Measure::Usual, median / 1000.0)
            .with(Measure::Late, late / 1000.0)),
        _ => Err(format!("{}: {}", way.program, output.status)),
    }
}

pub fn cases(
    network: &Network,
    arguments: &Arguments,
    port: u16,
    (first, second): (Option<usize>, Option<usize>),
) -> Result<Vec<Case>, String> {
    let _echo = Echo::start(network, port, first)?;
    let case = |mode: &str| {
        let named = |way: &Way| Series::new(way.name, way.name.starts_with("libsio"));
        let mut series: Vec<Series> = WAYS.iter().map(named).collect();
        eprintln!("sio-bench-udp: udp-ping-{mode}");
        for _ in 0..arguments.rounds {
            for (way, series) in WAYS.iter().zip(&mut series) {
                series.push(ping(way, mode, network, arguments, port, second));
            }
        }
        table::ping_case(&format!("udp-ping-{mode}"), mode, arguments.rounds, &series)
    };
    let modes = ["blocking", "spinning"].into_iter();
    Ok(modes.filter(|mode| arguments.is_wanted(&format!("udp-ping-{mode}"))).map(case).collect())
}
