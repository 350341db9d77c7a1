//! sio-run --udp: UDP sockets of a program that knows nothing of it behave as they do without, whatever
//! the program does with them. Each test in namespaces of its own; needs root.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::network::{FAR, FAR6, NEAR, NEAR6, Network};
use common::{Outcome, PROGRAM_LIMIT, output, root, scratch, skip};

const RUN: &str = env!("CARGO_BIN_EXE_sio-run");

/// A command in a namespace, with none of the variables that we read.
fn command(space: &str, program: &str) -> Command {
    let mut command = Network::command(space, program);
    command.env("LC_ALL", "C").env("SIO_UDP_AFTER", "1");
    common::without_variables(&mut command);
    command
}

fn outcome(name: &str, command: &mut Command) -> Outcome {
    common::run(command, PROGRAM_LIMIT, &scratch("udp").join(format!("{name}.log")))
}

fn python() -> Option<&'static str> {
    let is_new = |name: &&str| {
        let mut command = Command::new(name);
        command.args(["-c", "import socket; socket.send_fds"]);
        output(&mut command).is_ok()
    };
    ["/usr/bin/python3", "python3"].into_iter().find(is_new)
}

/// The network and Python, unless the reason why there is none is told.
fn set_up(what: &str, queues: u32) -> Option<(Network, &'static str)> {
    let network = match Network::new(queues) {
        Ok(network) => network,
        Err(reason) => {
            skip(what, &reason);
            return None;
        }
    };
    let mut possible = command(&network.near, RUN);
    let possible = outcome("possible", possible.args(["--require", "--udp", "true"]));
    if possible.code() != Some(0) {
        skip(what, possible.output.trim());
        return None;
    }
    match python() {
        Some(python) => Some((network, python)),
        None => {
            skip(what, "no Python of version 3.9");
            None
        }
    }
}

/// A script of cases has to write the same with and without it; what `--explain` tells.
fn compare(script: &str, queues: &[u32], moved_min: usize) -> Option<Vec<String>> {
    let mut plain = None;
    let mut all_told = Vec::new();
    for queues in queues {
        let (network, python) = set_up(script, *queues)?;
        let path = root().join("tests/udp").join(script).to_string_lossy().into_owned();
        let arguments = ["-B", path.as_str(), &network.far, NEAR, FAR, NEAR6, FAR6];
        let plain = plain.get_or_insert_with(|| {
            let name = format!("plain-{script}");
            let plain = outcome(&name, command(&network.near, python).args(arguments));
            assert_eq!(plain.code(), Some(0), "{}", plain.output);
            plain.output
        });
        let mut command = command(&network.near, RUN);
        command.args(["--explain", "--udp", python]).args(arguments);
        let served = outcome(&format!("served-{script}"), &mut command);
        let (told, text): (Vec<&str>, Vec<&str>) =
            served.output.lines().partition(|line| line.starts_with("sio-run: "));
        assert_eq!(served.code(), Some(0), "{}", served.output);
        assert_eq!(text, plain.lines().collect::<Vec<_>>(), "{queues} queues");
        let moved = told.iter().find_map(|line| {
            let (count, rest) = line.split_once(" UDP: ")?.1.split_once(" sockets moved to ")?;
            rest.starts_with("AF_XDP on near0").then_some(count)
        });
        let moved: usize = moved.expect("sockets were moved").parse().expect("a number");
        assert!(moved >= moved_min, "{told:#?}");
        all_told.extend(told.iter().map(|line| (*line).to_owned()));
    }
    Some(all_told)
}

#[test]
fn sockets_behave_as_without_it() {
    let Some(told) = compare("datagrams.py", &[1, 2], 20) else { return };
    for reason in ["given back to the kernel", "left to the kernel"] {
        assert!(told.iter().any(|line| line.contains(reason)), "{told:#?}");
    }
}

/// Of sockets that stay with the kernel, and of others.
#[test]
fn bad_addresses_are_told_as_without_it() {
    let Some(python) = python() else { return skip("bad addresses", "no Python of version 3.9") };
    let script = root().join("tests/common/addresses.py").to_string_lossy().into_owned();
    let arguments = ["-B", script.as_str(), "udp", "unix"];
    let plain = outcome("addresses-plain", Command::new(python).args(arguments));
    assert_eq!(plain.code(), Some(0), "{}", plain.output);
    let mut command = Command::new(RUN);
    let served = outcome("addresses", command.args(["--udp", python]).args(arguments));
    assert_eq!(served.code(), Some(0), "{}", served.output);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&served.output), lines(&plain.output));
}

