//! sio-bench-shim: programs that know nothing of the library, with and without sio-run, in turn, as
//! JSON: see sio-bench-page. A server of TCP and its load are run in the same way; those of UDP have
//! a load of ours (datagrams.rs).
//!
//!     sio-bench-shim [--quick] [--rounds N] [--programs DIRECTORY]

mod datagrams;
#[allow(dead_code)] // What counts in it is for the other runner.
#[path = "../udp/network.rs"]
mod network;

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use sio_benches::machine::Machine;
use sio_benches::meter::Meter;
use sio_benches::record::{self, Family, Glance};
use sio_benches::series::{
    self, Layout, Measure, Of, ROUNDS_FACTOR, Sample, Series, Wanted, ratio_title,
};
use sio_benches::system;

type Way = (&'static str, &'static [&'static str]);

/// How both sides are run; the first is what the others are compared with.
const WAYS: [Way; 3] = [
    ("without", &[]),
    ("sio-run", &["--require", "--"]),
    ("sio-run --local-bypass", &["--require", "--local-bypass", "--"]),
];
/// Id, title, bytes of a message.
const ECHOES: [(&str, &str, usize); 2] = [
    ("shim-echo-64", "echo, 64 B, 100 connections", 64),
    ("shim-echo-16384", "echo, 16 384 B, 100 connections", 16_384),
];
const REDIS: (&str, &str) = ("shim-redis", "redis, 50 connections, GET");
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    own: PathBuf,
    programs: PathBuf,
    quick: bool,
    rounds: usize,
}

fn arguments() -> Result<Place, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let own = own.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut place = Place { programs: own.clone(), own, quick: false, rounds: 0 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => place.quick = true,
            "--rounds" => place.rounds = value()?.parse().map_err(|_| "--rounds N")?,
            "--programs" => place.programs = value()?.into(),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    if place.rounds == 0 {
        place.rounds = if place.quick { 1 } else { 3 };
    }
    place.rounds *= ROUNDS_FACTOR;
    Ok(place)
}

impl Place {
    fn command(&self, options: &[&str], program: &Path) -> Command {
        if options.is_empty() {
            return Command::new(program);
        }
        let mut command = Command::new(self.own.join("sio-run"));
        command.args(options).arg(program);
        command
    }

    fn seconds(&self) -> f64 {
        if self.quick { 0.4 } else { 0.5 }
    }

    fn echo(&self, options: &[&str], bytes: usize) -> io::Result<Sample> {
        let mut server = self.command(options, &self.programs.join("echo_epoll"));
        let mut server = Server(server.stdout(Stdio::piped()).spawn()?);
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?)
            .read_line(&mut line)?;
        let port = line.trim().strip_prefix("port ").ok_or(io::ErrorKind::InvalidData)?.to_owned();
        let mut load = self.command(options, &self.own.join("sio-bench"));
        load.args(["load", &port, "100", &bytes.to_string(), &self.seconds().to_string()]);
        server.watch(|| {
            let text = output(&mut load)?;
            let rate = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
            let rate = rate.ok_or_else(|| io::Error::other(text))?;
            Ok((rate * self.seconds(), rate))
        })
    }

    fn redis(&self, options: &[&str]) -> io::Result<Sample> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let text = port.to_string();
        let mut server = self.command(options, Path::new("redis-server"));
        server.args(["--port", &text, "--save", ""]).stdout(Stdio::null());
        let server = Server(server.spawn()?);
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if start.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let requests = if self.quick { 20_000 } else { 40_000 };
        let mut load = self.command(options, Path::new("redis-benchmark"));
        load.args(["-p", &text, "-c", "50", "-n", &requests.to_string(), "-t", "get", "--csv"]);
        server.watch(|| {
            let text = output(&mut load)?;
            let rate =
                text.lines().last().and_then(|line| line.split('"').nth(3)?.parse::<f64>().ok());
            Ok((f64::from(requests), rate.ok_or_else(|| io::Error::other(text))?))
        })
    }
}

/// Ended with this value.
struct Server(Child);

