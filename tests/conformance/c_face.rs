//! The C face: the exported functions, by their names. Every call also checks what the contract
//! says of all of them: failure is -1 and an errno value, success leaves errno as it was.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use sio::capi::types::{event_data, sio_info as InfoRecord};
use sio::channel::Event;
use sio::error::{Errno, Result};

use super::face::{Face, Got, Info, Parts};
use super::system::Semaphore;

pub struct CFace;

// As in sio.h. Calls that may block are points where a thread can be cancelled.
#[rustfmt::skip]
unsafe extern "C-unwind" {
    fn ec_create(flags: c_uint) -> c_int;
    fn ec_destroy(ec: c_int) -> c_int;
    fn ec_next_event(ec: c_int, d: *mut event_data) -> c_int;
    fn ec_to_fd(ec: c_int) -> c_int;
    fn ec_delay(ec: c_int, tout: *mut libc::timespec) -> c_int;
    fn ec_next_events(ec: c_int, d: *mut event_data, n: c_int) -> c_int;
    fn ec_wait_events(ec: c_int, d: *mut event_data, n: c_int, tout: *const libc::timespec,
                      mask: *const libc::sigset_t) -> c_int;
    fn ec_post(ec: c_int, d: *const event_data) -> c_int;
    fn ec_wake(ec: c_int, n: c_int) -> c_int;
    fn ec_flush(ec: c_int) -> c_int;
    fn ec_add_fd(ec: c_int, fd: c_int, events: c_uint, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_timer(ec: c_int, clock: libc::clockid_t, when: *const libc::itimerspec,
                    flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_mq(ec: c_int, mq: libc::mqd_t, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_signal(ec: c_int, set: *const libc::sigset_t, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_futex(ec: c_int, word: *mut u32, expected: u32, flags: c_uint,
                    cookie: u64) -> c_int;
    fn ec_add_sem(ec: c_int, sem: *mut libc::sem_t, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_process(ec: c_int, pidfd: c_int, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_accept(ec: c_int, listen_fd: c_int, flags: c_uint, cookie: u64) -> c_int;
    fn ec_add_socket(ec: c_int, sock: c_int, flags: c_uint, cookie: u64) -> c_int;
    fn ec_modify(ec: c_int, source: c_int, events: c_uint, flags: c_uint) -> c_int;
    fn ec_remove(ec: c_int, source: c_int) -> c_int;
    fn dma_alloc(handlep: *mut u64, size: usize, flags: c_uint) -> c_int;
    fn dma_free(handle: u64, size: usize) -> c_int;
    fn dma_assoc(sock: c_int, mem: u64, size: usize, flags: c_uint) -> c_int;
    fn dma_disassoc(sock: c_int, mem: u64, size: usize) -> c_int;
    fn dma_base(mem: u64, base: *mut *mut c_void, size: *mut usize) -> c_int;
    fn sio_reserve(dma: u64, memp: *mut *mut c_void, size: usize) -> c_int;
    fn sio_release(dma: u64, mem: *mut c_void, size: usize) -> c_int;
    fn sio_send(sock: c_int, buf: *const c_void, size: usize, flags: c_int) -> c_int;
    fn sio_sendto(sock: c_int, buf: *const c_void, size: usize, flags: c_int,
                  to: *const libc::sockaddr, tolen: libc::socklen_t) -> c_int;
    fn sio_sendmsg(sock: c_int, buf: *const c_void, size: usize, flags: c_int) -> c_int;
    fn sio_recv(sock: c_int, buf: *mut *mut c_void, size: usize, flags: c_int) -> c_int;
    fn sio_recvfrom(sock: c_int, buf: *mut *const c_void, size: usize, flags: c_int,
                    to: *mut libc::sockaddr, tolen: libc::socklen_t) -> c_int;
    fn sio_recvmsg(sock: c_int, buf: *mut *const c_void, size: usize, flags: c_int) -> c_int;
    fn sio_detach(sock: c_int) -> c_int;
    fn sio_info(sock: c_int, info: *mut InfoRecord, size: usize) -> c_int;
}

/// No errno value: a successful call has to leave it.
const UNTOUCHED: i32 = 12_345;

fn errno() -> &'static mut i32 {
    // SAFETY: the C library's own variable of this thread; the reference does not leave it.
    unsafe { &mut *libc::__errno_location() }
}

/// Makes a call and turns its answer into a result.
fn call(call: impl FnOnce() -> c_int) -> Result<i32> {
    *errno() = UNTOUCHED;
    let answer = call();
    let errno = *errno();
    if answer >= 0 {
        assert_eq!(errno, UNTOUCHED, "a successful call set errno");
        return Ok(answer);
    }
    assert_eq!(answer, -1, "failure is -1");
    assert_ne!(errno, UNTOUCHED, "a call failed and did not set errno");
    Err(Errno::from_raw(errno))
}

/// The same for calls that return 0.
fn nothing(function: impl FnOnce() -> c_int) -> Result<()> {
    call(function).map(|answer| assert_eq!(answer, 0))
}

fn number(function: impl FnOnce() -> c_int) -> Result<usize> {
    call(function).map(|answer| answer as usize)
}

fn time(limit: Option<Duration>) -> Option<libc::timespec> {
    limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    })
}

fn pointer<T>(from: Option<&T>) -> *const T {
    from.map_or(ptr::null(), ptr::from_ref)
}

/// A null-terminated text of fixed size.
fn text(from: &[std::ffi::c_char]) -> String {
    let bytes: Vec<u8> = from.iter().map(|&byte| byte as u8).collect();
    CStr::from_bytes_until_nul(&bytes)
        .expect("the text is ended")
        .to_str()
        .expect("the text is UTF-8")
        .to_owned()
}

/// A pointer that no successful call may leave in a result.
const NEVER: *mut c_void = ptr::dangling_mut::<u8>().cast();

fn got(address: *const c_void, count: usize) -> Got {
    assert_ne!(address, NEVER.cast_const(), "a successful call stored no address");
    Got { address: address as usize, count }
}

// SAFETY, for every call below: pointers are null where the contract allows it, or to values that
// outlive the call and are as large as the call is told.
impl Face for CFace {
    fn create(flags: u32) -> Result<RawFd> {
        call(|| unsafe { ec_create(flags) })
    }

    fn destroy(ec: RawFd) -> Result<()> {
        nothing(|| unsafe { ec_destroy(ec) })
    }

    fn next_events(ec: RawFd, room: &mut [Event]) -> Result<usize> {
        let events = room.as_mut_ptr().cast();
        if room.len() == 1 {
            return nothing(|| unsafe { ec_next_event(ec, events) }).map(|()| 1);
        }
        number(|| unsafe { ec_next_events(ec, events, room.len() as c_int) })
    }

    fn to_fd(ec: RawFd) -> Result<RawFd> {
        call(|| unsafe { ec_to_fd(ec) })
    }

    fn delay(ec: RawFd, limit: Option<Duration>) -> Result<()> {
        let mut limit = time(limit);
        let limit = limit.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        nothing(|| unsafe { ec_delay(ec, limit) })
    }

    fn wait_events(ec: RawFd, room: &mut [Event], limit: Option<Duration>) -> Result<usize> {
        let events = room.as_mut_ptr().cast();
        let limit = time(limit);
        let limit = pointer(limit.as_ref());
        number(|| unsafe { ec_wait_events(ec, events, room.len() as c_int, limit, ptr::null()) })
    }

    fn post(ec: RawFd, event: &Event) -> Result<()> {
        nothing(|| unsafe { ec_post(ec, ptr::from_ref(event).cast()) })
    }

    fn wake(ec: RawFd, count: i32) -> Result<()> {
        nothing(|| unsafe { ec_wake(ec, count) })
    }

    fn flush(ec: RawFd) -> Result<()> {
        nothing(|| unsafe { ec_flush(ec) })
    }

    fn add_fd(ec: RawFd, fd: RawFd, events: i16, flags: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_fd(ec, fd, events as c_uint, flags, cookie) })
    }

    fn add_timer(
        ec: RawFd,
        clock: i32,
        when: &libc::itimerspec,
        flags: u32,
        cookie: u64,
    ) -> Result<i32> {
        call(|| unsafe { ec_add_timer(ec, clock, when, flags, cookie) })
    }

    fn add_mq(ec: RawFd, mq: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_mq(ec, mq, flags, cookie) })
    }

    fn add_signal(ec: RawFd, set: &libc::sigset_t, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_signal(ec, set, 0, cookie) })
    }

    fn add_futex(ec: RawFd, word: &AtomicU32, expected: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_futex(ec, word.as_ptr(), expected, 0, cookie) })
    }

    fn add_sem(ec: RawFd, semaphore: &Semaphore, flags: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_sem(ec, semaphore.as_ptr(), flags, cookie) })
    }

    fn add_process(ec: RawFd, pidfd: RawFd, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_process(ec, pidfd, 0, cookie) })
    }

    fn add_accept(ec: RawFd, listener: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_accept(ec, listener, flags, cookie) })
    }

    fn add_socket(ec: RawFd, sock: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        call(|| unsafe { ec_add_socket(ec, sock, flags, cookie) })
    }

    fn modify(ec: RawFd, source: i32, events: i16, flags: u32) -> Result<()> {
        nothing(|| unsafe { ec_modify(ec, source, events as c_uint, flags) })
    }

    fn rearm(ec: RawFd, source: i32, expected: u32) -> Result<()> {
        nothing(|| unsafe { ec_modify(ec, source, expected, 0) })
    }

    fn remove(ec: RawFd, source: i32) -> Result<()> {
        nothing(|| unsafe { ec_remove(ec, source) })
    }

    fn alloc(size: usize, flags: u32) -> Result<u64> {
        let mut area = 0;
        nothing(|| unsafe { dma_alloc(&mut area, size, flags) })?;
        assert_ne!(area, 0, "0 is no area");
        Ok(area)
    }

    fn free(area: u64, size: usize) -> Result<()> {
        nothing(|| unsafe { dma_free(area, size) })
    }

    fn base(area: u64) -> Result<(usize, usize)> {
        let (mut base, mut length) = (NEVER, 0);
        nothing(|| unsafe { dma_base(area, &mut base, &mut length) })?;
        Ok((base as usize, length))
    }

    fn assoc(sock: RawFd, area: u64, size: usize, flags: u32) -> Result<()> {
        nothing(|| unsafe { dma_assoc(sock, area, size, flags) })
    }

    fn disassoc(sock: RawFd, area: u64, size: usize) -> Result<()> {
        nothing(|| unsafe { dma_disassoc(sock, area, size) })
    }

    fn reserve(area: u64, size: usize) -> Result<usize> {
        let mut address = NEVER;
        nothing(|| unsafe { sio_reserve(area, &mut address, size) })?;
        Ok(address as usize)
    }

    fn release(area: u64, address: usize, size: usize) -> Result<()> {
        nothing(|| unsafe { sio_release(area, address as *mut c_void, size) })
    }

    fn send(sock: RawFd, address: usize, size: usize, flags: i32) -> Result<usize> {
        number(|| unsafe { sio_send(sock, address as *const c_void, size, flags) })
    }

    fn send_to(sock: RawFd, address: usize, size: usize, flags: i32, to: &[u8]) -> Result<usize> {
        let (name, length) = (to.as_ptr().cast(), to.len() as libc::socklen_t);
        number(|| unsafe { sio_sendto(sock, address as *const c_void, size, flags, name, length) })
    }

    fn send_message(sock: RawFd, parts: &Parts, flags: i32) -> Result<usize> {
        let mut iovecs: Vec<libc::iovec> = parts
            .parts
            .iter()
            .map(|&(address, size)| libc::iovec { iov_base: address as *mut c_void, iov_len: size })
            .collect();
        let header = libc::msghdr {
            msg_name: parts.name.as_ptr().cast_mut().cast(),
            msg_namelen: parts.name.len() as libc::socklen_t,
            msg_iov: iovecs.as_mut_ptr(),
            msg_iovlen: iovecs.len(),
            msg_control: parts.control.as_ptr().cast_mut().cast(),
            msg_controllen: parts.control.len(),
            msg_flags: 0,
        };
        let pointer = ptr::from_ref(&header).cast();
        number(|| unsafe { sio_sendmsg(sock, pointer, size_of::<libc::msghdr>(), flags) })
    }

    fn receive(sock: RawFd, size: usize, flags: i32) -> Result<Got> {
        let mut address = NEVER;
        let count = number(|| unsafe { sio_recv(sock, &mut address, size, flags) })?;
        Ok(got(address, count))
    }

    fn receive_from(sock: RawFd, size: usize, flags: i32) -> Result<(Got, Vec<u8>)> {
        let mut address = NEVER.cast_const();
        let mut name = vec![0; size_of::<libc::sockaddr_storage>()];
        let (to, room) = (name.as_mut_ptr().cast(), name.len() as libc::socklen_t);
        let count = number(|| unsafe { sio_recvfrom(sock, &mut address, size, flags, to, room) })?;
        name.truncate(super::sockets::address_length(&name));
        Ok((got(address, count), name))
    }

    fn receive_message(sock: RawFd, flags: i32) -> Result<Got> {
        let mut address = NEVER.cast_const();
        let size = size_of::<libc::msghdr>();
        let count = number(|| unsafe { sio_recvmsg(sock, &mut address, size, flags) })?;
        Ok(got(address, count))
    }

    fn detach(sock: RawFd) -> Result<()> {
        nothing(|| unsafe { sio_detach(sock) })
    }

    fn info(sock: RawFd) -> Result<Info> {
        // SAFETY: any bytes are a record.
        let mut record: InfoRecord = unsafe { std::mem::zeroed() };
        nothing(|| unsafe { sio_info(sock, &mut record, size_of::<InfoRecord>()) })?;
        assert_eq!(record.si_size as usize, size_of::<InfoRecord>());
        Ok(Info {
            engine: text(&record.si_engine),
            reason: text(&record.si_reason),
            sent: record.si_sent_bytes,
            sent_copied: record.si_sent_copied_bytes,
            received: record.si_received_bytes,
            received_copied: record.si_received_copied_bytes,
        })
    }
}
