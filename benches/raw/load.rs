//! The loads of events.h, for programs in Rust: the same descriptors, bursts and measurements.

use std::fs;
use std::io::BufRead;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ring;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Edge,
    Data,
}

/// One of the programs that are compared.
pub trait Contestant {
    fn watch(&mut self, fd: RawFd);
    /// Waits for events; how many there were.
    fn take(&mut self) -> usize;
    /// What the values add up to that were read.
    fn values_read(&self) -> u64;
}

pub struct Load {
    pub trigger: Trigger,
    is_apart: bool,
    active: usize,
    time: Duration,
    processor: Option<usize>,
    fds: Vec<RawFd>,
    bare: Vec<RawFd>,
}

/// Between the program and the one that writes.
struct Shared {
    taken: AtomicU64,
    is_over: AtomicBool,
    has_ended: AtomicBool,
    cpu_ns: AtomicU64,
}

/// Processor time, and what it was for.
#[derive(Default)]
struct Spent {
    events: u64,
    cpu_ns: u64,
    write_ns: u64,
    bare_ns: u64,
}

const SLICE_BURSTS: usize = 16;
const DESCRIPTORS_BESIDE: usize = 100;

fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What it costs to look at the clock: each interval has it once in it.
fn clock_cost_ns() -> u64 {
    const LOOKS: u64 = 1000;
    let start = cpu_ns();
    let mut end = start;
    for _ in 0..LOOKS {
        end = cpu_ns();
    }
    (end - start) / LOOKS
}

fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
    // SAFETY: no pointers.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
}

fn kernel_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn write_burst<'a>(fds: impl Iterator<Item = &'a RawFd>) {
    let one = 1u64;
    for &fd in fds {
        // SAFETY: reads a local.
        let written = unsafe { libc::write(fd, (&raw const one).cast(), 8) };
        assert_eq!(written, 8, "write");
    }
}

fn descriptors(count: usize) -> Vec<RawFd> {
    let flags = libc::EFD_NONBLOCK | libc::EFD_CLOEXEC;
    // SAFETY: no pointers.
    let fds = (0..count).map(|_| unsafe { libc::eventfd(0, flags) });
    fds.inspect(|&fd| assert!(fd >= 0, "eventfd: {}", std::io::Error::last_os_error())).collect()
}

/// As many descriptors as are wanted, or as are allowed.
fn allow_descriptors(count: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes locals.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let wanted = count as libc::rlim_t;
        let more = libc::rlimit { rlim_cur: wanted, rlim_max: wanted.max(limit.rlim_max) };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more) == 0 {
            return count;
        }
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur as usize
}

/// One for each source; what is active is so once.
fn make_sources(sources: usize, active: usize, different: usize) -> Vec<RawFd> {
    let made = descriptors(different);
    let step = sources / active;
    let mut idle = made[active..].iter().cycle();
    let source = |index: usize| {
        let is_active = index.is_multiple_of(step) && index / step < active;
        if is_active { made[index / step] } else { *idle.next().expect("idle ones") }
    };
    (0..sources).map(source).collect()
}

