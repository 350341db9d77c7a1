//! What makes sources tell something, as far as safe Rust does not have it: semaphores, counters,
//! message queues, signals, children; and what the process has open.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use sio::error::Errno;

/// A semaphore of this process.
pub struct Semaphore(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: the functions that take its address are made for several threads.
unsafe impl Send for Semaphore {}
// SAFETY: as above.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    pub fn new(units: u32) -> Self {
        // SAFETY: any bytes are room for a semaphore, which is initialized at once.
        let semaphore = Self(Box::new(UnsafeCell::new(unsafe { std::mem::zeroed() })));
        // SAFETY: as above.
        assert_eq!(unsafe { libc::sem_init(semaphore.as_ptr(), 0, units) }, 0);
        semaphore
    }

    pub fn as_ptr(&self) -> *mut libc::sem_t {
        self.0.get()
    }

    pub fn post(&self) {
        // SAFETY: an initialized semaphore.
        assert_eq!(unsafe { libc::sem_post(self.as_ptr()) }, 0);
    }

    pub fn try_take(&self) -> bool {
        // SAFETY: as above.
        unsafe { libc::sem_trywait(self.as_ptr()) == 0 }
    }

    /// Units that anybody could take.
    pub fn units(&self) -> i32 {
        let mut units = -1;
        // SAFETY: as above, and room for the number.
        assert_eq!(unsafe { libc::sem_getvalue(self.as_ptr(), &mut units) }, 0);
        units
    }
}

/// Wakes everybody who waits on a word, of this process or of another.
pub fn wake(word: &AtomicU32) {
    for operation in [libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, libc::FUTEX_WAKE] {
        // SAFETY: FUTEX_WAKE takes the address as a key and reads nothing.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, i32::MAX) };
    }
}

/// An eventfd(2) that does not block.
pub fn counter() -> EventFd {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    EventFd::from_value_and_flags(0, flags).expect("eventfd")
}

/// A message queue for both directions that does not block, and whose name has gone again.
pub struct Queue(OwnedFd);

/// As many as any system allows.
pub const QUEUE_MESSAGES: usize = 10;

impl Queue {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("/sio-test-{}-{number}\0", std::process::id());
        // SAFETY: any bytes are an mq_attr.
        let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
        attributes.mq_maxmsg = QUEUE_MESSAGES as i64;
        attributes.mq_msgsize = 8;
        let flags =
            libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: the name ends with a null; the attributes are valid; the result is a new
        // descriptor.
        unsafe {
            let queue = libc::mq_open(name.as_ptr().cast(), flags, 0o600, &raw mut attributes);
            assert!(queue >= 0, "mq_open: {}", Errno::last());
            libc::mq_unlink(name.as_ptr().cast());
            Self(OwnedFd::from_raw_fd(queue))
        }
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// `false`: it is full.
    pub fn send(&self) -> bool {
        // SAFETY: one byte is sent.
        match unsafe { libc::mq_send(self.fd(), b"x".as_ptr().cast(), 1, 0) } {
            0 => true,
            _ => {
                assert_eq!(Errno::last(), Errno::EAGAIN);
                false
            }
        }
    }

    /// `false`: it is empty.
    pub fn receive(&self) -> bool {
        let mut room = [0u8; 8];
        let to = room.as_mut_ptr().cast();
        // SAFETY: room for a message of the size that the queue was made for.
        match unsafe { libc::mq_receive(self.fd(), to, room.len(), std::ptr::null_mut()) } {
            1 => true,
            _ => {
                assert_eq!(Errno::last(), Errno::EAGAIN);
                false
            }
        }
    }
}

/// The set of these signals.
pub fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: any bytes are room for a set, which is emptied at once.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            assert_eq!(libc::sigaddset(&raw mut set, signal), 0);
        }
        set
    }
}

