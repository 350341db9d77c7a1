//! Programs with several threads under the tools that look for races: the thread sanitizer of gcc
//! and clang, and valgrind's helgrind, drd and memcheck. The library's locks are none that they
//! know, so it tells them who comes after whom (src/sys/annotate.rs): there must be no report. A
//! race of the program's own has to be seen all the same.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Compile, Outcome, in_parallel, say, skip};

/// Programs of `c-tests/` that several threads take part in.
const PROGRAMS: &[&str] = &[
    "aio_cancel-list",
    "aio_suspend-pipe",
    "ec_add_sem-hands_over",
    "ec_destroy-churn",
    "ec_destroy-waiters",
    "ec_post-hands_over",
    "ec_wake-waiters",
    "sio_complete-notification",
    "sio_send-echo_between_threads",
    "sio_send-synchronous_rest",
];

/// More of them, for which valgrind is too slow.
const LONG_PROGRAMS: &[&str] = &[
    "aio-many_threads",
    "aio_suspend-threads",
    "ec_add_fd-many_threads",
    "ec_create-threads",
    "sio_complete-threads",
    "sio_detach-another_thread",
    "sio_detach-at_once",
    "sio_recv-among_descriptors",
    "sio_recv-threads",
    "sio_reserve-threads",
    "sio_send-threads",
];

/// What a program's own mistake looks like: memory is changed after it was handed over.
const RACE: &str = r#"
#include <pthread.h>
#include <sio.h>

static int handed_over;

static void *fetch(void *ec)
{
    event_data_t event;
    if (ec_wait_events(*(ec_t *)ec, &event, 1, 0, 0) == 1)
        ++*(int *)event.ev_ptr;
    return 0;
}

int main(void)
{
    pthread_t thread;
    event_data_t event = { 0 };
    ec_t ec = ec_create(0);
    if (pthread_create(&thread, 0, fetch, &ec) != 0)
        return 1;
    event.ev_type = EC_EV_USER;
    event.ev_ptr = &handed_over;
    if (ec_post(ec, &event) != 0)
        return 1;
    ++handed_over;
    pthread_join(thread, 0);
    return ec_destroy(ec);
}
"#;

const ENGINES: &[&str] = &["io_uring", "epoll"];
const OPTIONS: &[&str] = &["-std=c11", "-D_GNU_SOURCE"];
const SKIPPED: i32 = 77;
/// The exit status of a program of which something was reported: the sanitizer's own.
const REPORTED: i32 = 66;

/// One program under one tool.
struct Run {
    label: String,
    command: Command,
}

fn sources<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> Vec<PathBuf> {
    let directory = common::root().join("c-tests");
    names.into_iter().map(|name| directory.join(format!("{name}.c"))).collect()
}

fn race() -> PathBuf {
    let source = common::scratch("sanitizers").join("race.c");
    // The tests run at the same time: never half a file.
    let unfinished = source.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&unfinished, RACE).expect("a file for the program");
    std::fs::rename(&unfinished, &source).expect("the file's own name");
    source
}

/// A program of this source, made by a compiler with these options.
fn build(compiler: &str, options: &[&str], source: &Path, kind: &str) -> Result<PathBuf, String> {
    let program = common::scratch("sanitizers").join(format!("{}.{kind}", common::stem(source)));
    Compile::new(compiler).options(OPTIONS).options(options).link(source, &program)?;
    Ok(program)
}

fn run(run: &mut Run) -> Outcome {
    let log = common::scratch("sanitizers-output").join(run.label.replace(' ', "-"));
    common::run(&mut run.command, common::PROGRAM_LIMIT * 2, &log)
}

