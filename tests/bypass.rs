//! sio-run --local-bypass: connections within one host behave as they do through TCP, and nothing is
//! left of it when it is over, however it ends.

mod common;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use common::{Outcome, PROGRAM_LIMIT, has_program, output, read, root, scratch, skip};

const RUN: &str = env!("CARGO_BIN_EXE_sio-run");
const SOURCE: &str = "src/bin/sio-run/bypass";
const UPDATE: &str = "SIO_UPDATE_BYPASS=1 cargo test --test bypass";
const STREAMS: &str = "tests/bypass/streams.py";

fn sio_run(arguments: &[&str]) -> Command {
    let mut command = Command::new(RUN);
    command.args(arguments).env("LC_ALL", "C");
    common::without_variables(&mut command);
    command
}

fn outcome(name: &str, command: &mut Command) -> Outcome {
    common::run(command, PROGRAM_LIMIT, &scratch("bypass").join(format!("{name}.log")))
}

/// Whether connections can bypass TCP here; says why not.
fn is_possible(what: &str) -> bool {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let refusal = REFUSAL.get_or_init(|| {
        let outcome = outcome("possible", &mut sio_run(&["--require", "--local-bypass", "true"]));
        (outcome.code() != Some(0)).then(|| outcome.output.trim().to_owned())
    });
    if let Some(refusal) = refusal {
        skip(what, refusal);
    }
    refusal.is_none()
}

#[test]
fn what_is_shipped_is_what_the_source_gives() {
    if !has_program("clang") {
        return skip("bypass.o from its source", "no clang");
    }
    let version = output(Command::new("clang").arg("--version")).expect("clang tells its version");
    let version = version.lines().next().unwrap_or_default().trim().to_owned();
    let made = scratch("bypass").join("bypass.o");
    let mut clang = Command::new("clang");
    // The types are needed, for the places of members in the kernel; paths are not.
    clang.current_dir(root().join(SOURCE)).args(["-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
    clang.args(["-target", "bpfel", "-fdebug-compilation-dir=.", "-c", "bypass.c", "-o"]);
    output(clang.arg(&made)).expect("clang takes the source");
    let shipped = root().join(SOURCE).join("bypass.o");
    if std::env::var_os("SIO_UPDATE_BYPASS").is_some_and(|value| value == "1") {
        fs::copy(&made, &shipped).expect("copying the object");
        return;
    }
    let (made, shipped) = (fs::read(&made).expect("made"), fs::read(&shipped).expect("shipped"));
    // Who has made an object stands in it.
    if !shipped.windows(version.len()).any(|part| part == version.as_bytes()) {
        return skip("comparing bypass.o", &format!("it was made by another clang than {version}"));
    }
    assert!(made == shipped, "bypass.o is not up to date; run: {UPDATE}");
}

fn python() -> Option<&'static str> {
    let is_new = |name: &&str| {
        let mut command = Command::new(name);
        command.args(["-c", "import os; os.splice"]);
        output(&mut command).is_ok()
    };
    ["/usr/bin/python3", "python3"].into_iter().find(is_new)
}

#[test]
fn connections_behave_as_through_tcp() {
    let what = "connections that bypass TCP";
    if !is_possible(what) {
        return;
    }
    let Some(python) = python() else { return skip(what, "no Python of version 3.10") };
    let streams = root().join(STREAMS).to_string_lossy().into_owned();
    let plain = outcome("plain", Command::new(python).arg(&streams));
    assert_eq!(plain.code(), Some(0), "{}", plain.output);
    let mut command = sio_run(&["--require", "--explain", "--local-bypass", python, &streams]);
    let bypassed = outcome("bypassed", &mut command);
    let (told, text): (Vec<&str>, Vec<&str>) =
        bypassed.output.lines().partition(|line| line.starts_with("sio-run: "));
    assert_eq!(bypassed.code(), Some(0), "{}", bypassed.output);
    let plain: Vec<&str> = plain.output.lines().collect();
    assert_eq!(text, plain);
    let told =
        told.iter().find_map(|line| line.strip_prefix("sio-run: TCP: ")?.split_once(" ends"));
    let (count, _) = told.expect("the number of connections");
    assert!(count.parse::<u32>().expect("a number") > 2000, "{count}");
}

#[test]
fn who_waits_for_edges_is_told_of_what_came_by_tcp() {
    let what = "edges";
    if !is_possible(what) {
        return;
    }
    let Some(python) = python() else { return skip(what, "no Python of version 3.10") };
    let script = root().join("tests/bypass/edges.py").to_string_lossy().into_owned();
    let plain = outcome("edges-plain", Command::new(python).arg(&script));
    assert_eq!(plain.code(), Some(0), "{}", plain.output);
    let mut command = sio_run(&["--require", "--local-bypass", python, &script]);
    let bypassed = outcome("edges", &mut command);
    assert_eq!(bypassed.code(), Some(0), "{}", bypassed.output);
    assert_eq!(bypassed.output, plain.output);
}

/// What decides which way a message goes are buffers and readers, so it is tried often.
#[test]
fn nobody_waits_for_edges_in_vain() {
    let what = "random senders and receivers that wait for edges";
    if !is_possible(what) {
        return;
    }
    let Some(python) = python() else { return skip(what, "no Python of version 3.10") };
    let script = root().join("tests/bypass/random_edges.py").to_string_lossy().into_owned();
    const FIRST: u32 = 1;
    const SEEDS: u32 = 8;
    let arguments = [script, FIRST.to_string(), SEEDS.to_string()];
    let expected: Vec<String> = (FIRST..FIRST + SEEDS).map(|seed| format!("{seed}: all")).collect();
    let plain = outcome("random-edges-plain", Command::new(python).args(&arguments));
    assert_eq!(plain.output.lines().collect::<Vec<_>>(), expected);
    let mut command = sio_run(&["--require", "--local-bypass", python]);
    let bypassed = outcome("random-edges", command.args(&arguments));
    assert_eq!(bypassed.output.lines().collect::<Vec<_>>(), expected);
}

/// Programs of the run, also those that others start, look at the table of those that have nothing by
/// TCP, and have no descriptor of it.
#[test]
fn programs_have_the_table() {
    if !is_possible("the table") {
        return;
    }
    const LOOK: &str = "grep bpf-map /proc/self/maps | cut -d ' ' -f 2; \
        if ls -l /proc/self/fd | grep bpf-map; then echo a descriptor; fi";
    let look = || {
        let arguments = ["--require", "--local-bypass", "sh", "-c", LOOK];
        assert_eq!(outcome("table", &mut sio_run(&arguments)).output, "r--s\n");
    };
    look();
    // That of another run.
    let (mut other, ..) = waiting(&[]);
    look();
    other.0.kill().expect("killing it");
    other.0.wait().expect("its end");
}

#[test]
fn bad_addresses_are_told_as_by_tcp() {
    let what = "bad addresses";
    if !is_possible(what) {
        return;
    }
    let Some(python) = python() else { return skip(what, "no Python of version 3.10") };
    let script = root().join("tests/common/addresses.py").to_string_lossy().into_owned();
    let arguments = ["-B", script.as_str(), "tcp"];
    let plain = outcome("addresses-plain", Command::new(python).args(arguments));
    assert_eq!(plain.code(), Some(0), "{}", plain.output);
    let mut command = sio_run(&["--require", "--local-bypass", python]);
    let bypassed = outcome("addresses", command.args(arguments));
    assert_eq!(bypassed.code(), Some(0), "{}", bypassed.output);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&bypassed.output), lines(&plain.output));
}

