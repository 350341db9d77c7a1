//! The examples of examples-c: each compiles without a warning, and does what it says for real
//! clients, over each engine.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

const ENGINES: [&str; 2] = ["io_uring", "epoll"];
/// Nothing here takes so long: what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn build(name: &str, compiler: &str) -> PathBuf {
    let source = common::root().join("examples-c").join(name).with_extension("c");
    let program = common::scratch("examples").join(format!("{name}-{compiler}"));
    common::Compile::new(compiler)
        .options(&["-std=c11"])
        .link(&source, &program)
        .unwrap_or_else(|error| panic!("{error}"));
    program
}

fn command(program: &Path, engine: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("LD_LIBRARY_PATH", common::library_directory())
        .env("SIO_ENGINE", engine)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// A server that has told its port; it is ended with SIGTERM.
struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    port: u16,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut server = Self { child, output, port: 0 };
        let mut line = String::new();
        server.output.read_line(&mut line).expect("its first line");
        let port = line.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
        server.port = port.unwrap_or_else(|| panic!("a port in {line:?}"));
        server
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream
    }

    /// Ends it properly: what it printed at the end.
    fn end(mut self) -> String {
        let pid = Pid::from_raw(self.child.id() as i32);
        signal::kill(pid, Signal::SIGTERM).expect("kill");
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("the rest of its output");
        let status = self.child.wait().expect("wait");
        assert!(status.success(), "{status}");
        text
    }
}

/// What a test that failed has left must not keep its port.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that differ from place to place and from one `seed` to another.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|index| ((index * 31 + seed * 17 + index / 251) % 256) as u8).collect()
}

#[test]
fn every_compiler_takes_them() {
    for compiler in ["gcc", "clang"] {
        if !common::has_program(compiler) {
            common::skip("the examples", &format!("no {compiler}"));
            continue;
        }
        let names = ["hello", "all_sources", "notify", "aio_copy", "ram_disk", "echo", "aio_echo"];
        for name in names.into_iter().chain(["udp_echo", "httpd", "xdp_dns"]) {
            build(name, compiler);
        }
    }
}

#[test]
fn some_end_by_themselves() {
    for (name, expected) in [("hello", "Hello, zero copy!\n"), ("notify", "7 bytes: a frame\n")] {
        let program = build(name, &common::compiler());
        for engine in ENGINES {
            let text = common::output(&mut command(&program, engine)).expect(name);
            assert_eq!(text, expected);
        }
    }
}

#[test]
fn all_sources_are_heard_of() {
    let program = build("all_sources", &common::compiler());
    for engine in ENGINES {
        let text = common::output(&mut command(&program, engine)).expect("all_sources");
        for source in ["socket", "queue", "signal", "timer", "semaphore", "word", "child"] {
            let told = text.lines().filter(|line| line.starts_with(source)).count();
            assert_eq!(told, 1, "{source} in {text}");
        }
    }
}

#[test]
fn aio_copy_copies_files_of_any_size() {
    let program = build("aio_copy", &common::compiler());
    let files = common::scratch("examples-copy");
    for engine in ENGINES {
        for size in [0, 1, 65_536, 5_000_001] {
            let (from, to) =
                (files.join(format!("from-{engine}")), files.join(format!("to-{engine}")));
            let sent = pattern(size, size);
            fs::write(&from, &sent).expect("a file");
            let text = common::output(command(&program, engine).arg(&from).arg(&to));
            assert_eq!(text.expect("aio_copy"), format!("{size} bytes\n"));
            assert!(fs::read(&to).expect("the copy") == sent, "{size} bytes, {engine}");
        }
    }
}

#[test]
fn ram_disk_does_what_a_driver_can_do() {
    let program = build("ram_disk", &common::compiler());
    for engine in ENGINES {
        let text = common::output(&mut command(&program, engine)).expect("ram_disk");
        let expected = "immediate: 512, at once, no error\n\
            queued: 100, later, no error\n\
            error: -1, later, Input/output error\n\
            full: -1, at once, No space left on device\n\
            closed: 8 cancelled\n\
            threads: 1010 queued, 8 cancelled\n";
        assert_eq!(text, expected);
    }
}

