//! Which engines there are, which one serves, and why not another: a fallback is never silent.
//!
//! `SIO_ENGINE` lists names in order of preference; what this machine refuses is skipped. epoll
//! is the last resort even when it is not listed, unless `SIO_REQUIRE=1` asks for an error.
//!
//! An engine that moves frames serves single sockets, never a channel: the channel has the next one
//! in the list.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Engine;
use super::checked::Checked;
use super::epoll::Epoll;
use super::uring::Uring;
use crate::error::{Errno, Refusal, Result};
use crate::port::af_xdp;
use crate::sys::annotate;
use crate::sys::cell::Leaked;
use crate::sys::log::{self, Level};
use crate::sys::ring::{self, Features};
use crate::sys::stat::Tally;

/// The engines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Uring,
    Epoll,
    AfXdp,
    /// What serves whole frames where AF_XDP does not: not to be asked for by name.
    PacketMmap,
}

pub const KINDS: [Kind; 3] = [Kind::Uring, Kind::Epoll, Kind::AfXdp];

/// The order of preference when nobody asks for another: what needs no privilege and takes nothing
/// from the kernel.
const PREFERENCE: [Kind; 2] = [Kind::Uring, Kind::Epoll];

/// How well an engine does one thing here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    Native,
    Emulated,
    No,
}

/// One line of what `sio-probe` tells.
#[derive(Clone, Debug)]
pub struct Capability {
    pub name: &'static str,
    pub support: Support,
    pub note: &'static str,
}

impl Kind {
    /// The name in `SIO_ENGINE` and `sio_info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uring => "io_uring",
            Self::Epoll => "epoll",
            Self::AfXdp => "af_xdp",
            Self::PacketMmap => "packet_mmap",
        }
    }

    /// That of a socket which a port of this name serves.
    pub fn of_port(name: &str) -> Self {
        if name == Self::PacketMmap.name() { Self::PacketMmap } else { Self::AfXdp }
    }

    /// The number by which counters and probes know it.
    pub fn code(self) -> u32 {
        match self {
            Self::Uring => 1,
            Self::Epoll => 2,
            Self::AfXdp => 3,
            Self::PacketMmap => 4,
        }
    }

    /// The bit by which flags of `dma_alloc` and `dma_assoc` ask for it.
    pub fn bit(self) -> u32 {
        match self {
            Self::Uring => 1,
            Self::Epoll => 2,
            Self::AfXdp | Self::PacketMmap => 4,
        }
    }

    /// Whether it can be the engine of a channel.
    fn serves_channels(self) -> bool {
        !matches!(self, Self::AfXdp | Self::PacketMmap)
    }

    /// Whether it works on this machine, for this process.
    pub fn check(self) -> std::result::Result<(), Refusal> {
        match self {
            Self::Epoll | Self::PacketMmap => Ok(()),
            Self::AfXdp => af_xdp::check(),
            Self::Uring if annotate::is_under_valgrind() && !wishes().is_asked_for(self) => {
                let cause = "io_uring: valgrind does not follow it; SIO_ENGINE=io_uring insists";
                Err(Refusal { errno: Errno::ENOSYS, cause: cause.to_owned() })
            }
            Self::Uring => {
                features().map(drop).map_err(|errno| Refusal { errno, cause: uring_cause(errno) })
            }
        }
    }

    pub fn capabilities(self) -> Vec<Capability> {
        use Support::{Emulated, Native, No};
        let line = |name, support, note| Capability { name, support, note };
        match self {
            Self::Epoll => vec![
                line("batched system calls", No, "but up to 64 sends of a stream in one"),
                line("receive into the area", Native, "one copy by the kernel"),
                line("zero-copy send", No, "the kernel copies"),
                line("registered memory", No, "not needed"),
                line("edge-triggered descriptors", Native, ""),
                line("counters", Emulated, "one read(2) for each event"),
                line("futexes and semaphores", Emulated, "a thread of the library waits for all"),
            ],
            Self::PacketMmap => Vec::new(),
            Self::AfXdp => vec![
                line("batched system calls", Native, "none to receive, one for many sends"),
                line("receive into the area", Native, "UDP; a copy where the driver has no other"),
                line("zero-copy send", Native, "UDP; a copy where the driver has no other"),
                line("registered memory", Native, "the area is the memory of the sockets"),
            ],
            Self::Uring => {
                let features = features().unwrap_or_default();
                let native = |yes| if yes { Native } else { No };
                let emulated = |yes| if yes { Native } else { Emulated };
                vec![
                    line("batched system calls", Native, ""),
                    line(
                        "receive into the area",
                        emulated(features.receive_multishot),
                        "Internet sockets; Unix sockets by readiness",
                    ),
                    line("zero-copy send", native(features.send_zero_copy), "Linux 6.2"),
                    line("zero-copy messages", native(features.sendmsg_zero_copy), "Linux 6.2"),
                    line("registered memory", native(features.sparse_buffers), "Linux 5.19"),
                    line("deferred task work", native(features.defer_taskrun), "EC_SINGLE only"),
                    line(
                        "edge-triggered descriptors",
                        emulated(features.poll_multishot),
                        "on the ring (EC_SINGLE, Linux 5.13), in an epoll set else",
                    ),
                    line(
                        "counters",
                        emulated(features.read_multishot),
                        "read by the ring (EC_SINGLE, Linux 6.7), by read(2) else",
                    ),
                    line(
                        "futexes and semaphores",
                        emulated(features.futex),
                        "on the ring (EC_SINGLE, Linux 6.7), by a thread of the library else",
                    ),
                ]
            }
        }
    }
}

