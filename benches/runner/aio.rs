//! The cases of POSIX AIO: fio, which knows nothing of libsio, over the C library and over libsio
//! preloaded, beside fio's own engines; and a program of ours that does the same with less of its
//! own.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, Sample, Wanted};
use sio_benches::system;

use crate::case::{Case, Times};
use crate::counter::{Counter, CounterKind};
use crate::program::{Place, Program, Variant, variant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Fio,
    /// benches/aio.
    Own,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    /// On the disk, past the page cache.
    Direct,
    /// In the page cache.
    Cached,
    /// tmpfs.
    Memory,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Aio {
    maker: Maker,
    store: Store,
    is_write: bool,
    depth: usize,
}

/// What the ratios to the C library are to be.
#[derive(Clone, Copy)]
struct Goal {
    /// Operations per second, at least.
    rate: f64,
    /// Processor time for each, at most.
    cpu: Option<f64>,
}

const BLOCK_BYTES: usize = 4096;
const FILE_BYTES: usize = 64 << 20;
const CHUNK_BYTES: usize = 1 << 20;
const MEMORY: &str = "/dev/shm";
const ROUNDS_MAX: usize = 2;
/// What fio does before and after its job is measured with so few operations, and subtracted.
const FEW: usize = 32;

pub fn cases() -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for maker in [Maker::Fio, Maker::Own] {
        for store in [Store::Direct, Store::Cached, Store::Memory] {
            for is_write in [false, true] {
                for depth in [1, 32] {
                    cases.push(Box::new(Aio { maker, store, is_write, depth }));
                }
            }
        }
    }
    cases
}

/// The file that a case reads or writes; gone with it.
struct TestFile(PathBuf);

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Aio {
    fn explanation(self) -> &'static str {
        match self.maker {
            Maker::Fio => {
                "fio with ioengine=posixaio, 4 KiB at random places of a file of 64 MiB, over the C \
                 library and with libsio preloaded; and fio's own engines. All processors may be \
                 used. CPU is that of the whole process, the kernel's threads for it included; \
                 what fio takes before and after its job is measured and subtracted. psync does \
                 one operation at a time whatever the depth: in the page cache and in tmpfs it \
                 shows what fio itself can reach."
            }
            Maker::Own => {
                "The same without fio: a loop that begins requests, waits with aio_suspend and asks \
                 for the results, linked with and without libsio; and one with pread and pwrite."
            }
        }
    }

    /// The goals are fio's.
    fn bounds(self, name: &str) -> Option<Goal> {
        if name != "libsio" {
            return None;
        }
        let is_deep = self.depth > 1;
        Some(match (self.maker, self.store, self.is_write) {
            (Maker::Fio, Store::Direct, false) if is_deep => Goal { rate: 3.4, cpu: Some(0.27) },
            (Maker::Fio, Store::Cached | Store::Memory, false) if !is_deep => {
                Goal { rate: 8.0, cpu: None }
            }
            _ => Goal { rate: 1.0, cpu: None },
        })
    }

    fn path(self, place: &Place) -> PathBuf {
        let directory =
            if self.store == Store::Memory { MEMORY.into() } else { place.directory.clone() };
        directory.join(format!("sio-bench-file-{}", std::process::id()))
    }
}

impl Case for Aio {
    fn id(&self) -> String {
        let family = if self.maker == Maker::Fio { "aio" } else { "aio-own" };
        let store = match self.store {
            Store::Direct => "direct",
            Store::Cached => "cached",
            Store::Memory => "tmpfs",
        };
        let operation = if self.is_write { "write" } else { "read" };
        format!("{family}-{store}-{operation}-{}", self.depth)
    }

