//! Counting the system calls of a program, with a tool that can.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sio_benches::system;

/// How long a tool may take to take hold of a process.
const HOLD: Duration = Duration::from_millis(200);

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
        std::thread::sleep(HOLD);
        Ok(Self { tool, kind, output })
    }

    /// Ends counting: the number of calls.
    pub fn stop(mut self) -> io::Result<f64> {
        system::interrupt(self.tool.id());
        self.tool.wait()?;
        self.kind.count(&self.output)
    }
}