/// The signals that a body has blocked in all its threads: in order.
pub const STANDARD_SIGNALS: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// The same of those that are queued.
pub fn realtime_signals() -> [i32; 2] {
    [libc::SIGRTMIN() + 3, libc::SIGRTMIN() + 4]
}

/// Blocks them in a program that is to be started, before it has threads.
pub fn block_signals(command: &mut Command) {
    let set = signal_set(&[STANDARD_SIGNALS, realtime_signals()].concat());
    let block = move || {
        // SAFETY: a valid set; the old one is not asked for.
        match unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: a system call and nothing else between fork and exec.
    unsafe { command.pre_exec(block) };
}

/// A signal to this process.
pub fn send_signal(signal: i32) {
    // SAFETY: no pointers.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// The same with a value; `false`: too many are pending.
pub fn queue_signal(signal: i32, value: usize) -> bool {
    let value = libc::sigval { sival_ptr: value as *mut libc::c_void };
    // SAFETY: no pointer is followed.
    match unsafe { libc::sigqueue(libc::getpid(), signal, value) } {
        0 => true,
        _ => {
            assert_eq!(Errno::last(), Errno::EAGAIN);
            false
        }
    }
}

/// A child that ends with a status when it is told to.
pub struct Child {
    pub id: i32,
    pidfd: OwnedFd,
    gate: EventFd,
}

impl Child {
    pub fn start(status: i32) -> Self {
        let gate = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).expect("eventfd");
        let mut room = 0u64;
        // SAFETY: the child makes system calls only, and ends.
        let id = unsafe { libc::fork() };
        assert!(id >= 0, "fork: {}", Errno::last());
        if id == 0 {
            // SAFETY: eight bytes of room.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::read(gate.as_raw_fd(), (&raw mut room).cast(), 8);
                libc::_exit(status);
            }
        }
        // SAFETY: no pointers; the result is a new descriptor.
        let pidfd = unsafe {
            let pidfd = libc::syscall(libc::SYS_pidfd_open, id, 0);
            assert!(pidfd >= 0, "pidfd_open: {}", Errno::last());
            OwnedFd::from_raw_fd(pidfd as RawFd)
        };
        Self { id, pidfd, gate }
    }

    pub fn fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// It ends a moment later.
    pub fn end(&self) {
        self.gate.write(1).expect("write");
    }

    /// Reaps it; `false`: somebody else has.
    pub fn reap(&self) -> bool {
        let mut status = 0;
        // SAFETY: room for the status.
        let found = unsafe { libc::waitpid(self.id, &mut status, 0) };
        assert!(found == self.id || Errno::last() == Errno::ECHILD);
        found == self.id
    }
}

/// So many descriptors may be open from now on.
pub fn allow_descriptors(count: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    let wanted = count as u64 + 100;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(wanted), hard.max(wanted)).expect("setrlimit");
}

/// The threads of this process.
pub fn thread_count() -> usize {
    std::fs::read_dir("/proc/self/task").expect("/proc/self/task").count()
}

/// The open descriptors, and what they are.
pub fn descriptors() -> BTreeMap<RawFd, String> {
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc/self/fd");
    open.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let number = path.file_name()?.to_str()?.parse().ok()?;
        // The descriptor of this walk itself has gone when it is looked at.
        let what = std::fs::read_link(path).ok()?;
        Some((number, what.to_string_lossy().into_owned()))
    })
    .collect()
}

/// The mappings, without the heap and the stacks, which grow as they like.
pub fn mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc/self/maps");
    let mine = |line: &&str| !line.contains("[heap]") && !line.contains("[stack");
    maps.lines().filter(mine).map(str::to_owned).collect()
}

/// What is left of something that goes a moment later: descriptors that are closed by the
/// kernel's own threads, threads that are on their way out.
pub fn settled<T: PartialEq>(count: impl Fn() -> T, expected: &T) -> T {
    for _ in 0..1000 {
        let found = count();
        if found == *expected {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    count()
}
