//! Programs of others at the far end, which know nothing of any of this.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::common::network::{FAR, NEAR, Network};
use super::common::{self, has_program, skip};
use super::node::{Node, pattern};
use super::{at, echo, far_socket, on_network};

/// Datagrams that socat makes of a file, and the bytes of each but the last.
const DATAGRAMS: usize = 150;
const PIECE: usize = 1000;
const LIMIT: Duration = Duration::from_secs(10);

/// Ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the program"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn length(file: &Path) -> usize {
    std::fs::metadata(file).map_or(0, |found| found.len() as usize)
}

/// Whether a program at the far end has this UDP port.
fn is_bound(network: &Network, port: u16) -> bool {
    let mut command = Network::command(&network.far, "ss");
    let listed = common::output(command.args(["-Hulpn", "sport", "=", &format!(":{port}")]));
    listed.is_ok_and(|text| !text.trim().is_empty())
}

#[test]
fn socat_sends_a_file_and_gets_one() {
    if !has_program("socat") || !has_program("ss") {
        return skip("socat_sends_a_file", "socat or ss is not installed");
    }
    on_network("socat_sends_a_file", 1, |network| {
        let directory = common::scratch("af-xdp");
        let (there, back) = (directory.join("there"), directory.join("back"));
        let content = pattern(DATAGRAMS * PIECE - 123, 5);
        std::fs::write(&there, &content).expect("a file");
        let node = Node::new(&format!("{NEAR}:0"));

        let to = format!("UDP-SENDTO:{}", node.address());
        let mut socat = Network::command(&network.far, "socat");
        let sender = socat.args(["-u", "-b", &PIECE.to_string()]);
        let _sender = Running::start(sender.arg(format!("FILE:{}", there.display())).arg(to));
        let mut got = Vec::new();
        while got.len() < content.len() {
            let piece = node.receive_within(LIMIT).expect("a datagram");
            got.extend(node.bytes(&piece));
            node.release(&piece);
        }
        assert!(got == content, "every byte, in order");
        assert_eq!(node.info().received_copied, 0);

        const PORT: u16 = 4711;
        let from = format!("UDP-RECV:{PORT},bind={FAR},rcvbuf=1048576");
        let mut socat = Network::command(&network.far, "socat");
        let receiver = socat.args(["-u", &from]).arg(format!("CREATE:{}", back.display()));
        let _receiver = Running::start(receiver);
        wait_until("socat has its port", || is_bound(network, PORT));
        for (number, piece) in content.chunks(PIECE).enumerate() {
            node.send(piece, Some(at(FAR, PORT))).expect("sent");
            // Its buffer has room for some of them.
            wait_until("it is written", || length(&back) + 20 * PIECE > number * PIECE);
        }
        wait_until("all of it is there", || length(&back) >= content.len());
        assert!(std::fs::read(&back).expect("a file") == content, "every byte, in order");
        let info = node.info();
        assert!(
            info.sent_copied <= PIECE as u64,
            "but for one that finds out who the neighbour is"
        );
    });
}

#[test]
fn iperf3_is_not_disturbed_by_a_flow_beside_it() {
    if !has_program("iperf3") {
        return skip("iperf3_is_not_disturbed", "iperf3 is not installed");
    }
    on_network("iperf3_is_not_disturbed", 1, |network| {
        let node = Node::new(&format!("{NEAR}:0"));
        let far = far_socket(network, FAR);
        let mut server = Network::command(&network.near, "iperf3");
        let _server = Running::start(server.args(["-s", "-1", "-B", NEAR]));
        let mut client = Network::command(&network.far, "iperf3");
        client.args(["-u", "-c", NEAR, "-b", "100M", "-n", "2M", "--get-server-output"]);
        // The server may not be there yet.
        let outcome = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                (0..20).find_map(|_| {
                    std::thread::sleep(Duration::from_millis(100));
                    common::output(&mut client).ok()
                })
            });
            while !client.is_finished() {
                echo(&far, &node, node.address(), &[1, 64, 1000, 1472]);
            }
            client.join().expect("the client")
        });
        let report = outcome.expect("a report");
        assert!(report.contains("Server output") && report.contains("receiver"), "{report}");
        assert_eq!(node.info().received_copied, 0, "the flow is served by the interface");
    });
}

#[test]
fn dig_gets_answers_from_the_example() {
    if !has_program("dig") {
        return skip("dig_gets_answers", "dig is not installed");
    }
    on_network("dig_gets_answers", 1, |network| {
        let program = super::dns_server("dig");
        let mut server = super::start(network, &program, &[NEAR, "53", "one.test=192.0.2.7"]);
        let ask = |name: &str| {
            let mut command = Network::command(&network.far, "dig");
            common::output(command.args(["+tries=3", "+time=3", &format!("@{NEAR}"), name, "A"]))
        };
        for _ in 0..3 {
            let answer = ask("one.test").expect("an answer");
            assert!(answer.contains("status: NOERROR") && answer.contains("192.0.2.7"), "{answer}");
            let answer = ask("two.test").expect("an answer");
            assert!(answer.contains("status: NXDOMAIN"), "{answer}");
        }
        server.kill().expect("kill");
        server.wait().expect("wait");
    });
}