#[test]
fn answers_arrive_as_without_it() {
    compare("answers.py", &[1], 10);
}

/// Runs a script that listens on port 9 and says when it has begun: the program, what it writes
/// then, and a socket of the other side that is connected to it.
fn start(network: &Network, python: &str, script: &[&str]) -> (Child, ChildStdout, UdpSocket) {
    let mut server = command(&network.near, RUN);
    server.args(["--udp", python, "-c"]).args(script);
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
    let mut output = server.stdout.take().expect("its output");
    output.read_exact(&mut [0; 6]).expect("its word");
    let bind = || UdpSocket::bind((FAR, 0)).expect("a socket of the kernel");
    let far = Network::inside(&network.far, bind);
    far.connect((NEAR, 9)).expect("its port");
    far.set_read_timeout(Some(PROGRAM_LIMIT)).expect("SO_RCVTIMEO");
    (server, output, far)
}

/// Answers a part of a burst, and ends in one of several ways: another program has the rest.
const ENDS: &str = "import ctypes, os, socket, sys, time\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    s.bind((sys.argv[1], 9))\n\
    s.set_inheritable(True)\n\
    print('begun', flush=True)\n\
    for _ in range(3):\n    data, sender = s.recvfrom(2000)\n    s.sendto(data, sender)\n\
    time.sleep(0.3)\n\
    for _ in range(4):\n    data, sender = s.recvfrom(2000)\n    s.sendto(data, sender)\n\
    end, c = sys.argv[2], ctypes.CDLL(None)\n\
    words = [b'sh', b'-c', b'head -c 5 <&%d' % s.fileno()]\n\
    many = [b'this', b'is', b'more', b'than', b'fits', b'into', b'registers', None]\n\
    if end == '_exit': os._exit(0)\n\
    if end == 'execv': os.execv('/bin/sh', words)\n\
    if end == 'execl': c.execl(b'/bin/sh', *words, *many)\n\
    if end == 'execlp': c.execlp(b'sh', *words, *many)\n\
    if end == 'execle': c.execle(b'/bin/sh', *words, *many, ctypes.c_void_p.in_dll(c, 'environ'))\n\
    if end == 'kill': time.sleep(0.1); os.kill(os.getpid(), 9)\n\
    sys.exit(0)\n";

#[test]
fn what_a_program_has_sent_outlives_it() {
    let Some((network, python)) = set_up("a program that ends", 1) else { return };
    for end in ["_exit", "exit", "kill", "execv", "execl", "execlp", "execle"] {
        let (mut server, mut output, far) = start(&network, python, &[ENDS, NEAR, end]);
        let mut room = [0; 10];
        for _ in 0..3 {
            far.send(b"warm").expect("sent");
            assert_eq!(far.recv(&mut room).expect("an answer"), 4);
        }
        for number in 0..9u8 {
            far.send(&[number]).expect("sent");
        }
        for number in 0..4 {
            assert_eq!(far.recv(&mut room).expect(end), 1);
            assert_eq!(room[0], number, "{end}");
        }
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).expect("its output");
        let wanted = if end.starts_with("exec") { &[4, 5, 6, 7, 8][..] } else { &[] };
        assert_eq!(rest, wanted, "{end}");
        server.wait().expect("its end");
    }
}

