//! The settings in which every behaviour has to be the same, and the process that runs a body in
//! one of them.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use sio::api::engines::{Kind, Support, choose};

use super::sockets::Family;
use crate::common;
use crate::common::network::{self, Network};

/// One way to choose and to restrict the engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Setting {
    Uring,
    /// io_uring as an old kernel has it: with nothing that came after its beginnings.
    UringOfOld,
    /// A sandbox forbids io_uring: epoll has to serve, and to say why.
    UringDenied,
    Epoll,
    /// Sockets of UDP are at two ends of a pair of interfaces, and AF_XDP serves those at the near
    /// end, in areas that are made of frames; all else is left to another engine in those areas.
    AfXdp,
}

/// Every setting.
const ALL: [Setting; 5] =
    [Setting::Uring, Setting::UringOfOld, Setting::UringDenied, Setting::Epoll, Setting::AfXdp];

/// Set for the process that runs a body: which setting it is in.
pub const INNER: &str = "SIO_CONFORMANCE";
/// Set for it in [`Setting::AfXdp`]: the namespaces of the two ends.
const NEAR: &str = "SIO_CONFORMANCE_NEAR";
const FAR: &str = "SIO_CONFORMANCE_FAR";
/// What io_uring is to do without in [`Setting::UringOfOld`].
pub const FEATURES: &str = "receive_multishot,receive_incremental,send_zero_copy,sendmsg_zero_copy,\
     sparse_buffers,defer_taskrun,runs_first,poll_multishot,read_multishot,futex";

/// No test needs a fraction of it: whoever takes this long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// The exit status of a body that cannot run on this machine, as in the C tests.
const SKIPPED: i32 = 77;
/// That of a body that panicked: as libtest has it.
const FAILED: i32 = 101;
/// The last line of a body that came to its end: the name may have fitted no test at all.
const DONE: &str = "the body came to its end";

impl Setting {
    fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Uring => &[("SIO_ENGINE", "io_uring")],
            Self::UringOfOld => &[("SIO_ENGINE", "io_uring"), ("SIO_WITHOUT", FEATURES)],
            Self::UringDenied => &[],
            Self::Epoll => &[("SIO_ENGINE", "epoll")],
            Self::AfXdp => &[("SIO_ENGINE", "af_xdp,io_uring,epoll")],
        }
    }

    /// The engine that channels have in this setting.
    pub fn engine(self) -> Kind {
        match self {
            Self::Uring | Self::UringOfOld => Kind::Uring,
            Self::UringDenied | Self::Epoll => Kind::Epoll,
            Self::AfXdp => choose(0).expect("some engine").kind,
        }
    }

    /// The engine that serves such a socket.
    pub fn engine_of(self, family: Family) -> Kind {
        if self == Self::AfXdp && family.is_udp() { Kind::AfXdp } else { self.engine() }
    }

    /// What can be had of so many bytes in one block: there, a frame.
    pub fn block(self, wanted: usize) -> usize {
        if self == Self::AfXdp { wanted.min(3968) } else { wanted }
    }

    /// What can be had of so many bytes in one datagram that keeps its place in the order: there,
    /// the kernel serves fragments.
    pub fn datagram(self, wanted: usize) -> usize {
        if self == Self::AfXdp { wanted.min(1452) } else { wanted }
    }

    /// The setting of this process, inside of a body.
    pub fn current() -> Self {
        let name = std::env::var(INNER).expect("inside of a body");
        ALL.into_iter().find(|setting| format!("{setting:?}") == name).expect("a setting")
    }

    /// Makes this process what the variables alone cannot make it, or says why it cannot be.
    fn prepare(self) -> Result<(), String> {
        if self == Self::UringDenied {
            super::memory::deny_io_uring()?;
            assert!(Kind::Uring.check().is_err(), "io_uring was to be denied");
        }
        if self == Self::AfXdp {
            network::enter(&std::env::var(NEAR).expect("a namespace"));
            return Kind::AfXdp.check().map_err(|refusal| refusal.cause);
        }
        if self.engine() == Kind::Uring {
            Kind::Uring.check().map_err(|refusal| refusal.cause)?;
        }
        let choice = choose(0).expect("some engine");
        assert_eq!(choice.kind, self.engine(), "{}", choice.reason);
        if self == Self::UringOfOld {
            for line in Kind::Uring.capabilities() {
                let is_basic = line.name == "batched system calls";
                assert!(is_basic || line.support != Support::Native, "still has {}", line.name);
            }
        }
        Ok(())
    }
}

/// Does something in the namespace of the far end, if this setting has one.
pub fn at_the_far_end<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    match std::env::var(FAR) {
        Ok(space) => Network::inside(&space, action),
        Err(_) => action(),
    }
}

/// A test: runs `body` in a process of its own. `name` is the test's, with the crate's before it.
pub fn run(setting: Setting, name: &str, body: fn()) {
    if std::env::var_os(INNER).is_some() {
        return run_here(setting, body);
    }
    let (_crate, name) = name.split_once("::").expect("a path");
    let program = std::env::current_exe().expect("the path of this test");
    let mut command = Command::new(program);
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    for variable in ["SIO_ENGINE", "SIO_WITHOUT", "SIO_REQUIRE", "SIO_LOG"] {
        command.env_remove(variable);
    }
    command.envs(setting.variables().iter().copied()).env(INNER, format!("{setting:?}"));
    // Goes when the test has ended.
    let network = match setting {
        Setting::AfXdp => match Network::new(1) {
            Ok(network) => Some(network),
            Err(reason) => return tell_skipped(setting, &reason),
        },
        _ => None,
    };
    if let Some(Network { near, far }) = &network {
        command.env(NEAR, near).env(FAR, far);
    }
    super::system::block_signals(&mut command);
    let log = common::scratch("conformance").join(name.replace("::", "-"));
    let outcome = common::run(&mut command, LIMIT, &log);
    let text = outcome.output;
    match outcome.status.map(|status| status.code()) {
        Some(Some(0)) if text.contains(DONE) => {
            // A part of it may not have been possible.
            text.lines().filter(|line| line.starts_with("skipped ")).for_each(common::say);
        }
        Some(Some(SKIPPED)) => tell_skipped(setting, text.trim_end()),
        None => panic!("hangs:\n{text}"),
        Some(_) => panic!("{}:\n{text}", outcome.status.expect("it ended")),
    }
    // Kept only where there is something to look at.
    let _ = std::fs::remove_file(log);
}

fn run_here(setting: Setting, body: fn()) {
    super::memory::end_with_parent();
    if let Err(reason) = setting.prepare() {
        common::say(&reason);
        std::process::exit(SKIPPED);
    }
    // A panic ends the process: there may be threads that nobody would wake any more.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(FAILED);
    }));
    body();
    common::say(DONE);
}

/// Once for each setting: the reason is the same for all tests.
fn tell_skipped(setting: Setting, text: &str) {
    static TOLD: Mutex<Option<HashSet<Setting>>> = Mutex::new(None);
    let mut told = TOLD.lock().expect("nobody panics here");
    if told.get_or_insert_default().insert(setting) {
        let reason = text.lines().last().unwrap_or("no reason given");
        common::skip(&format!("all tests of {setting:?}"), reason);
    }
}
