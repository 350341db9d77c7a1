//! The control block of an asynchronous request: `struct aiocb` of aio(7), in the layout of the C
//! library, so that programs which were built without libsio fit.
//!
//! The members that the C library keeps for itself are ours: the result, the error code, which is
//! written last and says that the result is there, and a ticket by which the request is found.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicIsize, AtomicU32, AtomicU64, Ordering};

use super::annotate;
use super::transfer::Memory;
use crate::error::{Errno, Result};

/// `struct sigevent`, in the layout of the C library.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SigEvent {
    pub value: usize,
    pub signal: i32,
    pub notify: i32,
    /// The thread's number, or function and attributes, or a channel.
    pub rest: [u64; 6],
}

impl SigEvent {
    /// `sigev_ec`.
    pub fn channel(&self) -> i32 {
        let [first, second, third, fourth, ..] = self.rest[2].to_ne_bytes();
        i32::from_ne_bytes([first, second, third, fourth])
    }
}

/// `struct aiocb`.
#[repr(C)]
pub struct Block {
    descriptor: i32,
    opcode: i32,
    priority: i32,
    buffer: usize,
    length: usize,
    event: SigEvent,
    /// `__next_prio`, `__abs_prio` and `__policy`.
    ticket_number: AtomicU64,
    ticket_slot: AtomicU32,
    _policy: i32,
    /// `__error_code` and `__return_value`.
    error: AtomicI32,
    result: AtomicIsize,
    offset: i64,
    /// Of `struct aio_cb`, in room that the C library leaves free.
    message: usize,
    _reserved: [u64; 3],
}

const _: () = {
    assert!(size_of::<SigEvent>() == size_of::<libc::sigevent>());
    assert!(offset_of!(SigEvent, signal) == offset_of!(libc::sigevent, sigev_signo));
    assert!(offset_of!(SigEvent, notify) == offset_of!(libc::sigevent, sigev_notify));
    assert!(offset_of!(SigEvent, rest) == offset_of!(libc::sigevent, sigev_notify_thread_id));
    assert!(size_of::<Block>() == size_of::<libc::aiocb>());
    assert!(offset_of!(Block, descriptor) == offset_of!(libc::aiocb, aio_fildes));
    assert!(offset_of!(Block, opcode) == offset_of!(libc::aiocb, aio_lio_opcode));
    assert!(offset_of!(Block, priority) == offset_of!(libc::aiocb, aio_reqprio));
    assert!(offset_of!(Block, buffer) == offset_of!(libc::aiocb, aio_buf));
    assert!(offset_of!(Block, length) == offset_of!(libc::aiocb, aio_nbytes));
    assert!(offset_of!(Block, event) == offset_of!(libc::aiocb, aio_sigevent));
    assert!(offset_of!(Block, offset) == offset_of!(libc::aiocb, aio_offset));
    assert!(size_of::<usize>() != 8 || offset_of!(Block, message) == 136);
};

/// What the program has written into the block.
#[derive(Clone, Copy)]
pub struct Asked {
    pub descriptor: i32,
    pub opcode: i32,
    pub priority: i32,
    pub address: usize,
    pub length: usize,
    pub offset: i64,
    pub event: SigEvent,
}

impl Asked {
    pub fn memory(&self) -> Memory {
        Memory { address: self.address, length: self.length }
    }
}

/// Where a request stands in our books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub number: u64,
    pub slot: u32,
}

/// A control block of the program's. It stays where it is until the request has ended.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Control(NonNull<Block>);

// SAFETY: what both sides touch is atomic; the rest is read before the request is under way.
unsafe impl Send for Control {}
// SAFETY: as above.
unsafe impl Sync for Control {}

impl Control {
    /// `EFAULT` for null.
    ///
    /// # Safety
    /// A `struct aiocb` that stays valid until a request begun with it has ended.
    pub unsafe fn new(pointer: *mut libc::aiocb) -> Result<Self> {
        NonNull::new(pointer.cast::<Block>()).map(Self).ok_or(Errno::EFAULT)
    }

    fn block(&self) -> &Block {
        // SAFETY: valid by the contract of new(); our own members are atomic, the others are not
        // changed by anybody while a call of the program's that names the block is under way.
        unsafe { self.0.as_ref() }
    }

    pub fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    pub fn asked(&self) -> Asked {
        let block = self.block();
        Asked {
            descriptor: block.descriptor,
            opcode: block.opcode,
            priority: block.priority,
            address: block.buffer,
            length: block.length,
            offset: block.offset,
            event: block.event,
        }
    }

    /// `msg_hdr`, which only a `struct aio_cb` has.
    pub fn message(&self) -> usize {
        self.block().message
    }

    pub fn descriptor(&self) -> i32 {
        self.block().descriptor
    }

    /// `aio_error`: what is read after 0 was seen here was written before.
    pub fn error(&self) -> i32 {
        let error = self.block().error.load(Ordering::Acquire);
        annotate::acquired(self.address());
        error
    }

    pub fn is_in_progress(&self) -> bool {
        self.error() == libc::EINPROGRESS
    }

    /// `aio_return`.
    pub fn result(&self) -> isize {
        self.block().result.load(Ordering::Relaxed)
    }

    /// A request is under way from now on.
    pub fn begin(&self) {
        let block = self.block();
        block.result.store(0, Ordering::Relaxed);
        block.error.store(libc::EINPROGRESS, Ordering::Release);
    }

    /// It has ended. Afterwards the block is the program's: nothing of it may be touched.
    pub fn finish(self, outcome: Result<usize>) {
        let (result, error) = match outcome {
            Ok(count) => (count as isize, 0),
            Err(errno) => (-1, errno as i32),
        };
        let block = self.block();
        // Who sees the end sees what a driver in the program has written.
        annotate::released(self.address());
        if annotate::is_under_valgrind() {
            block.result.swap(result, Ordering::Relaxed);
            block.error.swap(error, Ordering::Release);
        } else {
            block.result.store(result, Ordering::Relaxed);
            block.error.store(error, Ordering::Release);
        }
    }

    pub fn set_ticket(&self, ticket: Ticket) {
        let block = self.block();
        block.ticket_number.store(ticket.number, Ordering::Relaxed);
        block.ticket_slot.store(ticket.slot, Ordering::Relaxed);
    }

    /// Means something only if our books say the same.
    pub fn ticket(&self) -> Ticket {
        let block = self.block();
        Ticket {
            number: block.ticket_number.load(Ordering::Relaxed),
            slot: block.ticket_slot.load(Ordering::Relaxed),
        }
    }

    /// The C library writes this, too: the synchronisation of a file has no priority.
    pub fn clear_priority(&self) {
        // SAFETY: an aligned member of a valid block, which is the program's to lend us.
        unsafe { (&raw mut (*self.0.as_ptr()).priority).write(0) };
    }
}
