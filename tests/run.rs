//! sio-run: what a program that is run by it notices of that (nothing), what it gains, and what is
//! told when nothing can be done for it.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::{Outcome, PROGRAM_LIMIT, finish, has_program, scratch, skip};

const RUN: &str = env!("CARGO_BIN_EXE_sio-run");

/// Makes requests of POSIX AIO and knows nothing of the library: one for each argument, from a file in
/// memory (`m`) or from a pipe that has nothing yet (`p`). Then it does what the last one says.
const ASKING: &str = r#"
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void ask(char what)
{
    const struct aiocb *list[1];
    struct aiocb block;
    char byte = 0;
    int ends[2], memory = memfd_create("asking", MFD_CLOEXEC);
    if (pipe(ends) != 0 || write(memory, "x", 1) != 1)
        _exit(10);
    memset(&block, 0, sizeof block);
    block.aio_fildes = what == 'm' ? memory : ends[0];
    block.aio_buf = &byte;
    block.aio_nbytes = 1;
    block.aio_sigevent.sigev_notify = SIGEV_NONE;
    list[0] = &block;
    if (aio_read(&block) != 0 || (what == 'p' && write(ends[1], "x", 1) != 1))
        _exit(11);
    while (aio_error(&block) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    if (aio_error(&block) != 0 || aio_return(&block) != 1 || byte != 'x')
        _exit(12);
    close(ends[0]);
    close(ends[1]);
    close(memory);
}

int main(int argc, char **argv)
{
    for (const char *what = argc > 1 ? argv[1] : ""; *what != 0; what++) {
        if (*what == 'k')
            raise(SIGKILL);
        else if (*what == 'q')
            _exit(9);
        else if (*what == 'f') {
            if (fork() != 0)
                return wait(NULL) < 0;
        } else if (*what == 'e')
            execl(argv[0], argv[0], what + 1, NULL);
        else
            ask(*what);
    }
    return 0;
}
"#;

fn directory() -> PathBuf {
    scratch("run")
}

fn compile(name: &str, text: &str, options: &[&str]) -> Result<PathBuf, String> {
    let source = directory().join(name).with_extension("c");
    let program = directory().join(name);
    fs::write(&source, text).expect("writing a program");
    let mut command = Command::new(common::compiler());
    command.arg(&source).arg("-o").arg(&program).args(options).arg("-lrt");
    finish(&mut command).map(|()| program)
}

fn asking() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| compile("asking", ASKING, &[]).unwrap_or_else(|text| panic!("{text}")))
}

/// sio-run with these arguments and none of our variables.
fn sio_run(arguments: &[&str]) -> Command {
    let mut command = Command::new(RUN);
    command.args(arguments).env("LC_ALL", "C");
    common::without_variables(&mut command);
    command
}

fn outcome(name: &str, command: &mut Command) -> Outcome {
    common::run(command, PROGRAM_LIMIT, &directory().join(format!("{name}.log")))
}

/// What the program writes, if it ends well.
fn output(name: &str, arguments: &[&str]) -> String {
    let outcome = outcome(name, &mut sio_run(arguments));
    assert_eq!(outcome.code(), Some(0), "{arguments:?}: {}", outcome.output);
    outcome.output
}

fn path(name: &str) -> String {
    directory().join(name).to_string_lossy().into_owned()
}

