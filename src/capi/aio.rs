//! Asynchronous requests. Source: POSIX, "Asynchronous I/O"; the talk, "New Interfaces", which
//! builds on it.
//!
//! The names with 64 are the same functions: offsets have 64 bits wherever this library runs.

use std::ffi::{c_int, c_void};

use libc::{aiocb, sigevent, timespec};

use super::types::SIGEV_EC;
use super::{convert, guard};
use crate::api::aio::{self, Cancelled, Listing, Notification, Operation, Request, Wait};
use crate::error::{Errno, Result};
use crate::sys::control::{Asked, Control, SigEvent};
use crate::sys::notify::{self, Callback};

/// As `sysconf(_SC_AIO_PRIO_DELTA_MAX)` says.
const PRIORITY_MAX: i32 = 20;

/// Why there is no request.
enum Wrong {
    /// Told by the block alone.
    Block,
    /// Told by the call, too.
    Call(Errno),
}

/// How the program wants to hear of the end: of a request, or of the list at this address. What the
/// C library does not know means nothing, here as there: programs leave it unset.
fn notification(event: &SigEvent, list: Option<usize>) -> std::result::Result<Notification, Wrong> {
    let thread = (event.notify == libc::SIGEV_THREAD_ID).then_some(event.rest[0] as i32);
    match event.notify {
        // Blocks that were only cleared ask for the signal 0, which is none.
        libc::SIGEV_SIGNAL | libc::SIGEV_THREAD_ID if event.signal == 0 => Ok(Notification::None),
        libc::SIGEV_SIGNAL | libc::SIGEV_THREAD_ID if !notify::is_signal(event.signal) => {
            Err(Wrong::Block)
        }
        libc::SIGEV_SIGNAL | libc::SIGEV_THREAD_ID => {
            Ok(Notification::Signal { signal: event.signal, value: event.value, thread })
        }
        libc::SIGEV_THREAD if event.rest[0] != 0 => {
            let (function, attributes) = (event.rest[0] as usize, event.rest[1] as usize);
            // SAFETY: the program says that these are a function and attributes.
            Ok(Notification::Call(unsafe { Callback::new(function, attributes, event.value) }))
        }
        SIGEV_EC => aio::event(event.channel(), event.value as u64, list).map_err(Wrong::Call),
        _ => Ok(Notification::None),
    }
}

fn request(
    control: Control,
    asked: &Asked,
    bytes: usize,
    operation: Operation,
) -> std::result::Result<Request, Wrong> {
    Ok(Request {
        control,
        operation,
        fd: asked.descriptor,
        memory: asked.memory(),
        bytes,
        offset: asked.offset,
        notification: notification(&asked.event, None)?,
        group: None,
    })
}

impl Wrong {
    /// By the block, and by the call if that is to be.
    fn tell(self, control: Control) -> Result<()> {
        let (errno, answer) = match self {
            Self::Block => (Errno::EINVAL, Ok(())),
            Self::Call(errno) => (errno, Err(errno)),
        };
        control.finish(Err(errno));
        answer
    }
}

/// `EINVAL` for a priority that there is not, which the block tells, too.
pub(super) fn check_priority(control: Control, asked: &Asked) -> Result<()> {
    if (0..=PRIORITY_MAX).contains(&asked.priority) {
        return Ok(());
    }
    control.finish(Err(Errno::EINVAL));
    Err(Errno::EINVAL)
}

/// Begins a request for so many bytes.
pub(super) fn begin(
    control: Control,
    asked: &Asked,
    bytes: usize,
    operation: Operation,
) -> Result<()> {
    match request(control, asked, bytes, operation) {
        Ok(request) => aio::submit(&request),
        Err(wrong) => wrong.tell(control),
    }
}

/// # Safety
/// As aio_read.
unsafe fn transfer(aiocbp: *mut aiocb, operation: Operation) -> c_int {
    guard::fast(|| {
        // SAFETY: by the contract of this function.
        let control = unsafe { Control::new(aiocbp) }?;
        let asked = control.asked();
        check_priority(control, &asked)?;
        begin(control, &asked, asked.length, operation).map(|()| 0)
    })
}

/// Begins to read. See aio(7) and aio_read(3).
///
/// `aiocbp` points to a control block that stays valid, with its buffer, until the request has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_read(aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { transfer(aiocbp, Operation::Read) }
}

/// Begins to write. See aio(7) and aio_write(3).
///
/// `aiocbp` is as aio_read has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_write(aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { transfer(aiocbp, Operation::Write) }
}

/// Begins to bring what was written before onto the disk. See aio(7) and aio_fsync(3).
///
/// `aiocbp` is as aio_read has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_fsync(op: c_int, aiocbp: *mut aiocb) -> c_int {
    guard::fast(|| {
        let data_only = match op {
            libc::O_DSYNC => true,
            libc::O_SYNC => false,
            _ => return Err(Errno::EINVAL),
        };
        // SAFETY: by the contract of this function.
        let control = unsafe { Control::new(aiocbp) }?;
        let asked = control.asked();
        crate::sys::transfer::open_flags(asked.descriptor)?;
        control.clear_priority();
        begin(control, &asked, asked.length, Operation::Sync { data_only }).map(|()| 0)
    })
}

/// The error of a request, 0, or EINPROGRESS. Async-signal-safe. See aio(7) and aio_error(3).
///
/// `aiocbp` points to a control block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_error(aiocbp: *const aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    let error = match unsafe { Control::new(aiocbp.cast_mut()) } {
        Ok(control) => control.error(),
        Err(errno) => return guard::fast(|| Err(errno)),
    };
    aio::asked();
    if error == libc::EINPROGRESS {
        // What is found is for the next call: this one tells what was so when it was made.
        guard::fast(|| {
            aio::poke();
            Ok(0)
        });
    }
    error
}

