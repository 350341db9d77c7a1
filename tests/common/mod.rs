//! What the tests of the C interface share: the built library as a C program finds it, a C
//! compiler, and child processes that do not hang.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub mod network;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// What a program that hangs gets: the C tests end themselves long before.
pub const PROGRAM_LIMIT: Duration = Duration::from_secs(60);

/// The directory of Cargo.toml.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A directory for what this test makes; cargo keeps it between runs.
pub fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).expect("a directory for the test's files");
    directory
}

/// Prints past the capture of the test harness: which tests were skipped is to be seen.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Says that a test, or a part of it, cannot run on this machine.
pub fn skip(what: &str, reason: &str) {
    say(&format!("skipped {what}: {reason}"));
}

/// Whether a program can be started here.
pub fn has_program(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}

/// Copies a program that is to be run at once. By another process: what a child of another thread
/// has inherited, open for writing, cannot be executed (`ETXTBSY`).
pub fn copy_program(from: &Path, to: &Path) {
    finish(Command::new("cp").arg(from).arg(to)).expect("a copy of the program");
}

/// The shared object that cargo has built together with this test.
pub fn shared_object() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let deps = test.parent().expect("target/<profile>/deps");
        let profile = deps.parent().expect("target/<profile>");
        // cargo may leave a copy of an older build in one of the two places.
        [profile.join("libsio.so"), deps.join("libsio.so")]
            .into_iter()
            .filter_map(|path| Some((modified(&path)?, path)))
            .max()
            .map(|(_, path)| path)
            .unwrap_or_else(|| panic!("no libsio.so in {} or above it", deps.display()))
    })
}

/// A directory that holds the library under the names of the linker and of the loader.
pub fn library_directory() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let directory = scratch(&format!("library-{}", stem(&test)));
        for name in ["libsio.so", "libsio.so.0"] {
            let link = directory.join(name);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(shared_object(), link).expect("a link to the library");
        }
        directory
    })
}

pub fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// One run of a C or C++ compiler.
pub struct Compile {
    command: Command,
}

impl Compile {
    /// With the header of the source tree, which is meant to be free of warnings.
    pub fn new(compiler: &str) -> Self {
        let mut command = Command::new(compiler);
        command
            .args(["-Wall", "-Wextra", "-pedantic", "-Werror"])
            .arg("-I")
            .arg(root().join("include"));
        Self { command }
    }

    pub fn options(mut self, options: &[&str]) -> Self {
        self.command.args(options);
        self
    }

    /// Compiles without an object file.
    pub fn check(mut self, source: &Path) -> Result<(), String> {
        self.command.arg("-fsyntax-only").arg(source);
        finish(&mut self.command)
    }

    /// Compiles and links a program with the library that cargo has built.
    pub fn link(mut self, source: &Path, program: &Path) -> Result<(), String> {
        self.command
            .args(["-O1", "-g", "-pthread", "-o"])
            .arg(program)
            .arg(source)
            .arg("-L")
            .arg(library_directory())
            .arg("-lsio");
        finish(&mut self.command)
    }
}

/// The C compiler: `CC`, or `cc`.
pub fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".to_owned())
}

/// Runs a tool that is not expected to fail; its output is the error if it does.
pub fn finish(command: &mut Command) -> Result<(), String> {
    output(command).map(drop)
}

/// The same, for what it writes to standard output.
pub fn output(command: &mut Command) -> Result<String, String> {
    let result =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    if result.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&result.stderr);
    Err(format!("{command:?}: {}\n{text}{errors}", result.status))
}

/// How a program ended, and all that it wrote.
pub struct Outcome {
    /// `None`: it was killed because its time was over.
    pub status: Option<ExitStatus>,
    pub output: String,
    pub took: Duration,
}

impl Outcome {
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }
}

