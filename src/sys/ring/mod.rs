//! An io_uring instance.
//!
//! Read first: io_uring(7), io_uring_setup(2).
//! The completion that was reaped last is not given back to the kernel at once: while the channel
//! has events queued it stays in the ring ("held"), and keeps the ring's descriptor readable
//! without a system call.

mod features;
mod registered;

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{Ordering, fence};

use io_uring::{IoUring, cqueue, squeue, types};

pub use self::features::{Features, NOTIFICATION_COPIED, SEND_ZC_REPORT_USAGE, features};
pub use self::registered::BufferRing;
use super::check;
use super::completions::Completions;
use super::own::{Interrupts, RingName};
use super::wait::{ENTER_EXT_ARG, ENTER_GETEVENTS, GetEventsArgument, Uncancellable};
use crate::error::{Errno, Result};

/// How often a full submission queue is offered to the kernel.
const PUSH_TRIES_MAX: usize = 16;
/// What one call has the kernel bring forth of what it has put off, unless it is to be less.
pub const DEFERRED_MAX: u32 = 1024;
/// The same in calls, for a kernel that brings forth twenty at a time.
const DEFERRED_TRIES_MAX: usize = 8;

/// One submission and one completion queue shared with the kernel.
pub struct Ring {
    inner: ManuallyDrop<IoUring>,
    held: bool,
    /// See [`Features::runs_first`].
    runs_first: bool,
    /// See [`Ring::bring_at_most`].
    deferred_max: u32,
    /// System calls so far, and entries that they have taken.
    calls: u64,
    submitted: u64,
    /// How many have ended, on a ring of several threads.
    ended: u64,
    interrupts: Interrupts,
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

impl Ring {
    /// A ring with `submissions` and `completions` entries. `single` promises that only the
    /// calling thread will ever use it.
    pub fn new(submissions: u32, completions: u32, single: bool) -> Result<Self> {
        // One that is refused is closed.
        let _uncancellable = Uncancellable::begin();
        let mut last = Errno::ENOSYS;
        // Newest first: a kernel that does not know a flag says EINVAL.
        for step in 0..4 {
            let mut builder = IoUring::builder();
            builder.dontfork().setup_clamp().setup_cqsize(completions);
            if step < 3 {
                builder.setup_submit_all();
            }
            // Shared rings take no COOP_TASKRUN: completions would wait for a thread that
            // submitted and now computes. A ring of one thread is always entered by it.
            if single && step < 2 {
                builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
            }
            if step == 0 {
                builder.setup_no_sqarray();
            }
            match builder.build(submissions) {
                Ok(inner) => {
                    if !inner.params().is_feature_ext_arg() || !inner.params().is_feature_nodrop() {
                        return Err(Errno::ENOSYS);
                    }
                    let (calls, submitted) = (0, 0);
                    return Ok(Self {
                        inner: ManuallyDrop::new(inner),
                        held: false,
                        runs_first: false,
                        deferred_max: DEFERRED_MAX,
                        calls,
                        submitted,
                        ended: 0,
                        interrupts: Interrupts::new(single),
                    });
                }
                Err(error) => last = errno(&error),
            }
            if last != Errno::EINVAL {
                break;
            }
        }
        Err(last)
    }

    /// What is known of the kernel, where it matters here.
    pub fn rely_on(&mut self, features: &Features) {
        self.runs_first = features.runs_first;
    }

    /// How much of what the kernel has put off one call is to bring forth. It may be twice that,
    /// and is twenty at least.
    pub fn bring_at_most(&mut self, count: u32) {
        self.deferred_max = count;
    }

    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// The name of a ring of several threads that has ended all that it was given.
    pub fn idle_name(&self) -> Option<RingName> {
        self.interrupts.name().filter(|_| self.submitted == self.ended)
    }

