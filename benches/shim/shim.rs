//! sio-bench-shim: programs that know nothing of the library, with and without sio-run, in turn, as
//! Markdown. A server and its load are run in the same way.
//!
//!     sio-bench-shim [--quick] [--rounds N] [--programs DIRECTORY]

#[allow(dead_code)] // The other runner uses the rest.
#[path = "../runner/system.rs"]
mod system;

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How both sides are run; the first is what the others are compared with.
const WAYS: [(&str, &[&str]); 3] = [
    ("without", &[]),
    ("sio-run", &["--require", "--"]),
    ("sio-run --local-bypass", &["--require", "--local-bypass", "--"]),
];
const CONNECTIONS: [(&str, usize); 2] =
    [("echo, 64 B, 100 connections", 64), ("echo, 16 384 B, 100 connections", 16_384)];
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    own: PathBuf,
    programs: PathBuf,
    quick: bool,
    rounds: usize,
}

/// One run: microseconds of the server's processor time for a request, and requests in a second.
#[derive(Clone, Copy)]
struct Sample {
    cpu: f64,
    rate: f64,
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
        place.rounds = if place.quick { 3 } else { 7 };
    }
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
        if self.quick { 0.5 } else { 1.5 }
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
        let requests = if self.quick { 30_000 } else { 100_000 };
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
        let before = system::cpu_time(self.0.id())?;
        let (requests, rate) = work()?;
        let cpu = system::cpu_time(self.0.id())? - before;
        Ok(Sample { cpu: cpu.as_secs_f64() * 1e6 / requests, rate })
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

fn has_program(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}

/// Median, least and most.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.get(values.len() / 2), values.last()) {
        (Some(least), Some(median), Some(most)) => format!("{median:.2} ({least:.2}..{most:.2})"),
        _ => "-".to_owned(),
    }
}

/// Every way has its turn in each round; ratios are formed within a round.
fn compare(place: &Place, name: &str, run: impl Fn(&[&str]) -> io::Result<Sample>) -> bool {
    let mut ratios = vec![(Vec::new(), Vec::new()); WAYS.len()];
    for round in 0..place.rounds {
        let mut samples = vec![None; WAYS.len()];
        for turn in 0..WAYS.len() {
            let index = (turn + round) % WAYS.len();
            match run(WAYS[index].1) {
                Ok(sample) => samples[index] = Some(sample),
                Err(error) => {
                    println!("| {name} | {} | {error} | - |", WAYS[index].0);
                    return false;
                }
            }
        }
        let base = samples[0].expect("every way had its turn");
        for (sample, ratios) in samples.iter().flatten().zip(&mut ratios) {
            ratios.0.push(sample.cpu / base.cpu);
            ratios.1.push(sample.rate / base.rate);
        }
    }
    for ((way, _), (cpu, rate)) in WAYS.iter().zip(ratios).skip(1) {
        println!("| {name} | {way} | {} | {} |", spread(cpu), spread(rate));
    }
    true
}

fn main() -> ExitCode {
    let place = match arguments() {
        Ok(place) => place,
        Err(error) => {
            eprintln!("sio-bench-shim: {error}");
            return ExitCode::from(2);
        }
    };
    println!("\n## Programs that know nothing of libsio\n");
    println!(
        "Server and load are run the same way, in turn; medians of {} rounds (least..most). CPU is the \
         server's. Beside the same without sio-run: below 1 is better for CPU, above 1 for rates.\n",
        place.rounds
    );
    println!("| case | run by | CPU per request | requests per second |\n|---|---|---|---|");
    let mut is_complete = true;
    for (name, bytes) in CONNECTIONS {
        is_complete &= compare(&place, name, |options| place.echo(options, bytes));
    }
    if has_program("redis-server") && has_program("redis-benchmark") {
        is_complete &=
            compare(&place, "redis, 50 connections, GET", |options| place.redis(options));
    }
    println!();
    if is_complete { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
