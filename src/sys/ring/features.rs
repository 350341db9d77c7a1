//! What this kernel's io_uring can do.

use std::ptr;

use io_uring::{Probe, opcode, squeue, types};

use super::{DEFERRED_MAX, Ring, errno};
use crate::error::{Errno, Result};
use crate::sys::cell::Leaked;
use crate::sys::own;
use crate::sys::thread;
use crate::sys::wait::GetEventsArgument;

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

/// What io_uring can do here, or the errno with which it is refused. Asked once.
pub fn features() -> Result<Features> {
    static FEATURES: Leaked<Result<Features>> = Leaked::empty();
    *FEATURES.get_or_find(probe_aside)
}

/// When a ring is gone, the kernel interrupts whoever has used it, some milliseconds later: a wait
/// of the program's would end with `EINTR`. So the rings that are tried out are those of a helper
/// that is gone with them.
fn probe_aside() -> Result<Features> {
    own::spare(|| thread::aside(probe)).unwrap_or_else(|_| probe())
}

fn probe() -> Result<Features> {
    let mut ring = Ring::new(4, 8, false)?;
    // A filter may let rings be made, and refuse to have them used.
    ring.push(&opcode::Nop::new().build())?;
    ring.submit()?;
    ring.reap(|_, _, _| {});
    ring.let_go();
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
