//! The process that keeps what a run needs for as long as anything of the run lives. It belongs to
//! nobody: not to the program, which would find a child that it does not know, nor to the terminal.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::{AsFd, RawFd};
use std::thread::sleep;
use std::time::Duration;

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
use super::table::Table;

/// Before somebody is asked again who could not be served.
const PAUSE: Duration = Duration::from_millis(100);

/// Held until the program has come or will not come. It goes with execve(2).
pub struct Alive {
    _end: File,
}

/// Starts the keeper of a group in which nothing is yet.
pub fn start(group: &Group, kernel: &mut Kernel, table: Option<Table>) -> Result<Alive, String> {
    let told = |errno: Errno| format!("the keeper of the run: {}", errno.desc());
    let events = group.events()?;
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC).map_err(told)?;
    let (reading, mut writing) = (File::from(reading), Some(File::from(writing)));
    // The one in between ends at once, so that the keeper is nobody's child.
    let between = system::fork(|| {
        writing = None;
        let keeper = system::fork(|| {
            keep(&reading, events, table.as_ref());
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
fn keep(alive: &File, mut events: File, table: Option<&Table>) {
    let _ = setsid();
    let _ = prctl::set_name(c"sio-keeper");
    // Who ends a service or a session means its programs; the keeper goes after them.
    let _ = SigSet::all().thread_block();
    let _ = chdir("/");
    let_go();
    let mut may_come = true;
    while may_come || is_populated(&mut events) {
        let change = if may_come {
            PollFd::new(alive.as_fd(), PollFlags::POLLIN)
        } else {
            PollFd::new(events.as_fd(), PollFlags::POLLPRI)
        };
        let mut waits = vec![change];
        waits.extend(table.map(|table| PollFd::new(table.as_fd(), PollFlags::POLLIN)));
        let _ = poll(&mut waits, PollTimeout::NONE);
        // Nothing is written there: it is the end of it.
        may_come &= !waits[0].any().unwrap_or_default();
        // The machine has no descriptors left: it is asked again, but not all the time.
        if table.is_some_and(|table| table.give().is_err()) {
            sleep(PAUSE);
        }
    }
}

fn is_populated(events: &mut File) -> bool {
    let mut text = String::new();
    let is_read = events.rewind().and_then(|()| events.read_to_string(&mut text));
    is_read.is_ok() && text.lines().all(|line| line != "populated 0")
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
