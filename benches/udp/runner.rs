//! sio-bench-udp: programs that receive small datagrams, one after the other on the same pair of
//! interfaces and from the same sender, and what each datagram costs them and the kernel; the same for
//! programs that send; how long a question and its answer take; and what many flows cost. As JSON:
//! see sio-bench-page.
//!
//!     sio-bench-udp [--quick] [--rounds N] [--programs DIRECTORY] [CASE...]
//!
//! A CASE is the beginning of a name: udp-flood, udp-paced, udp-send, udp-ping-blocking, udp-ping-spinning,
//! udp-flows, which needs udp-flood.
//!
//! Needs root: it makes two network namespaces, which it removes again. The processor time of
//! softirqs is what the kernel counts in its ticks, for the whole machine: nothing else should run.

mod far;
mod flows;
mod latency;
mod network;
mod sender;
mod table;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use far::Drain;
use network::Network;
use sender::Sender;
use sio_benches::meter::softirq_time;
use sio_benches::record::Family;
use sio_benches::series::{Measure, ROUNDS_FACTOR, Sample, Series};
use sio_benches::spread::Spread;
use sio_benches::system;

/// The first one; a program that was ended may keep its own for a moment.
const PORT: u16 = 5300;
/// As many as every program can take, so that what one costs is compared and not what is lost.
const PACED_PER_SECOND: u64 = 200_000;

const FLOOD: &str = "udp-flood";
const FLOWS: &str = "udp-flows";
/// Id, title, datagrams in a second.
const CASES: [(&str, &str, u64); 2] = [
    (FLOOD, "as fast as it goes", u64::MAX),
    ("udp-paced", "200 000 in a second", PACED_PER_SECOND),
];

struct Variant {
    name: &'static str,
    program: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const VARIANTS: &[Variant] = &[
    Variant { name: "recvmmsg", program: "receive_mmsg", environment: &[] },
    Variant { name: "io_uring multishot", program: "sio-bench-udp-uring", environment: &[] },
    Variant {
        name: "libsio, io_uring",
        program: "receive_udp_sio",
        environment: &[("SIO_ENGINE", "io_uring"), ("SIO_REQUIRE", "1")],
    },
    Variant {
        name: "libsio, AF_XDP",
        program: "receive_udp_sio",
        environment: &[("SIO_ENGINE", "af_xdp"), ("SIO_REQUIRE", "1")],
    },
    Variant { name: "AF_XDP rings", program: "sio-bench-udp-rings", environment: &[] },
];

const SENDING: &[Variant] = &[
    Variant { name: "sendmmsg", program: "send_mmsg", environment: &[] },
    Variant {
        name: "libsio, io_uring",
        program: "send_udp_sio",
        environment: &[("SIO_ENGINE", "io_uring"), ("SIO_REQUIRE", "1")],
    },
    Variant {
        name: "libsio, AF_XDP",
        program: "send_udp_sio",
        environment: &[("SIO_ENGINE", "af_xdp"), ("SIO_REQUIRE", "1")],
    },
    Variant { name: "AF_XDP rings", program: "sio-bench-udp-send-rings", environment: &[] },
];

struct Arguments {
    window: Duration,
    rounds: usize,
    programs: PathBuf,
    /// The beginnings of the names of those that are wanted; none: all.
    cases: Vec<String>,
}

impl Arguments {
    fn is_wanted(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|start| case.starts_with(start))
    }
}

fn arguments() -> Result<Arguments, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let programs = own.parent().map(PathBuf::from).unwrap_or_default();
    let mut found =
        Arguments { window: Duration::from_secs(1), rounds: 0, programs, cases: Vec::new() };
    let mut words = std::env::args().skip(1);
    let mut quick = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => quick = true,
            "--rounds" => found.rounds = value()?.parse().map_err(|_| "--rounds N")?,
            "--programs" => found.programs = value()?.into(),
            _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
            _ => found.cases.push(word),
        }
    }
    if quick {
        found.window = Duration::from_millis(350);
    }
    if found.rounds == 0 {
        found.rounds = if quick { 1 } else { 3 };
    }
    found.rounds *= ROUNDS_FACTOR;
    Ok(found)
}

/// A program that receives or sends; it ends with the value.
struct Receiver {
    child: Child,
    counter: File,
}

