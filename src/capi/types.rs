//! Types and constants of `sio.h`, with their layouts asserted where they are declared.
#![allow(non_camel_case_types)]

use std::ffi::{c_int, c_void};

use crate::channel::Event;
use crate::sys::tally::Counts;

/// An event channel: a file descriptor. The talk, "Event Handling Solutions"; its author later
/// found that it is better a descriptor.
pub type ec_t = c_int;

/// A DMA area: a handle, never a pointer; 0 is none. The talk, "Proposed Memory Interfaces".
pub type dma_mem_t = u64;

/// One event. ec(7) tells what each member means for each type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct event_data {
    /// EC_EV_FD, EC_EV_RECV, ...
    pub ev_type: i32,
    /// What identifies the source: descriptor, signal number, ...
    pub ev_fd: i32,
    /// The program's, from registration.
    pub ev_cookie: u64,
    /// Bytes, readiness mask, count, status; -1 on failure.
    pub ev_result: i64,
    /// 0 or the error.
    pub ev_errno: i32,
    /// EC_F_COPIED, EC_F_EOF, ...
    pub ev_flags: u32,
    /// The buffer, the control block, ...
    pub ev_ptr: *mut c_void,
    /// Its length in bytes.
    pub ev_len: usize,
    /// The source id, -1 where there is none.
    pub ev_source: i32,
    pub ev_pad: i32,
    pub ev_reserved: u64,
}

/// The talk's name of it.
pub type event_data_t = event_data;

/// What a socket really uses, and what it has done so far. May grow: the size is passed along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sio_info {
    /// Bytes that were filled in.
    pub si_size: u32,
    /// SIO_INFO_ZC_SEND, ...
    pub si_flags: u32,
    /// The engine in use: "io_uring", "epoll", ...
    pub si_engine: [std::ffi::c_char; 16],
    /// Why the preferred engine is not, or "".
    pub si_reason: [std::ffi::c_char; 104],
    pub si_sent_bytes: u64,
    pub si_received_bytes: u64,
    pub si_sent_copied_bytes: u64,
    pub si_received_copied_bytes: u64,
    /// Sends that have ended, pieces or messages that were received.
    pub si_sends: u64,
    pub si_receives: u64,
    /// Sends that were not accepted for want of room, and those that failed later.
    pub si_refused_sends: u64,
    pub si_failed_sends: u64,
}

/// Requests of POSIX AIO, counted as they are made. May grow: the size is passed along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sio_aio_counts {
    /// Done in the call that made them.
    pub sc_at_once: u64,
    /// Given to the kernel's ring.
    pub sc_by_ring: u64,
    /// Given to threads of the library's.
    pub sc_by_threads: u64,
    /// What does those that are not done at once: "io_uring", "epoll" for threads, or "".
    pub sc_engine: [std::ffi::c_char; 16],
    /// Why the preferred engine does not, or "".
    pub sc_reason: [std::ffi::c_char; 104],
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<event_data>() == 64 && align_of::<event_data>() == 8);
    assert!(size_of::<Event>() == size_of::<event_data>());
    assert!(align_of::<Event>() == align_of::<event_data>());
    assert!(offset_of!(event_data, ev_type) == offset_of!(Event, kind));
    assert!(offset_of!(event_data, ev_fd) == offset_of!(Event, fd));
    assert!(offset_of!(event_data, ev_cookie) == offset_of!(Event, cookie));
    assert!(offset_of!(event_data, ev_result) == offset_of!(Event, result));
    assert!(offset_of!(event_data, ev_errno) == offset_of!(Event, errno));
    assert!(offset_of!(event_data, ev_flags) == offset_of!(Event, flags));
    assert!(offset_of!(event_data, ev_ptr) == offset_of!(Event, pointer));
    assert!(offset_of!(event_data, ev_len) == offset_of!(Event, length));
    assert!(offset_of!(event_data, ev_source) == offset_of!(Event, source));
    assert!(offset_of!(event_data, ev_pad) == offset_of!(Event, pad));
    assert!(offset_of!(event_data, ev_reserved) == offset_of!(Event, reserved));
    assert!(size_of::<sio_info>() == 192);
    assert!(size_of::<sio_aio_counts>() == 144 && size_of::<Counts>() == 144);
    assert!(offset_of!(sio_aio_counts, sc_engine) == offset_of!(Counts, engine));
    assert!(offset_of!(sio_aio_counts, sc_reason) == offset_of!(Counts, reason));
};