    pub fn fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    /// Queues an entry; the kernel sees it with the next [`Ring::submit`], or now if the queue
    /// is full. The caller keeps the memory that the entry names alive until its completion.
    pub fn push(&mut self, entry: &squeue::Entry) -> Result<()> {
        for _ in 0..PUSH_TRIES_MAX {
            // SAFETY: the engine keeps what an entry points to in its table of operations until
            // the final completion has come.
            if unsafe { self.inner.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
        // The kernel takes nothing more before completions are reaped.
        Err(Errno::EBUSY)
    }

    /// Entries that the kernel has not taken yet.
    pub fn unsubmitted(&mut self) -> usize {
        self.inner.submission().len()
    }

    /// Rings the doorbell if there is something to submit, or something that only an entry to
    /// the kernel brings forth (deferred work, overflown completions). Never blocks. Returns
    /// whether a system call was made.
    pub fn submit(&mut self) -> Result<bool> {
        let queue = self.inner.submission();
        let (is_empty, waits) = (queue.is_empty(), queue.taskrun() || queue.cq_overflow());
        drop(queue);
        if is_empty {
            return if waits { self.run_deferred().map(|()| true) } else { Ok(false) };
        }
        self.calls += 1;
        self.interrupts.note_use();
        match self.inner.submit() {
            Ok(count) => {
                self.submitted += count as u64;
                Ok(true)
            }
            // The completion queue is full, or memory is short: what is reaped makes room.
            Err(error) if matches!(errno(&error), Errno::EBUSY | Errno::EAGAIN | Errno::EINTR) => {
                Ok(true)
            }
            Err(error) => Err(errno(&error)),
        }
    }

    /// As [`Ring::submit`], but has a ring of one thread run what that leads to in the same call:
    /// there each link of a chain begins in deferred work, and zero-copy sends end in it.
    pub fn submit_and_settle(&mut self) -> Result<()> {
        let queue = self.inner.submission();
        let (count, waits) = (queue.len(), queue.taskrun() || queue.cq_overflow());
        drop(queue);
        if count == 0 {
            return if waits { self.bring_forth_deferred() } else { Ok(()) };
        }
        if !self.inner.params().is_setup_single_issuer() {
            return self.submit().map(drop);
        }
        self.bring_forth(count as u32, self.deferred_max, Some(&GetEventsArgument::REFUSED))?;
        if !self.runs_first {
            for _ in 0..DEFERRED_TRIES_MAX {
                let before = self.inner.completion().len();
                self.run_deferred()?;
                if self.inner.completion().len() == before {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Brings forth what the kernel has put off, where nothing is to be submitted. `false`: there is
    /// something, or nothing has come.
    #[inline]
    pub fn settle_quickly(&mut self) -> Result<bool> {
        let queue = self.inner.submission();
        let (is_empty, waits) = (queue.is_empty(), queue.taskrun() || queue.cq_overflow());
        drop(queue);
        if is_empty && waits {
            self.deferred_max = DEFERRED_MAX;
            self.bring_forth_deferred()?;
        }
        Ok(is_empty && self.has_completions())
    }

    /// Nothing to submit, nothing to reap, and nothing that only an entry to the kernel brings forth.
    pub fn is_idle(&mut self) -> bool {
        let queue = self.inner.submission();
        let is_idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        is_idle && self.inner.completion().len() == usize::from(self.held)
    }

    /// Whether the kernel may have put something off: what it has put off and then run in the same
    /// call it still tells of afterwards.
    fn has_deferred(&mut self) -> bool {
        self.inner.submission().taskrun()
    }

    /// Lets the kernel bring forth what it has put off, if it has; submits nothing.
    ///
    /// It brings forth some twenty completions, or as many as are waited for. So a great many are,
    /// with a set of signals that is refused when it comes to waiting.
    pub fn run_deferred(&mut self) -> Result<()> {
        let queue = self.inner.submission();
        if !queue.taskrun() && !queue.cq_overflow() {
            return Ok(());
        }
        drop(queue);
        self.bring_forth_deferred()
    }

    fn bring_forth_deferred(&mut self) -> Result<()> {
        self.bring_forth(0, self.deferred_max, Some(&GetEventsArgument::REFUSED))?;
        if !self.runs_first && self.has_deferred() {
            self.bring_forth(0, 0, None)?;
        }
        Ok(())
    }

    fn bring_forth(
        &mut self,
        submissions: u32,
        count: u32,
        argument: Option<&GetEventsArgument>,
    ) -> Result<()> {
        let flags = ENTER_GETEVENTS | if argument.is_some() { ENTER_EXT_ARG } else { 0 };
        self.calls += 1;
        let argument = argument.map_or(ptr::null(), ptr::from_ref);
        let (call, ring, bytes) =
            (libc::SYS_io_uring_enter, self.fd(), size_of::<GetEventsArgument>());
        // SAFETY: the argument is valid during the call; what entries name outlives them.
        let answer =
            unsafe { libc::syscall(call, ring, submissions, count, flags, argument, bytes) };
        match check(answer) {
            Ok(count) => self.submitted += count as u64,
            Err(Errno::EINVAL | Errno::EBUSY | Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Submits, and lets the kernel bring forth at once what that leads to.
    pub fn submit_and_run(&mut self) -> Result<()> {
        self.submit()?;
        if self.inner.params().is_setup_single_issuer() {
            self.calls += 1;
            // SAFETY: no argument is passed.
            let answer = unsafe {
                self.inner.submitter().enter::<libc::sigset_t>(0, 0, ENTER_GETEVENTS, None)
            };
            drop(answer);
        }
        Ok(())
    }

    /// Passes every new completion to `sink`: user data, result and flags. The last one stays in the
    /// ring until [`Ring::let_go`] or the next call.
    pub fn reap(&mut self, sink: impl FnMut(u64, i32, u32)) -> usize {
        self.reap_by(|completions| completions.for_each(sink))
    }

    /// The same for one who takes them one by one.
    #[inline]
    pub fn reap_by(&mut self, body: impl FnOnce(Completions<'_>)) -> usize {
        let Self { inner, held, ended, interrupts, .. } = self;
        // Not dropped: that would give the last one back too.
        let mut queue = ManuallyDrop::new(inner.completion());
        let count = queue.len() - usize::from(*held);
        if count == 0 {
            return 0;
        }
        if std::mem::replace(held, true) {
            queue.next();
        }
        let ended = interrupts.name().is_some().then_some(ended);
        body(Completions::new(queue, count, ended));
        count
    }

    /// The kernel raises this eventfd whenever something completes, or could if the ring were entered.
    pub fn register_eventfd(&self, fd: RawFd) -> Result<()> {
        self.inner.submitter().register_eventfd(fd).map_err(|error| errno(&error))
    }

    pub fn register_eventfd_anew(&self, fd: RawFd) -> Result<()> {
        self.inner.submitter().unregister_eventfd().map_err(|error| errno(&error))?;
        self.register_eventfd(fd)
    }

    /// `wanted`: it is to leave that be.
    pub fn mute(&mut self, wanted: bool) {
        let queue = self.inner.completion();
        if wanted {
            queue.disable_eventfd();
        } else {
            queue.enable_eventfd();
        }
        // What is looked at next is not looked at before.
        fence(Ordering::SeqCst);
    }

    /// Whether there are completions that nobody has reaped.
    pub fn has_completions(&mut self) -> bool {
        self.inner.completion().len() > usize::from(self.held)
    }

    /// Whether there are such, or may be some that only an entry brings.
    pub fn has_news(&mut self) -> bool {
        self.has_completions() || self.has_deferred()
    }

    /// Whether a completion that was dealt with still makes the descriptor readable.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// A way to see without a lock that there are completions which nobody has reaped. It does not
    /// outlive the ring.
    pub fn glance(&mut self) -> Glance {
        // SAFETY: whoever keeps it drops it before the ring, as said above.
        Glance(unsafe { self.inner.completion().status() })
    }

    /// Has the kernel bring forth completions for which there was no room in the queue; `true`:
    /// there may be some.
    pub fn fetch_overflown(&mut self) -> Result<bool> {
        if !self.inner.submission().cq_overflow() {
            return Ok(false);
        }
        self.run_deferred().map(|()| true)
    }

    /// Gives the held completion back.
    pub fn let_go(&mut self) {
        if self.held {
            self.inner.completion().next();
            self.held = false;
        }
    }

    /// Waits for completions for at most `milliseconds`, with the program's locks held: for
    /// requests that were cancelled and must come to an end now.
    pub fn wait_briefly(&mut self, milliseconds: u32) -> Result<()> {
        self.calls += 1;
        let time = types::Timespec::new().nsec(milliseconds * 1_000_000);
        let arguments = types::SubmitArgs::new().timespec(&time);
        let want = 1 + usize::from(self.held);
        match self.inner.submitter().submit_with_args(want, &arguments) {
            Ok(count) => {
                self.submitted += count as u64;
                Ok(())
            }
            Err(error) => match errno(&error) {
                Errno::ETIME | Errno::EINTR | Errno::EBUSY | Errno::EAGAIN => Ok(()),
                errno => Err(errno),
            },
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // It is closed by close(3).
        let _uncancellable = Uncancellable::begin();
        // SAFETY: nobody uses it any more.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

/// See [`Ring::glance`].
pub struct Glance(cqueue::CompletionStatus);

// SAFETY: two words are read that the kernel and the ring's owner write; what is seen may be old,
// and is taken as a hint.
unsafe impl Send for Glance {}
// SAFETY: as above.
unsafe impl Sync for Glance {}

impl Glance {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
