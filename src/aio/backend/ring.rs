//! A ring of the kernel's for requests. io_uring(7).
//!
//! Any thread submits and reaps, with the books locked. What a thread has submitted and what is
//! not on a disk yet ends with that thread: the kernel says `ECANCELED`, and it is begun again.
//!
//! A process may forbid itself the calls of the ring later on, by seccomp(2). Then what the kernel has
//! comes to its end, and everything else ends with the error of the call.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use io_uring::{opcode, squeue, types};

use super::files::Files;
use super::notified::Notified;
use super::{Backend, ENDED_MAX, Glance, Means, PAUSE, Withdrawn, Work};
use crate::error::{Errno, Result};
use crate::sys::exchange::Call;
use crate::sys::ring::{Ring as System, SEND_ZC_REPORT_USAGE};
use crate::sys::transfer;
use crate::sys::wait::Sleep;

const SUBMISSIONS: u32 = 256;
const COMPLETIONS: u32 = 4096;
static PAUSED: types::Timespec = types::Timespec::new().nsec(PAUSE.subsec_nanos());
/// User data of what is no request.
const KICK: u64 = u64::MAX;
const CANCEL: u64 = u64::MAX - 1;
/// The answer of a cancellation may need this many looks.
const LOOKS_MAX: usize = 8;

pub struct Ring {
    ring: System,
    /// Completions that were taken in while looking for something else.
    ended: Vec<(u32, Result<usize>)>,
    has_taken: bool,
    files: Files,
    notified: Notified,
    /// User data of what the kernel may not have taken yet, in order.
    unsent: VecDeque<u64>,
    /// Why it takes nothing more.
    refusal: Option<Errno>,
    /// Some have ended by that which nobody has asked for.
    has_refused: Arc<AtomicBool>,
}

const _: () = assert!(ENDED_MAX >= 2 * COMPLETIONS as usize);

impl Ring {
    pub fn new() -> Result<Self> {
        let ring = System::new(SUBMISSIONS, COMPLETIONS, false)?;
        Ok(Self {
            ring,
            ended: Vec::with_capacity(ENDED_MAX),
            has_taken: false,
            files: Files::new(),
            notified: Notified::new(),
            unsent: VecDeque::with_capacity(SUBMISSIONS as usize),
            refusal: None,
            has_refused: Arc::default(),
        })
    }

    /// Forgets what the kernel has taken: all but so many.
    fn trim(&mut self, left: usize) {
        while self.unsent.len() > left {
            self.unsent.pop_front();
        }
    }

    fn push(&mut self, entry: squeue::Entry, data: u64) -> Result<()> {
        if let Some(errno) = self.refusal {
            return Err(errno);
        }
        match self.ring.push(&entry.user_data(data)) {
            Ok(()) => {
                // All but this one.
                let before = self.ring.unsubmitted() - 1;
                self.trim(before);
                self.unsent.push_back(data);
                Ok(())
            }
            Err(errno) => {
                // Otherwise there is no room now.
                if errno != Errno::EBUSY {
                    self.refusal = Some(errno);
                }
                Err(errno)
            }
        }
    }

    /// Ends one that the kernel has not taken and will not take.
    fn refuse(&mut self, index: u32, errno: Errno) {
        self.files.give_back(&self.ring, index);
        self.notified.remove(index);
        self.ended.push((index, Err(errno)));
        self.has_refused.store(true, Ordering::Release);
    }

    /// Takes in what there is; the answer to a cancellation, if it was among it.
    fn take(&mut self) -> Option<i32> {
        let mut answer = None;
        let ended = &mut self.ended;
        // As long as there is room for a whole queue.
        while ended.len() + COMPLETIONS as usize <= ENDED_MAX {
            let before = ended.len();
            let notified = &mut self.notified;
            let count = self.ring.reap(|data, result, flags| match data {
                KICK => {}
                CANCEL => answer = Some(result),
                index => {
                    let Some(result) = notified.pass(index as u32, result, flags) else { return };
                    let is_error = result < 0;
                    ended.push((
                        index as u32,
                        if is_error { Err(Errno::from_raw(-result)) } else { Ok(result as usize) },
                    ));
                }
            });
            self.ring.let_go();
            for (index, _) in &ended[before..] {
                self.files.give_back(&self.ring, *index);
            }
            self.has_taken |= count > 0;
            // An error here shows itself with the next submission.
            if !self.ring.fetch_overflown().unwrap_or(false) {
                break;
            }
        }
        answer
    }
}

fn of_call(work: &Work, call: Call) -> squeue::Entry {
    let fd = types::Fd(work.fd);
    let start = work.memory.address;
    let length = work.memory.length.min(transfer::BYTES_MAX) as u32;
    // The kernel waits until all of a stream has gone out, or come in.
    let all = if call.wants_all() { libc::MSG_WAITALL } else { 0 };
    let flags = call.kernel_flags() | all;
    match call {
        Call::Send { .. } => opcode::Send::new(fd, start as *const u8, length).flags(flags).build(),
        Call::Receive { .. } => {
            opcode::Recv::new(fd, start as *mut u8, length).flags(flags).build()
        }
        Call::SendMessage { header, .. } => {
            opcode::SendMsg::new(fd, header as *const libc::msghdr).flags(flags as u32).build()
        }
        Call::ReceiveMessage { header, .. } => {
            opcode::RecvMsg::new(fd, header as *mut libc::msghdr).flags(flags as u32).build()
        }
        Call::Accept { flags, address, length } => {
            let (address, length) = (address as *mut libc::sockaddr, length as *mut u32);
            opcode::Accept::new(fd, address, length).flags(flags).build()
        }
        Call::Connect { address, length } => {
            opcode::Connect::new(fd, address as *const libc::sockaddr, length).build()
        }
    }
}

