//! Servers of static files: nginx beside examples-c/httpd.c, and the latter's twin that is written with
//! epoll, with wrk as the client.

use std::any::Any;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sio_benches::meter::Meter;
use sio_benches::record::{Family, Glance};
use sio_benches::series::{Layout, Measure, Of, Sample, Wanted};
use sio_benches::spread::grouped;
use sio_benches::system;

use crate::case::{Case, Times, usual_layout};
use crate::counter::{Counter, CounterKind};
use crate::program::{Place, Program, Variant, variant};

const SIZES: [usize; 4] = [1 << 10, 16 << 10, 128 << 10, 1 << 20];
const CONNECTIONS: usize = 64;
/// In a network of its own every port is free.
const PORT: u16 = 8080;
const GOAL: f64 = 1.0;
const PATIENCE: Duration = Duration::from_secs(10);

pub fn cases() -> Vec<Box<dyn Case>> {
    SIZES.into_iter().map(|bytes| Box::new(Http { bytes }) as Box<dyn Case>).collect()
}

struct Http {
    bytes: usize,
}

impl Case for Http {
    fn id(&self) -> String {
        format!("http-{}", self.bytes)
    }

    fn family(&self) -> Family {
        Family {
            id: "http".to_string(),
            title: "HTTP: files from the page cache".to_string(),
            about: format!(
                "One file of that size is fetched again and again by wrk over {CONNECTIONS} \
                 connections. nginx has one process, sendfile, tcp_nopush, its cache of open files, \
                 and no log; examples-c/httpd.c copies files of up to 16 KiB behind the head of \
                 the response, sends others with sio_sendfile, and looks once in a second whether they \
                 have changed, as nginx is told to; benches/epoll_httpd.c keeps all files in memory, \
                 and has epoll and writev. Both have about 400 lines: what nginx does besides has its \
                 price."
            ),
            plotted: "CPU ÷ nginx".to_string(),
            is_less_better: true,
            glance: vec![Glance {
                what: "Serving files over HTTP".to_string(),
                program: "libsio".to_string(),
            }],
            cases: Vec::new(),
        }
    }

    fn title(&self) -> String {
        if self.bytes < 1 << 20 {
            format!("{} KiB", grouped(self.bytes as i64 >> 10))
        } else {
            format!("{} MiB", self.bytes >> 20)
        }
    }

    fn is_quick(&self) -> bool {
        self.bytes == SIZES[1]
    }

    fn layout(&self) -> Layout {
        usual_layout("nginx", "request", Some("epoll"))
    }

    fn variants(&self) -> Vec<Variant> {
        vec![
            variant("nginx", "nginx", ""),
            variant("libsio", "httpd", ""),
            variant("", "httpd", "").by_epoll_engine(),
            variant("epoll", "epoll_httpd", ""),
        ]
    }

    fn goals(&self, name: &str) -> Vec<Wanted> {
        // As many requests in a second of processor time.
        let topic = "HTTP, CPU of a request beside nginx";
        let goal = Wanted::at_most(topic, Of::Base(Measure::Cpu), GOAL);
        if name == "libsio" { vec![goal] } else { Vec::new() }
    }

    fn obstacle(&self) -> Option<String> {
        let missing = ["nginx", "wrk"].into_iter().find(|name| !system::has_program(name));
        missing.map(|name| format!("{name} is not here"))
    }

    fn prepare(&self, _place: &Place) -> io::Result<Box<dyn Any>> {
        Ok(Box::new(Site::make(self.site(), self.bytes)?))
    }

    fn run(
        &self,
        variant: &Variant,
        place: &Place,
        times: Times,
        counter: Option<CounterKind>,
    ) -> io::Result<Sample> {
        let directory = self.site();
        let network = Network::find();
        let path = place.directory.join(variant.program);
        let (program, arguments) = match variant.program {
            "nginx" => (Path::new("nginx"), vec!["-c".into(), directory.join("nginx.conf")]),
            _ => (path.as_path(), vec![directory.clone(), PORT.to_string().into()]),
        };
        let mut command = network.command(program);
        command.args(arguments);
        let mut server = Program::launch(command, variant, place)?;
        await_listener(server.pid())?;
        let counter = counter.map(|kind| Counter::start(kind, server.pid())).transpose()?;
        let meter = Meter::start(server.pid(), place.processor)?;
        let start = Instant::now();
        // wrk knows whole seconds.
        let seconds = times.window.as_secs_f64().ceil() as u64;
        let requests = network.load(server.pid(), seconds, self.bytes)?;
        let wall = start.elapsed();
        let mut sample = meter.read(requests)?;
        sample.set(Measure::Rate, requests / wall.as_secs_f64());
        if let Some(counter) = counter {
            sample.set(Measure::Calls, counter.stop()? / requests);
        }
        if variant.is_ours() {
            sample.set(Measure::CopiedSent, copied(&mut server)?);
        }
        Ok(sample)
    }
}