/// The likely reason in words; io_uring_setup(2) and the usual sandboxes.
fn uring_cause(errno: Errno) -> String {
    let hint = match errno {
        Errno::EPERM | Errno::EACCES => {
            match std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").as_deref() {
                Ok("0\n") | Err(_) => "a seccomp filter or security module forbids it",
                Ok(_) => "sysctl kernel.io_uring_disabled forbids it",
            }
        }
        Errno::ENOSYS => "the kernel is older than 5.11, or a seccomp filter hides it",
        Errno::ENOMEM => "not enough memory, or RLIMIT_MEMLOCK is too low",
        Errno::EMFILE | Errno::ENFILE => "too many open descriptors",
        Errno::EINVAL => "the kernel is too old",
        _ => "the kernel refused it",
    };
    format!("io_uring: {errno:?}: {hint}", errno = errno)
}

/// What the environment asked for, read once.
struct Wishes {
    preference: Vec<Kind>,
    /// Nobody has asked for that order.
    is_default: bool,
    unknown: Vec<String>,
    require: bool,
    /// Features of io_uring to do without, for diagnosis: `SIO_WITHOUT`.
    without: Vec<String>,
}

impl Wishes {
    fn is_asked_for(&self, kind: Kind) -> bool {
        !self.is_default && self.preference.contains(&kind)
    }

    /// The engines that are preferred for channels: the usual ones, where the list has none.
    fn of_channels(&self) -> Vec<Kind> {
        let asked = self.preference.iter().copied().filter(|kind| kind.serves_channels());
        let asked: Vec<Kind> = asked.collect();
        let has_frames = asked.len() < self.preference.len();
        if asked.is_empty() && has_frames { PREFERENCE.to_vec() } else { asked }
    }
}

/// What io_uring can do here and may use.
fn features() -> Result<Features> {
    let found = ring::features()?;
    let may = |name: &str| !wishes().without.iter().any(|without| without == name);
    let send_zero_copy = found.send_zero_copy && may("send_zero_copy");
    Ok(Features {
        receive_multishot: found.receive_multishot && may("receive_multishot"),
        receive_incremental: found.receive_incremental && may("receive_incremental"),
        send_zero_copy,
        sendmsg_zero_copy: found.sendmsg_zero_copy && send_zero_copy && may("sendmsg_zero_copy"),
        sparse_buffers: found.sparse_buffers && may("sparse_buffers"),
        defer_taskrun: found.defer_taskrun && may("defer_taskrun"),
        runs_first: found.runs_first && may("runs_first"),
        poll_multishot: found.poll_multishot && may("poll_multishot"),
        read_multishot: found.read_multishot && may("read_multishot"),
        futex: found.futex && may("futex"),
    })
}

/// The elements of a list that is separated by commas.
fn list(variable: &str) -> Vec<String> {
    let value = std::env::var(variable).unwrap_or_default();
    value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect()
}

