//! What need not wait is done at once, by the thread that asks for it: that is several times
//! faster than any way to have it done by somebody else.
//!
//! Nothing is done here that could block for long, or that has to wait for requests before it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::kind::{self, Kind};
use super::lanes::Key;
use super::request::{Operation, Request, Rest, Route, Stream};
use super::{device, queue, socket};
use crate::error::{Errno, Result};
use crate::sys::poll;
use crate::sys::tally::{self, Way};
use crate::sys::transfer::{self, Memory, NO_OFFSET};

/// Larger transfers take long enough to be worth another thread.
const INLINE_BYTES_MAX: usize = 128 * 1024;
/// Whoever begins so many requests without asking for a result has other things to do: those that
/// follow are left to the backend, so that the calls do not add up to a long wait.
const BURST_MAX: u32 = 64;

/// Requests that were done here since somebody asked for a result.
static BURST: AtomicU32 = AtomicU32::new(0);

/// Somebody asks for a result.
pub fn asked() {
    // Looked at first: several threads may ask at once.
    if BURST.load(Ordering::Relaxed) != 0 {
        BURST.store(0, Ordering::Relaxed);
    }
}

pub enum Outcome {
    Done(Result<usize>),
    Rest(Rest),
}

fn rest(route: Route) -> Outcome {
    Outcome::Rest(Rest { route, done: 0 })
}

