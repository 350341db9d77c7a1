//! Programs of others that use POSIX AIO and know nothing of the library, with it preloaded: fio,
//! which verifies what it reads, and stress-ng. Each is run with every engine.
//!
//! They do a number of requests, not what a time allows: how busy the machine is decides nothing.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Outcome, has_program, say, scratch, shared_object, skip};

const ENGINES: [&str; 2] = ["io_uring", "epoll"];
/// For a program that hangs; a disk that others keep busy can hold one up for a minute.
const PATIENCE: Duration = Duration::from_secs(300);
const MEMORY: &str = "/dev/shm";
/// What fio says of a file system without `O_DIRECT`.
const NO_DIRECT: &str = "does not support direct=1";
/// Both import the names for large files.
const IMPORTED: [&str; 3] = ["aio_read64", "aio_write64", "aio_error64"];

/// One run of a program.
struct Run {
    name: String,
    engine: &'static str,
    program: &'static str,
    arguments: Vec<String>,
    /// What it writes if it did all that it was told to.
    says: &'static str,
}

/// Files of a program, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(below: &Path, name: &str) -> Self {
        let path = below.join(format!("sio-programs-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for a program's files");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Run {
    fn label(&self) -> String {
        format!("{} [{}]", self.name, self.engine)
    }

    /// Fails if the program does, or if the requests that it made were not the library's.
    fn check(&self) -> Result<(), String> {
        let files = Directory::new(&scratch("programs"), &format!("{}-{}", self.name, self.engine));
        let outcome = self.start(&files.0);
        let text = outcome.output.trim();
        if outcome.code() == Some(1) && text.contains(NO_DIRECT) {
            skip(&self.label(), "the file system does not know O_DIRECT");
            return Ok(());
        }
        let seconds = outcome.took.as_secs_f32();
        let how = match outcome.status {
            None => "it hangs".to_owned(),
            Some(status) if !status.success() => status.to_string(),
            Some(_) if !text.contains(self.says) => format!("it did not say {:?}", self.says),
            Some(_) => match went_through_us(&files.0) {
                Ok(()) => {
                    say(&format!("ok      {} {seconds:.2} s", self.label()));
                    return Ok(());
                }
                Err(reason) => reason,
            },
        };
        say(&format!("FAILED  {} {seconds:.2} s", self.label()));
        Err(format!("{}: {how}\n{text}\n", self.label()))
    }

    fn start(&self, directory: &Path) -> Outcome {
        let mut command = Command::new(self.program);
        command
            .args(&self.arguments)
            .current_dir(directory)
            .env("LD_PRELOAD", shared_object())
            .env("SIO_ENGINE", self.engine)
            .env_remove("SIO_REQUIRE")
            .env("LC_ALL", "C")
            .env("LD_DEBUG", "bindings")
            .env("LD_DEBUG_OUTPUT", directory.join("bindings"));
        common::run(&mut command, PATIENCE, &directory.join("output"))
    }
}

/// Whether the loader has bound the calls that a program imports to the library, and none of the
/// family to another one. What it says is in one file for each process.
fn went_through_us(directory: &Path) -> Result<(), String> {
    let library = format!(" to {} ", shared_object().display());
    let mut bound = Vec::new();
    for file in common::files(directory, &[""]) {
        if !common::stem(&file).starts_with("bindings") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
        for line in text.lines() {
            let Some((who, name)) = line.split_once(": normal symbol `") else { continue };
            let name = name.split('\'').next().unwrap_or_default();
            if !name.starts_with("aio_") && !name.starts_with("lio_listio") {
                continue;
            }
            if !who.contains(&library) {
                return Err(format!("not the library's: {line}"));
            }
            bound.push(name.to_owned());
        }
    }
    let missing: Vec<_> =
        IMPORTED.iter().filter(|name| !bound.iter().any(|other| other == *name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("did not use {missing:?}")) }
}

fn run_all(runs: &[Run]) {
    let results = common::in_parallel(runs, Run::check);
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n"));
}

/// Where files are: on what cargo builds on, and in memory if that is somewhere else.
fn places() -> Vec<(&'static str, PathBuf)> {
    let disk = scratch("programs");
    let device = |path: &Path| fs::metadata(path).map(|status| status.dev()).ok();
    let memory = Path::new(MEMORY);
    let mut places = vec![("disk", disk.clone())];
    let is_writable = fs::create_dir_all(memory.join("sio-programs"))
        .and_then(|()| fs::remove_dir(memory.join("sio-programs")))
        .is_ok();
    if !is_writable || device(memory) == device(&disk) {
        skip("fio in memory", &format!("{MEMORY} is not there, or not another file system"));
    } else {
        places.push(("memory", memory.to_owned()));
    }
    places
}

#[test]
fn fio_finds_what_it_has_written() {
    if !has_program("fio") {
        return skip("fio", "it is not installed");
    }
    let mut runs = Vec::new();
    let mut kept = Vec::new();
    for (place, directory) in places() {
        let files = Directory::new(&directory, "fio");
        for engine in ENGINES {
            for (direct, kind) in [(1, "direct"), (0, "buffered")] {
                // Requests at once, and threads that make them.
                for (depth, jobs) in [(1, 1), (8, 1), (32, 3), (200, 1)] {
                    let name = format!("fio-{place}-{kind}-{depth}-{jobs}");
                    let arguments = [
                        format!("--name={name}-{engine}"),
                        format!("--directory={}", files.0.display()),
                        format!("--direct={direct}"),
                        format!("--iodepth={depth}"),
                        format!("--numjobs={jobs}"),
                    ];
                    const COMMON: &str = "--ioengine=posixaio --thread --size=4m --rw=randrw \
                        --bs=4k --verify=crc32c --verify_fatal=1 \
                        --verify_backlog=100 --verify_state_save=0 --fsync=200 --group_reporting";
                    let common = COMMON.split_whitespace().map(str::to_owned);
                    let arguments = arguments.into_iter().chain(common).collect();
                    runs.push(Run { name, engine, program: "fio", arguments, says: "err= 0" });
                }
            }
        }
        kept.push(files);
    }
    run_all(&runs);
}

#[test]
fn stress_ng_is_content() {
    if !has_program("stress-ng") {
        return skip("stress-ng", "it is not installed");
    }
    let mut runs = Vec::new();
    for engine in ENGINES {
        // Requests at once, and processes that make them.
        for (requests, processes) in [(16, 1), (500, 2)] {
            let arguments = format!(
                "--aio {processes} --aio-requests {requests} --aio-ops 3000 --verify --no-rand-seed"
            );
            runs.push(Run {
                name: format!("stress-ng-{requests}-{processes}"),
                engine,
                program: "stress-ng",
                arguments: arguments.split(' ').map(str::to_owned).collect(),
                says: "successful run completed",
            });
        }
    }
    run_all(&runs);
}