    fn family(&self) -> Family {
        let (id, title, glance) = match self.maker {
            Maker::Fio => ("aio", "POSIX AIO: fio", Some("A program that uses POSIX AIO")),
            Maker::Own => ("aio-own", "POSIX AIO: a bare loop", None),
        };
        let glance =
            glance.map(|what| Glance { what: what.to_string(), program: "libsio".to_string() });
        Family {
            id: id.to_string(),
            title: title.to_string(),
            about: self.explanation().to_string(),
            plotted: "operations per second ÷ glibc".to_string(),
            is_less_better: false,
            glance: glance.into_iter().collect(),
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        let store = match self.store {
            Store::Direct => "O_DIRECT",
            Store::Cached => "page cache",
            Store::Memory => "tmpfs",
        };
        let operation = if self.is_write { "write" } else { "read" };
        format!("{store}, {operation}, depth {}", self.depth)
    }

    fn is_quick(&self) -> bool {
        self.maker == Maker::Fio
            && !self.is_write
            && (self.store, self.depth) != (Store::Cached, 32)
    }

    fn layout(&self) -> Layout {
        Layout {
            ratios: vec![(Measure::Rate, "operations per second"), (Measure::Cpu, "CPU")],
            base: "glibc".to_string(),
            other_base: None,
            values: vec![
                (Measure::Rate, "operations per second".to_string()),
                (Measure::Cpu, "CPU µs per operation".to_string()),
                (Measure::Calls, "system calls per operation".to_string()),
            ],
        }
    }

    /// The first is what the others are compared with.
    fn variants(&self) -> Vec<Variant> {
        match self.maker {
            Maker::Fio => vec![
                variant("glibc", "fio", "posixaio"),
                variant("libsio", "fio", "posixaio libsio.so"),
                variant("", "fio", "posixaio libsio.so").by_epoll_engine(),
                variant("fio's io_uring", "fio", "io_uring"),
                variant("fio's libaio", "fio", "libaio"),
                variant("fio's psync", "fio", "psync"),
            ],
            Maker::Own => vec![
                variant("glibc", "aio_plain", "aio"),
                variant("libsio", "aio_sio", "aio"),
                variant("", "aio_sio", "aio").by_epoll_engine(),
                variant("pread, pwrite", "aio_plain", "sync"),
            ],
        }
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        let Some(goal) = self.bounds(name) else { return Vec::new() };
        let topic = match goal.rate {
            ..=1.0 => "POSIX AIO, any other way, operations per second of glibc's",
            ..=4.0 => "POSIX AIO, O_DIRECT, read, depth 32, operations per second of glibc's",
            _ => "POSIX AIO, in memory, read, depth 1, operations per second of glibc's",
        };
        let mut goals = vec![Wanted::at_least(topic, Of::Base(Measure::Rate), goal.rate)];
        if let Some(cpu) = goal.cpu {
            let topic = "POSIX AIO, O_DIRECT, read, depth 32, CPU of glibc's";
            goals.push(Wanted::at_most(topic, Of::Base(Measure::Cpu), cpu));
        }
        goals
    }

    /// There are many of them, and they differ much.
    fn rounds(&self, asked: usize) -> usize {
        usize::min(asked, ROUNDS_MAX)
    }

    fn obstacle(&self) -> Option<String> {
        let is_missing = self.maker == Maker::Fio && !system::has_program("fio");
        is_missing.then(|| "fio is not here".to_string())
    }

    /// Makes the file, on the disk and in the page cache.
    fn prepare(&self, place: &Place) -> io::Result<Box<dyn Any>> {
        let path = self.path(place);
        let explain = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        let mut file = File::create(&path).map_err(explain)?;
        let made = TestFile(path.clone());
        let mut chunk = vec![0; CHUNK_BYTES];
        // Nothing that a file system would not store.
        File::open("/dev/urandom")?.read_exact(&mut chunk)?;
        for _ in 0..FILE_BYTES / CHUNK_BYTES {
            file.write_all(&chunk).map_err(explain)?;
        }
        file.sync_all().map_err(explain)?;
        Ok(Box::new(made))
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let window = times.window(counter) * 2 / 3;
        let run = Run { aio: *self, variant, place, counter };
        match self.maker {
            Maker::Fio => {
                let aside = run.fio(None)?;
                let whole = run.fio(Some(window))?;
                let operations = whole.operations - aside.operations;
                if operations <= 0.0 {
                    return Err(io::Error::other("nothing was done in the time"));
                }
                let cpu = whole.cpu.saturating_sub(aside.cpu).as_secs_f64() * 1e6 / operations;
                let mut sample = Sample::default();
                sample.set(Measure::Cpu, cpu);
                sample.set(Measure::Rate, whole.rate);
                if counter.is_some() {
                    sample.set(Measure::Calls, (whole.calls - aside.calls) / operations);
                }
                Ok(sample)
            }
            Maker::Own => run.own(window),
        }
    }
}

struct Run<'a> {
    aio: Aio,
    variant: &'a Variant,
    place: &'a Place,
    counter: Option<CounterKind>,
}