/// The notification of aio_read, lio_listio, timer_create and mq_notify: an event for the channel
/// sigev_ec.
pub const SIGEV_EC: c_int = 16;

/// A `struct sigevent` with SIGEV_EC. Where others have a function, its attributes and then room
/// for what is to come, this one has the channel, in that room.
#[repr(C)]
pub struct ChannelEvent {
    pub sigev_value: usize,
    sigev_signo: c_int,
    pub sigev_notify: c_int,
    function: usize,
    attributes: usize,
    pub sigev_ec: ec_t,
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(ChannelEvent, sigev_value) == offset_of!(libc::sigevent, sigev_value));
    assert!(offset_of!(ChannelEvent, sigev_notify) == offset_of!(libc::sigevent, sigev_notify));
    assert!(size_of::<usize>() != 8 || offset_of!(ChannelEvent, sigev_ec) == 32);
    assert!(size_of::<ChannelEvent>() <= size_of::<libc::sigevent>());
};

/// ec_create: only the creating thread will use the channel and its sockets.
pub const EC_SINGLE: u32 = 0x1;

/// ec_add_timer: the time is absolute; the value of TIMER_ABSTIME.
pub const EC_ABSTIME: u32 = 0x1;
/// ec_add_timer: tell when the clock is set; the value of TFD_TIMER_CANCEL_ON_SET.
pub const EC_CANCEL_ON_SET: u32 = 0x2;
/// One event for each change, not for each state.
pub const EC_EDGE: u32 = 0x10;
/// One event, then nothing until ec_modify.
pub const EC_ONESHOT: u32 = 0x20;
/// ec_add_accept: accepted sockets are attached to the channel.
pub const EC_ATTACH: u32 = 0x40;
/// ec_add_accept: accepted sockets do not block.
pub const EC_NONBLOCK: u32 = 0x80;
/// ec_add_fd: an eventfd or a timerfd, which the channel reads: the count is in ev_len.
pub const EC_COUNTER: u32 = 0x200;

pub const EC_EV_FD: i32 = 1;
pub const EC_EV_MQ: i32 = 2;
pub const EC_EV_SIGNAL: i32 = 3;
pub const EC_EV_TIMER: i32 = 4;
pub const EC_EV_FUTEX: i32 = 5;
pub const EC_EV_SEM: i32 = 6;
pub const EC_EV_PROCESS: i32 = 7;
pub const EC_EV_AIO: i32 = 8;
pub const EC_EV_LIO: i32 = 9;
pub const EC_EV_RECV: i32 = 10;
pub const EC_EV_SENT: i32 = 11;
pub const EC_EV_ACCEPT: i32 = 12;
pub const EC_EV_USER: i32 = 13;

/// Some layer copied the bytes.
pub const EC_F_COPIED: u32 = 0x1;
/// The peer sends no more.
pub const EC_F_EOF: u32 = 0x2;
/// The connection is gone.
pub const EC_F_HUP: u32 = 0x4;
/// More events of the same request follow.
pub const EC_F_MORE: u32 = 0x8;

/// dma_alloc: huge pages if there are any.
pub const DMA_HUGE: u32 = 0x1;
/// dma_alloc: huge pages or nothing.
pub const DMA_HUGE_ONLY: u32 = 0x2;
/// dma_alloc, dma_assoc: this engine or none.
pub const DMA_ENGINE_IO_URING: u32 = 0x100;
/// dma_alloc, dma_assoc: this engine or none.
pub const DMA_ENGINE_EPOLL: u32 = 0x200;
/// dma_alloc, dma_assoc: this engine or none.
pub const DMA_ENGINE_AF_XDP: u32 = 0x400;

/// sio_open_ethernet: the descriptor does not block.
pub const SIO_ETHERNET_NONBLOCK: u32 = 0x1_0000;
/// sio_open_ethernet: frames to others too.
pub const SIO_ETHERNET_PROMISCUOUS: u32 = 0x2_0000;

/// sio_send: release the whole block with a successful call.
pub const SIO_RELEASE: i32 = 0x0040_0000;
/// sio_send: no event on success.
pub const SIO_QUIET: i32 = 0x0080_0000;

/// The last large send was not copied, as far as the kernel tells.
pub const SIO_INFO_ZC_SEND: u32 = 0x1;
/// Received data is not copied. No engine of this version can say so.
pub const SIO_INFO_ZC_RECV: u32 = 0x2;
/// The area is locked in memory.
pub const SIO_INFO_LOCKED: u32 = 0x4;
/// The area is registered with the engine.
pub const SIO_INFO_REGISTERED: u32 = 0x8;