#[test]
fn a_cancelled_thread_may_have_children() {
    let Some((network, _)) = set_up("children of a cancelled thread", 1) else { return };
    let source = root().join("tests/udp/children.c");
    let program = scratch("udp").join("children");
    let mut compile = Command::new(common::compiler());
    compile.args(["-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&program).arg(source);
    common::finish(&mut compile).expect("the program");
    let mut command = command(&network.near, RUN);
    let children = outcome("children", command.arg("--udp").arg(program).arg(NEAR));
    assert_eq!(children.code(), Some(0), "{}", children.output);
}

/// Forks while a thread waits for a socket, and ends, so that interfaces are free for the child, which has
/// another socket with that number. Who has made both waits until they are gone.
const WAITS: &str = "import os, socket, sys, threading, time\n\
    def bound(port):\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    \
        s.bind((sys.argv[1], port))\n    return s\n\
    def answer(s):\n    data, sender = s.recvfrom(100)\n    s.sendto(data, sender)\n\
    def serve(s):\n    while True: answer(s)\n\
    reader, writer = os.pipe()\n\
    if os.fork() != 0:\n    os.close(writer)\n    os.read(reader, 1)\n    os._exit(0)\n\
    s = bound(9)\n\
    number = s.fileno()\n\
    print('begun', flush=True)\n\
    threading.Thread(target=serve, args=[s], daemon=True).start()\n\
    sys.stdin.readline()\n\
    time.sleep(0.2)\n\
    parent = os.getpid()\n\
    if os.fork() == 0:\n    s.close()\n    \
        while os.getppid() == parent: time.sleep(0.01)\n    s = bound(10)\n    \
        assert s.fileno() == number\n    print('child', flush=True)\n    \
        for _ in range(5): answer(s)\n    os._exit(0)\n\
    os._exit(0)\n";

#[test]
fn nobody_waits_in_a_new_child() {
    let Some((network, python)) = set_up("a fork while a thread waits", 1) else { return };
    let mut run = command(&network.near, RUN);
    run.args(["--explain", "--udp", python, "-c", WAITS, NEAR]);
    let mut program = run
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    let mut output = program.stdout.take().expect("its output");
    let mut word = |text: &str| {
        let mut room = [0; 6];
        output.read_exact(&mut room).expect(text);
        assert_eq!(&room[..5], text.as_bytes());
    };
    let bind = || UdpSocket::bind((FAR, 0)).expect("a socket of the kernel");
    let exchange = |port| {
        let far = Network::inside(&network.far, bind);
        far.connect((NEAR, port)).expect("its port");
        far.set_read_timeout(Some(PROGRAM_LIMIT)).expect("SO_RCVTIMEO");
        for _ in 0..5 {
            // It is asked for before it comes.
            std::thread::sleep(std::time::Duration::from_millis(50));
            far.send(b"text").expect("sent");
            assert_eq!(far.recv(&mut [0; 10]).expect("an answer"), 4);
        }
    };
    word("begun");
    exchange(9);
    drop(program.stdin.take());
    word("child");
    exchange(10);
    let told = program.wait_with_output().expect("its end");
    assert!(told.status.success());
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("2 sockets moved"), "{told}");
    assert!(!told.contains("several threads"), "{told}");
}

/// Answers until it is killed, and says when it has begun.
const SERVER: &str = "import socket, sys\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    s.bind((sys.argv[1], 9))\n\
    print('begun', flush=True)\n\
    while True:\n    data, sender = s.recvfrom(2000)\n    s.sendto(data, sender)\n";

#[test]
fn nothing_remains_of_one_that_is_killed() {
    let Some((network, python)) = set_up("a program that is killed", 1) else { return };
    // Twice: the second one finds the interface free.
    for _ in 0..2 {
        let (mut server, _output, far) = start(&network, python, &[SERVER, NEAR]);
        let mut room = [0; 10];
        for _ in 0..200 {
            far.send(b"text").expect("sent");
            assert_eq!(far.recv(&mut room).expect("an answer"), 4);
        }
        let attached =
            || output(Network::command(&network.near, "ip").args(["link", "show", "near0"]));
        assert!(attached().expect("ip link").contains("prog/xdp"));
        server.kill().expect("killing it");
        server.wait().expect("its end");
        assert!(!attached().expect("ip link").contains("prog/xdp"));
    }
}

#[test]
fn who_may_not_is_told() {
    let Ok(network) = Network::new(1) else { return skip("--udp without rights", "no network") };
    if !common::has_program("setpriv") {
        return skip("--udp without rights", "no setpriv");
    }
    // An interface is there; the right is not.
    for (options, status, words) in [
        (&["--explain", "--udp"][..], 0, "UDP: as without sio-run: "),
        (&["--require", "--udp"], 125, "--udp: "),
    ] {
        let mut command = command(&network.near, "setpriv");
        command.args(["--bounding-set=-net_raw,-net_admin,-bpf,-sys_admin", "--inh-caps=-all"]);
        command.arg(RUN).args(options).arg("true");
        let outcome = outcome("rights", &mut command);
        assert_eq!(outcome.code(), Some(status), "{}", outcome.output);
        assert!(outcome.output.contains(words), "{}", outcome.output);
    }
}

/// Ended with the value.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const WAYS: [Option<&[&str]>; 3] = [None, Some(&["--require"]), Some(&["--require", "--udp"])];

/// A program of somebody else's, as it is or run by sio-run in one of these ways.
fn server(space: &str, way: Option<&[&str]>, words: &str) -> Server {
    let mut words = words.split_whitespace();
    let program = words.next().expect("a program");
    let mut command = match way {
        None => command(space, program),
        Some(options) => {
            let mut command = command(space, RUN);
            command.args(options).arg("--").arg(program);
            command
        }
    };
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    Server(command.spawn().expect("a server"))
}

/// What a server answers under load has to be the same in all ways.
fn answers_the_same(program: &str, words: &str) {
    if !common::has_program(program) {
        return skip(program, "it is not installed");
    }
    let Some((network, python)) = set_up(program, 1) else { return };
    let script = root().join("tests/udp/clients.py").to_string_lossy().into_owned();
    let mut first = None;
    for way in WAYS {
        let _server = server(&network.near, way, words);
        let mut client = command(&network.far, python);
        let client = outcome(program, client.args([&script, program, NEAR, "5300"]));
        assert_eq!(client.code(), Some(0), "{way:?}: {}", client.output);
        assert!(!client.output.contains("False"), "{way:?}: {}", client.output);
        let first = first.get_or_insert_with(|| client.output.clone());
        assert_eq!(client.output, *first, "{way:?}");
        if program == "dnsmasq" && common::has_program("dig") {
            let mut dig = command(&network.far, "dig");
            dig.args(["+short", &format!("@{NEAR}"), "-p", "5300", "two.example"]);
            assert_eq!(outcome("dig", &mut dig).output.trim(), "192.0.2.2", "{way:?}");
        }
    }
}

#[test]
fn memcached_answers_as_without_it() {
    let words = format!("memcached -u root -t 2 -p 5300 -U 5300 -l {NEAR}");
    answers_the_same("memcached", &words);
}

#[test]
fn dnsmasq_answers_as_without_it() {
    let words = format!(
        "dnsmasq -k -R -h -c 0 -u root --pid-file= --bind-interfaces --listen-address={NEAR} -p 5300 \
         --address=/one.example/192.0.2.1 --address=/two.example/192.0.2.2 \
         --address=/example/192.0.2.3"
    );
    answers_the_same("dnsmasq", &words);
}

#[test]
fn iperf3_measures_as_without_it() {
    if !common::has_program("iperf3") {
        return skip("iperf3", "it is not installed");
    }
    let Some((network, _)) = set_up("iperf3", 1) else { return };
    for way in WAYS {
        for options in
            ["-u -b 20M -l 500 -n 2M", "-u -b 20M -l 500 -n 2M -R", "-n 20M", "-n 20M -R"]
        {
            let _server = server(&network.near, way, "iperf3 -s -p 5300");
            let done = (0..100).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(50));
                let mut client = command(&network.far, "iperf3");
                client.args(["-c", NEAR, "-p", "5300"]).args(options.split(' '));
                outcome("iperf3", &mut client).code() == Some(0)
            });
            assert!(done, "{way:?} {options}");
        }
    }
}