/// Does what can be done at once. `Err` is the result of the request.
pub fn attempt(request: &Request) -> Outcome {
    let is_sync = matches!(request.operation, Operation::Sync { .. });
    let outcome =
        if !is_sync && (request.offset < 0 || isize::try_from(request.memory.length).is_err()) {
            Err(Errno::EINVAL)
        } else if let Some(outcome) = device::attempt(request) {
            return outcome;
        } else {
            match request.operation {
                Operation::Sync { .. } => Ok(rest(Route::Sync)),
                Operation::Call(call) => socket::attempt(request, call),
                Operation::Read => read(request),
                Operation::Write => write(request),
            }
        };
    let outcome = outcome.unwrap_or_else(|errno| Outcome::Done(Err(errno)));
    if matches!(outcome, Outcome::Done(_)) {
        // One that is lost among several threads does not matter.
        BURST.store(BURST.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        tally::add(Way::AtOnce);
    }
    outcome
}

/// Whether it is worth trying here.
fn is_small(memory: Memory) -> bool {
    memory.length <= INLINE_BYTES_MAX && BURST.load(Ordering::Relaxed) < BURST_MAX
}

fn read(request: &Request) -> Result<Outcome> {
    let Request { fd, memory, offset, .. } = *request;
    let is_small = is_small(memory);
    if is_small && kind::was_in_memory(fd) {
        match transfer::read_file(fd, memory, offset) {
            // What has no offsets, knows no flags, or waits: no file in memory.
            Err(
                Errno::ESPIPE | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EAGAIN | Errno::EINTR,
            ) => {
                kind::forget(fd);
            }
            outcome => return outcome.map(|count| Outcome::Done(Ok(count))),
        }
    } else if is_small && kind::is_still_in_memory(fd) {
        return transfer::read_at(fd, memory, offset).map(|count| Outcome::Done(Ok(count)));
    }
    if is_small && kind::was_plain(fd) {
        // What the page cache has is the same with any flags.
        if let Some(outcome) = read_known(request)? {
            return Ok(outcome);
        }
    }
    let flags = transfer::open_flags(fd)?;
    if is_direct_file(flags) {
        return Ok(rest(Route::File { offload: false }));
    }
    if !is_small {
        return read_unknown(request, flags, is_small);
    }
    match read_known(request)? {
        Some(outcome) => {
            kind::remember_flags(fd, flags);
            Ok(outcome)
        }
        None => read_unknown(request, flags, is_small),
    }
}

/// Reads from a file that can be asked for what the page cache has; `None`: it cannot.
fn read_known(request: &Request) -> Result<Option<Outcome>> {
    match read_cached(request) {
        Ok((done, true)) => Ok(Some(Outcome::Done(Ok(done)))),
        Ok((done, false)) => {
            Ok(Some(Outcome::Rest(Rest { route: Route::File { offload: false }, done })))
        }
        Err(Errno::EOPNOTSUPP | Errno::ESPIPE | Errno::ENOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// With O_DIRECT, a pipe is one of packets. But pipes are not opened by name, as everything with
/// O_LARGEFILE is, which the kernel sets.
fn is_direct_file(flags: i32) -> bool {
    // The kernel's; the C library has it as 0.
    let large_file = if cfg!(target_arch = "aarch64") { 0o400_000 } else { 0o100_000 };
    flags & libc::O_DIRECT != 0 && flags & large_file != 0
}

/// Reads what the page cache has: how much, and whether that is all.
fn read_cached(request: &Request) -> Result<(usize, bool)> {
    let Request { fd, memory, offset, .. } = *request;
    let mut done = 0;
    while done < memory.length || done == 0 {
        let answer = if memory.length == 0 {
            // The other call does not ask the file then.
            transfer::read_at(fd, memory, offset)
        } else {
            transfer::read_now(fd, memory.skip(done), offset + done as i64)
        };
        match answer {
            // The end of the file, or nothing was asked for.
            Ok(0) => return Ok((done, true)),
            Ok(count) => done += count,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok((done, false)),
            // What has been read stands; the error is for whoever asks for what follows.
            Err(_) if done > 0 => return Ok((done, true)),
            Err(errno) => return Err(errno),
        }
    }
    Ok((done, true))
}

/// Reads where the page cache alone does not answer.
fn read_unknown(request: &Request, flags: i32, is_small: bool) -> Result<Outcome> {
    let Request { fd, memory, offset, .. } = *request;
    let (kind, identity) = kind::of(fd)?;
    let is_direct = flags & libc::O_DIRECT != 0;
    let stream = match kind {
        Kind::Memory if is_small => {
            kind::remember(fd);
            return transfer::read_at(fd, memory, offset).map(|count| Outcome::Done(Ok(count)));
        }
        Kind::Directory => {
            return transfer::read_at(fd, memory, offset).map(|count| Outcome::Done(Ok(count)));
        }
        Kind::Memory | Kind::Cached | Kind::File => {
            return Ok(rest(Route::File {
                offload: !is_direct && memory.length > INLINE_BYTES_MAX,
            }));
        }
        Kind::Socket => Stream::Socket,
        Kind::Pipe => Stream::Pipe,
        // Nothing is read, but the kernel says what kind of file it is.
        Kind::Other => match transfer::read_at(fd, Memory { length: 0, ..memory }, offset) {
            Err(Errno::ESPIPE) => Stream::Other,
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(rest(Route::File { offload: false })),
        },
    };
    read_stream(request, stream, flags, lane(request, kind, &identity))
}

/// Where order matters. Counters and the like share one inode, and have none.
fn lane(request: &Request, kind: Kind, identity: &transfer::Identity) -> Option<Key> {
    let has_lane = kind != Kind::Other || identity.kind() != 0;
    has_lane.then(|| Key::new(request.fd, identity, request.operation == Operation::Write))
}

fn read_stream(
    request: &Request,
    stream: Stream,
    flags: i32,
    lane: Option<Key>,
) -> Result<Outcome> {
    let Request { fd, memory, .. } = *request;
    let later = rest(Route::Stream { stream, lane });
    if queue::is_occupied(lane) {
        return Ok(later);
    }
    if flags & libc::O_NONBLOCK != 0 {
        return transfer::read(fd, memory).map(|count| Outcome::Done(Ok(count)));
    }
    let answer = read_stream_now(fd, stream, memory);
    match answer {
        Ok(count) => Ok(Outcome::Done(Ok(count))),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(later),
        Err(errno) => Err(errno),
    }
}

/// Reads what is there. `EOPNOTSUPP`: this file cannot say.
pub fn read_stream_now(fd: i32, stream: Stream, memory: Memory) -> Result<usize> {
    match stream {
        // recv(2) of nothing may wait.
        Stream::Socket if memory.length > 0 => transfer::receive_now(fd, memory),
        _ => transfer::read_now(fd, memory, NO_OFFSET),
    }
}

fn write(request: &Request) -> Result<Outcome> {
    let Request { fd, memory, offset, .. } = *request;
    let is_small = is_small(memory);
    // With nothing in any lane, it does not matter if the file has been set to append.
    if is_small && queue::is_idle() {
        if kind::was_in_memory(fd) || kind::was_plain(fd) && kind::was_cached(fd) {
            match transfer::write_at(fd, memory, offset) {
                // What has no offsets, or waits: no such file any more.
                Err(Errno::ESPIPE | Errno::EAGAIN | Errno::EINTR) => kind::forget(fd),
                outcome => return outcome.map(|count| Outcome::Done(Ok(count))),
            }
        } else if kind::is_still_in_memory(fd) {
            return transfer::write_at(fd, memory, offset).map(|count| Outcome::Done(Ok(count)));
        }
    }
    let flags = transfer::open_flags(fd)?;
    if is_direct_file(flags) && flags & libc::O_APPEND == 0 {
        return Ok(rest(Route::File { offload: false }));
    }
    let (kind, identity) = kind::of(fd)?;
    if kind == Kind::Cached {
        kind::remember_cached(fd, flags);
    }
    let offload = memory.length > INLINE_BYTES_MAX && flags & libc::O_DIRECT == 0;
    let stream = match kind {
        Kind::Memory | Kind::Cached | Kind::File | Kind::Directory => {
            let lane = Key::new(fd, &identity, true);
            let is_append = flags & libc::O_APPEND != 0;
            if is_append && queue::is_occupied(Some(lane)) {
                return Ok(rest(Route::Append { lane }));
            }
            let route = if is_append { Route::Append { lane } } else { Route::File { offload } };
            const SYNCHRONOUS: i32 = libc::O_DIRECT | libc::O_SYNC | libc::O_DSYNC;
            if !is_small || flags & SYNCHRONOUS != 0 {
                return Ok(rest(route));
            }
            match write_cached(request, kind, route) {
                // Many files of proc(5) have an offset for reading only.
                Err(Errno::ESPIPE) => return write_stream(request, Stream::Other, flags, None),
                outcome => return outcome,
            }
        }
        Kind::Socket => Stream::Socket,
        Kind::Pipe => Stream::Pipe,
        Kind::Other => match transfer::write_now(fd, memory, offset) {
            Ok(count) => return Ok(Outcome::Done(Ok(count))),
            Err(Errno::ESPIPE) => Stream::Other,
            // Some never say that there is room, as /dev/kmsg, and the ring would wait for that.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) if poll::now(fd, libc::POLLOUT) == Ok(0) => {
                return transfer::write_at(fd, memory, offset)
                    .map(|count| Outcome::Done(Ok(count)));
            }
            Err(Errno::EAGAIN | Errno::EINTR | Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                return Ok(rest(Route::File { offload }));
            }
            Err(errno) => return Err(errno),
        },
    };
    write_stream(request, stream, flags, lane(request, kind, &identity))
}

/// Into the page cache, or into memory that is all there is.
fn write_cached(request: &Request, kind: Kind, route: Route) -> Result<Outcome> {
    let Request { fd, memory, offset, .. } = *request;
    if kind == Kind::Memory {
        kind::remember(fd);
    }
    if kind != Kind::File {
        return transfer::write_at(fd, memory, offset).map(|count| Outcome::Done(Ok(count)));
    }
    match transfer::write_now(fd, memory, offset) {
        Ok(done) if done < memory.length => Ok(Outcome::Rest(Rest { route, done })),
        Ok(done) => Ok(Outcome::Done(Ok(done))),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(rest(route)),
        Err(errno) => Err(errno),
    }
}

fn write_stream(
    request: &Request,
    stream: Stream,
    flags: i32,
    lane: Option<Key>,
) -> Result<Outcome> {
    let Request { fd, memory, .. } = *request;
    let route = Route::Stream { stream, lane };
    if queue::is_occupied(lane) {
        return Ok(rest(route));
    }
    let is_nonblocking = flags & libc::O_NONBLOCK != 0;
    match write_stream_now(fd, stream, memory, is_nonblocking) {
        Ok(done) if done < memory.length && !is_nonblocking => {
            Ok(Outcome::Rest(Rest { route, done }))
        }
        Ok(done) => Ok(Outcome::Done(Ok(done))),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::EOPNOTSUPP | Errno::ENOSYS)
            if !is_nonblocking =>
        {
            Ok(rest(route))
        }
        Err(errno) => Err(errno),
    }
}

/// Writes what there is room for, without a signal. `EOPNOTSUPP`: this file cannot say.
pub fn write_stream_now(
    fd: i32,
    stream: Stream,
    memory: Memory,
    is_nonblocking: bool,
) -> Result<usize> {
    match stream {
        Stream::Socket => transfer::send_now(fd, memory),
        Stream::Pipe | Stream::Other => transfer::without_broken_pipe_signal(memory.length, || {
            if is_nonblocking {
                transfer::write(fd, memory)
            } else {
                transfer::write_now(fd, memory, NO_OFFSET)
            }
        }),
    }
}