/// The result of a request that has ended. Async-signal-safe. See aio(7) and aio_return(3).
///
/// `aiocbp` points to a control block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_return(aiocbp: *mut aiocb) -> isize {
    // SAFETY: by the contract of this function.
    match unsafe { Control::new(aiocbp) } {
        Ok(control) => control.result(),
        Err(errno) => guard::fast(|| Err(errno)) as isize,
    }
}

/// # Safety
/// `list` is null or points to `count` pointers, each null or to a control block.
unsafe fn blocks<'a>(list: *const *mut aiocb, count: c_int) -> Result<&'a [Option<Control>]> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count == 0 {
        return Ok(&[]);
    }
    convert::not_null(list)?;
    // SAFETY: by the contract of this function; a Control is a pointer that is not null.
    Ok(unsafe { std::slice::from_raw_parts(list.cast(), count) })
}

/// Waits until one of the requests has ended. Async-signal-safe. See aio(7) and aio_suspend(3).
///
/// `list` points to `nent` pointers, each null or to a control block; `timeout` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn aio_suspend(
    list: *const *const aiocb,
    nent: c_int,
    timeout: *const timespec,
) -> c_int {
    guard::blocking(
        || {
            // SAFETY: by the contract of this function.
            let (blocks, terms) =
                unsafe { (blocks(list.cast(), nent)?, convert::terms(timeout, std::ptr::null())?) };
            Ok(Wait::for_any(blocks, terms))
        },
        |()| Ok(0),
    )
}

/// Cancels a request, or all of a descriptor. See aio(7) and aio_cancel(3).
///
/// `aiocbp` is null or points to a control block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_cancel(fildes: c_int, aiocbp: *mut aiocb) -> c_int {
    guard::number(|| {
        // SAFETY: by the contract of this function.
        let control = unsafe { Control::new(aiocbp) }.ok();
        Ok(match aio::cancel(fildes, control)? {
            Cancelled::All => libc::AIO_CANCELED,
            Cancelled::NotAll => libc::AIO_NOTCANCELED,
            Cancelled::Done => libc::AIO_ALLDONE,
        })
    })
}

/// What there is to do of a list.
struct Listed {
    requests: Vec<Request>,
    /// How many there are, with those that are wrong.
    count: usize,
    /// Why one was not even looked at.
    refusal: Option<Errno>,
}

impl Listed {
    fn new(blocks: &[Option<Control>]) -> Self {
        let mut listed =
            Self { requests: Vec::with_capacity(blocks.len()), count: 0, refusal: None };
        for control in blocks.iter().flatten() {
            let asked = control.asked();
            if asked.opcode == libc::LIO_NOP {
                continue;
            }
            listed.count += 1;
            if let Err(errno) = check_priority(*control, &asked) {
                listed.refusal = Some(errno);
                continue;
            }
            let operation = match asked.opcode {
                libc::LIO_READ => Ok(Operation::Read),
                libc::LIO_WRITE => Ok(Operation::Write),
                _ => Err(Wrong::Block),
            };
            match operation.and_then(|operation| request(*control, &asked, asked.length, operation))
            {
                Ok(request) => listed.requests.push(request),
                Err(wrong) => listed.refusal = wrong.tell(*control).err().or(listed.refusal),
            }
        }
        listed
    }
}

/// Begins several requests, and waits for them or has their end told. See aio(7) and lio_listio(3).
///
/// `list` points to `nent` pointers, each null or to a control block as aio_read has it; `sig` is
/// null or points to a sigevent.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn lio_listio(
    mode: c_int,
    list: *const *mut aiocb,
    nent: c_int,
    sig: *mut sigevent,
) -> c_int {
    let awaited = mode == libc::LIO_WAIT;
    let mut refusal = None;
    let mut waiting = None;
    let begun = guard::fast(|| {
        if !awaited && mode != libc::LIO_NOWAIT {
            return Err(Errno::EINVAL);
        }
        // SAFETY: by the contract of this function.
        let (blocks, event) = unsafe { (blocks(list, nent)?, sig.cast::<SigEvent>().as_ref()) };
        let told = match event {
            Some(event) if !awaited => {
                notification(event, Some(list.addr())).map_err(|wrong| match wrong {
                    Wrong::Block => Errno::EINVAL,
                    Wrong::Call(errno) => errno,
                })?
            }
            _ => Notification::None,
        };
        let mut listed = Listed::new(blocks);
        let listing = Listing { notification: told, requests: listed.count, is_awaited: awaited };
        let begun = aio::list(&mut listed.requests, listing);
        refusal = listed.refusal.or(begun.refusal);
        waiting = begun.waiting.map(Wait::from);
        match refusal {
            // Nothing is under way that would have to be waited for.
            Some(errno) if !awaited || listed.requests.is_empty() => Err(errno),
            _ => Ok(0),
        }
    });
    if begun != 0 {
        return begun;
    }
    if let Some(waiting) = waiting {
        let ended = guard::blocking(|| Ok(waiting), |()| Ok(0));
        if ended != 0 {
            return ended;
        }
    }
    guard::fast(|| {
        // SAFETY: by the contract of this function.
        let blocks = unsafe { blocks(list, nent) }?;
        let has_failed =
            |control: &Control| control.asked().opcode != libc::LIO_NOP && control.error() != 0;
        if awaited && (refusal.is_some() || blocks.iter().flatten().any(has_failed)) {
            return Err(Errno::EIO);
        }
        Ok(0)
    })
}

/// A hint of the C library's that means nothing here: there are no threads to be set up.
///
/// `init` is not looked at.
#[unsafe(no_mangle)]
pub extern "C" fn aio_init(_init: *const c_void) {}
