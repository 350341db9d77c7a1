//! The blocking system calls, and nothing else that blocks.
//!
//! They are cancellation points: `pthread_cancel(3)` unwinds the stack from inside the call, so
//! the calls are declared "C-unwind", and what must be undone is undone by `Drop` further up.
//! No `catch_unwind` may stand between such a call and the program: it would abort.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check;
#[cfg(feature = "model")]
pub use super::model::{block, now};
use super::own::{RingName, own};
use super::poll::NOTHING;
use super::sync::atomic::{AtomicU32, Ordering};
use super::sync::{Mutex, MutexGuard};
use crate::error::{Errno, Result};

/// What a thread is going to wait for, once it has let go of every lock.
pub enum Sleep {
    /// Completions in a ring: io_uring_enter(2), at least `complete` more than were seen.
    Ring { fd: RawFd, complete: u32 },
    /// poll(2) of one descriptor. An epoll set is polled too, not waited for: that takes no
    /// edge-triggered event away from whoever fetches.
    Poll { fd: RawFd, events: i16 },
    /// poll(2) of a socket for data, and of a descriptor that tells that it leaves its channel, or that
    /// this ends, if there is one.
    Data { fd: RawFd, end: Option<RawFd> },
    /// The same of several descriptors, until one is readable.
    Several(Arc<Several>),
    /// epoll_pwait(2): what ends the wait is fetched by it. With a ring that has ended all that the thread
    /// has given it, unless there is none.
    Set(Arc<Net>, Option<RingName>),
    /// Until the word is not `expected` any more and somebody wakes us.
    Word { word: Arc<AtomicU32>, expected: u32 },
}

/// Descriptors that are waited for together.
pub struct Several {
    fds: [RawFd; SEVERAL_MAX],
    count: usize,
    /// Those of which something was told when the wait ended, a bit for each.
    told: AtomicU32,
}

/// More are better put into a set of their own.
pub const SEVERAL_MAX: usize = 8;

impl Several {
    /// `None`: they are too many.
    pub fn new(fds: impl Iterator<Item = RawFd>) -> Option<Self> {
        let mut own = [-1; SEVERAL_MAX];
        let mut count = 0;
        for fd in fds {
            *own.get_mut(count)? = fd;
            count += 1;
        }
        Some(Self { fds: own, count, told: AtomicU32::new(0) })
    }

    /// Which the last wait has told of, by their places.
    pub fn take_told(&self) -> u32 {
        self.told.swap(0, Ordering::Relaxed)
    }

    fn tell(&self, polled: &[libc::pollfd; SEVERAL_MAX]) {
        let is_told = |place: &usize| polled[*place].revents != 0;
        let bits = (0..self.count).filter(is_told).fold(0, |bits, place| bits | 1 << place);
        self.told.swap(bits, Ordering::Relaxed);
    }
}

/// An epoll set, and what a wait has fetched from it, also one that was cancelled. For one thread at
/// a time.
pub struct Net {
    set: RawFd,
    caught: Mutex<Vec<libc::epoll_event>>,
    most: AtomicU32,
}

/// The time limit of epoll_pwait(2) that is none.
const FOR_EVER: isize = -1;
/// One wait fetches no more.
pub const CAUGHT_MAX: usize = 256;

impl Net {
    pub fn new(set: RawFd) -> Arc<Self> {
        let caught = Mutex::new(Vec::with_capacity(CAUGHT_MAX));
        Arc::new(Self { set, caught, most: AtomicU32::new(1) })
    }

    /// The next wait is to fetch so many at most.
    pub fn cast(&self, most: usize) {
        self.most.store(most.clamp(1, CAUGHT_MAX) as u32, Ordering::Relaxed);
    }

    /// What was fetched and nobody has taken.
    pub fn caught(&self) -> MutexGuard<'_, Vec<libc::epoll_event>> {
        self.caught.lock()
    }

    /// Blocks. Refused with a time limit by kernels before 5.11 and by sandboxes that do not know the
    /// call, and here to threads that are interrupted without a signal.
    fn wait(
        &self,
        idle: Option<RingName>,
        time: Option<&libc::timespec>,
        mask: Option<&u64>,
    ) -> Result<usize> {
        // That would end the wait as a signal does. poll(2) goes on.
        if own(|own| own.may_be_interrupted(idle)) {
            return Err(Errno::ENOSYS);
        }
        let most = self.most.load(Ordering::Relaxed) as usize;
        let mut haul =
            Haul { net: self, room: [const { MaybeUninit::uninit() }; CAUGHT_MAX], most };
        haul.room[..most].fill(MaybeUninit::new(NOTHING));
        let (number, limit) = match time {
            Some(time) => (libc::SYS_epoll_pwait2, ptr::from_ref(time) as usize),
            None => (libc::SYS_epoll_pwait, FOR_EVER as usize),
        };
        let call = Call {
            number,
            arguments: [
                self.set as usize,
                haul.room.as_mut_ptr() as usize,
                most,
                limit,
                mask.map_or(0, |mask| ptr::from_ref(mask) as usize),
                KERNEL_SIGSET_BYTES,
            ],
        };
        // SAFETY: as in enter(); the room is for as many as are asked for.
        check(unsafe { call.make() })
    }
}