/// A server in one run, and a client in another.
#[test]
fn runs_reach_each_other() {
    if !is_possible("two runs") {
        return;
    }
    let Some(python) = python() else { return skip("two runs", "no Python") };
    const SERVER: &str = "import socket, sys\n\
        l = socket.create_server(('127.0.0.1', 0))\n\
        print(l.getsockname()[1], flush=True)\n\
        for _ in range(2):\n    s, _ = l.accept()\n    s.sendall(s.recv(100) * 2)\n";
    const CLIENT: &str = "import socket, sys\n\
        s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
        s.sendall(b'text')\nassert s.recv(100) == b'texttext'\n";
    let mut server = sio_run(&["--local-bypass", python, "-c", SERVER]);
    let server = server.stdout(Stdio::piped()).spawn().expect("a server");
    let mut server = Running(server);
    let mut port = String::new();
    let mut output = server.0.stdout.take().expect("its output");
    let mut byte = [0];
    while output.read(&mut byte).expect("its port") == 1 && byte != [b'\n'] {
        port.push(byte[0].into());
    }
    let inside = outcome(
        "inside",
        &mut sio_run(&["--explain", "--local-bypass", python, "-c", CLIENT, &port]),
    );
    assert_eq!(inside.code(), Some(0), "{}", inside.output);
    assert!(inside.output.contains("TCP: 1 end of connections bypassed it\n"), "{}", inside.output);
    // A child that is switched off, and one that is not run this way, are served as ever.
    let outside = outcome("outside", Command::new(python).args(["-c", CLIENT, &port]));
    assert_eq!(outside.code(), Some(0), "{}", outside.output);
    assert!(server.0.wait().expect("its end").success());
}

#[test]
fn a_child_that_is_switched_off_uses_tcp() {
    if !is_possible("a child that is switched off") {
        return;
    }
    let Some(python) = python() else { return skip("a child that is switched off", "no Python") };
    const PAIR: &str = "import socket; l = socket.create_server(('127.0.0.1', 0)); \
        c = socket.create_connection(l.getsockname()); s, _ = l.accept(); \
        c.send(b'x'); assert s.recv(1) == b'x'";
    let command = format!("SIO_PRELOAD=off {python} -c \"{PAIR}\"");
    let off = outcome("off", &mut sio_run(&["--explain", "--local-bypass", "sh", "-c", &command]));
    assert_eq!(off.code(), Some(0), "{}", off.output);
    assert!(off.output.contains("TCP: 0 ends of connections bypassed it\n"), "{}", off.output);
}