impl Load {
    /// From the arguments: edge|data own|apart SOURCES ACTIVE SECONDS PROCESSOR.
    pub fn new() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [trigger, place, sources, active, seconds, processor] = &words[..] else {
            panic!("edge|data own|apart SOURCES ACTIVE SECONDS PROCESSOR");
        };
        let sources: usize = sources.parse().expect("a number of sources");
        let active: usize = active.parse().expect("a number of active sources");
        let beside = active + DESCRIPTORS_BESIDE;
        let allowed = allow_descriptors(sources + beside) - beside;
        Self {
            trigger: if trigger == "edge" { Trigger::Edge } else { Trigger::Data },
            is_apart: place == "apart",
            active,
            time: Duration::from_secs_f64(seconds.parse().expect("seconds")),
            processor: processor.parse().ok(), // -1 is none
            fds: make_sources(sources, active, allowed.min(sources)),
            bare: descriptors(active),
        }
    }

    fn burst(&self) {
        write_burst(self.fds.iter().step_by(self.fds.len() / self.active).take(self.active));
    }

    fn run_own(&self, contestant: &mut impl Contestant, time: Duration) -> Spent {
        let (mut spent, end) = (Spent::default(), Instant::now() + time);
        let cost = clock_cost_ns();
        while Instant::now() < end {
            let mut start = cpu_ns();
            for _ in 0..SLICE_BURSTS {
                self.burst();
                let middle = cpu_ns();
                let mut taken = 0;
                while taken < self.active {
                    taken += contestant.take();
                }
                let last = cpu_ns();
                assert_eq!(taken, self.active, "events of a burst");
                write_burst(self.bare.iter());
                let next = cpu_ns();
                spent.write_ns += middle - start - cost;
                spent.cpu_ns += last - middle - cost;
                spent.bare_ns += next - last - cost;
                start = next;
            }
            spent.events += (self.active * SLICE_BURSTS) as u64;
        }
        spent
    }

    /// The process that writes.
    fn writer(&self, shared: &Shared, go: RawFd) -> ! {
        // SAFETY: a set of zeroes is an empty set; the rest has pointers to locals only.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if let Some(processor) = self.processor {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(processor, &mut set);
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
            }
            let mut byte = 0u8;
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(1);
            }
        }
        let (mut written, mut used) = (0, 0);
        while !shared.is_over.load(Ordering::SeqCst) {
            let start = cpu_ns();
            self.burst();
            used += cpu_ns() - start;
            written += self.active as u64;
            while shared.taken.load(Ordering::Acquire) < written {
                if self.processor.is_none() {
                    std::thread::yield_now();
                }
            }
        }
        shared.cpu_ns.store(used, Ordering::SeqCst);
        shared.has_ended.store(true, Ordering::SeqCst);
        // SAFETY: nothing of the parent's is to be dropped here.
        unsafe { libc::_exit(0) }
    }

    fn run_apart(&self, contestant: &mut impl Contestant, shared: &Shared, go: RawFd) -> Spent {
        let (mut events, end, mut is_over) = (0, Instant::now() + self.time, false);
        let start = cpu_ns();
        // SAFETY: one byte of a literal.
        assert_eq!(unsafe { libc::write(go, b"g".as_ptr().cast(), 1) }, 1, "write");
        while !is_over {
            events += contestant.take() as u64;
            if events.is_multiple_of(self.active as u64) && Instant::now() >= end {
                is_over = true;
                shared.is_over.store(true, Ordering::SeqCst);
            }
            shared.taken.store(events, Ordering::Release);
        }
        let cpu_ns = cpu_ns() - start;
        while !shared.has_ended.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let write_ns = shared.cpu_ns.load(Ordering::SeqCst);
        Spent { events, cpu_ns, write_ns, bare_ns: 0 }
    }

    /// The whole program. `start` is called after the other process has been started.
    pub fn run<C: Contestant>(&self, start: impl FnOnce(Trigger) -> C) {
        let mut go = [0; 2];
        let shared = ring::map_shared(size_of::<Shared>());
        // SAFETY: fresh memory of that size, zeroes, which is a valid value, never unmapped.
        let shared: &Shared = unsafe { &*shared.cast::<Shared>() };
        // SAFETY: writes to a local; the child of a process of one thread may do anything.
        unsafe {
            libc::alarm(60 + self.time.as_secs() as u32);
            assert_eq!(libc::pipe2(go.as_mut_ptr(), libc::O_CLOEXEC), 0, "pipe2");
            if self.is_apart && libc::fork() == 0 {
                self.writer(shared, go[0]);
            }
        }
        let mut contestant = start(self.trigger);
        let (own, kernel) = (memory_bytes(), kernel_bytes());
        for &fd in &self.fds {
            contestant.watch(fd);
        }
        let warm = self.run_own(&mut contestant, Duration::from_millis(50));
        let own = memory_bytes().saturating_sub(own);
        let kernel = kernel_bytes().saturating_sub(kernel);
        println!("memory {own} {kernel}");
        println!("ready");
        let read = std::io::stdin().lock().read_line(&mut String::new());
        assert!(matches!(read, Ok(1..)), "the runner has gone");
        let spent = if self.is_apart {
            self.run_apart(&mut contestant, shared, go[1])
        } else {
            self.run_own(&mut contestant, self.time)
        };
        if self.trigger == Trigger::Data {
            assert_eq!(contestant.values_read(), warm.events + spent.events, "values");
        }
        let bare = if self.is_apart { &warm } else { &spent };
        println!(
            "cost {:.3} {:.3} {:.3}",
            spent.cpu_ns as f64 / spent.events as f64,
            bare.bare_ns as f64 / bare.events as f64,
            spent.write_ns as f64 / spent.events as f64,
        );
        ring::done(spent.events, spent.events * 8);
    }
}
