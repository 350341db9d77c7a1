//! An io_uring instance, its buffer rings, and what this kernel's io_uring can do.
//!
//! Read first: io_uring(7), io_uring_setup(2), io_uring_register_buf_ring(3).
//! The completion that was reaped last is not given back to the kernel at once: while the channel
//! has events queued it stays in the ring ("held"), and keeps the ring's descriptor readable
//! without a system call.

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering, fence};

use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types};

use super::cell::Leaked;
use super::check;
use super::completions::Completions;
use super::own::Interrupts;
use super::span::Span;
use super::thread;
use super::wait::{ENTER_EXT_ARG, ENTER_GETEVENTS, GetEventsArgument};
use crate::error::{Errno, Result};

/// What was found out about io_uring here, once per process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Buffer rings and multishot receive (5.19, 6.0).
    pub receive_multishot: bool,
    /// Buffers that are filled piece by piece (6.12).
    pub receive_incremental: bool,
    /// Zero-copy send that tells whether the kernel copied (6.0, 6.2).
    pub send_zero_copy: bool,
    /// The same for messages of several pieces (6.1).
    pub sendmsg_zero_copy: bool,
    /// A table of registered buffers that is filled in later (5.19).
    pub sparse_buffers: bool,
    /// Deferred task work for rings of one thread (6.1).
    pub defer_taskrun: bool,
    /// A call runs all that was put off before it looks at the set of signals.
    pub runs_first: bool,
    /// One poll that tells of every change (5.13).
    pub poll_multishot: bool,
    /// One read for everything that comes (6.7).
    pub read_multishot: bool,
    /// Waiting on words of memory (6.7).
    pub futex: bool,
}

/// How often a full submission queue is offered to the kernel.
const PUSH_TRIES_MAX: usize = 16;
/// What one call has the kernel bring forth of what it has put off, unless it is to be less.
pub const DEFERRED_MAX: u32 = 1024;
/// The same in calls, for a kernel that brings forth twenty at a time.
const DEFERRED_TRIES_MAX: usize = 8;

