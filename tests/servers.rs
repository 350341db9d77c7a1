//! Servers and clients of others, which know nothing of the library, run by sio-run: they serve what
//! they serve without it, with and without TCP between them.

mod common;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{has_program, say, scratch, skip};

const RUN: &str = env!("CARGO_BIN_EXE_sio-run");
/// For a program that hangs, on a machine that others keep busy.
const PATIENCE: Duration = Duration::from_secs(240);
const FILE_BYTES: usize = 24 << 20;

/// How both sides are run.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mode {
    name: &'static str,
    options: &'static [&'static str],
}

const PLAIN: Mode = Mode { name: "plain", options: &["--require"] };
const BYPASS: Mode = Mode { name: "bypass", options: &["--require", "--local-bypass"] };

/// The modes that work here.
fn modes(what: &str) -> Vec<Mode> {
    let mut probe = Command::new(RUN);
    probe.args(BYPASS.options).arg("true").stderr(Stdio::null());
    if probe.status().is_ok_and(|status| status.success()) {
        return vec![PLAIN, BYPASS];
    }
    skip(&format!("{what} without TCP"), "--local-bypass cannot be had here");
    vec![PLAIN]
}

impl Mode {
    fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RUN);
        command.args(self.options).args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
        common::without_variables(&mut command);
        command
    }

    /// What a client writes, if it ends well.
    fn output(self, name: &str, arguments: &[&str]) -> String {
        let log = scratch("servers").join(format!("{name}-{}.log", self.name));
        let outcome = common::run(&mut self.command(arguments), PATIENCE, &log);
        assert_eq!(outcome.code(), Some(0), "{name} [{}]: {}", self.name, outcome.output);
        outcome.output
    }
}

/// A server that ends with this value.
struct Server(Child);

