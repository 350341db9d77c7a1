//! A program under test: started on a processor of its own, told when to begin, asked what it
//! did, and ended. How they talk: see bench.h.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use sio_benches::series::{Measure, Sample};
use sio_benches::system;

/// One of the programs that a case compares.
#[derive(Clone)]
pub struct Variant {
    /// What the table calls it.
    pub name: Cow<'static, str>,
    pub program: &'static str,
    pub arguments: Vec<String>,
    pub environment: Option<(&'static str, &'static str)>,
    /// How many connections, or sources of events, where that differs between the programs of a case.
    pub size: Option<usize>,
}

/// A program and its arguments, separated by spaces.
pub fn variant(name: &'static str, program: &'static str, arguments: &str) -> Variant {
    Variant {
        name: name.into(),
        program,
        arguments: arguments.split_whitespace().map(String::from).collect(),
        environment: None,
        size: None,
    }
}

impl Variant {
    /// The same with libsio's other engine.
    pub fn by_epoll_engine(self) -> Self {
        let name = "libsio, epoll engine".into();
        Self { name, environment: Some(("SIO_ENGINE", "epoll")), ..self }
    }

    /// The program with so many connections, or sources.
    pub fn sized(&self, size: usize, words: &str) -> Self {
        let name = format!("{}{words}", self.name);
        Self { name: name.into(), size: Some(size), ..self.clone() }
    }

    /// Libraries that are not installed have no program to be compared with.
    pub fn is_here(&self, place: &Place) -> bool {
        let is_optional = ["_libevent", "_libuv"].iter().any(|end| self.program.ends_with(end));
        !is_optional || place.directory.join(self.program).exists()
    }

    pub fn is_ours(&self) -> bool {
        self.name.starts_with("libsio")
    }
}

/// Where programs are, and how they are run.
#[derive(Clone)]
pub struct Place {
    pub directory: PathBuf,
    /// The processor of the program under test; the runner has another.
    pub processor: Option<usize>,
    /// The runner's, if it has one of its own.
    pub other: Option<usize>,
    /// All there are, for programs that are not kept on one.
    pub all: Vec<usize>,
}

/// A network of its own for the program, in which what it sends is dropped by the device.
#[derive(Clone, Copy)]
pub struct Hole {
    pub device: &'static str,
    pub as_root: bool,
}

pub const HOLE_PEER: &str = "198.51.100.2";

impl Hole {
    /// A device that works here, or why there is none.
    pub fn find() -> Result<Self, String> {
        let mut reason = String::new();
        for device in ["ifb", "dummy"] {
            let hole = Self { device, as_root: system::is_root() };
            match hole.command("true").output() {
                Ok(output) if output.status.success() => return Ok(hole),
                Ok(output) => reason = String::from_utf8_lossy(&output.stderr).trim().to_string(),
                Err(error) => reason = format!("unshare: {error}"),
            }
        }
        Err(format!("no network namespace with a device that drops: {reason}"))
    }

    /// The namespace goes with the process: nothing is left behind, however that ends.
    fn command(self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        if !self.as_root {
            command.arg("--map-root-user");
        }
        let script = format!(
            "ip link add hole0 type {} && ip link set hole0 mtu 65535 up && \
             ip address add 198.51.100.1/24 dev hole0 && \
             ip neighbour replace {HOLE_PEER} lladdr 02:00:00:00:00:01 dev hole0 && exec \"$@\"",
            self.device
        );
        command.args(["--net", "sh", "-c", &script, "sh", program]);
        command
    }
}

/// What a program has printed at its end.
#[derive(Clone, Copy)]
pub struct Done {
    pub requests: u64,
    pub bytes: u64,
}

pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    copies: Option<Copies>,
}

/// Bytes, as programs that use libsio tell.
#[derive(Clone, Copy)]
struct Copies {
    sent: f64,
    sent_copied: f64,
    received: f64,
    received_copied: f64,
}

impl Program {
    pub fn start(variant: &Variant, place: &Place, hole: Option<Hole>) -> io::Result<Self> {
        let path = place.directory.join(variant.program);
        let mut command = match hole {
            Some(hole) => hole.command(&path.to_string_lossy()),
            None => Command::new(&path),
        };
        command.args(&variant.arguments);
        Self::launch(command, variant, place)
    }

    /// By a command of the caller's.
    pub fn launch(mut command: Command, variant: &Variant, place: &Place) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some((name, value)) = variant.environment {
            command.env(name, value);
        }
        let processors = place.processor.map_or(place.all.clone(), |processor| vec![processor]);
        // SAFETY: two system calls, no memory is allocated.
        unsafe {
            command.pre_exec(move || {
                system::end_with_parent()?;
                system::stay_on(&processors)
            });
        }
        let mut child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", variant.program)))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout), copies: None })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn cpu_time(&self) -> io::Result<Duration> {
        system::cpu_time(self.pid())
    }

    /// The next line, which begins with `word`; the rest of it.
    fn line(&mut self, word: &str) -> io::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if let Some(numbers) = line.trim_end().strip_prefix("copies ").filter(|_| word != "copies")
        {
            self.copies = Some(Copies::of(numbers)?);
            line.clear();
            self.stdout.read_line(&mut line)?;
        }
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_string()),
            None => {
                let status = self.child.try_wait()?;
                let text = format!("expected \"{word}\", got {line:?} ({status:?})");
                Err(io::Error::other(text))
            }
        }
    }

    /// All that it says until its end.
    pub fn rest(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text)?;
        Ok(text)
    }

    /// The port that it listens on.
    pub fn port(&mut self) -> io::Result<u16> {
        self.line("port")?.parse().map_err(io::Error::other)
    }

    /// The numbers after a word.
    pub fn numbers<const COUNT: usize>(&mut self, word: &str) -> io::Result<[f64; COUNT]> {
        let line = self.line(word)?;
        let numbers: Option<Vec<f64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| io::Error::other(format!("expected {COUNT} numbers, got {line:?}")))
    }

    pub fn ready(&mut self) -> io::Result<()> {
        self.line("ready").map(drop)
    }

    pub fn go(&mut self) -> io::Result<()> {
        self.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(b"go\n"))
    }

    /// Asks a server what it has copied.
    pub fn ask_copies(&mut self) -> io::Result<()> {
        self.go()?;
        self.copies = Some(Copies::of(&self.line("copies")?)?);
        Ok(())
    }

    /// The shares of what was copied, if the program has told.
    pub fn tell_copies(&self, sample: &mut Sample) {
        let Some(copies) = self.copies else { return };
        for (measure, copied, all) in [
            (Measure::CopiedSent, copies.sent_copied, copies.sent),
            (Measure::CopiedReceived, copies.received_copied, copies.received),
        ] {
            if all > 0.0 {
                sample.set(measure, copied / all);
            }
        }
    }

    /// Waits for its end; it stays to be looked at.
    pub fn done(&mut self) -> io::Result<Done> {
        let line = self.line("done")?;
        let mut numbers = line.split(' ').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(requests)), Some(Ok(bytes))) => Ok(Done { requests, bytes }),
            _ => Err(io::Error::other(format!("expected two numbers, got {line:?}"))),
        }
    }
}

impl Copies {
    fn of(line: &str) -> io::Result<Self> {
        let numbers: Option<Vec<f64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[sent, sent_copied, received, received_copied]) => {
                Ok(Self { sent, sent_copied, received, received_copied })
            }
            _ => Err(io::Error::other(format!("expected four numbers, got {line:?}"))),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