/// What one wait fetches. A thread that is cancelled when the kernel has just told it something leaves
/// that to the others.
struct Haul<'a> {
    net: &'a Net,
    room: [MaybeUninit<libc::epoll_event>; CAUGHT_MAX],
    most: usize,
}

impl Drop for Haul<'_> {
    fn drop(&mut self) {
        // SAFETY: as many as may have come were there before the wait, as nothing.
        let told = self.room[..self.most].iter().map(|event| unsafe { event.assume_init() });
        self.net.caught().extend(told.take_while(|event| event.events != 0));
    }
}

/// The time by which deadlines go.
#[cfg(not(feature = "model"))]
pub fn now() -> Instant {
    Instant::now()
}

/// The same in the kernel's nanoseconds: `CLOCK_MONOTONIC`.
pub fn monotonic_nanoseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// How long, and with which signals blocked.
#[derive(Clone, Copy, Default)]
pub struct Terms {
    pub deadline: Option<Instant>,
    /// As the kernel takes them: it has 64 signals, and the C library's set room for 1024.
    pub mask: Option<u64>,
}

impl Terms {
    /// Whether the time is over.
    pub fn expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now())
    }

    fn remaining(&self) -> Option<libc::timespec> {
        self.deadline.map(|deadline| timespec(deadline.saturating_duration_since(now())))
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().min(i64::MAX as u64) as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// struct io_uring_getevents_arg of io_uring_enter2(2); the kernel's, since 5.11.
#[repr(C)]
pub(super) struct GetEventsArgument {
    sigmask: u64,
    sigmask_size: u32,
    pad: u32,
    timespec: u64,
}

impl GetEventsArgument {
    /// No set of signals has this size, and none is read.
    pub(super) const REFUSED: Self = Self { sigmask: 1, sigmask_size: 1, pad: 0, timespec: 0 };
}

pub(super) const ENTER_GETEVENTS: u32 = 1;
pub(super) const ENTER_EXT_ARG: u32 = 1 << 3;
/// The kernel's sigset_t has 64 signals.
const KERNEL_SIGSET_BYTES: usize = 8;

unsafe extern "C-unwind" {
    fn syscall(number: libc::c_long, ...) -> libc::c_long;
    fn pthread_setcanceltype(kind: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
    fn pthread_testcancel();
}

const CANCEL_ASYNCHRONOUS: libc::c_int = 1;
const CANCEL_DISABLE: libc::c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}

/// While it lives, the thread cannot be cancelled: many calls of the C library that we make in
/// passing are cancellation points, and unwinding through us would break what is half done.
pub struct Uncancellable(libc::c_int);

impl Uncancellable {
    pub fn begin() -> Self {
        let mut old = 0;
        // SAFETY: writes the old state to a local.
        unsafe { pthread_setcancelstate(CANCEL_DISABLE, &raw mut old) };
        Self(old)
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        // SAFETY: restores what begin() found.
        unsafe { pthread_setcancelstate(self.0, ptr::null_mut()) };
    }
}

/// Whether this thread cannot be cancelled now.
#[cfg(test)]
pub fn is_uncancellable() -> bool {
    let mut old = 0;
    // SAFETY: writes the old state to a local, and restores it.
    unsafe {
        pthread_setcancelstate(CANCEL_DISABLE, &raw mut old);
        pthread_setcancelstate(old, ptr::null_mut());
    }
    old == CANCEL_DISABLE
}

/// Acts on a cancellation that is pending, so that a thread that always finds something at once can be
/// cancelled, too. The caller has nothing that would have to be given back.
#[inline]
pub fn act_on_cancellation() {
    // SAFETY: no arguments. It may unwind, as its declaration says.
    unsafe { pthread_testcancel() };
}

/// Blocks. `Ok` is "look again"; `EINTR` a signal was handled; the caller knows its own deadline.
#[cfg(not(feature = "model"))]
pub fn block(sleep: &Sleep, terms: &Terms) -> Result<()> {
    match enter(sleep, terms) {
        // Time is over, or the word had changed already: the caller looks for itself.
        Err(Errno::ETIME | Errno::ETIMEDOUT | Errno::EAGAIN | Errno::EBUSY) => Ok(()),
        answer => answer.map(drop),
    }
}

/// Blocks; what the kernel answers.
pub(super) fn enter(sleep: &Sleep, terms: &Terms) -> Result<usize> {
    let time = terms.remaining();
    let time_pointer = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mask_pointer = terms.mask.as_ref().map_or(ptr::null(), ptr::from_ref);
    let argument = GetEventsArgument {
        sigmask: mask_pointer as u64,
        sigmask_size: KERNEL_SIGSET_BYTES as u32,
        pad: 0,
        timespec: time_pointer as u64,
    };
    let mut polled = [libc::pollfd { fd: -1, events: 0, revents: 0 }; SEVERAL_MAX];
    let poll = |polled: &mut [libc::pollfd; SEVERAL_MAX], count, time: *mut libc::timespec| Call {
        number: libc::SYS_ppoll,
        arguments: [
            polled.as_mut_ptr() as usize,
            count,
            time as usize,
            mask_pointer as usize,
            KERNEL_SIGSET_BYTES,
            0,
        ],
    };
    // ppoll(2) writes what is left.
    let mut time_copy = time;
    let time_copy_pointer = time_copy.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // A wait with a time limit is never restarted behind our back (signal(7)), so a signal ends it
    // whatever SA_RESTART says: for ever is a very long time here.
    let long = libc::timespec { tv_sec: i64::from(u32::MAX), tv_nsec: 0 };
    let limit = if time.is_some() { time_pointer } else { &raw const long };
    let call = match sleep {
        Sleep::Set(net, idle) => match net.wait(*idle, time.as_ref(), terms.mask.as_ref()) {
            // Then only the end of the wait is told, and the set asked afterwards.
            Err(Errno::ENOSYS | Errno::EPERM) => {
                polled[0].fd = net.set;
                polled[0].events = libc::POLLIN;
                poll(&mut polled, 1, time_copy_pointer)
            }
            answer => return answer,
        },
        Sleep::Ring { fd, complete } => {
            let call = Call {
                number: libc::SYS_io_uring_enter,
                arguments: [
                    *fd as usize,
                    0,
                    *complete as usize,
                    (ENTER_GETEVENTS | ENTER_EXT_ARG) as usize,
                    &raw const argument as usize,
                    size_of::<GetEventsArgument>(),
                ],
            };
            // SAFETY: as below.
            match check(unsafe { call.make() }) {
                // The process has forbidden itself the call. What the kernel has goes on.
                Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => {
                    polled[0].fd = *fd;
                    polled[0].events = libc::POLLIN;
                    poll(&mut polled, 1, time_copy_pointer)
                }
                answer => return answer,
            }
        }
        Sleep::Poll { fd, events } => {
            polled[0].fd = *fd;
            polled[0].events = *events;
            poll(&mut polled, 1, time_copy_pointer)
        }
        Sleep::Data { fd, end } => {
            polled[0].fd = *fd;
            polled[0].events = libc::POLLIN | libc::POLLRDHUP;
            // A negative number is passed over.
            polled[1].fd = end.unwrap_or(-1);
            polled[1].events = libc::POLLIN;
            poll(&mut polled, 2, time_copy_pointer)
        }
        Sleep::Several(several) => {
            for (place, fd) in polled.iter_mut().zip(&several.fds) {
                place.fd = *fd;
                place.events = libc::POLLIN;
            }
            poll(&mut polled, several.count, time_copy_pointer)
        }
        Sleep::Word { word, expected } => Call {
            number: libc::SYS_futex,
            arguments: [
                ptr::from_ref(&**word) as usize,
                (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize,
                *expected as usize,
                limit as usize,
                0,
                0,
            ],
        },
    };
    // SAFETY: every pointer is to a local that outlives the call or null; during the call the
    // thread owns no lock and no half-changed state, so that it may be cancelled there.
    let answer = check(unsafe { call.make() });
    if let Sleep::Several(several) = sleep {
        several.tell(&polled);
    }
    answer
}

/// A system call that is ready to be made.
struct Call {
    number: libc::c_long,
    arguments: [usize; 6],
}

impl Call {
    /// Makes it as a cancellation point. A cancellation may come at any instruction between the
    /// two changes of the type, so nothing is called there but the kernel: a frame of ours that
    /// has nothing to clean up can be unwound from anywhere, but not what it calls.
    ///
    /// # Safety
    /// The arguments are right for the call, and the thread may be cancelled during it.
    #[inline(never)]
    unsafe fn make(&self) -> libc::c_long {
        let number = self.number;
        let [first, second, third, fourth, fifth, sixth] = self.arguments;
        let mut old = 0;
        // SAFETY: by the contract of this function; neither change touches errno.
        unsafe {
            pthread_setcanceltype(CANCEL_ASYNCHRONOUS, &raw mut old);
            let answer = syscall(number, first, second, third, fourth, fifth, sixth);
            pthread_setcanceltype(old, ptr::null_mut());
            answer
        }
    }
}
