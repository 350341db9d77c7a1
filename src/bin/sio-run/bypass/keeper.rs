//! The process that keeps what a run needs for as long as anything of the run lives. It belongs to
//! nobody: not to the program, which would find a child that it does not know, nor to the terminal.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::{AsFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{chdir, close, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};

use super::super::system;
use super::group::Group;
use super::kernel::Kernel;

/// Held until the program has come or will not come. It goes with execve(2).
pub struct Alive {
    _end: File,
}

/// Starts the keeper of a group in which nothing is yet.
pub fn start(group: &Group, kernel: &mut Kernel) -> Result<Alive, String> {
    let told = |errno: Errno| format!("the keeper of the run: {}", errno.desc());
    let events = group.events()?;
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC).map_err(told)?;
    let (mut reading, mut writing) = (File::from(reading), Some(File::from(writing)));
    // The one in between ends at once, so that the keeper is nobody's child.
    let between = system::fork(|| {
        writing = None;
        let keeper = system::fork(|| {
            keep(&mut reading, events);
            kernel.forget(group.number());
            group.remove();
            0
        });
        keeper.is_err().into()
    })
    .map_err(told)?;
    waitpid(between, None).map_err(told)?;
    writing.map(|end| Alive { _end: end }).ok_or_else(|| "the keeper of the run".to_owned())
}

/// Returns when the run is over.
fn keep(alive: &mut File, mut events: File) {
    let _ = setsid();
    let _ = prctl::set_name(c"sio-keeper");
    // Who ends a service or a session means its programs; the keeper goes after them.
    let _ = SigSet::all().thread_block();
    let _ = chdir("/");
    let_go();
    let _ = alive.read_to_end(&mut Vec::new());
    loop {
        let mut text = String::new();
        let is_read = events.rewind().and_then(|()| events.read_to_string(&mut text));
        if is_read.is_err() || text.lines().any(|line| line == "populated 0") {
            return;
        }
        let mut changed = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        let _ = poll(&mut changed, PollTimeout::NONE);
    }
}

/// Lets go of all that sio-run has inherited: somebody may wait for the end of a pipe. What is ours
/// goes with execve(2), what is not does not.
fn let_go() {
    let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") else { return };
    let _ = dup2_stdin(&nothing).and(dup2_stdout(&nothing)).and(dup2_stderr(&nothing));
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && system::is_inheritable(*fd))
        .collect();
    for fd in open {
        let _ = close(fd);
    }
}
