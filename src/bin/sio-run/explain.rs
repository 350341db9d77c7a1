//! What --explain tells: before the program runs, what is done for it; afterwards, what came of it.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{ftruncate, getpid};
use sio::api::engines::Kind;

use super::bypass::Bypass;
use super::options::Options;
use super::preload::Objects;

/// What the preloaded object writes; the same file is a part of it.
#[allow(dead_code)] // The other half of it writes.
#[path = "../../../preload/src/report/layout.rs"]
mod layout;

use layout::{Counts, SLOTS, Slot, Sockets, TEXT_BYTES};

fn tell(text: &str) {
    eprintln!("sio-run: {text}");
}

/// Tells what is to be expected.
pub fn before(
    options: &Options,
    path: &Path,
    objects: Option<&Objects>,
    bypass: bool,
    datagrams: &Result<Vec<String>, Option<String>>,
) {
    let Some(objects) = objects else {
        return tell(&format!("{}: nothing is accelerated", path.display()));
    };
    let (shim, library) = (objects.shim.display(), objects.library.display());
    tell(&format!("{}: loads {shim} and {library}", path.display()));
    tell(&match aio_by_threads(options) {
        None => "POSIX AIO: at once where that does not block, else by io_uring".to_owned(),
        Some(why) => {
            format!("POSIX AIO: at once where that does not block, else by threads: {why}")
        }
    });
    tell(if bypass {
        "TCP: bypassed between programs of this host that are run with --local-bypass"
    } else {
        "TCP: as without sio-run"
    });
    tell(&match datagrams {
        Ok(names) => format!("UDP: busy sockets by AF_XDP, on {}", names.join(", ")),
        Err(None) => "UDP: as without sio-run".to_owned(),
        Err(Some(reason)) => format!("UDP: as without sio-run: {reason}"),
    });
}

/// Tells what became of connections.
pub fn bypassed(bypass: Option<&Bypass>) {
    if let Some(bypass) = bypass {
        tell(&bypass.tell());
    }
}

/// Why io_uring does not serve requests, if it does not.
fn aio_by_threads(options: &Options) -> Option<String> {
    let list = options.engines.clone().or_else(|| std::env::var("SIO_ENGINE").ok());
    let list = list.unwrap_or_default();
    let mut names = list.split(',').map(str::trim).filter(|name| !name.is_empty()).peekable();
    let is_wanted = names.peek().is_none()
        || names
            .take_while(|name| *name != Kind::Epoll.name())
            .any(|name| name == Kind::Uring.name());
    if !is_wanted {
        return Some(format!("the engines are {list}"));
    }
    Kind::Uring.check().err().map(|refusal| refusal.cause)
}

/// Memory that programs of the run write to.
pub struct Report(std::fs::File);

impl Report {
    pub fn new() -> Result<Self, Errno> {
        let memory: OwnedFd = memfd_create("sio-run", MFdFlags::MFD_CLOEXEC)?;
        ftruncate(&memory, size_of::<layout::Report>() as i64)?;
        Ok(Self(memory.into()))
    }

    /// How a program finds it: by a name that ends with us.
    pub fn variable(&self) -> Option<(OsString, OsString)> {
        let path = format!("/proc/{}/fd/{}", getpid(), self.0.as_raw_fd());
        Some(("SIO_REPORT".into(), path.into()))
    }

    /// Tells what the programs have written.
    pub fn tell(&self) {
        let programs = self.number(offset_of!(layout::Report, programs)) as usize;
        if programs == 0 {
            return tell("no program of this run has loaded the library");
        }
        let mut idle = 0;
        for slot in 0..programs.min(SLOTS) {
            self.sockets(slot).iter().for_each(|line| tell(line));
            match self.program(slot) {
                Some(line) => tell(&line),
                None => idle += 1,
            }
        }
        if idle > 0 {
            tell(&format!("{idle} {} made no request of POSIX AIO", plural(idle, "program")));
        }
        if let Some(more) = programs.checked_sub(SLOTS).filter(|more| *more > 0) {
            tell(&format!("{more} more {}, of which nothing is known", plural(more, "program")));
        }
    }

    /// One program, if there is something to tell.
    fn program(&self, slot: usize) -> Option<String> {
        let start = offset_of!(layout::Report, slots) + slot * size_of::<Slot>();
        let process = self.number(start + offset_of!(Slot, process));
        let who = format!("{} ({process})", self.text(start + offset_of!(Slot, name), 16));
        if self.number(start + offset_of!(Slot, has_library)) == 0 {
            return Some(format!("{who}: the library was not there, or the program ended at once"));
        }
        let counts = start + offset_of!(Slot, counts);
        let count = |member: usize| self.wide(counts + member);
        let at_once = count(offset_of!(Counts, at_once));
        let by_ring = count(offset_of!(Counts, by_ring));
        let by_threads = count(offset_of!(Counts, by_threads));
        let all = at_once + by_ring + by_threads;
        if all == 0 {
            return None;
        }
        let mut line = format!(
            "{who}: {all} {} of POSIX AIO: {at_once} at once",
            plural(all as usize, "request")
        );
        if by_ring > 0 {
            line += &format!(", {by_ring} by io_uring");
        }
        if by_threads > 0 {
            let reason = self.text(counts + offset_of!(Counts, reason), 104);
            let reason = if reason.is_empty() { "the engine is epoll".to_owned() } else { reason };
            line += &format!(", {by_threads} by threads ({reason})");
        }
        Some(line)
    }

    /// What became of the UDP sockets of a program.
    fn sockets(&self, slot: usize) -> Vec<String> {
        let start = offset_of!(layout::Report, slots) + slot * size_of::<Slot>();
        let process = self.number(start + offset_of!(Slot, process));
        let who = format!("{} ({process})", self.text(start + offset_of!(Slot, name), 16));
        let sockets = start + offset_of!(Slot, sockets);
        let count = |member: usize| self.number(sockets + member) as usize;
        let text = |member: usize| self.text(sockets + member, TEXT_BYTES);
        let line = |count: usize, what: &str, text: String| {
            let noun = plural(count, "socket");
            (count > 0).then(|| format!("{who}: UDP: {count} {noun} {what}{text}"))
        };
        let lines = [
            line(
                count(offset_of!(Sockets, joined)),
                "moved to AF_XDP on ",
                text(offset_of!(Sockets, interfaces)),
            ),
            line(
                count(offset_of!(Sockets, left)),
                "given back to the kernel, the last one because of ",
                text(offset_of!(Sockets, left_why)),
            ),
            line(
                count(offset_of!(Sockets, refused)),
                "left to the kernel: ",
                text(offset_of!(Sockets, refused_why)),
            ),
        ];
        lines.into_iter().flatten().collect()
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let _ = self.0.read_exact_at(&mut bytes, at as u64);
        bytes
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(at))
    }

    fn wide(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.bytes(at))
    }

    fn text(&self, at: usize, room: usize) -> String {
        let bytes: [u8; 104] = self.bytes(at);
        let text = bytes[..room].split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