#[test]
fn echo_sends_back_what_came() {
    echoes("echo");
}

#[test]
fn aio_echo_sends_back_what_came() {
    echoes("aio_echo");
}

fn echoes(name: &str) {
    let program = build(name, &common::compiler());
    for engine in ENGINES {
        let mut command = command(&program, engine);
        command.arg("0");
        let server = Server::start(command);
        let clients: Vec<_> = (0..20)
            .map(|number| {
                let stream = server.connect();
                thread::spawn(move || {
                    let sent = pattern(1 + number * 40_000, number);
                    let mut writer = stream.try_clone().expect("a second descriptor");
                    let copy = sent.clone();
                    let writing = thread::spawn(move || {
                        writer.write_all(&copy).expect("write");
                        writer.shutdown(std::net::Shutdown::Write).expect("shutdown");
                    });
                    let mut got = Vec::new();
                    (&stream).read_to_end(&mut got).expect("read");
                    writing.join().expect("the writer");
                    assert!(got == sent, "{} bytes of {}", got.len(), sent.len());
                })
            })
            .collect();
        for client in clients {
            client.join().expect("a client");
        }
        server.end();
    }
}

#[test]
fn udp_echo_answers_each_datagram() {
    let program = build("udp_echo", &common::compiler());
    for engine in ENGINES {
        let server = Server::start(command(&program, engine));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        socket.connect((Ipv4Addr::LOCALHOST, server.port)).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        let mut room = vec![0; 65_536];
        for length in [1, 100, 1472, 9000, 60_000] {
            let sent = pattern(length, length);
            socket.send(&sent).expect("send");
            let count = socket.recv(&mut room).expect("recv");
            assert!(room[..count] == sent, "{count} bytes of {length}");
        }
        server.end();
    }
}

/// One request on a connection that stays open: status and body.
fn get(stream: &mut BufReader<TcpStream>, path: &str, extra: &str) -> (u16, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n");
    stream.get_mut().write_all(request.as_bytes()).expect("write");
    let (mut status, mut length) = (0, 0);
    for number in 0.. {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line of the header");
        let line = line.trim_end();
        if number == 0 {
            status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        } else if line.is_empty() {
            break;
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the body");
    (status, body)
}

#[test]
fn httpd_serves_files_to_many_at_once() {
    let program = build("httpd", &common::compiler());
    let files = common::scratch("examples-www");
    let sizes = [("small.txt", 1000), ("middle.bin", 300_000), ("large.bin", 12_000_000)];
    for (name, size) in sizes {
        fs::write(files.join(name), pattern(size, size)).expect("a file");
    }
    // The large file fits into the larger area, and has to go in pieces through the smaller one.
    for (engine, area_mib) in
        [("io_uring", "64"), ("io_uring", "4"), ("epoll", "64"), ("epoll", "4")]
    {
        let mut start = command(&program, engine);
        start.arg(&files).env("HTTPD_AREA_MIB", area_mib);
        let server = Server::start(start);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let stream = server.connect();
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    for (name, size) in sizes {
                        let (status, body) = get(&mut stream, &format!("/{name}"), "");
                        assert_eq!(status, 200);
                        assert!(body == pattern(size, size), "{name}");
                    }
                    let range = "Range: bytes=100-299\r\n";
                    let (status, body) = get(&mut stream, "/middle.bin", range);
                    assert_eq!(status, 206);
                    assert!(body == pattern(300_000, 300_000)[100..300]);
                    assert_eq!(get(&mut stream, "/nothing", "").0, 404);
                    assert_eq!(get(&mut stream, "/small.txt", "").0, 200);
                })
            })
            .collect();
        for client in clients {
            client.join().expect("a client");
        }
        let told = server.end();
        assert!(told.contains("\"requests\": 48"), "{told}");
    }
}