impl Backend for Ring {
    fn is_self_driven(&self) -> bool {
        false
    }

    fn prepare(&mut self, _requests: usize, _is_stream: bool) -> Result<()> {
        Ok(())
    }

    fn start(&mut self, index: u32, work: &Work) -> Result<()> {
        // What a thread of the kernel's does from the start finds its file only then.
        let is_later = match work.means {
            Means::Read { offload, .. } | Means::Write { offload, .. } => offload,
            Means::Sync { .. } => true,
            Means::Send | Means::Await { .. } | Means::Call(_) => false,
            Means::Uncopied(_) | Means::Pause => false,
        };
        let slot = if is_later { self.files.take(&self.ring, index, work.fd) } else { None };
        let fd = types::Fd(slot.map_or(work.fd, |slot| slot as RawFd));
        let address = work.memory.address;
        let length = work.memory.length.min(transfer::BYTES_MAX) as u32;
        let entry = match work.means {
            Means::Read { offset, .. } => {
                opcode::Read::new(fd, address as *mut u8, length).offset(offset as u64).build()
            }
            Means::Write { offset, .. } => {
                opcode::Write::new(fd, address as *const u8, length).offset(offset as u64).build()
            }
            Means::Send => {
                let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
                opcode::Send::new(fd, address as *const u8, length).flags(flags).build()
            }
            Means::Await { is_write } => {
                let events = if is_write { libc::POLLOUT } else { libc::POLLIN };
                opcode::PollAdd::new(fd, events as u32).build()
            }
            Means::Uncopied(call) if self.notified.add(index) => {
                opcode::SendZc::new(fd, address as *const u8, length)
                    .flags(call.kernel_flags() | libc::MSG_WAITALL)
                    .zc_flags(SEND_ZC_REPORT_USAGE)
                    .build()
            }
            Means::Call(call) | Means::Uncopied(call) => of_call(work, call),
            Means::Pause => opcode::Timeout::new(&raw const PAUSED).build(),
            Means::Sync { data_only } => {
                let flags = if data_only {
                    types::FsyncFlags::DATASYNC
                } else {
                    types::FsyncFlags::empty()
                };
                opcode::Fsync::new(fd).flags(flags).build()
            }
        };
        // Without a slot it is tried by this thread first, so that the file is found now.
        let flags = match slot {
            Some(_) => squeue::Flags::FIXED_FILE | squeue::Flags::ASYNC,
            None => squeue::Flags::empty(),
        };
        let pushed = self.push(entry.flags(flags), u64::from(index));
        match (pushed, self.refusal) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(errno)) => {
                self.refuse(index, errno);
                Ok(())
            }
            (Err(errno), None) => {
                self.files.give_back(&self.ring, index);
                self.notified.remove(index);
                Err(errno)
            }
        }
    }

    fn flush(&mut self) -> bool {
        // What there is no room for now is offered again with the next call.
        if self.refusal.is_none() {
            self.refusal = self.ring.submit().err();
        }
        let Some(errno) = self.refusal else { return false };
        let left = self.ring.unsubmitted();
        self.trim(left);
        while let Some(data) = self.unsent.pop_front() {
            if data != KICK && data != CANCEL {
                self.refuse(data as u32, errno);
            }
        }
        !self.ended.is_empty()
    }

    fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    fn reap(&mut self, ended: &mut Vec<(u32, Result<usize>)>) -> bool {
        self.take();
        ended.append(&mut self.ended);
        if self.is_refused() {
            self.has_refused.store(false, Ordering::Release);
        }
        std::mem::take(&mut self.has_taken)
    }

    fn withdraw(&mut self, index: u32) -> Withdrawn {
        let entry = opcode::AsyncCancel::new(u64::from(index)).build();
        if self.push(entry, CANCEL).is_err() {
            return Withdrawn::No;
        }
        self.flush();
        if self.is_refused() {
            return Withdrawn::No;
        }
        for _ in 0..LOOKS_MAX {
            match self.take() {
                // It was running: a thread of the kernel's is interrupted.
                Some(0) => return Withdrawn::Soon,
                Some(answer) if answer == -libc::EALREADY => return Withdrawn::Soon,
                Some(_) => return Withdrawn::No,
                None => self.wait_briefly(),
            }
        }
        Withdrawn::No
    }

    fn wait_briefly(&mut self) {
        // Whatever it says: the next look tells.
        let _ = self.ring.wait_briefly(1);
    }

    fn sleep(&mut self) -> Option<Sleep> {
        self.flush();
        Some(Sleep::Ring { fd: self.ring.fd(), complete: 1 })
    }

    fn kick(&mut self) {
        if self.push(opcode::Nop::new().build(), KICK).is_ok() {
            self.flush();
        }
    }

    fn report(&mut self, index: u32) -> Option<bool> {
        self.notified.report(index)
    }

    fn fd(&self) -> Option<RawFd> {
        Some(self.ring.fd())
    }

    fn glance(&mut self) -> Glance {
        let (glance, has_refused) = (self.ring.glance(), self.has_refused.clone());
        Box::new(move || !glance.is_empty() || has_refused.load(Ordering::Relaxed))
    }
}