#[test]
fn sockperf_misses_nothing() {
    if !common::has_program("sockperf") {
        return skip("sockperf", "it is not installed");
    }
    let Some((network, _)) = set_up("sockperf", 1) else { return };
    let feed = scratch("udp").join("feed");
    std::fs::write(&feed, format!("U:{NEAR}:5300\nU:{NEAR}:5301\n")).expect("a list of sockets");
    // epoll, poll and select.
    for waits in ["e", "p", "s"] {
        let words = format!("sockperf server -f {} -F {waits}", feed.display());
        let _server = server(&network.near, WAYS[2], &words);
        let words = format!("under-load -i {NEAR} -p 5300 -t 1 --mps 5000 --reply-every 1");
        let done = (0..5).any(|_| {
            let mut client = command(&network.far, "sockperf");
            let text = outcome("sockperf", client.args(words.split(' '))).output;
            // One that is late counts as dropped, on a machine that is busy; it may end without a word.
            text.contains("# duplicated messages = 0; # out-of-order messages = 0")
        });
        assert!(done, "{waits}");
    }
}

/// Answers what it is told of by edges, as well as it can.
const EDGES: &str = "import select, socket, sys\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    s.bind((sys.argv[1], 9))\n\
    s.setblocking(False)\n\
    edges = select.epoll()\n\
    edges.register(s, select.EPOLLIN | select.EPOLLET)\n\
    print('begun', flush=True)\n\
    while edges.poll():\n\
    \x20   while True:\n\
    \x20       try: data, sender = s.recvfrom(2000)\n\
    \x20       except BlockingIOError: break\n\
    \x20       s.sendto(data, sender)\n";