impl Server {
    fn start(mode: Mode, arguments: &[&str], port: u16, directory: &Path) -> Self {
        let log = directory.join(format!("server-{}.log", mode.name));
        let file = fs::File::create(&log).expect("a file for what it says");
        let copy = file.try_clone().expect("a second descriptor of it");
        let mut command = mode.command(arguments);
        let child = command.current_dir(directory).stdout(file).stderr(copy).spawn();
        let mut server = Self(child.expect("sio-run"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.0.try_wait().expect("its state");
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "{arguments:?}: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let number = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(number, nix::sys::signal::Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.0.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Ports that nobody has: all different, because they are held together.
fn free_ports<const N: usize>() -> [u16; N] {
    let listening = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a port"));
    listening.each_ref().map(|one| one.local_addr().expect("its number").port())
}

fn directory(name: &str) -> PathBuf {
    // Servers drop their rights, and have to get there all the same.
    let path = std::env::temp_dir().join(format!("sio-servers-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).expect("a directory");
    path
}

fn lacks(what: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|name| !has_program(name));
    if let Some(missing) = missing {
        skip(what, &format!("{missing} is not installed"));
    }
    missing.is_some()
}

fn content(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = Vec::with_capacity(bytes + 8);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend(state.to_ne_bytes());
    }
    text.truncate(bytes);
    text
}

#[test]
fn redis_serves_its_benchmark() {
    if lacks("redis", &["redis-server", "redis-benchmark", "redis-cli"]) {
        return;
    }
    let directory = directory("redis");
    let value = directory.join("value");
    fs::write(&value, content(3 << 20)).expect("a value");
    let stored = value.to_string_lossy().into_owned();
    for mode in modes("redis") {
        let [port] = free_ports();
        let port_text = port.to_string();
        let arguments = ["redis-server", "--port", &port_text, "--save", "", "--io-threads", "2"];
        let server = Server::start(mode, &arguments, port, &directory);
        for (depth, clients) in [("1", "30"), ("16", "10")] {
            let text = mode.output(
                "redis-benchmark",
                &[
                    "redis-benchmark",
                    "-p",
                    &port_text,
                    "-c",
                    clients,
                    "-n",
                    "4000",
                    "-P",
                    depth,
                    "-d",
                    "700",
                    "-t",
                    "set,get,incr,lpush,lrange_100,mset",
                    "--csv",
                    "-e",
                ],
            );
            assert!(text.lines().count() >= 6 && !text.contains("Error"), "{text}");
        }
        let command = format!(
            "redis-cli -p {port} -x set key < {stored}; redis-cli -p {port} --raw get key | head -c -1 | cmp - {stored}"
        );
        let text = mode.output("redis-cli", &["sh", "-c", &command]);
        assert_eq!(text, "OK\n");
        drop(server);
        say(&format!("ok      redis [{}]", mode.name));
    }
    fs::remove_dir_all(&directory).expect("removing it");
}

/// Stores and asks in text, with several connections at once.
const MEMCACHED: &str = "import random, socket, sys, threading\n\
def work(seed):\n\
\x20   source = random.Random(seed)\n\
\x20   sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
\x20   file = sock.makefile('rb')\n\
\x20   for number in range(150):\n\
\x20       value = source.randbytes(source.choice([1, 100, 3000, 200000]))\n\
\x20       key = b'%d-%d' % (seed, number)\n\
\x20       sock.sendall(b'set %s 0 0 %d\\r\\n%s\\r\\nget %s\\r\\n' % (key, len(value), value, key))\n\
\x20       assert file.readline() == b'STORED\\r\\n'\n\
\x20       assert file.readline() == b'VALUE %s 0 %d\\r\\n' % (key, len(value))\n\
\x20       assert file.read(len(value) + 7) == value + b'\\r\\nEND\\r\\n'\n\
\x20   done.append(seed)\n\
done = []\n\
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]\n\
[thread.start() for thread in threads]\n\
[thread.join() for thread in threads]\n\
assert len(done) == 8\n";

#[test]
fn memcached_keeps_what_it_is_given() {
    if lacks("memcached", &["memcached", "python3"]) {
        return;
    }
    let directory = directory("memcached");
    for mode in modes("memcached") {
        let [port] = free_ports();
        let port_text = port.to_string();
        let arguments =
            ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", &port_text, "-m", "256"];
        let server = Server::start(mode, &arguments, port, &directory);
        mode.output("memcached-client", &["python3", "-c", MEMCACHED, &port_text]);
        drop(server);
        say(&format!("ok      memcached [{}]", mode.name));
    }
    fs::remove_dir_all(&directory).expect("removing it");
}

fn nginx_configuration(directory: &Path, port: u16, tls: Option<u16>, behind: u16) -> String {
    let place = directory.display();
    let tls = tls.map_or(String::new(), |port| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {place}/cert.pem; \
             ssl_certificate_key {place}/key.pem; root {place}/files; }}"
        )
    });
    format!(
        "daemon off; master_process on; worker_processes 2; pid {place}/pid; error_log stderr; \
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; sendfile on; client_body_temp_path {place}/t1; \
         proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4; \
         scgi_temp_path {place}/t5;\n\
         server {{ listen 127.0.0.1:{behind}; root {place}/files; }}\n\
         server {{ listen 127.0.0.1:{port}; root {place}/files; location /proxied/ {{ \
         proxy_pass http://127.0.0.1:{behind}/; proxy_buffers 4 16k; }} }}\n{tls} }}\n"
    )
}

/// A certificate for a server of our own; false where none can be made.
fn certificate(directory: &Path) -> bool {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]);
    command
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem"));
    common::finish(&mut command).is_ok()
}

