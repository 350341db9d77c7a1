//! Running a program as a child, so that something can be done at its end, and being as little in its
//! way as possible: signals are passed on, stops and the end are copied.
#![forbid(unsafe_code)]

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use super::system;

/// How the program has ended.
pub enum Ended {
    Exited(u8),
    Killed(Signal),
}

impl Ended {
    /// Ends the same way, or returns the status to end with.
    pub fn pass_on(&self) -> u8 {
        match self {
            Self::Exited(status) => *status,
            Self::Killed(signal) => system::end_by(*signal),
        }
    }
}

/// `si_code` of a signal that the kernel has sent: for one of the terminal's, it went to the program
/// as well.
const SI_KERNEL: i32 = 0x80;
const TIMERS: [Signal; 3] = [Signal::SIGALRM, Signal::SIGVTALRM, Signal::SIGPROF];

/// Runs `start` in a child, which ends with what it returns unless it becomes another program, and
/// waits for the end.
pub fn run(start: impl FnOnce() -> u8) -> Result<Ended, Errno> {
    let mut ours = SigSet::all();
    // These tell of a fault of our own.
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT]
    {
        ours.remove(fault);
    }
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&ours), Some(&mut before))?;
    let signals = SignalFd::with_flags(&ours, SfdFlags::SFD_CLOEXEC)?;
    system::expect_children();
    let parent = getpid();
    let child = system::fork(|| {
        // Whoever kills us means the program.
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
        if getppid() == parent { start() } else { 0 }
    })?;
    loop {
        let Some(news) = signals.read_signal()? else { continue };
        match Signal::try_from(news.ssi_signo as i32) {
            Ok(Signal::SIGCHLD) => {
                if let Some(ended) = look(child)? {
                    return Ok(ended);
                }
            }
            Ok(signal) if news.ssi_code == SI_KERNEL && !TIMERS.contains(&signal) => {}
            Ok(signal) => drop(kill(child, signal)),
            Err(_) => {}
        }
    }
}

/// Copies what has happened to the program.
fn look(child: Pid) -> Result<Option<Ended>, Errno> {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(_, status)) => return Ok(Some(Ended::Exited(status as u8))),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Some(Ended::Killed(signal))),
            // Whoever started us sees a stop; we go on when somebody lets us.
            Ok(WaitStatus::Stopped(..)) => drop(raise(Signal::SIGSTOP)),
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
