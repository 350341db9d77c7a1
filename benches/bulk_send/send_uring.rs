//! send_uring: sends with io_uring as it is for some seconds, without a copy from registered
//! memory, or with one.
//!
//!     send_uring tcp|udp HOST PORT BYTES SECONDS [copy]
//!
//! A window bounds what is under way. On TCP what is submitted together is linked, because sends
//! could overtake each other; the next link starts when the one before has ended.

#[path = "../raw/ring.rs"]
mod ring;

use std::time::Instant;

use io_uring::{cqueue, opcode, squeue, types};
use ring::{SEND_AREA_BYTES, SEND_BLOCK_BYTES, SEND_WINDOW};

/// One registered buffer is at most 1 GiB: the area is smaller.
const BUFFER: u16 = 0;
const LINKED_MAX: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [protocol, host, port, size, seconds, rest @ ..] = arguments.as_slice() else {
        panic!("usage: send_uring tcp|udp HOST PORT BYTES SECONDS [copy]");
    };
    let sock = ring::connect_to(protocol, host, port);
    let size: usize = size.parse().expect("bytes");
    let zero_copy = rest.is_empty();
    let is_tcp = protocol == "tcp";
    let mut ring = ring::new(256, 1024);
    let area = ring::map(SEND_AREA_BYTES);
    // SAFETY: the whole mapping.
    unsafe { area.write_bytes(b'x', SEND_AREA_BYTES) };
    ring.submitter().register_files(&[sock]).expect("register_files");
    if zero_copy {
        let buffer = libc::iovec { iov_base: area.cast(), iov_len: SEND_AREA_BYTES };
        // SAFETY: mapped for as long as the process lives.
        unsafe { ring.submitter().register_buffers(&[buffer]) }
            .unwrap_or_else(|error| ring::fail("register_buffers", &error));
    }
    let (mut offset, mut block) = (0, 0);
    let (mut requests, mut bytes) = (0u64, 0u64);
    // Sends without a result, and sends whose memory the kernel may still read.
    let (mut unfinished, mut held) = (0, 0);
    let end = ring::wait_for_go(seconds);
    loop {
        let is_over = Instant::now() >= end;
        if is_over && unfinished + held == 0 {
            break;
        }
        let room = SEND_WINDOW.saturating_sub(unfinished.max(held));
        let count = match () {
            () if is_over || (is_tcp && unfinished > 0) => 0,
            () if is_tcp => room.min(LINKED_MAX),
            () => room,
        };
        for index in 0..count {
            // SAFETY: inside of the area.
            let from = unsafe { area.add(block + offset) };
            let mut flags = libc::MSG_NOSIGNAL;
            let mut link = squeue::Flags::empty();
            if is_tcp {
                flags |= libc::MSG_WAITALL;
                link.set(squeue::Flags::IO_LINK, index + 1 < count);
            }
            let fd = types::Fixed(0);
            let entry = if zero_copy {
                opcode::SendZc::new(fd, from, size as u32)
                    .buf_index(Some(BUFFER))
                    .flags(flags)
                    .build()
            } else {
                opcode::Send::new(fd, from, size as u32).flags(flags).build()
            };
            // SAFETY: the area lives as long as the process; the queue has room for a window.
            unsafe { ring.submission().push(&entry.flags(link)) }.expect("room");
            unfinished += 1;
            offset += size;
            if offset + size > SEND_BLOCK_BYTES {
                offset = 0;
                block = (block + SEND_BLOCK_BYTES) % SEND_AREA_BYTES;
            }
        }
        ring.submit_and_wait(1).expect("io_uring_enter");
        for completion in ring.completion() {
            if cqueue::notif(completion.flags()) {
                held -= 1;
                continue;
            }
            let result = completion.result();
            assert_eq!(result, size as i32, "a send fell short");
            requests += 1;
            bytes += result as u64;
            unfinished -= 1;
            held += usize::from(cqueue::more(completion.flags()));
        }
    }
    ring::done(requests, bytes);
}