#[test]
fn nginx_serves_and_proxies_files() {
    if lacks("nginx", &["nginx", "curl"]) {
        return;
    }
    let directory = directory("nginx");
    fs::create_dir_all(directory.join("files")).expect("a directory");
    fs::write(directory.join("files/large"), content(FILE_BYTES)).expect("a file");
    fs::write(directory.join("files/small"), content(700)).expect("a file");
    for path in [directory.clone(), directory.join("files")] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("its mode");
    }
    let has_tls = certificate(&directory);
    if !has_tls {
        skip("nginx with TLS", "openssl makes no certificate");
    }
    for mode in modes("nginx") {
        let [port, tls, behind] = free_ports();
        let text = nginx_configuration(&directory, port, has_tls.then_some(tls), behind);
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, text).expect("a configuration");
        let configuration = configuration.to_string_lossy().into_owned();
        let place = directory.to_string_lossy().into_owned();
        let arguments = ["nginx", "-p", &place, "-c", &configuration];
        let server = Server::start(mode, &arguments, port, &directory);
        let mut places =
            vec![format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/proxied")];
        if has_tls {
            places.push(format!("https://127.0.0.1:{tls}"));
        }
        for url in &places {
            for (file, more) in [("large", ""), ("large", "--limit-rate 30M"), ("small", "")] {
                let command = format!(
                    "curl -sSfk {more} {url}/{file} | cmp - {place}/files/{file} && \
                     curl -sSfk {url}/{file} -o {place}/got {url}/{file} -o {place}/again && \
                     cmp {place}/got {place}/files/{file} && cmp {place}/again {place}/files/{file}"
                );
                mode.output("curl", &["sh", "-c", &command]);
            }
        }
        drop(server);
        say(&format!("ok      nginx [{}]", mode.name));
    }
    fs::remove_dir_all(&directory).expect("removing it");
}

#[test]
fn stress_ng_finds_nothing() {
    if lacks("stress-ng", &["stress-ng"]) {
        return;
    }
    for mode in modes("stress-ng") {
        for (stressor, operations) in [
            ("sock", "300"),
            ("udp", "2000"),
            ("epoll", "300"),
            ("mq", "3000"),
            ("sockfd", "1000"),
            ("fork", "200"),
            ("vfork", "200"),
            ("clone", "100"),
        ] {
            let (kind, count) = (format!("--{stressor}"), format!("--{stressor}-ops"));
            let [port] = free_ports().map(|port| port.to_string());
            let port_option = format!("--{stressor}-port");
            let mut arguments =
                vec!["stress-ng", &kind, "1", &count, operations, "--verify", "-t", "60"];
            if ["sock", "udp", "epoll"].contains(&stressor) {
                arguments.extend([port_option.as_str(), &port]);
            }
            let text = mode.output(&format!("stress-ng-{stressor}"), &arguments);
            assert!(text.contains("successful run completed"), "{stressor}: {text}");
        }
        say(&format!("ok      stress-ng [{}]", mode.name));
    }
}

/// With no option no request costs a system call more.
#[test]
fn requests_cost_no_more_system_calls() {
    if lacks("system calls of a server", &["strace", "redis-server", "redis-benchmark"]) {
        return;
    }
    let directory = directory("calls");
    const REQUESTS: u64 = 3000;
    let count = |prefix: &[&str], name: &str| -> u64 {
        let [port] = free_ports();
        let port_text = port.to_string();
        let table = directory.join(name);
        let table_text = table.to_string_lossy().into_owned();
        let mut arguments = vec!["-f", "-c", "-o", &table_text];
        arguments.extend_from_slice(prefix);
        arguments.extend(["redis-server", "--port", &port_text, "--save", ""]);
        let mut strace = Command::new("strace");
        strace.args(&arguments).current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::null());
        let server = Server(strace.stderr(Stdio::null()).spawn().expect("strace"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        let requests = REQUESTS.to_string();
        let mut client = Command::new("redis-benchmark");
        client.args(["-p", &port_text, "-c", "1", "-n", &requests, "-t", "get", "-q"]);
        common::finish(&mut client).expect("its benchmark");
        let mut end = Command::new("redis-cli");
        common::finish(end.args(["-p", &port_text, "shutdown", "nosave"])).expect("its end");
        drop(server);
        let text = common::read(&table);
        let of = |call: &str| -> u64 {
            let line = text.lines().find(|line| line.split_whitespace().next_back() == Some(call));
            line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0)
        };
        ["read", "write", "epoll_wait", "recvfrom", "sendto", "fcntl", "getsockopt", "setsockopt"]
            .into_iter()
            .map(of)
            .sum()
    };
    let without = count(&[], "without");
    let with = count(&[RUN, "--"], "with");
    assert!(without >= 3 * REQUESTS, "{without} calls for {REQUESTS} requests");
    // What goes on besides requests depends on how long it takes.
    assert!(with < without + REQUESTS / 3, "{with} calls with, {without} without");
    fs::remove_dir_all(&directory).expect("removing it");
}