/// What a run of fio has told and taken.
struct Whole {
    operations: f64,
    rate: f64,
    cpu: Duration,
    calls: f64,
}

impl Run<'_> {
    /// fio for a time, or for a few operations.
    fn fio(&self, window: Option<Duration>) -> io::Result<Whole> {
        let Aio { store, is_write, depth, .. } = self.aio;
        let output = self.place.directory.join(format!("sio-bench-count-{}", std::process::id()));
        let mut command = match self.counter {
            Some(kind) => kind.around("fio", &output),
            None => Command::new("fio"),
        };
        let operation = if is_write { "write" } else { "read" };
        command.args([
            "--name=bench",
            "--bs=4k",
            "--norandommap",
            "--invalidate=0",
            "--output-format=json",
            &format!("--rw=rand{operation}"),
            &format!("--filename={}", self.aio.path(self.place).display()),
            &format!("--size={FILE_BYTES}"),
            &format!("--iodepth={depth}"),
            &format!("--direct={}", u8::from(store == Store::Direct)),
        ]);
        match window {
            Some(window) => {
                command.arg("--time_based").arg(format!("--runtime={}ms", window.as_millis()))
            }
            None => command.arg(format!("--number_ios={FEW}")),
        };
        let mut words = self.variant.arguments.iter();
        command.args(words.next().map(|engine| format!("--ioengine={engine}")));
        if let Some(library) = words.next() {
            command.env("LD_PRELOAD", self.place.directory.join(library));
        }
        command.envs(self.variant.environment).env("LC_ALL", "C").stdin(Stdio::null());
        let processors = self.place.all.clone();
        // SAFETY: system calls only, no memory is allocated.
        unsafe {
            command.pre_exec(move || {
                system::end_with_parent()?;
                system::stay_on(&processors)
            });
        }
        let before = system::children_cpu_time()?;
        let answer = command.output().map_err(|error| io::Error::other(format!("fio: {error}")))?;
        let cpu = system::children_cpu_time()?.saturating_sub(before);
        let told = String::from_utf8_lossy(&answer.stderr);
        if !answer.status.success() || told.contains("cannot be preloaded") {
            let first = told.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
            return Err(io::Error::other(format!("fio: {}: {first}", answer.status)));
        }
        let calls = match self.counter {
            Some(kind) => kind.count(&output)?,
            None => 0.0,
        };
        let text = String::from_utf8_lossy(&answer.stdout);
        let json = text.find('{').map_or("", |start| &text[start..]);
        let json: serde_json::Value = serde_json::from_str(json).map_err(io::Error::other)?;
        let job = &json["jobs"][0][operation];
        match (job["total_ios"].as_f64(), job["iops"].as_f64()) {
            (Some(operations), Some(rate)) => Ok(Whole { operations, rate, cpu, calls }),
            _ => Err(io::Error::other("fio does not tell how much it has done")),
        }
    }

    fn own(&self, window: Duration) -> io::Result<Sample> {
        let Aio { store, is_write, depth, .. } = self.aio;
        let path = self.aio.path(self.place);
        let mut variant = self.variant.clone();
        variant.arguments.extend([
            path.to_string_lossy().into_owned(),
            if is_write { "write" } else { "read" }.to_string(),
            if store == Store::Direct { "direct" } else { "buffered" }.to_string(),
            depth.to_string(),
            window.as_secs_f64().to_string(),
        ]);
        let place = Place { processor: None, ..self.place.clone() };
        let mut program = Program::start(&variant, &place, None)?;
        program.ready()?;
        let counter = self.counter.map(|kind| Counter::start(kind, program.pid())).transpose()?;
        let before = program.cpu_time()?;
        program.go()?;
        let done = program.done()?;
        let cpu = program.cpu_time()? - before;
        let operations = done.requests as f64;
        if done.bytes != done.requests * BLOCK_BYTES as u64 || done.requests == 0 {
            return Err(io::Error::other("operations that were not done"));
        }
        let mut sample = Sample::default();
        sample.set(Measure::Cpu, cpu.as_secs_f64() * 1e6 / operations);
        sample.set(Measure::Rate, operations / window.as_secs_f64());
        if let Some(counter) = counter {
            sample.set(Measure::Calls, counter.stop()? / operations);
        }
        Ok(sample)
    }
}
