//! Programs of others that use POSIX AIO and know nothing of the library, with it preloaded: fio,
//! which verifies what it reads, and stress-ng. Each is run with every engine.
//!
//! They do a number of requests, not what a time allows: how busy the machine is decides nothing.
//! If root runs the tests, an ordinary user runs some of them too: limits do not bind root.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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

/// Whoever has no rights.
const NOBODY: &str = "65534";
/// What an ordinary user may lock in memory as a rule.
const LOCKED_BYTES: usize = 8 << 20;

/// One run of a program.
#[derive(Clone)]
struct Run {
    name: String,
    engine: &'static str,
    program: &'static str,
    arguments: Vec<String>,
    /// What it writes if it did all that it was told to.
    says: &'static str,
    /// Somebody without rights runs it, with this copy of the library, which everybody may read.
    by_nobody: Option<PathBuf>,
}

/// Files of a program, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(below: &Path, name: &str) -> Self {
        let path = below.join(format!("sio-programs-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for a program's files");
        let everybody = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(&path, everybody).expect("our own directory");
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
        let user = if self.by_nobody.is_some() { ", nobody" } else { "" };
        format!("{} [{}{user}]", self.name, self.engine)
    }

    fn library(&self) -> &Path {
        self.by_nobody.as_deref().unwrap_or_else(|| shared_object())
    }

    /// Fails if the program does, or if the requests that it made were not the library's.
    fn check(&self) -> Result<(), String> {
        let below = match self.by_nobody {
            Some(_) => std::env::temp_dir(),
            None => scratch("programs"),
        };
        let files = Directory::new(&below, &format!("{}-{}", self.name, self.engine));
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
            Some(_) => match went_through_us(&files.0, self.library()) {
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
        let mut command = match self.by_nobody {
            None => Command::new("env"),
            Some(_) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
                command.args(["--inh-caps=-all", "prlimit"]);
                command.arg(format!("--memlock={LOCKED_BYTES}")).arg("env");
                command
            }
        };
        // Only the program itself is to have the library, and to tell what it is bound to.
        command
            .arg(format!("LD_PRELOAD={}", self.library().display()))
            .arg(format!("LD_DEBUG_OUTPUT={}", directory.join("bindings").display()))
            .arg("LD_DEBUG=bindings")
            .arg(self.program)
            .args(&self.arguments)
            .current_dir(directory)
            .env("SIO_ENGINE", self.engine)
            .env_remove("SIO_REQUIRE")
            .env("LC_ALL", "C");
        common::run(&mut command, PATIENCE, &directory.join("output"))
    }
}

/// Whether the loader has bound the calls that a program imports to the library, and none of the
/// family to another one. What it says is in one file for each process.
fn went_through_us(directory: &Path, library: &Path) -> Result<(), String> {
    let library = format!(" to {} ", library.display());
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

/// All of them, and those that `also_by_nobody` picks once more.
fn run_all(mut runs: Vec<Run>, also_by_nobody: impl Fn(&Run) -> bool) {
    let own = Directory::new(&std::env::temp_dir(), &format!("library-{}", runs[0].program));
    let is_root = fs::metadata("/proc/self").is_ok_and(|status| status.uid() == 0);
    if is_root && has_program("setpriv") && has_program("prlimit") {
        let library = own.0.join("libsio.so");
        fs::copy(shared_object(), &library).expect("a copy of the library");
        let mut more: Vec<Run> = runs.iter().filter(|run| also_by_nobody(run)).cloned().collect();
        for run in &mut more {
            run.by_nobody = Some(library.clone());
            run.name += "-nobody";
            for argument in &mut run.arguments {
                if argument.starts_with("--name=") {
                    *argument += "-nobody";
                } else if argument.starts_with("--directory=") {
                    *argument = format!("--directory={}", own.0.display());
                }
            }
        }
        runs.append(&mut more);
    } else if is_root {
        skip("the runs of an ordinary user", "setpriv or prlimit is not installed");
    }
    let results = common::in_parallel(&runs, Run::check);
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
                    runs.push(Run {
                        name,
                        engine,
                        program: "fio",
                        arguments,
                        says: "err= 0",
                        by_nobody: None,
                    });
                }
            }
        }
        kept.push(files);
    }
    run_all(runs, |run| run.name.starts_with("fio-disk") && run.name.ends_with("-32-3"));
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
                by_nobody: None,
            });
        }
    }
    run_all(runs, |_| true);
}
