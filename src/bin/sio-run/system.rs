//! What a launcher needs of the system and the library does not: to hand on what it has inherited, to
//! fork, and to end as another one has. The one file of this program that is not safe by itself.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::{ForkResult, Pid};
use object::elf;

/// The processor that this program is for, as ELF files name it.
pub const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    elf::EM_X86_64
} else if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else if cfg!(target_arch = "riscv64") {
    elf::EM_RISCV
} else if cfg!(target_arch = "powerpc64") {
    elf::EM_PPC64
} else {
    elf::EM_NONE
};

/// What the language's start changes before main(), and a program that is run must find again:
/// SIGPIPE is not ignored, and the first three descriptors may be closed.
static INHERITED: AtomicU32 = AtomicU32::new(0);
const IGNORES_PIPE: u32 = 1;
const IGNORES_CHILD: u32 = 2;
const IS_CLOSED: u32 = 4;

extern "C" fn look() {
    let mut found = 0;
    for (signal, bit) in [(libc::SIGPIPE, IGNORES_PIPE), (libc::SIGCHLD, IGNORES_CHILD)] {
        // SAFETY: asks only; all bits 0 is a value of the type.
        let handler = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut action);
            action.sa_sigaction
        };
        found |= if handler == libc::SIG_IGN { bit } else { 0 };
    }
    for descriptor in 0..3 {
        // SAFETY: asks only.
        let is_closed = unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0;
        found |= if is_closed { IS_CLOSED << descriptor } else { 0 };
    }
    INHERITED.store(found, Ordering::Relaxed);
}

/// Run by the loader, before the language's start.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

fn inherited(bit: u32) -> bool {
    INHERITED.load(Ordering::Relaxed) & bit != 0
}

fn dispose(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: no function is installed.
    let _ = unsafe { sigaction(signal, &action) };
}

/// For a program that waits for its children: an ignored SIGCHLD would take their status away.
pub fn expect_children() {
    dispose(Signal::SIGCHLD, SigHandler::SigDfl);
}

/// Runs a program in the place of this one, with everything as we have found it; returns why not.
pub fn execute(path: &Path, arguments: &[OsString], environment: &[(OsString, OsString)]) -> Errno {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|_| Errno::EINVAL);
    let pairs = environment
        .iter()
        .map(|(name, value)| text(&[name.as_bytes(), value.as_bytes()].join(&b'=')));
    let words = arguments.iter().map(|argument| text(argument.as_bytes()));
    let prepared = (|| {
        let path = text(path.as_os_str().as_bytes())?;
        Ok((path, words.collect::<Result<Vec<_>, _>>()?, pairs.collect::<Result<Vec<_>, _>>()?))
    })();
    let (path, words, pairs) = match prepared {
        Ok(prepared) => prepared,
        Err(errno) => return errno,
    };
    for (signal, bit) in [(Signal::SIGPIPE, IGNORES_PIPE), (Signal::SIGCHLD, IGNORES_CHILD)] {
        dispose(signal, if inherited(bit) { SigHandler::SigIgn } else { SigHandler::SigDfl });
    }
    for descriptor in 0..3 {
        if inherited(IS_CLOSED << descriptor) {
            // SAFETY: opened by the language's start, and used by nobody from now on.
            unsafe { libc::close(descriptor) };
        }
    }
    match nix::unistd::execve(&path, &words, &pairs) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// Makes a child, which has to end in `child`.
pub fn fork(child: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    // SAFETY: this program has one thread, so the child finds nothing half done.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = child();
            // SAFETY: ends the process at once; what the parent has registered is not run.
            unsafe { libc::_exit(status.into()) }
        }
    }
}

/// Ends like a program that a signal has ended, without another core file.
pub fn end_by(signal: Signal) -> u8 {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    dispose(signal, SigHandler::SigDfl);
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
    128 + signal as u8
}

/// What is said to sio_option of bypass/bypass.c, about a socket.
#[derive(Clone, Copy)]
pub enum Said {
    MayJoin = 1,
    HasJoined = 3,
    HasRead = 5,
}

/// The level of options by which it is said.
const LEVEL: i32 = 0x53494f;

pub fn say(socket: &impl AsFd, said: Said) -> Result<(), Errno> {
    let value = 0;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the value is borrowed for the time of the call.
    let answer = unsafe {
        let size = size_of_val(&value) as libc::socklen_t;
        libc::setsockopt(fd, LEVEL, said as i32, (&raw const value).cast(), size)
    };
    Errno::result(answer).map(drop)
}

/// From now on only the kernel's programs write to this table of theirs.
pub fn freeze(table: &impl AsFd) -> Result<(), Errno> {
    const MAP_FREEZE: libc::c_long = 22;
    let table = table.as_fd().as_raw_fd();
    // SAFETY: the kernel reads as many bytes as told; the rest of what it takes is 0.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, MAP_FREEZE, &raw const table, size_of_val(&table)) };
    Errno::result(answer).map(drop)
}

/// How many bytes can be read at once, or -1.
pub fn readable(socket: &impl AsFd) -> i32 {
    let mut count = 0;
    // SAFETY: the kernel writes one number.
    let answer = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::FIONREAD, &mut count) };
    if answer < 0 { -1 } else { count }
}

/// A descriptor that a call has just opened.
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Whether a descriptor stays open in a program that is run.
pub fn is_inheritable(fd: RawFd) -> bool {
    // SAFETY: asks only.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Whether a file gives capabilities to who runs it.
pub fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: both are strings; a length of 0 asks for the size alone.
    let size = unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0)
    };
    size > 0
}
