//! A program under test: started on a processor of its own, told when to begin, asked what it
//! did, and ended. How they talk: see bench.h.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::system;

/// One of the programs that a case compares.
#[derive(Clone)]
pub struct Variant {
    /// What the table calls it.
    pub name: Cow<'static, str>,
    pub program: &'static str,
    pub arguments: Vec<String>,
    pub environment: Option<(&'static str, &'static str)>,
    /// How many sources of events, where that differs between the programs of a case.
    pub sources: Option<usize>,
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
}

impl Program {
    pub fn start(variant: &Variant, place: &Place, hole: Option<Hole>) -> io::Result<Self> {
        let path = place.directory.join(variant.program);
        let mut command = match hole {
            Some(hole) => hole.command(&path.to_string_lossy()),
            None => Command::new(&path),
        };
        command.args(&variant.arguments);
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
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
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
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_string()),
            None => {
                let status = self.child.try_wait()?;
                let text = format!("expected \"{word}\", got {line:?} ({status:?})");
                Err(io::Error::other(text))
            }
        }
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

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts the system calls of a process.
pub struct Counter {
    tool: Child,
    kind: CounterKind,
    output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CounterKind {
    /// A tracepoint: costs little, so that what is counted is what happens otherwise too.
    Perf,
    /// Stops the process with every call: a server that is slower collects more in a batch.
    Strace,
}

impl CounterKind {
    /// What works here, or why nothing does.
    pub fn find() -> Result<Self, String> {
        let works = |command: &mut Command| {
            command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
        };
        let perf = ["stat", "-x,", "-e", "raw_syscalls:sys_enter", "--", "true"];
        if works(Command::new("perf").args(perf)) {
            Ok(Self::Perf)
        } else if works(Command::new("strace").args(["-f", "-c", "true"])) {
            Ok(Self::Strace)
        } else {
            Err("neither perf nor strace can count system calls here".to_string())
        }
    }

    /// Runs a program and counts from its first call to its last.
    pub fn around(self, program: &str, output: &Path) -> Command {
        let mut command = match self {
            Self::Perf => Command::new("perf"),
            Self::Strace => Command::new("strace"),
        };
        match self {
            Self::Perf => command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"]),
            Self::Strace => command.args(["-f", "-c", "-o"]),
        };
        command.arg(output).args(["--", program]);
        command
    }

    /// What a tool has counted.
    pub fn count(self, output: &Path) -> io::Result<f64> {
        let text = std::fs::read_to_string(output)?;
        let _ = std::fs::remove_file(output);
        let count = match self {
            Self::Perf => text
                .lines()
                .find(|line| line.contains("raw_syscalls"))
                .and_then(|line| line.split(',').next()?.parse().ok()),
            // "100.00  0.001  1  1234  12 total", the errors may be missing.
            Self::Strace => text
                .lines()
                .find(|line| line.ends_with("total"))
                .and_then(|line| line.split_whitespace().nth(3)?.parse().ok()),
        };
        count.ok_or_else(|| io::Error::other(format!("no count in {text:?}")))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf stat",
            Self::Strace => "strace, which slows the programs down",
        }
    }
}

impl Counter {
    /// Begins to count. The process must be quiet while the tool takes hold of it.
    pub fn start(kind: CounterKind, pid: u32) -> io::Result<Self> {
        let output = std::env::temp_dir().join(format!("sio-bench-{}", std::process::id()));
        let pid = pid.to_string();
        let mut command = match kind {
            CounterKind::Perf => {
                let mut command = Command::new("perf");
                command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", &pid, "-o"]);
                command
            }
            CounterKind::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-p", &pid, "-o"]);
                command
            }
        };
        command.arg(&output).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let tool = command.spawn()?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self { tool, kind, output })
    }

    /// Ends counting: the number of calls.
    pub fn stop(mut self) -> io::Result<f64> {
        system::interrupt(self.tool.id());
        self.tool.wait()?;
        self.kind.count(&self.output)
    }
}
