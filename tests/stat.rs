//! sio-stat: what it shows of processes that run, of those that end meanwhile, and of those that it
//! may not look into; and the probes that tracers find in the library.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use common::{Compile, compiler, has_program, scratch, skip};
use object::{Object, ObjectSection};
use serde_json::Value;

const STAT: &str = env!("CARGO_BIN_EXE_sio-stat");
const NOBODY: u32 = 65534;

/// Does what it is told by the lines that it reads, and says "done" after each: sends and receives
/// messages over a connection with itself, by a channel.
const TALKER: &str = r#"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 1000 };
static dma_mem_t area;
static ec_t ec;
static int ends[2];

static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static int descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

static void start(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int before = descriptors();
    must(dma_alloc(&area, 1 << 20, 0) == 0, "dma_alloc");
    must(descriptors() == before, "an area needs no descriptor, and neither do its counters");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (void *)&address, length) == 0 && listen(listener, 1) == 0, "listen");
    must(getsockname(listener, (void *)&address, &length) == 0, "getsockname");
    must(connect(ends[0], (void *)&address, length) == 0, "connect");
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
    must(dma_assoc(ends[0], area, 0, 0) == 0, "dma_assoc");
    must((ec = ec_create(EC_SINGLE)) >= 0, "ec_create");
    must(ec_add_socket(ec, ends[0], 0, 0) >= 0, "ec_add_socket");
}

static void wait_for(int type)
{
    event_data_t event = { .ev_type = -1 };
    while (event.ev_type != type)
        must(ec_wait_events(ec, &event, 1, NULL, NULL) == 1, "ec_wait_events");
    must(event.ev_errno == 0, "an event");
}

static void talk(int rounds)
{
    char text[PIECE];
    for (int i = 0; i < rounds; i++) {
        void *block;
        must(sio_reserve(area, &block, PIECE) == 0, "sio_reserve");
        memset(block, i, PIECE);
        must(sio_send(ends[0], block, PIECE, SIO_RELEASE) == PIECE, "sio_send");
        wait_for(EC_EV_SENT);
        must(recv(ends[1], text, PIECE, MSG_WAITALL) == PIECE, "recv");
        must(send(ends[1], text, PIECE, 0) == PIECE, "send");
        for (int left = PIECE, size; left > 0; left -= size) {
            wait_for(EC_EV_RECV);
            must((size = sio_recv(ends[0], &block, (size_t)left, 0)) > 0, "sio_recv");
            must(sio_release(area, block, (size_t)size) == 0, "sio_release");
        }
    }
}

static void stop(void)
{
    must(sio_detach(ends[0]) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0, "sio_detach");
    must(ec_destroy(ec) == 0 && dma_free(area, 1 << 20) == 0, "ec_destroy");
}

int main(void)
{
    char line[32];
    int number;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "start\n") == 0)
            start();
        else if (sscanf(line, "talk %d", &number) == 1)
            talk(number);
        else if (strcmp(line, "stop\n") == 0)
            stop();
        else if (strcmp(line, "fork\n") == 0) {
            int status;
            pid_t child = fork();
            if (child == 0) {
                start();
                talk(3);
                _exit(0);
            }
            must(waitpid(child, &status, 0) == child && status == 0, "the child");
        }
        puts("done");
        fflush(stdout);
    }
    return 0;
}
"#;

fn talker() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let program = scratch("stat").join("talker");
        let source = program.with_extension("c");
        fs::write(&source, TALKER).expect("writing a program");
        let compile = Compile::new(&compiler()).link(&source, &program);
        compile.unwrap_or_else(|text| panic!("{text}"));
        program
    })
}

/// A program that does what it is told, and is killed in the end.
struct Talker {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Talker {
    fn new(variables: &[(&str, &str)]) -> Self {
        let mut command = common::with_library(talker());
        command.env_remove("SIO_STAT").envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starting the program");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, answers }
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }

    fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("the program reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("an answer");
        assert_eq!(answer, "done\n", "to {line}");
    }

    fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has been killed");
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stat(arguments: &[&str]) -> Output {
    Command::new(STAT).args(arguments).output().expect("running sio-stat")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it tells of one process.
fn told(id: &str) -> Value {
    let output = stat(&["--once", "--json", id]);
    assert!(output.status.success(), "{}", errors(&output));
    let mut value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    value["processes"][0].take()
}

fn has_shared_memory() -> bool {
    let there = Path::new("/proc/sysvipc/shm").exists();
    if !there {
        skip("sio-stat", "the kernel has no System V shared memory");
    }
    there
}

/// Whether processes have counters that belong to this one.
fn has_segment(id: &str) -> bool {
    let list = fs::read_to_string("/proc/sysvipc/shm").expect("the list of shared memory");
    list.lines().any(|line| line.split_ascii_whitespace().nth(4) == Some(id))
}

#[test]
fn counts_add_up_with_every_engine() {
    if !has_shared_memory() {
        return;
    }
    for engine in ["io_uring", "epoll"] {
        let mut talker = Talker::new(&[("SIO_ENGINE", engine)]);
        talker.tell("start");
        talker.tell("talk 7");
        let value = told(&talker.id());
        let socket = &value["sockets"][0];
        assert_eq!(socket["sent_bytes"], 7000, "{value:#}");
        assert_eq!(socket["received_bytes"], 7000, "{value:#}");
        assert_eq!(socket["sends"], 7, "{value:#}");
        // Over the loopback interface all of it is copied.
        assert_eq!(socket["sent_uncopied_bytes"], 0, "{value:#}");
        assert_eq!(value["channels"][0]["capacity"], 4096, "{value:#}");
        assert_eq!(value["channels"][0]["channel"], socket["channel"], "{value:#}");
        assert_eq!(value["engines"][0]["channel"], socket["channel"], "{value:#}");
        assert!(value["channels"][0]["events"].as_u64() >= Some(14), "{value:#}");
        assert!(value["engines"][0]["system_calls"].as_u64() >= Some(7), "{value:#}");
        assert!(value["areas"][0]["taken"].as_u64() >= Some(7), "{value:#}");
        assert_eq!(value["areas"][0]["area"], socket["area"], "{value:#}");
        // io_uring may be refused here: then that is told.
        let serves = value["engines"][0]["engine"].as_str().expect("a name");
        let is_refused = value["engines"][0]["reason"].is_string();
        assert!(serves == engine || is_refused, "{value:#}");
        assert_eq!(value["engines"][0]["fallbacks"], u64::from(is_refused), "{value:#}");

        // What has gone is in the totals, and the slots serve others.
        talker.tell("stop");
        let value = told(&talker.id());
        for list in ["sockets", "channels", "engines", "areas"] {
            assert_eq!(value[list].as_array().map(Vec::len), Some(0), "{list}: {value:#}");
        }
        assert_eq!(value["totals"]["sockets"]["sent_bytes"], 7000, "{value:#}");
        talker.tell("start");
        talker.tell("talk 2");
        let value = told(&talker.id());
        assert_eq!(value["sockets"][0]["sent_bytes"], 2000, "{value:#}");
        assert_eq!(value["totals"]["sockets"]["sent_bytes"], 9000, "{value:#}");
    }
}

#[test]
fn text_shows_the_same() {
    if !has_shared_memory() {
        return;
    }
    let mut talker = Talker::new(&[("SIO_ENGINE", "epoll")]);
    talker.tell("start");
    talker.tell("talk 5");
    let output = stat(&["--once", &talker.id()]);
    assert!(output.status.success(), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with(&format!("{} talker, libsio ", talker.id())), "{text}");
    let socket = text.lines().skip_while(|line| !line.starts_with("  socket")).nth(1);
    let numbers: Vec<&str> = socket.unwrap_or_default().split_ascii_whitespace().collect();
    assert_eq!(numbers[1..6], ["epoll", "in", numbers[3], "5", "5000"], "{text}");
    // Without a process all are shown, this one among them.
    let output = stat(&["--once"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains(&format!("{} talker, libsio ", talker.id())), "{text}");
}

#[test]
fn a_child_has_counters_of_its_own() {
    if !has_shared_memory() {
        return;
    }
    let mut talker = Talker::new(&[]);
    talker.tell("start");
    talker.tell("talk 4");
    talker.tell("fork");
    talker.tell("talk 1");
    let value = told(&talker.id());
    assert_eq!(value["totals"]["sockets"]["sent_bytes"], 5000, "{value:#}");
    assert_eq!(value["sockets"].as_array().map(Vec::len), Some(1), "{value:#}");
}

#[test]
fn one_that_is_killed_leaves_nothing() {
    if !has_shared_memory() {
        return;
    }
    let mut talker = Talker::new(&[]);
    talker.tell("start");
    let id = talker.id();
    assert!(has_segment(&id));
    // A look that goes on when the process ends, ends too.
    let mut live = Command::new(STAT)
        .args(["--interval", "0.05", "--json", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("running sio-stat");
    let mut lines = BufReader::new(live.stdout.take().expect("a pipe")).lines();
    for _ in 0..3 {
        let line = lines.next().expect("a line for each look").expect("text");
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["processes"][0]["pid"].to_string(), id);
    }
    talker.kill();
    assert!(lines.count() < 100);
    assert!(live.wait().expect("it ends").success());
    assert!(!has_segment(&id), "a segment is left");
    let output = stat(&["--once", &id]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("there is no such process"), "{}", errors(&output));
}

#[test]
fn what_cannot_be_seen_is_said() {
    let mut talker = Talker::new(&[("SIO_STAT", "0")]);
    talker.tell("start");
    talker.tell("talk 1");
    if !has_shared_memory() {
        return;
    }
    assert!(!has_segment(&talker.id()));
    for arguments in [&["--once"][..], &["--once", "--json"]] {
        let output = stat(&[arguments, &[&talker.id()]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).contains("SIO_STAT=0"), "{}", errors(&output));
    }
}

#[test]
fn another_user_is_refused() {
    // SAFETY: asks for a number.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root || !has_shared_memory() {
        return skip("another user", "only root can be two users");
    }
    let mut talker = Talker::new(&[]);
    talker.tell("start");
    // Where everybody may go: the build directory may be closed to others.
    let directory = std::env::temp_dir().join(format!("sio-stat-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("open to all");
    let program = directory.join("sio-stat");
    common::copy_program(Path::new(STAT), &program);
    let output = Command::new(&program)
        .args(["--once", &talker.id()])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    fs::remove_dir_all(&directory).expect("the copy goes");
    let output = output.expect("running sio-stat");
    assert_eq!(output.status.code(), Some(1));
    let text = errors(&output);
    assert!(text.contains("belongs to another user (0)"), "{text}");
    assert!(output.stdout.ends_with(b"no process uses libsio\n"));
}

/// Makes a segment that begins as ours do and holds other things.
const LIAR: &str = r#"
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    size_t size = (size_t)atol(argv[1]);
    int id = shmget(IPC_PRIVATE, size, 0600);
    unsigned char *place = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    memset(place, 0xa5, size);
    memcpy(place, "sio-stat", 8);
    for (int i = 2; i + 1 < argc; i += 2) {
        uint32_t value = (uint32_t)atol(argv[i + 1]);
        memcpy(place + atol(argv[i]), &value, sizeof value);
    }
    puts("done");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
"#;

fn look_at_liar(arguments: &[&str]) -> Output {
    let program = scratch("stat").join("liar");
    if !program.exists() {
        let source = program.with_extension("c");
        fs::write(&source, LIAR).expect("writing a program");
        let mut command = Command::new(compiler());
        let made = common::finish(command.arg(&source).arg("-o").arg(&program));
        made.unwrap_or_else(|text| panic!("{text}"));
    }
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starting the program");
    let mut answer = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut answer).expect("a line");
    let output = stat(&["--once", &child.id().to_string()]);
    drop(child.stdin.take());
    child.wait().expect("it ends");
    output
}

#[test]
fn memory_that_lies_is_not_believed() {
    if !has_shared_memory() {
        return;
    }
    use sio::sys::stat::layout::{Header, SLOTS, Segment, Slot, VERSION};
    let size = size_of::<Segment>().to_string();
    let (header, slot) = (size_of::<Header>().to_string(), size_of::<Slot>().to_string());
    let (version, slots) = (VERSION.to_string(), SLOTS.to_string());
    // Ours as far as sizes go, with a number of used slots that is nonsense, amid a change.
    let right = ["8", &version, "12", &header, "16", &slot, "20", &slots];
    let output = look_at_liar(&[&[&size[..]], &right[..]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    // Another version, and one that is too short for what it says it is.
    let other = look_at_liar(&[&size, "8", "77"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(errors(&other).contains("version 77"), "{}", errors(&other));
    let short = look_at_liar(&[&["4096"], &right[..]].concat());
    assert_eq!(short.status.code(), Some(1), "{}", errors(&short));
}

#[test]
fn wrong_arguments_are_refused() {
    let wrong = [
        &["--interval", "0"][..],
        &["--interval", "x"],
        &["--interval", "nan"],
        &["--nothing"],
        &["0"],
        &["x"],
    ];
    for arguments in wrong {
        let output = stat(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).contains("usage: sio-stat"), "{arguments:?}");
    }
}

/// The names of the static probes in an ELF file, with their providers and arguments.
fn probes(path: &Path) -> Vec<(String, String, usize)> {
    let data = fs::read(path).expect("the library");
    let file = object::File::parse(&*data).expect("an ELF file");
    let section = file.section_by_name(".note.stapsdt").expect("notes of probes");
    let mut rest = section.data().expect("notes");
    let mut found = Vec::new();
    while rest.len() >= 12 {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (name_bytes, bytes) = (word(0), word(4));
        let start = 12 + name_bytes.next_multiple_of(4);
        // Three addresses, then three texts.
        let texts = rest[start + 24..start + bytes].split(|byte| *byte == 0);
        let mut texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
        let (provider, name) = (texts.next().unwrap(), texts.next().unwrap());
        let arguments = texts.next().unwrap().split_ascii_whitespace().count();
        found.push((provider, name, arguments));
        rest = &rest[start + bytes.next_multiple_of(4)..];
    }
    found
}

#[test]
#[cfg(all(target_endian = "little", target_pointer_width = "64"))]
fn tracers_find_the_probes() {
    let found = probes(common::shared_object());
    assert!(found.iter().all(|(provider, _, arguments)| provider == "libsio" && *arguments == 3));
    let names: BTreeSet<&str> = found.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["complete", "copy", "fallback", "submit"]));
}

#[test]
fn a_tracer_counts_what_happens() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 || !has_program("bpftrace") {
        return skip("probes in use", "only root can trace, and only with bpftrace");
    }
    let library = common::shared_object().display().to_string();
    let program = format!(
        "BEGIN {{ printf(\"begun\\n\"); }} \
         usdt:{library}:libsio:submit /pid == $1/ {{ @submitted = count(); @bytes = sum(arg1); }} \
         usdt:{library}:libsio:complete /pid == $1/ {{ @completed = count(); }} \
         interval:s:20 {{ exit(); }}"
    );
    let mut talker = Talker::new(&[("SIO_ENGINE", "epoll")]);
    talker.tell("start");
    let mut tracer = Command::new("bpftrace")
        .args(["-e", &program, &talker.id()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting bpftrace");
    let mut lines = BufReader::new(tracer.stdout.take().expect("a pipe")).lines();
    let has_begun = lines.by_ref().map_while(Result::ok).any(|line| line == "begun");
    if !has_begun {
        let output = tracer.wait_with_output().expect("it has ended");
        return skip("probes in use", &errors(&output));
    }
    talker.tell("talk 5");
    // SAFETY: a signal to a child that has not been waited for.
    unsafe { libc::kill(tracer.id() as i32, libc::SIGINT) };
    let text: Vec<String> = lines.map_while(Result::ok).collect();
    tracer.wait().expect("it ends");
    for line in ["@submitted: 5", "@bytes: 5000", "@completed: 5"] {
        assert!(text.iter().any(|found| found == line), "no {line}: {text:?}");
    }
}