/// Runs a program with a time limit. What it writes goes through a file, because its children
/// could hold a pipe open for longer than it lives.
pub fn run(command: &mut Command, limit: Duration, log: &Path) -> Outcome {
    let start = Instant::now();
    let file = File::create(log).expect("a file for the output");
    let copy = file.try_clone().expect("a second descriptor of it");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = loop {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            break Some(status);
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let output = fs::read(log).unwrap_or_default();
    Outcome { status, output: String::from_utf8_lossy(&output).into_owned(), took: start.elapsed() }
}

/// A command that finds the library, and that sees none of the variables which choose an engine.
pub fn with_library(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", library_directory());
    without_variables(&mut command);
    command
}

/// Whoever runs the tests may have set them.
pub fn without_variables(command: &mut Command) {
    for name in ["SIO_ENGINE", "SIO_REQUIRE", "SIO_PRELOAD", "SIO_LOG", "LD_PRELOAD"] {
        command.env_remove(name);
    }
}

/// Does the work for every item with as many threads as there are processors; the results are in
/// the order of the items.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(index) else { break done };
                        done.push((index, work(item)));
                    }
                })
            })
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("a worker")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The version script of the shared library.
pub const MAP: &str = "src/capi/sio.map";

/// C without `/* */` and `//` comments.
pub fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(start) = rest.find("/*") {
        kept.push_str(&rest[..start]);
        kept.push(' ');
        rest = rest[start..].split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    let lines: Vec<&str> =
        kept.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    lines.join("\n")
}

/// The files of a directory whose names end so, sorted; none if there is no such directory.
pub fn files(directory: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && ends.iter().any(|end| name.ends_with(end))
    });
    found.sort();
    found
}

/// All files below a directory whose names end so, sorted.
pub fn files_below(directory: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = files(directory, ends);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files_below(&entry.path(), ends));
        }
    }
    found.sort();
    found
}

/// The nodes of the map of exported symbols, each with its names.
pub fn map_nodes() -> Vec<(String, Vec<String>)> {
    let is_name = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut nodes: Vec<(String, Vec<String>)> = Vec::new();
    for line in read(&root().join(MAP)).lines() {
        if let Some(node) = line.strip_suffix(" {") {
            nodes.push((node.to_owned(), Vec::new()));
        } else if let Some(name) = line.trim().strip_suffix(';').filter(is_name) {
            nodes.last_mut().expect("a name stands in a node").1.push(name.to_owned());
        }
    }
    nodes
}

/// Whether the names of a node are the C library's, and ours as well.
pub fn is_foreign(node: &str) -> bool {
    node.starts_with("GLIBC_")
}

/// Whether the names of a node are only for what is installed together with the library.
pub fn is_private(node: &str) -> bool {
    node == "SIO_PRIVATE"
}

/// The file's name without its last suffix.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A program that was never linked with the library: pause(2) is that of the C library until a
/// thread uses the library that is loaded with it, found by name.
const STRANGER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;
static atomic_int done;

static void count(int number) { (void)number; alarms++; }
static void complete(int fd, void *context) { (void)fd; (void)context; done = 1; }

int main(void)
{
    struct itimerval often = { { 0, 30000 }, { 0, 30000 } }, never = { 0 };
    int (*notify)(int, void (*)(int, void *), void *);
    int ends[2], before;
    signal(SIGALRM, count);
    /* Again and again: the first one may come before the call. */
    setitimer(ITIMER_REAL, &often, NULL);
    if (pause() != -1 || errno != EINTR || alarms == 0)
        return 1;
    setitimer(ITIMER_REAL, &never, NULL);
    before = alarms;
    *(void **)&notify = dlsym(RTLD_DEFAULT, "async_io_notify");
    if (notify == NULL || pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
        return 2;
    if (notify(ends[0], complete, NULL) != 0)
        return 3;
    while (!done)
        usleep(1000);
    usleep(30000);
    alarm(5);
    return pause() == -1 && errno == EINTR && alarms == before ? 0 : 4;
}
"#;

/// Runs that program with a library preloaded.
pub fn check_preloaded(library: &Path, directory: &Path) {
    let source = directory.join("stranger.c");
    let program = directory.join("stranger");
    fs::write(&source, STRANGER).expect("writing a program");
    let mut compile = Command::new(compiler());
    compile.arg(&source).arg("-o").arg(&program).arg("-ldl");
    finish(&mut compile).unwrap_or_else(|text| panic!("{text}"));
    let mut command = Command::new(&program);
    let outcome =
        run(command.env("LD_PRELOAD", library), PROGRAM_LIMIT, &program.with_extension("log"));
    assert_eq!(outcome.code(), Some(0), "{}: {}", library.display(), outcome.output);
}