/// The directories of control groups of runs that process `number` has begun.
fn groups(number: u32) -> Vec<PathBuf> {
    let mounts = read(Path::new("/proc/self/mounts"));
    let place = mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[2] == "cgroup2").then(|| PathBuf::from(words[1]))
    });
    let own = read(Path::new("/proc/self/cgroup"));
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let path = place.expect("control groups").join(own).join(format!("sio-run-{number}"));
    path.is_dir().then_some(path).into_iter().collect()
}

/// The process that keeps a run.
fn keeper(group: &Path) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let mut open = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let keeps = open.any(|file| fs::read_link(file.path()).is_ok_and(|path| path == group));
        (name == "sio-keeper\n" && keeps).then_some(number)
    })
}

/// A program that does not outlive a test that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PROGRAM_LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_process(number: u32) -> bool {
    Path::new("/proc").join(number.to_string()).exists()
}

/// Starts a program that waits, and waits for its keeper.
fn waiting(options: &[&str]) -> (Running, PathBuf, u32) {
    let arguments = [options, &["--local-bypass", "sleep", "300"]].concat();
    let child = sio_run(&arguments).stderr(Stdio::null()).spawn().expect("sio-run");
    let child = Running(child);
    let mut found = None;
    until("a run with its keeper", || {
        found =
            groups(child.0.id()).first().and_then(|group| Some((group.clone(), keeper(group)?)));
        let procs = found.as_ref().map(|(group, _)| group.join("cgroup.procs"));
        procs.is_some_and(|procs| fs::read_to_string(procs).is_ok_and(|text| !text.is_empty()))
    });
    let (group, keeper) = found.expect("found");
    (child, group, keeper)
}

fn kill(number: u32) {
    let number = nix::unistd::Pid::from_raw(number as i32);
    nix::sys::signal::kill(number, nix::sys::signal::Signal::SIGKILL).expect("killing it");
}

#[test]
fn nothing_remains() {
    if !is_possible("what remains of a run") {
        return;
    }
    // Killed: the program that has taken sio-run's place; sio-run, and with it the program.
    for options in [&[][..], &["--explain"]] {
        let (mut child, group, keeper) = waiting(options);
        child.0.kill().expect("killing it");
        child.0.wait().expect("its end");
        until("the group is there", || !group.exists());
        until("the keeper is there", || !is_process(keeper));
    }
    // The keeper killed: the program goes on, and the next run removes what was left.
    let (mut child, group, keeper) = waiting(&[]);
    kill(keeper);
    until("the keeper is there", || !is_process(keeper));
    assert!(child.0.try_wait().expect("its state").is_none());
    assert!(group.exists());
    let other = outcome("other", &mut sio_run(&["--local-bypass", "true"]));
    assert_eq!(other.output, "");
    assert!(group.exists(), "a group with a program in it was removed");
    child.0.kill().expect("killing it");
    child.0.wait().expect("its end");
    let other = outcome("other", &mut sio_run(&["--local-bypass", "true"]));
    assert_eq!(other.output, "");
    assert!(!group.exists(), "{}", group.display());
}

/// The keeper holds no pipe of the program's: whoever reads it sees its end.
#[test]
fn the_keeper_holds_nothing_open() {
    if !is_possible("what the keeper holds open") {
        return;
    }
    let mut child = sio_run(&["--local-bypass", "sh", "-c", "sleep 300 >&- 2>&- & echo $!"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("sio-run");
    let mut text = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut text).expect("the end of it");
    let groups = groups(child.id());
    child.wait().expect("its end");
    assert_eq!(groups.len(), 1, "the run is over");
    kill(text.trim().parse().expect("a process"));
    until("the group is there", || !groups[0].exists());
}

#[test]
fn who_may_not_is_told() {
    if !nix::unistd::geteuid().is_root() || !has_program("setpriv") {
        return skip("--local-bypass without rights", "it takes root and setpriv");
    }
    // Readable for everybody, which the directory of the build may not be.
    let place = std::env::temp_dir().join(format!("sio-bypass-{}", std::process::id()));
    fs::create_dir_all(&place).expect("a directory");
    let built = Path::new(RUN).parent().expect("a directory");
    let newest = |name: &str| {
        let places = [built.join(name), built.join("deps").join(name)];
        places.into_iter().filter(|path| path.is_file()).max_by_key(|path| common::modified(path))
    };
    common::copy_program(Path::new(RUN), &place.join("sio-run"));
    for name in ["libsio.so", "libsio_preload.so"] {
        fs::copy(newest(name).expect(name), place.join(name)).expect("copying");
    }
    for (options, status, words) in [
        (&["--local-bypass"][..], 0, "connections go through TCP"),
        (&["--require", "--local-bypass"], 125, "--local-bypass: "),
    ] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]);
        command.arg(place.join("sio-run")).args(options).arg("true");
        let outcome = outcome("nobody", &mut command);
        assert_eq!(outcome.code(), Some(status), "{}", outcome.output);
        assert!(outcome.output.contains(words), "{}", outcome.output);
    }
    fs::remove_dir_all(&place).expect("removing it");
}
