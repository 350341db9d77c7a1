//! Why AF_XDP does not serve, in words.

use crate::error::{Errno, Refusal, Result};
use crate::port::link::{self, Interface};
use crate::sys::interface::receive_queues;
use crate::sys::xdp;

fn refusal(errno: Errno, name: &str, cause: &str) -> Refusal {
    Refusal { errno, cause: format!("af_xdp: {name}: {cause}") }
}

/// Whether this process can have such sockets at all.
pub fn check() -> std::result::Result<(), Refusal> {
    let answer: Result<()> =
        if cfg!(target_endian = "little") { xdp::is_there() } else { Err(Errno::ENOTSUP) };
    answer.map_err(|errno| {
        let cause = match errno {
            Errno::EPERM | Errno::EACCES => "needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF",
            Errno::EAFNOSUPPORT => "the kernel was built without AF_XDP",
            Errno::ENOTSUP => "not on machines that are big-endian",
            _ => "the kernel refused it",
        };
        Refusal { errno, cause: format!("af_xdp: {errno:?}: {cause}") }
    })
}

/// An interface on which it cannot work, whatever is tried.
pub fn interface_refused(interface: &Interface) -> std::result::Result<(), Refusal> {
    let name = interface.name.as_str();
    if interface.is_loopback {
        let cause = "the loopback interface delivers to this host only";
        return Err(refusal(Errno::EOPNOTSUPP, name, cause));
    }
    if !interface.is_ethernet {
        return Err(refusal(Errno::EOPNOTSUPP, name, "not an Ethernet interface"));
    }
    if interface.has_program {
        return Err(program_there(name));
    }
    Ok(())
}

/// What can be said about an interface without touching it.
pub struct Verdict {
    pub interface: String,
    /// Its receive queues, or why it is of no use now.
    pub queues: std::result::Result<u32, Refusal>,
}

/// The interfaces that this process sees. What the driver thinks of it shows when it is tried.
pub fn survey() -> Result<Vec<Verdict>> {
    Ok(link::interfaces()?.iter().map(verdict).collect())
}

fn verdict(interface: &Interface) -> Verdict {
    let name = interface.name.as_str();
    let queues = interface_refused(interface).and_then(|()| {
        if !interface.is_up {
            return Err(refusal(Errno::ENETDOWN, name, "the interface is down"));
        }
        receive_queues(name).map_err(|errno| refused(errno, name))
    });
    Verdict { interface: interface.name.clone(), queues }
}

fn program_there(name: &str) -> Refusal {
    refusal(Errno::EBUSY, name, "another XDP program is attached, and stays")
}

pub fn area_too_small(name: &str, queues: u32, queue_bytes: u32) -> Refusal {
    let bytes = u64::from(queues) * u64::from(queue_bytes);
    refusal(Errno::ENOBUFS, name, &format!("an area of {bytes} bytes at least is needed"))
}

pub fn bind_refused(errno: Errno, name: &str) -> Refusal {
    let cause = match errno {
        Errno::EBUSY => "a receive queue has an AF_XDP socket of another area or process",
        Errno::EOPNOTSUPP | Errno::EINVAL => "packets of this size need Linux 6.6",
        Errno::ENETDOWN => "the interface is down",
        _ => return refused(errno, name),
    };
    refusal(errno, name, cause)
}

pub fn attach_refused(errno: Errno, name: &str) -> Refusal {
    match errno {
        Errno::EBUSY | Errno::EEXIST => Refusal { errno: Errno::EBUSY, ..program_there(name) },
        Errno::EINVAL => refusal(errno, name, "needs Linux 5.9"),
        Errno::EOPNOTSUPP => refusal(errno, name, "the interface runs no XDP programs"),
        Errno::ERANGE => refusal(errno, name, "its packets are too large for XDP programs"),
        _ => refused(errno, name),
    }
}

/// Whatever has no cause of its own.
pub fn refused(errno: Errno, name: &str) -> Refusal {
    let cause = match errno {
        Errno::EPERM | Errno::EACCES => "needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF",
        Errno::ENODEV => "there is no such interface",
        Errno::ENOMEM | Errno::ENOBUFS => "not enough memory, or RLIMIT_MEMLOCK is too low",
        Errno::EMFILE | Errno::ENFILE => "too many open descriptors",
        _ => "the kernel refused it",
    };
    refusal(errno, name, &format!("{errno:?}: {cause}"))
}