impl Receiver {
    fn start(
        variant: &Variant,
        arguments: &Arguments,
        network: &Network,
        (address, port): (&str, u16),
        processor: Option<usize>,
    ) -> Result<Self, String> {
        let counter = network.counter().map_err(|error| format!("the counter: {error}"))?;
        let path = arguments.programs.join(variant.program);
        let space = network.open_near().map_err(|error| error.to_string())?;
        let mut command = Command::new(&path);
        command.args([address, &port.to_string()]).arg(network.counter_path());
        command.envs(variant.environment.iter().copied()).stdout(Stdio::null());
        // SAFETY: three system calls, no memory is allocated.
        unsafe {
            command.pre_exec(move || {
                system::end_with_parent()?;
                network::enter(&space)?;
                processor.map_or(Ok(()), |one| system::stay_on(&[one]))
            });
        }
        let child = command.spawn().map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { child, counter })
    }

    fn received(&self) -> u64 {
        let mut bytes = [0; 8];
        self.counter.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_ne_bytes(bytes))
    }

    /// Waits until it counts, or says why it does not.
    fn await_first(&mut self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(5);
        while self.received() == 0 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended: {status}"));
            }
            if Instant::now() > end {
                return Err("counts nothing".to_owned());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(
    variant: &Variant,
    arguments: &Arguments,
    network: &Network,
    sender: &Sender,
    per_second: u64,
    port: u16,
    processor: Option<usize>,
) -> Result<Sample, String> {
    sender.aim(port);
    sender.pace(1000);
    let own = (network::NEAR, port);
    let mut receiver = Receiver::start(variant, arguments, network, own, processor)?;
    receiver.await_first()?;
    sender.pace(per_second);
    let sample = sample(&receiver, arguments);
    sender.pace(0);
    sample
}

fn measure_sending(
    variant: &Variant,
    arguments: &Arguments,
    network: &Network,
    port: u16,
    processor: Option<usize>,
) -> Result<Sample, String> {
    let other = (network::FAR, port);
    let mut program = Receiver::start(variant, arguments, network, other, processor)?;
    program.await_first()?;
    sample(&program, arguments)
}

/// What a program counts in a while.
fn sample(receiver: &Receiver, arguments: &Arguments) -> Result<Sample, String> {
    // What has begun a moment ago takes a while to be as it will be.
    sleep(arguments.window / 4);
    let cpu_time = || system::cpu_time(receiver.child.id()).map_err(|error| error.to_string());
    let begin = Instant::now();
    let before = (receiver.received(), cpu_time()?, softirq_time(None));
    sleep(arguments.window);
    let after = (receiver.received(), cpu_time()?, softirq_time(None));
    let seconds = begin.elapsed().as_secs_f64();
    let received = (after.0 - before.0) as f64;
    let each = |time: Duration| time.as_secs_f64() / received * 1e9;
    let (own, softirq) = (each(after.1 - before.1), each(after.2 - before.2));
    Ok(Sample::default()
        .with(Measure::Rate, received / seconds)
        .with(Measure::Cpu, own)
        .with(Measure::SoftirqAll, softirq)
        .with(Measure::Together, own + softirq))
}

fn run(arguments: &Arguments) -> Result<Vec<Family>, String> {
    let processors = system::processors();
    let (first, second) = match processors.as_slice() {
        [first, second, ..] => (Some(*first), Some(*second)),
        _ => (None, None),
    };
    let network = Network::new()?;
    let mut ports = PORT..;
    let mut next_port = || ports.next().unwrap_or(PORT);
    let mut receiving = table::family();
    let mut packet_nanoseconds = f64::NAN;
    let sender = Sender::start(&network, first)?;
    let is_wanted = |id: &str| arguments.is_wanted(id) || id == FLOOD && arguments.is_wanted(FLOWS);
    for (id, title, per_second) in CASES.into_iter().filter(|(id, ..)| is_wanted(id)) {
        let series = in_turn(id, VARIANTS, arguments.rounds, |variant| {
            measure(variant, arguments, &network, &sender, per_second, next_port(), second)
        });
        if id == FLOOD {
            packet_nanoseconds = together(&series, "libsio, AF_XDP");
        }
        receiving.cases.push(table::case(id, title, arguments.rounds, &series));
    }
    drop(sender);
    let mut sending = table::send_family();
    if arguments.is_wanted("udp-send") {
        let drain = Drain::new(&network)?;
        let series = in_turn("udp-send", SENDING, arguments.rounds, |variant| {
            measure_sending(variant, arguments, &network, next_port(), second)
        });
        drop(drain);
        sending.cases.push(table::send_case(arguments.rounds, &series));
    }
    let mut asking = table::ping_family();
    asking.cases = latency::cases(&network, arguments, next_port(), (first, second))?;
    let mut many = table::flows_family();
    if arguments.is_wanted(FLOWS) {
        many.cases.push(flows::case(packet_nanoseconds, arguments.rounds));
    }
    let families = vec![receiving, sending, asking, many];
    Ok(families.into_iter().filter(|family| !family.cases.is_empty()).collect())
}

/// Each program in each round, another one first each time.
fn in_turn(
    id: &str,
    variants: &'static [Variant],
    rounds: usize,
    mut measure: impl FnMut(&Variant) -> Result<Sample, String>,
) -> Vec<Series> {
    let named = |variant: &Variant| Series::new(variant.name, variant.name.starts_with("libsio"));
    let mut series: Vec<Series> = variants.iter().map(named).collect();
    eprintln!("sio-bench-udp: {id}");
    for round in 0..rounds {
        for turn in 0..variants.len() {
            let index = (turn + round) % variants.len();
            let result = measure(&variants[index]);
            if let Err(reason) = &result {
                eprintln!("sio-bench-udp: {id}, {}: {reason}", variants[index].name);
            }
            series[index].push(result);
        }
    }
    series
}

/// What a datagram has cost a program and the kernel: the median.
fn together(series: &[Series], name: &str) -> f64 {
    let found = series.iter().filter(|one| one.name == name).flat_map(|one| &one.samples);
    let values = found.flatten().filter_map(|sample| sample.get(Measure::Together));
    Spread::of(values.collect()).map_or(f64::NAN, |spread| spread.median)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("sio-bench-udp: {message}");
            return ExitCode::from(2);
        }
    };
    let families = match run(&arguments) {
        Ok(families) => families,
        Err(reason) => {
            eprintln!("sio-bench-udp: skipped: {reason}");
            let receiving = CASES.map(|(id, title, _)| (id, title));
            table::skipped(&receiving, &reason)
        }
    };
    match serde_json::to_writer_pretty(std::io::stdout().lock(), &families) {
        Ok(()) if families.iter().all(Family::is_complete) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}