/// One submission and one completion queue shared with the kernel.
pub struct Ring {
    inner: IoUring,
    held: bool,
    /// See [`Features::runs_first`].
    runs_first: bool,
    /// See [`Ring::bring_at_most`].
    deferred_max: u32,
    /// System calls so far, and entries that they have taken.
    calls: u64,
    submitted: u64,
    interrupts: Interrupts,
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

impl Ring {
    /// A ring with `submissions` and `completions` entries. `single` promises that only the
    /// calling thread will ever use it.
    pub fn new(submissions: u32, completions: u32, single: bool) -> Result<Self> {
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
                        inner,
                        held: false,
                        runs_first: false,
                        deferred_max: DEFERRED_MAX,
                        calls,
                        submitted,
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
    pub fn has_deferred(&mut self) -> bool {
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
        let Self { inner, held, .. } = self;
        // Not dropped: that would give the last one back too.
        let mut queue = ManuallyDrop::new(inner.completion());
        let count = queue.len() - usize::from(*held);
        if count == 0 {
            return 0;
        }
        if std::mem::replace(held, true) {
            queue.next();
        }
        body(Completions::new(queue, count));
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

    /// It does not for now, or does again.
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

    /// Registers a table of `count` empty slots for buffers.
    pub fn register_buffer_table(&self, count: u32) -> Result<()> {
        self.inner.submitter().register_buffers_sparse(count).map_err(|error| errno(&error))
    }

    /// Puts memory into a slot of the table, or nothing.
    pub fn register_buffer(&self, slot: u32, span: Option<Span>) -> Result<()> {
        let buffer = span.map_or(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }, |span| {
            libc::iovec { iov_base: span.address().cast(), iov_len: span.len() }
        });
        // SAFETY: the area outlives its registration: it is taken back before it is unmapped, and
        // the kernel holds its own reference to the pages.
        unsafe { self.inner.submitter().register_buffers_update(slot, &[buffer], None) }
            .map_err(|error| errno(&error))
    }

    /// Registers a table of `count` empty slots for files (5.19).
    pub fn register_file_table(&self, count: u32) -> Result<()> {
        self.inner.submitter().register_files_sparse(count).map_err(|error| errno(&error))
    }

    /// Puts a file into a slot of the table, or nothing. It stays open for that, but no descriptor
    /// of it is closed afterwards: record locks of the program's stay.
    pub fn register_file(&self, slot: u32, fd: Option<RawFd>) -> Result<()> {
        let answer = self.inner.submitter().register_files_update(slot, &[fd.unwrap_or(-1)]);
        answer.map(drop).map_err(|error| errno(&error))
    }

    /// Registers a ring through which buffers are handed to multishot receives. With
    /// `incremental` a buffer is used until it is full; otherwise it is used once.
    pub fn buffer_ring(&self, group: u16, entries: u16, incremental: bool) -> Result<BufferRing> {
        let ring = BufferRing::map(entries)?;
        // SAFETY: the memory is mapped until the BufferRing is dropped; the group is
        // unregistered, or the io_uring closed, before that.
        unsafe {
            self.inner.submitter().register_buf_ring_with_flags(
                ring.base.as_ptr() as u64,
                entries,
                group,
                if incremental { BUFFER_RING_INCREMENTAL } else { 0 },
            )
        }
        .map_err(|error| errno(&error))?;
        Ok(ring)
    }

    pub fn unregister_buffer_ring(&self, group: u16) -> Result<()> {
        self.inner.submitter().unregister_buf_ring(group).map_err(|error| errno(&error))
    }

    /// Waits for completions for at most `milliseconds`, with the program's locks held: for
    /// requests that were cancelled and must come to an end now.
    pub fn wait_briefly(&mut self, milliseconds: u32) -> Result<()> {
        self.calls += 1;
        let time = types::Timespec::new().nsec(milliseconds * 1_000_000);
        let arguments = types::SubmitArgs::new().timespec(&time);
        let want = 1 + usize::from(self.held);
        match self.inner.submitter().submit_with_args(want, &arguments) {
            Ok(_) => Ok(()),
            Err(error) => match errno(&error) {
                Errno::ETIME | Errno::EINTR | Errno::EBUSY | Errno::EAGAIN => Ok(()),
                errno => Err(errno),
            },
        }
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

/// Memory shared with the kernel that tells it which buffers it may fill.
/// struct io_uring_buf_ring: entries of 16 bytes; the tail is bytes 14 and 15 of the first.
pub struct BufferRing {
    base: NonNull<u8>,
    bytes: usize,
    mask: u16,
    tail: u16,
}

// SAFETY: the memory belongs to the value alone, as far as this process goes.
unsafe impl Send for BufferRing {}

const BUFFER_ENTRY_BYTES: usize = 16;
/// IOU_PBUF_RING_INC, since 6.12.
const BUFFER_RING_INCREMENTAL: u16 = 2;
const TAIL_OFFSET_BYTES: usize = 14;

impl BufferRing {
    fn map(entries: u16) -> Result<Self> {
        assert!(entries.is_power_of_two());
        let bytes = usize::from(entries) * BUFFER_ENTRY_BYTES;
        // SAFETY: a fresh anonymous mapping; the kernel rounds the length up to pages.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // SAFETY: our own mapping; a child must not get a copy-on-write view of it.
        unsafe { libc::madvise(base, bytes, libc::MADV_DONTFORK) };
        let base = NonNull::new(base.cast()).ok_or(Errno::ENOMEM)?;
        Ok(Self { base, bytes, mask: entries - 1, tail: 0 })
    }

    /// Adds a buffer; the kernel sees it after [`BufferRing::publish`].
    pub fn provide(&mut self, span: Span, id: u16) {
        let index = usize::from(self.tail & self.mask);
        // SAFETY: the index is below the number of entries; the fields are those of
        // struct io_uring_buf (addr, len, bid); the last two bytes are not touched, because
        // those of entry 0 are the tail.
        unsafe {
            let entry = self.base.as_ptr().add(index * BUFFER_ENTRY_BYTES);
            entry.cast::<u64>().write(span.address() as u64);
            entry.add(8).cast::<u32>().write(span.len() as u32);
            entry.add(12).cast::<u16>().write(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Makes the added buffers visible.
    pub fn publish(&mut self) {
        // SAFETY: aligned, inside the mapping, and read by the kernel with acquire semantics:
        // the release pairs with it, so that entries are written before they are seen.
        unsafe {
            let tail = self.base.as_ptr().add(TAIL_OFFSET_BYTES).cast::<u16>();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: mapped by map(), not used afterwards; the kernel has its own reference.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// What io_uring can do here, or the errno with which it is refused. Asked once.
pub fn features() -> Result<Features> {
    static FEATURES: Leaked<Result<Features>> = Leaked::empty();
    *FEATURES.get_or_find(probe_aside)
}

/// When a ring is gone, the kernel interrupts whoever has used it, some milliseconds later: a wait
/// of the program's would end with `EINTR`. So the rings that are tried out are those of a helper
/// that is gone with them.
fn probe_aside() -> Result<Features> {
    thread::aside(probe).unwrap_or_else(|_| probe())
}

fn probe() -> Result<Features> {
    let mut ring = Ring::new(4, 8, false)?;
    let mut probe = Probe::new();
    ring.inner.submitter().register_probe(&mut probe).map_err(|error| errno(&error))?;
    let needed = [opcode::Send::CODE, opcode::SendMsg::CODE, opcode::AsyncCancel::CODE];
    if needed.iter().any(|&code| !probe.is_supported(code)) {
        return Err(Errno::ENOSYS);
    }
    let send_zero_copy = probe.is_supported(opcode::SendZc::CODE) && reports_usage(&mut ring);
    // Multishot receive came in 6.0 together with the send that does not copy.
    let receive_multishot =
        probe.is_supported(opcode::SendZc::CODE) && ring.buffer_ring(0, 1, false).is_ok();
    let receive_incremental = receive_multishot && ring.buffer_ring(1, 1, true).is_ok();
    let mut own =
        Ring::new(4, 8, true).ok().filter(|ring| ring.inner.params().is_setup_single_issuer());
    Ok(Features {
        receive_multishot,
        receive_incremental,
        send_zero_copy,
        sendmsg_zero_copy: send_zero_copy && probe.is_supported(opcode::SendMsgZc::CODE),
        sparse_buffers: ring.register_buffer_table(1).is_ok(),
        defer_taskrun: own.is_some(),
        runs_first: own.as_mut().is_some_and(runs_first),
        // Both came in 5.13.
        poll_multishot: ring.inner.params().is_feature_resource_tagging(),
        read_multishot: probe.is_supported(opcode::ReadMulti::CODE),
        futex: probe.is_supported(opcode::FutexWaitV::CODE),
    })
}

/// The second link of a chain begins in work that is put off.
fn runs_first(ring: &mut Ring) -> bool {
    let entry = opcode::Nop::new().build();
    let pushed = ring
        .push(&entry.clone().flags(squeue::Flags::IO_LINK))
        .and_then(|()| ring.push(&entry))
        .and_then(|()| ring.bring_forth(2, DEFERRED_MAX, Some(&GetEventsArgument::REFUSED)));
    pushed.is_ok() && ring.inner.completion().len() == 2
}

/// Report the kernel's copying of a zero-copy send in its notification (6.2).
pub const SEND_ZC_REPORT_USAGE: u16 = 8;
/// The flag in the notification's result that says so.
pub const NOTIFICATION_COPIED: u32 = 1 << 31;

/// An unknown flag is refused with `EINVAL` before the descriptor is looked at: no socket needed.
fn reports_usage(ring: &mut Ring) -> bool {
    let entry =
        opcode::SendZc::new(types::Fd(-1), ptr::null(), 0).zc_flags(SEND_ZC_REPORT_USAGE).build();
    let mut result = -libc::EINVAL;
    if ring.push(&entry).is_ok() && ring.inner.submit_and_wait(1).is_ok() {
        ring.reap(|_, answer, _| result = answer);
    }
    result != -libc::EINVAL
}