fn wishes() -> &'static Wishes {
    static WISHES: Leaked<Wishes> = Leaked::empty();
    WISHES.get_or_find(|| {
        let require = std::env::var("SIO_REQUIRE").is_ok_and(|value| value == "1");
        let without = list("SIO_WITHOUT");
        let names = list("SIO_ENGINE");
        if names.is_empty() {
            let preference = PREFERENCE.to_vec();
            return Wishes { preference, is_default: true, unknown: Vec::new(), require, without };
        }
        let find = |name: &str| KINDS.into_iter().find(|kind| kind.name() == name);
        Wishes {
            preference: names.iter().filter_map(|name| find(name)).collect(),
            is_default: false,
            unknown: names.into_iter().filter(|name| find(name).is_none()).collect(),
            require,
            without,
        }
    })
}

/// Whether `SIO_REQUIRE=1` turns what would be a fallback into an error.
pub fn is_required() -> bool {
    wishes().require
}

/// Whether an engine that moves frames is to serve a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frames {
    No,
    /// If it can; otherwise another one does.
    Preferred,
    /// Or the association fails.
    Required,
}

/// What is wanted for a socket. `insist` as in [`choose`].
pub fn frames(insist: u32) -> Frames {
    let wishes = wishes();
    if insist == Kind::AfXdp.bit() {
        return Frames::Required;
    }
    let mut better = wishes.preference.iter().take_while(|kind| kind.serves_channels());
    let is_listed = wishes.preference.contains(&Kind::AfXdp);
    if insist != 0 || !is_listed || better.any(|kind| kind.check().is_ok()) {
        Frames::No
    } else if wishes.require {
        Frames::Required
    } else {
        Frames::Preferred
    }
}

/// The engine that serves, and why a preferred one does not.
#[derive(Clone, Debug)]
pub struct Choice {
    pub kind: Kind,
    pub reason: String,
}

/// Picks an engine. `insist` has the bits of engines that flags ask for, or is 0.
pub fn choose(insist: u32) -> Result<Choice> {
    let wishes = wishes();
    if insist != 0 {
        let kind = KINDS.into_iter().find(|kind| kind.bit() == insist).ok_or(Errno::EINVAL)?;
        return match kind.check() {
            Ok(()) => Ok(Choice { kind, reason: String::new() }),
            Err(refusal) => Err(refusal.errno),
        };
    }
    let mut reason = String::new();
    let mut first_errno = None;
    if let Some(name) = wishes.unknown.first() {
        reason = format!("{name}: unknown to this version");
        first_errno = Some(Errno::ENOTSUP);
    }
    for kind in wishes.of_channels() {
        if wishes.require && first_errno.is_some() {
            break;
        }
        match kind.check() {
            Ok(()) => return Ok(Choice { kind, reason }),
            Err(refusal) => {
                first_errno = first_errno.or(Some(refusal.errno));
                if reason.is_empty() {
                    reason = refusal.cause;
                }
            }
        }
    }
    if wishes.require {
        return Err(first_errno.unwrap_or(Errno::ENOTSUP));
    }
    Ok(Choice { kind: Kind::Epoll, reason })
}

/// A fresh engine for a channel, and its poll set. `outer` is the channel's descriptor where the
/// engine brings one of its own to be nested there. `counts`: where it counts what it does.
pub fn build(choice: &Choice, capacity: u32, single: bool, counts: Arc<Tally>) -> Result<Built> {
    log::write(Level::Info, format_args!("engine {} {}", choice.kind.name(), choice.reason));
    counts.set_engine(choice.kind.code());
    match choice.kind {
        Kind::Epoll => Ok(Built { engine: watched(Box::new(Epoll::new(counts))), fds: Vec::new() }),
        Kind::Uring => {
            let uring = Uring::new(features()?, capacity, single, counts)?;
            let fds = uring.fds();
            Ok(Built { engine: watched(Box::new(uring)), fds })
        }
        Kind::AfXdp | Kind::PacketMmap => Err(Errno::EOPNOTSUPP),
    }
}

/// The engine of a channel's sockets that ports serve. `owner` is the mark of the only thread that
/// uses the channel, if it is for one.
pub fn build_frames(owner: Option<u64>) -> Box<dyn Engine> {
    watched(Box::new(super::frame::Frames::new(owner)))
}

/// In debug builds somebody looks over the engine's shoulder.
fn watched(engine: Box<dyn Engine>) -> Box<dyn Engine> {
    if cfg!(debug_assertions) { Box::new(Checked::new(engine)) } else { engine }
}

/// See [`build`].
pub struct Built {
    pub engine: Box<dyn Engine>,
    /// Descriptors that are readable when the engine has something.
    pub fds: Vec<i32>,
}