impl Http {
    fn site(&self) -> PathBuf {
        std::env::temp_dir().join(format!("sio-bench-site-{}", std::process::id()))
    }
}

/// The files, gone with the value.
struct Site(PathBuf);

impl Site {
    fn make(directory: PathBuf, bytes: usize) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        let site = Self(directory);
        fs::write(site.0.join("file"), vec![b'x'; bytes])?;
        let own = site.0.display();
        let configuration = format!(
            "daemon off;
master_process off;
worker_processes 1;
pid {own}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 65;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1s;
    default_type application/octet-stream;
    client_body_temp_path {own}/body;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    server {{ listen 127.0.0.1:{PORT}; root {own}; }}
}}
"
        );
        fs::write(site.0.join("nginx.conf"), configuration)?;
        Ok(site)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where server and client meet: a network of their own where that may be made, in which TCP has the
/// congestion control of the other cases; the system's otherwise.
#[derive(Clone, Copy)]
enum Network {
    Own { is_root: bool },
    System,
}

impl Network {
    fn find() -> Self {
        let is_root = system::is_root();
        let own = Self::Own { is_root };
        let works = own.command(Path::new("true")).output();
        if works.is_ok_and(|output| output.status.success()) { own } else { Self::System }
    }

    fn command(self, program: &Path) -> Command {
        let Self::Own { is_root } = self else { return Command::new(program) };
        let mut command = Command::new("unshare");
        if !is_root {
            command.arg("--map-root-user");
        }
        let script = "ip link set lo up && { echo cubic >/proc/sys/net/ipv4/tcp_congestion_control \
                      || true; } 2>/dev/null && exec \"$@\"";
        command.args(["--net", "sh", "-c", script, "sh"]).arg(program);
        command
    }

    /// The requests that were answered in so many seconds.
    fn load(self, server: u32, seconds: u64, bytes: usize) -> io::Result<f64> {
        let mut command = match self {
            Self::System => Command::new("wrk"),
            Self::Own { is_root } => {
                let mut command = Command::new("nsenter");
                command.args(["--net", "--target", &server.to_string()]);
                if !is_root {
                    command.args(["--user", "--preserve-credentials"]);
                }
                command.args(["--", "wrk"]);
                command
            }
        };
        command.args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{seconds}s")]);
        command.arg(format!("http://127.0.0.1:{PORT}/file"));
        let output = command.output().map_err(|error| io::Error::other(format!("wrk: {error}")))?;
        let told = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).trim().to_string();
            return Err(io::Error::other(format!("wrk: {told}")));
        }
        answered(&told, bytes)
    }
}

/// What wrk tells, if all was well: "  1234 requests in 1.00s, 1.31MB read".
fn answered(told: &str, bytes: usize) -> io::Result<f64> {
    let bad = |line: &&str| line.contains("Socket errors") || line.contains("Non-2xx");
    if let Some(line) = told.lines().find(bad) {
        return Err(io::Error::other(format!("wrk: {}", line.trim())));
    }
    let numbers = told.lines().find_map(|line| {
        let (requests, rest) = line.trim().split_once(" requests in ")?;
        let read = rest.split_once(", ")?.1.strip_suffix("B read")?;
        let factor = match read.chars().last()? {
            'K' => 1024.0,
            'M' => 1024.0 * 1024.0,
            'G' => 1024.0 * 1024.0 * 1024.0,
            _ => 1.0,
        };
        let read: f64 = read.trim_end_matches(char::is_alphabetic).parse().ok()?;
        Some((requests.parse::<f64>().ok()?, read * factor))
    });
    match numbers {
        // wrk rounds what it has read.
        Some((requests, read)) if read > 0.98 * requests * bytes as f64 => Ok(requests),
        _ => Err(io::Error::other(format!("wrk has not got what it asked for: {told}"))),
    }
}

/// Waits until a process listens, in whatever network it is.
fn await_listener(pid: u32) -> io::Result<()> {
    let listening = format!(":{PORT:04X} 00000000:0000 0A ");
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
        if text.contains(&listening) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::Error::other("the server does not listen"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The share of the bytes that were copied, as the server tells at its end.
fn copied(server: &mut Program) -> io::Result<f64> {
    system::terminate(server.pid());
    let text = server.rest()?;
    let json = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(json).map_err(io::Error::other)?;
    match (json["bytes"].as_f64(), json["copied_bytes"].as_f64()) {
        (Some(bytes), Some(copied)) if bytes > 0.0 => Ok(copied / bytes),
        _ => Err(io::Error::other(format!("the server does not tell what it has copied: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_too_short_are_none() {
        let told = "  2 threads\n  1000 requests in 1.00s, 1.05MB read\nRequests/sec: 999";
        assert_eq!(answered(told, 1024).expect("requests"), 1000.0);
        assert!(answered(told, 2048).is_err());
        assert!(answered("Non-2xx or 3xx responses: 7\n", 1).is_err());
    }
}
