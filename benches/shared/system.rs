//! The system calls of the runner that the standard library does not have.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The processor time that a process has used so far, all its threads together.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to locals only.
    unsafe {
        let errno = libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock);
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        check(libc::clock_gettime(clock, &raw mut time))?;
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// The processor time of all processes that were started from here and have been waited for.
pub fn children_cpu_time() -> io::Result<Duration> {
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    // SAFETY: writes to a local, which is all numbers.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        check(libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage))?;
        Ok(time(usage.ru_utime) + time(usage.ru_stime))
    }
}

/// Keeps the calling thread, and what it starts, on these processors; none: leaves it as it is.
pub fn stay_on(processors: &[usize]) -> io::Result<()> {
    if processors.is_empty() {
        return Ok(());
    }
    // SAFETY: a set of zeroes is an empty set; the numbers are checked by the macro's function.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for &processor in processors {
            libc::CPU_SET(processor, &mut set);
        }
        check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)).map(drop)
    }
}

/// The processors that this process may run on.
pub fn processors() -> Vec<usize> {
    // SAFETY: a set of zeroes is an empty set, filled in by the kernel.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) < 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as usize).filter(|&number| libc::CPU_ISSET(number, &set)).collect()
    }
}

/// How many there are, whether this process may run on them or not.
pub fn processors_online() -> usize {
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize
}

/// The calling process ends when the one that started it does.
pub fn end_with_parent() -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}

pub fn is_root() -> bool {
    // SAFETY: no pointers.
    unsafe { libc::geteuid() == 0 }
}

pub fn interrupt(pid: u32) {
    // SAFETY: no pointers; the process is a child of ours that was not waited for.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGINT) };
}

pub fn terminate(pid: u32) {
    // SAFETY: no pointers; the process is a child of ours that was not waited for.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
}

/// As many descriptors as are allowed, which root may change; how many that are.
pub fn raise_descriptor_limit() -> usize {
    const WANTED: libc::rlim_t = 1 << 17;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes a local.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) < 0 {
            return 0;
        }
        let most = limit.rlim_max.max(WANTED);
        let more = libc::rlimit { rlim_cur: most, rlim_max: most };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more) == 0 {
            return most as usize;
        }
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        limit.rlim_cur as usize
    }
}

/// The congestion control of all programs, and no waiting for more to send.
pub fn pin_tcp(sock: RawFd) {
    let set = |name, value: &[u8]| {
        // SAFETY: pointer and length are those of a slice.
        unsafe {
            let length = value.len() as libc::socklen_t;
            libc::setsockopt(sock, libc::IPPROTO_TCP, name, value.as_ptr().cast(), length) == 0
        }
    };
    if !set(libc::TCP_CONGESTION, b"cubic") {
        set(libc::TCP_CONGESTION, b"reno");
    }
    set(libc::TCP_NODELAY, &1i32.to_ne_bytes());
}

/// When it is closed, nothing is left of the connection: no port is kept for late packets.
pub fn close_with_reset(sock: RawFd) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: reads a local of that size.
    check(unsafe {
        libc::setsockopt(sock, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size)
    })
    .map(drop)
}

/// Takes up to `bytes` from a TCP socket without copying them anywhere. tcp(7), `MSG_TRUNC`.
pub fn discard(sock: RawFd, bytes: usize) -> io::Result<usize> {
    // SAFETY: with this flag nothing is written.
    let taken = unsafe { libc::recv(sock, std::ptr::null_mut(), bytes, libc::MSG_TRUNC) };
    if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(taken as usize) }
}

/// An epoll set.
pub struct Poll(RawFd);

pub const READ: u32 = libc::EPOLLIN as u32;
pub const WRITE: u32 = libc::EPOLLOUT as u32;

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    pub fn add(&self, fd: RawFd, events: u32, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
    }

    pub fn modify(&self, fd: RawFd, events: u32, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, events, key)
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: key };
        // SAFETY: reads a local.
        check(unsafe { libc::epoll_ctl(self.0, operation, fd, &raw mut event) }).map(drop)
    }

    /// The keys of what is ready; none when the time is over.
    pub fn wait(&self, limit: Duration, keys: &mut Vec<u64>) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let milliseconds = limit.as_millis().min(1000) as i32;
        keys.clear();
        // SAFETY: room for as many events as is said.
        let count = unsafe {
            libc::epoll_wait(self.0, events.as_mut_ptr(), events.len() as i32, milliseconds)
        };
        for event in &events[..check(count)? as usize] {
            keys.push(event.u64);
        }
        Ok(())
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        // SAFETY: our own descriptor.
        unsafe { libc::close(self.0) };
    }
}

/// The date, as 2026-01-31, of UTC.
pub fn today() -> String {
    // SAFETY: reads and writes locals, which are all numbers.
    let date = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut date: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&raw const now, &raw mut date);
        date
    };
    format!("{:04}-{:02}-{:02}", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday)
}

/// Whether a program is found without a path.
pub fn has_program(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}
