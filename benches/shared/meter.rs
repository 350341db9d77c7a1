//! What a stretch of work takes: of the process under test, and of the kernel on behalf of nobody.

use std::io;
use std::time::{Duration, Instant};

use crate::series::{Measure, Sample};
use crate::system;

/// What all processors, or one, have spent in softirqs: on packets, outside of any process or while
/// one of them was in a system call. proc_stat(5); the kernel counts them in its ticks.
pub fn softirq_time(processor: Option<usize>) -> Duration {
    const SOFTIRQ: usize = 7;
    // SAFETY: no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as f64;
    let name = processor.map_or("cpu".to_string(), |number| format!("cpu{number}"));
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().find(|line| line.split(' ').next() == Some(&name));
    let field = line.and_then(|line| line.split_whitespace().nth(SOFTIRQ));
    let count: f64 = field.and_then(|field| field.parse().ok()).unwrap_or(0.0);
    Duration::from_secs_f64(count / ticks)
}

/// Held to a process from `start` to `read`.
pub struct Meter {
    pid: u32,
    processor: Option<usize>,
    start: Instant,
    cpu: Duration,
    softirq: [Duration; 2],
}

impl Meter {
    /// `processor`: on which the process is kept, if it is.
    pub fn start(pid: u32, processor: Option<usize>) -> io::Result<Self> {
        Ok(Self {
            pid,
            processor,
            start: Instant::now(),
            cpu: system::cpu_time(pid)?,
            softirq: softirqs(processor),
        })
    }

    /// What so many units have taken, each.
    pub fn read(&self, units: f64) -> io::Result<Sample> {
        let wall = self.start.elapsed();
        let cpu = system::cpu_time(self.pid)? - self.cpu;
        if units <= 0.0 {
            return Err(io::Error::other("nothing was done in the time"));
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / units;
        let mut sample = Sample::default();
        sample.set(Measure::Cpu, each(cpu));
        sample.set(Measure::Rate, units / wall.as_secs_f64());
        let [own, all] = softirqs(self.processor);
        if self.processor.is_some() {
            sample.set(Measure::Softirq, each(own.saturating_sub(self.softirq[0])));
        }
        sample.set(Measure::SoftirqAll, each(all.saturating_sub(self.softirq[1])));
        Ok(sample)
    }
}

fn softirqs(processor: Option<usize>) -> [Duration; 2] {
    [softirq_time(processor), softirq_time(None)]
}

/// The memory of a process, in bytes: see proc_pid_statm(5).
pub fn memory_bytes(pid: u32) -> io::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: Option<f64> = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    // SAFETY: no pointers.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    pages.map(|pages| pages * page_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The memory of the kernel that it can get back from programs only, in bytes.
pub fn kernel_bytes() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|count| count * 1024.0).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