#[test]
fn no_edge_is_lost_under_load() {
    const ANSWERS: usize = 20_000;
    let Some((network, python)) = set_up("a program that waits for edges", 1) else { return };
    let (mut server, _output, far) = start(&network, python, &[EDGES, NEAR]);
    for window in [2, 4, 8, 16] {
        let mut sent = 0;
        for got in 0..ANSWERS {
            while sent < ANSWERS && sent - got < window {
                far.send(&[0; 32]).expect("sent");
                sent += 1;
            }
            let told = || format!("{got} answers with {window} under way");
            far.recv(&mut [0; 32]).unwrap_or_else(|error| panic!("{}: {error}", told()));
        }
    }
    server.kill().expect("it runs");
    server.wait().expect("its end");
}

/// In rounds, each told to begin: the socket is moved while datagrams wait in its queue; then more come
/// than the interface has room for; then it answers what it is told of by level.
const LEVELS: &str = "import select, socket, sys\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    s.bind((sys.argv[1], 9))\n\
    s.setblocking(False)\n\
    print('begun', flush=True)\n\
    while sys.stdin.readline():\n\
    \x20   s.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 0)\n\
    \x20   s.recvfrom(2000)\n\
    \x20   print('moved', flush=True)\n\
    \x20   sys.stdin.readline()\n\
    \x20   data = b''\n\
    \x20   while data != b'last':\n\
    \x20       select.select([s], [], [])\n\
    \x20       while True:\n\
    \x20           try: data, sender = s.recvfrom(2000)\n\
    \x20           except BlockingIOError: break\n\
    \x20       print('empty', flush=True)\n\
    \x20   s.sendto(data, sender)\n";

/// With one call.
fn send_burst(socket: &UdpSocket, bytes: &[u8], count: usize) {
    let mut piece =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: zeros are a valid message to nobody in particular.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_iov = &raw mut piece;
    message.msg_hdr.msg_iovlen = 1;
    let mut messages = vec![message; count];
    // SAFETY: the messages live until the call has ended.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count as libc::c_uint, 0)
    };
    assert_eq!(sent, count as i32);
}

#[test]
fn bursts_that_are_alike_leave_no_socket_behind() {
    const ALIKE: &[u8] = &[0; 32];
    let Some((network, python)) = set_up("bursts of datagrams that are alike", 1) else { return };
    let (server, output, far) = start(&network, python, &[LEVELS, NEAR]);
    let mut server = Server(server);
    let mut begin = server.0.stdin.take().expect("its input");
    let mut words = BufReader::new(output).lines().map(|line| line.expect("its output"));
    let mut wait_for = |wanted| assert!(words.any(|word| word == wanted), "{wanted}");
    for round in 0..3 {
        // More than are looked at while the area has some.
        send_burst(&far, ALIKE, 48);
        begin.write_all(b"\n").expect("its input");
        wait_for("moved");
        (0..64).for_each(|_| send_burst(&far, ALIKE, 64));
        begin.write_all(b"\n").expect("its input");
        wait_for("empty");
        far.send(b"last").expect("sent");
        assert_eq!(far.recv(&mut [0; 32]).ok(), Some(4), "round {round}");
    }
    drop(begin);
    assert!(server.0.wait().expect("its end").success());
}