/// Nothing is reported of any of these.
fn expect_silence(runs: Vec<Run>) {
    let runs: Vec<_> = runs.into_iter().map(std::sync::Mutex::new).collect();
    let failures = in_parallel(&runs, |one| {
        let mut one = one.lock().expect("nobody else has it");
        let outcome = run(&mut one);
        match outcome.code() {
            Some(0) => {
                say(&format!("ok      {} {:.2} s", one.label, outcome.took.as_secs_f32()));
                None
            }
            Some(SKIPPED) => {
                say(&format!("skipped {}: {}", one.label, outcome.output.trim_end()));
                None
            }
            _ => {
                say(&format!("FAILED  {}", one.label));
                Some(format!("{}: {:?}\n{}", one.label, outcome.status, outcome.output))
            }
        }
    });
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn expect_report(mut of: Run) {
    let outcome = run(&mut of);
    assert_eq!(outcome.code(), Some(REPORTED), "{}:\n{}", of.label, outcome.output);
}

/// Why programs with the thread sanitizer cannot be made or run here.
fn sanitizer_fails(compiler: &str) -> Option<String> {
    if !common::has_program(compiler) {
        return Some("not installed".to_owned());
    }
    let directory = common::scratch("sanitizers");
    let (source, program) = (
        directory.join(format!("nothing-{compiler}.c")),
        directory.join(format!("nothing-{compiler}")),
    );
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("a file for the program");
    let mut make = Command::new(compiler);
    make.arg("-fsanitize=thread").arg(&source).arg("-o").arg(&program);
    common::finish(&mut make).and_then(|()| common::finish(&mut Command::new(&program))).err()
}

fn thread_sanitizer(compiler: &str) {
    let what = format!("the thread sanitizer of {compiler}");
    if let Some(reason) = sanitizer_fails(compiler) {
        return skip(&what, reason.lines().last().unwrap_or("it does not work"));
    }
    let options = ["-fsanitize=thread"];
    let sources = sources(PROGRAMS.iter().chain(LONG_PROGRAMS));
    let programs = in_parallel(&sources, |source| build(compiler, &options, source, compiler));
    let command = |program: &Path, engine: &str| {
        let mut command = common::with_library(program);
        command.env("SIO_ENGINE", engine).env_remove("TSAN_OPTIONS");
        command
    };
    let mut runs = Vec::new();
    for program in programs {
        let program = program.expect("it compiles");
        for engine in ENGINES {
            let label = format!("{} [tsan_{engine}]", common::stem(&program));
            runs.push(Run { label, command: command(&program, engine) });
        }
    }
    expect_silence(runs);
    let program = build(compiler, &options, &race(), compiler).expect("it compiles");
    expect_report(Run { label: format!("race {compiler}"), command: command(&program, "epoll") });
}

#[test]
fn thread_sanitizer_of_gcc() {
    thread_sanitizer("gcc");
}

#[test]
fn thread_sanitizer_of_clang() {
    thread_sanitizer("clang");
}

fn under_valgrind(tool: &str, program: &Path) -> Command {
    let mut command = common::with_library(Path::new("valgrind"));
    command.arg(format!("--tool={tool}")).arg(format!("--error-exitcode={REPORTED}"));
    command.args(["--quiet", "--log-fd=2"]).arg(program);
    command
}

fn valgrind(tool: &str) {
    let what = format!("valgrind's {tool}");
    if !common::has_program("valgrind") {
        return skip(&what, "valgrind is not installed");
    }
    if let Err(reason) = common::finish(&mut under_valgrind(tool, Path::new("true"))) {
        return skip(&what, reason.lines().last().unwrap_or("it does not work"));
    }
    let compiler = common::compiler();
    let programs = in_parallel(&sources(PROGRAMS), |source| build(&compiler, &[], source, tool));
    let runs = programs.into_iter().map(|program| {
        let program = program.expect("it compiles");
        let label = format!("{} [{tool}]", common::stem(&program));
        Run { label, command: under_valgrind(tool, &program) }
    });
    expect_silence(runs.collect());
    if tool != "memcheck" {
        let program = build(&compiler, &[], &race(), tool).expect("it compiles");
        expect_report(Run {
            label: format!("race {tool}"),
            command: under_valgrind(tool, &program),
        });
    }
}

#[test]
fn helgrind() {
    valgrind("helgrind");
}

#[test]
fn drd() {
    valgrind("drd");
}

#[test]
fn memcheck() {
    valgrind("memcheck");
}

/// Valgrind does not follow io_uring, so nobody gets it there without asking, and it is told why.
#[test]
fn valgrind_gets_epoll() {
    if !common::has_program("valgrind") {
        return skip("the engine under valgrind", "valgrind is not installed");
    }
    let probe = Path::new(env!("CARGO_BIN_EXE_sio-probe"));
    let text = common::output(&mut under_valgrind("memcheck", probe)).expect("sio-probe");
    assert!(text.contains("valgrind does not follow it"), "{text}");
    let mut insisting = under_valgrind("memcheck", probe);
    let text = common::output(insisting.env("SIO_ENGINE", "io_uring")).expect("sio-probe");
    assert!(!text.contains("valgrind does not follow it"), "{text}");
}