fn file(name: &str, text: &[u8], mode: u32) -> String {
    let path = path(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, text).expect("writing a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

#[test]
fn a_program_takes_the_place_of_sio_run() {
    let child = sio_run(&["sh", "-c", "echo $$; cat; echo \"$0\" \"$@\"", "zero", "--", "-x", ""])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sio-run");
    let process = child.id();
    let mut child = child;
    use std::io::Write;
    child.stdin.take().expect("its input").write_all(b"text\n").expect("writing to it");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, format!("{process}\ntext\nzero -- -x \n"));
}

#[test]
fn the_end_is_the_programs() {
    for options in [&[][..], &["--explain"]] {
        for (command, status, signal) in [
            ("exit 0", Some(0), None),
            ("exit 77", Some(77), None),
            ("kill -TERM $$", None, Some(15)),
            ("kill -KILL $$", None, Some(9)),
        ] {
            use std::os::unix::process::ExitStatusExt;
            let arguments = [options, &["--", "sh", "-c", command]].concat();
            let ended = sio_run(&arguments).stderr(Stdio::null()).status().expect("sio-run");
            assert_eq!((ended.code(), ended.signal()), (status, signal), "{arguments:?}");
        }
    }
}

/// What is inherited stays: ignored signals, the mask, closed descriptors; and nothing is added.
#[test]
fn what_a_program_inherits_stays_as_it_was() {
    const SHOW: &str = "grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/$$/fd";
    for options in ["", "--explain"] {
        for before in [":", "trap '' PIPE", "trap '' CHLD HUP", "exec <&-", "exec 9>/dev/null"] {
            let shown = |command: &str| {
                let mut shell = Command::new("bash");
                shell.args(["-c", &format!("{before}; exec {command}")]);
                shell.env_remove("LD_PRELOAD").stderr(Stdio::null());
                let output = shell.output().expect("bash");
                without_own_signals(&String::from_utf8_lossy(&output.stdout))
            };
            let with = shown(&format!("{RUN} {options} sh -c \"{}\"", SHOW.replace('$', "\\$")));
            let without = shown(&format!("sh -c \"{}\"", SHOW.replace('$', "\\$")));
            assert!(without.contains("SigIgn"), "{without}");
            assert_eq!(with, without, "{options} after {before}");
        }
    }
}

/// What the C library does with the two signals that it keeps for itself is its own affair.
fn without_own_signals(status: &str) -> String {
    let lines = status.lines().map(|line| match line.split_once(":\t") {
        Some((name, mask)) => {
            let mask = u64::from_str_radix(mask, 16).expect("a mask") & !(0b11 << 31);
            format!("{name} {mask:x}\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn what_cannot_be_run_is_told_as_a_shell_tells_it() {
    let cases = [
        (path("nothing"), 127, "no such file"),
        ("sio-nothing".to_owned(), 127, "not found"),
        (directory().to_string_lossy().into_owned(), 126, "is a directory"),
        (file("no-interpreter", b"#!/sio/nothing\n", 0o755), 127, "its interpreter /sio/nothing"),
        (file("another-system", b"\x7fELF\x01\x01\x01broken", 0o755), 126, "another word size"),
        (file("broken", b"\x7fELF\x02\x01\x01broken", 0o755), 126, "not a sound ELF file"),
    ];
    for (program, status, words) in &cases {
        let outcome = outcome("cannot", &mut sio_run(&[program]));
        assert_eq!(outcome.code(), Some(*status), "{program}: {}", outcome.output);
        assert!(outcome.output.contains(words), "{program}: {}", outcome.output);
    }
    let program = file("not-executable", b"#!/bin/sh\n", 0o644);
    let outcome = outcome("cannot", &mut sio_run(&[&program]));
    assert_eq!(outcome.code(), Some(126), "{}", outcome.output);
}

#[test]
fn wrong_options_are_told() {
    for (arguments, words) in [
        (&["--engine", "steam", "true"][..], "steam"),
        (&["--colour", "true"], "--colour"),
        (&[], "PROGRAM"),
    ] {
        let outcome = outcome("wrong", &mut sio_run(arguments));
        assert_eq!(outcome.code(), Some(125), "{arguments:?}: {}", outcome.output);
        assert!(outcome.output.contains(words), "{arguments:?}: {}", outcome.output);
    }
}

#[test]
fn scripts_are_run_as_a_shell_runs_them() {
    let script = file("script", b"#!/bin/sh\necho script \"$@\"\n", 0o755);
    assert_eq!(output("script", &[&script, "1", "2"]), "script 1 2\n");
    let bare = file("bare", b"echo bare \"$0\" \"$@\"\n", 0o755);
    assert_eq!(output("bare", &[&bare, "1"]), format!("bare {bare} 1\n"));
}

/// A program into which nothing can be loaded runs all the same, unless something was required.
#[test]
fn programs_that_load_nothing_are_told_apart() {
    let mut cases = Vec::new();
    let text = "int main(void) { return 5; }\n";
    match compile("static", text, &["-static"]) {
        Ok(program) => cases.push((program, "linked statically", 5)),
        Err(_) => skip("a static program", "the compiler makes none"),
    }
    match compile("narrow", text, &["-m32"]) {
        Ok(program) => cases.push((program, "another word size", 5)),
        Err(_) => skip("a program of 32 bits", "the compiler makes none"),
    }
    let special = PathBuf::from(file("special", &fs::read("/bin/true").expect("true(1)"), 0o755));
    let owner = std::os::unix::fs::chown(&special, Some(65534), None);
    if owner.is_ok() {
        fs::set_permissions(&special, fs::Permissions::from_mode(0o4755)).expect("its mode");
        cases.push((special, "is set-user-ID", 0));
    } else {
        skip("a set-user-ID program", "only root can make one of somebody else's");
    }
    for (program, words, status) in &cases {
        let program = program.to_string_lossy();
        let run = outcome("loads-nothing", &mut sio_run(&[&program]));
        assert_eq!(run.code(), Some(*status), "{program}: {}", run.output);
        assert!(run.output.contains(words), "{program}: {}", run.output);
        let run = outcome("loads-nothing", &mut sio_run(&["--require", &program]));
        assert_eq!(run.code(), Some(126), "{program}: {}", run.output);
        assert!(run.output.contains(words), "{program}: {}", run.output);
    }
}

/// What Go's linker puts into each program.
const NOTE_OF_GO: &str = r#"
__asm__(".pushsection .note.go.buildid, \"a\", @note\n"
        ".long 4, 4, 4\n.ascii \"Go\\0\\0\"\n.ascii \"0123\"\n"
        ".popsection\n");
int main(void) { return 5; }
"#;

/// Go makes its own system calls, so what is loaded does not see its sockets.
#[test]
fn a_program_in_go_is_told_that_its_sockets_are_left_alone() {
    let program = compile("go", NOTE_OF_GO, &[]).expect("a program with a note");
    let program = program.to_string_lossy();
    for option in ["--udp", "--local-bypass"] {
        let run = outcome("go", &mut sio_run(&[option, &program]));
        assert_eq!(run.code(), Some(5), "{option}: {}", run.output);
        assert!(run.output.contains("is written in Go"), "{option}: {}", run.output);
        let run = outcome("go", &mut sio_run(&["--require", option, &program]));
        assert_eq!(run.code(), Some(126), "{option}: {}", run.output);
        assert!(run.output.contains("is written in Go"), "{option}: {}", run.output);
    }
    for options in [&[][..], &["--require"]] {
        let run = outcome("go", &mut sio_run(&[options, &[&*program]].concat()));
        assert_eq!(run.code(), Some(5), "{options:?}: {}", run.output);
        assert_eq!(run.output, "", "{options:?}");
    }
}

/// The line of --explain that tells what `asking` did.
fn told(arguments: &[&str]) -> String {
    let outcome = outcome("told", &mut sio_run(arguments));
    let line = outcome.output.lines().find(|line| line.contains("of POSIX AIO: "));
    let line = line.unwrap_or_else(|| panic!("{arguments:?}: {}", outcome.output));
    assert!(line.starts_with("sio-run: asking ("), "{line}");
    line.split("): ").nth(1).unwrap_or_default().to_owned()
}

#[test]
fn requests_are_served_and_counted() {
    let asking = asking().to_string_lossy();
    let is_denied =
        outcome("probe", &mut sio_run(&["--require", "--engine", "io_uring", &asking, "p"]));
    let by_ring = if is_denied.code() == Some(0) {
        "5 requests of POSIX AIO: 3 at once, 2 by io_uring"
    } else {
        skip("requests by io_uring", &is_denied.output);
        "5 requests of POSIX AIO: 3 at once, 2 by threads"
    };
    let command = format!("{asking} mpmpm; true");
    for arguments in [
        &["--explain", &*asking, "mpmpm"][..],
        &["--explain", "sh", "-c", &command],
        &["--explain", "env", "A=b", &asking, "mpmpm"],
        &["--explain", &asking, "empmpm"],
        // The end of a program makes no difference.
        &["--explain", &asking, "mpmpmk"],
        &["--explain", &asking, "mpmpmq"],
        // A child's are its parent's, as far as it is the same program.
        &["--explain", &asking, "mpfmpm"],
    ] {
        let told = told(arguments);
        assert!(told.starts_with(by_ring), "{arguments:?}: {told}");
    }
    let told = told(&["--explain", "--engine", "epoll", &asking, "mpmpm"]);
    assert_eq!(told, "5 requests of POSIX AIO: 3 at once, 2 by threads (the engine is epoll)");
}

#[test]
fn a_variable_switches_it_off() {
    let asking = asking().to_string_lossy();
    let inner =
        format!("{asking} m; SIO_PRELOAD=off {asking} mmm; SIO_PRELOAD=off sh -c '{asking} mmm'");
    let told = told(&["--explain", "sh", "-c", &inner]);
    assert!(told.starts_with("1 request of POSIX AIO"), "{told}");
    // Nothing is left in the program, and it is the same one.
    let show = "SIO_PRELOAD=off sh -c 'grep libsio /proc/$$/maps; echo comm=$(cat /proc/$$/comm) name=$0 arguments=$* $LD_PRELOAD' name 1 2";
    let shown = output("off", &["sh", "-c", show]);
    assert!(!shown.contains("libsio"), "{shown}");
    let shell = fs::canonicalize("/bin/sh").expect("a shell");
    let comm = shell.file_name().expect("its name").to_string_lossy().into_owned();
    assert!(shown.contains(&format!("comm={comm} name=name arguments=1 2")), "{shown}");
    // What others have preloaded stays.
    let other = format!("{}/libother.so", directory().display());
    let mut compile = Command::new(common::compiler());
    let empty = file("empty.c", b"int sio_test_other;\n", 0o644);
    finish(compile.args(["-shared", "-fPIC", &empty, "-o", &other])).expect("a library");
    let mut command =
        sio_run(&["sh", "-c", "echo $LD_PRELOAD; SIO_PRELOAD=off sh -c 'echo $LD_PRELOAD'"]);
    let outcome = outcome("off", command.env("LD_PRELOAD", &other));
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!(lines.len(), 2, "{}", outcome.output);
    assert!(lines[0].ends_with(&format!(":{other}")) && lines[0].contains("libsio_preload.so:"));
    assert_eq!(lines[1], other);
    // sio-run itself hears of it as well.
    let mut command = sio_run(&["sh", "-c", "echo list=$LD_PRELOAD"]);
    let outcome =
        common::run(command.env("SIO_PRELOAD", "off"), PROGRAM_LIMIT, &directory().join("off.log"));
    assert!(outcome.output.contains("list=\n"), "{}", outcome.output);
}

/// With --explain sio-run stays: what comes for it is the program's.
#[test]
fn signals_are_passed_on() {
    let command =
        "trap 'echo got USR1; exit 3' USR1; kill -USR1 $PPID; while :; do sleep 0.01; done";
    let outcome = outcome("signals", &mut sio_run(&["--explain", "sh", "-c", command]));
    assert_eq!(outcome.code(), Some(3), "{}", outcome.output);
    assert!(outcome.output.contains("got USR1"), "{}", outcome.output);
}

/// Whoever kills sio-run means the program.
#[test]
fn a_killed_sio_run_takes_its_program_with_it() {
    let mark = path("killed.pid");
    let _ = fs::remove_file(&mark);
    let command = format!("echo $$ > {mark}; exec sleep 300");
    let mut child = sio_run(&["--explain", "sh", "-c", &command])
        .stderr(Stdio::null())
        .spawn()
        .expect("sio-run");
    let deadline = std::time::Instant::now() + PROGRAM_LIMIT;
    let process = loop {
        let text = fs::read_to_string(&mark).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "the program does not start");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    child.kill().expect("killing it");
    child.wait().expect("its end");
    let is_gone = || {
        // A zombie that nobody reaps has ended as well.
        let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        status.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
    };
    while !is_gone() {
        assert!(std::time::Instant::now() < deadline, "the program goes on");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn programs_with_a_sanitizer_run() {
    let text =
        "#include <stdlib.h>\nint main(void) { char *p = malloc(5); free(p); return p == 0; }\n";
    for kind in ["address", "undefined", "thread"] {
        let Ok(program) = compile(&format!("with-{kind}"), text, &[&format!("-fsanitize={kind}")])
        else {
            skip(&format!("a program with the {kind} sanitizer"), "the compiler has none");
            continue;
        };
        output("sanitizer", &[&program.to_string_lossy()]);
        output("sanitizer", &["sh", "-c", &format!("{}; exit $?", program.display())]);
    }
}

/// Tools that look into programs, and programs that do not use the C library's way to a child.
#[test]
fn tools_see_the_program() {
    for (tool, arguments) in [
        ("strace", &["-f", "-o", "/dev/null", "sh", "-c", "echo tool"][..]),
        ("gdb", &["-batch", "-nx", "-ex", "run", "--args", "sh", "-c", "echo tool"]),
        ("valgrind", &["-q", "--error-exitcode=9", "sh", "-c", "echo tool"]),
        ("timeout", &["60", "sh", "-c", "echo tool"]),
        ("nice", &["sh", "-c", "echo tool"]),
        ("setsid", &["-w", "sh", "-c", "echo tool"]),
    ] {
        if !has_program(tool) {
            skip(&format!("a program under {tool}"), "it is not installed");
            continue;
        }
        let arguments = [&[tool], arguments].concat();
        let text = output("tool", &arguments);
        assert!(text.contains("tool\n"), "{tool}: {text}");
    }
}