impl Server {
    /// `work` returns the number of requests, and how many that are in a second.
    fn watch(&self, work: impl FnOnce() -> io::Result<(f64, f64)>) -> io::Result<Sample> {
        let meter = Meter::start(self.0.id(), None)?;
        let (requests, rate) = work()?;
        Ok(meter.read(requests)?.with(Measure::Rate, rate))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn output(command: &mut Command) -> io::Result<String> {
    let result = command.stderr(Stdio::inherit()).output()?;
    if !result.status.success() {
        return Err(io::Error::other(format!("{command:?}: {}", result.status)));
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// Every way has its turn in each round; ratios are formed within a round.
fn compare(
    place: &Place,
    ways: &[Way],
    run: impl Fn(&[&str]) -> io::Result<Sample>,
) -> Vec<Series> {
    let mut series: Vec<Series> =
        ways.iter().map(|(name, options)| Series::new(*name, !options.is_empty())).collect();
    for round in 0..place.rounds {
        for turn in 0..ways.len() {
            let index = (turn + round) % ways.len();
            if series[index].failure.is_none() {
                series[index].push(run(ways[index].1));
            }
        }
    }
    series
}

fn family() -> Family {
    let glance = |program: &str| Glance {
        what: "A program that knows nothing of libsio".to_string(),
        program: program.to_string(),
    };
    Family {
        id: "shim".to_string(),
        title: "Programs that know nothing of libsio".to_string(),
        about: "Server and load are run the same way, in turn, without sio-run and with it. With \
                --local-bypass connections between two such programs of one machine leave out the \
                kernel's TCP. All processors may be used."
            .to_string(),
        plotted: ratio_title("CPU", WAYS[0].0),
        is_less_better: true,
        glance: WAYS[1..].iter().map(|(name, _)| glance(name)).collect(),
        cases: Vec::new(),
    }
}

fn goals(id: &str, name: &str) -> Vec<Wanted> {
    const NO_HARM: f64 = 1.02;
    let (cpu, rate) = (Of::Base(Measure::Cpu), Of::Base(Measure::Rate));
    match (name, id) {
        ("sio-run", _) => vec![Wanted::at_most("sio-run, no harm, CPU", cpu, NO_HARM)],
        ("sio-run --local-bypass", "shim-echo-64") => vec![
            Wanted::at_most("sio-run --local-bypass, echo, CPU", cpu, 0.46),
            Wanted::at_least("sio-run --local-bypass, echo, rate", rate, 2.1),
        ],
        ("sio-run --local-bypass", "shim-redis") => {
            vec![Wanted::at_least("sio-run --local-bypass, redis, rate", rate, 1.25)]
        }
        _ => Vec::new(),
    }
}

fn layout() -> Layout {
    Layout {
        ratios: vec![(Measure::Cpu, "CPU"), (Measure::Rate, "rate")],
        base: WAYS[0].0.to_string(),
        other_base: None,
        values: vec![
            (Measure::Cpu, "CPU µs of the server per request".to_string()),
            (Measure::SoftirqAll, "softirq µs, all".to_string()),
            (Measure::Rate, "requests per second".to_string()),
        ],
    }
}

fn main() -> ExitCode {
    let place = match arguments() {
        Ok(place) => place,
        Err(error) => {
            eprintln!("sio-bench-shim: {error}");
            return ExitCode::from(2);
        }
    };
    let families = [tcp(&place), udp(&place)];
    match serde_json::to_writer_pretty(io::stdout().lock(), &families) {
        Ok(()) if families.iter().all(Family::is_complete) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

/// One case, as it goes into the record.
fn case(
    place: &Place,
    (id, title): (&str, &str),
    goals: fn(&str, &str) -> Vec<Wanted>,
    series: Result<Vec<Series>, String>,
) -> record::Case {
    let (series, skipped) = match series {
        Ok(series) => (series, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    for one in &series {
        if let Some(failure) = &one.failure {
            eprintln!("sio-bench-shim: {id}, {}: {failure}", one.name);
        }
    }
    record::Case {
        id: id.to_string(),
        title: title.to_string(),
        skipped,
        rounds: place.rounds,
        entries: series::entries(&series, &layout(), |name| goals(id, name)),
        machine: Machine::here(""),
    }
}

fn tcp(place: &Place) -> Family {
    let mut family = family();
    for (id, title, bytes) in ECHOES {
        eprintln!("sio-bench-shim: {id}");
        let series = compare(place, &WAYS, |options| place.echo(options, bytes));
        family.cases.push(case(place, (id, title), goals, Ok(series)));
    }
    let is_here = system::has_program("redis-server") && system::has_program("redis-benchmark");
    let series = is_here.then(|| {
        eprintln!("sio-bench-shim: {}", REDIS.0);
        compare(place, &WAYS, |options| place.redis(options))
    });
    let series = series.ok_or_else(|| "redis is not here".to_string());
    family.cases.push(case(place, REDIS, goals, series));
    family
}

fn udp(place: &Place) -> Family {
    let mut family = datagrams::family();
    let network = network::Network::new();
    for load in datagrams::LOADS {
        let program = load.program().name();
        let series = match &network {
            Err(reason) => Err(reason.clone()),
            Ok(_) if !system::has_program(program) => Err(format!("{program} is not here")),
            Ok(network) => {
                eprintln!("sio-bench-shim: {}", load.id);
                let run = |options: &[&str]| load.run(place, network, options);
                Ok(compare(place, &datagrams::WAYS, run))
            }
        };
        let name = (load.id, load.title);
        family.cases.push(case(place, name, datagrams::goals, series));
    }
    family
}
