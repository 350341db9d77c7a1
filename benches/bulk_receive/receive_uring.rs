//! receive_uring: receives what some connections send, with io_uring as it is: one multishot
//! receive for each into a ring of buffers, or into several buffers at once (bundles).
//!
//!     receive_uring CONNECTIONS [bundle]

#[path = "../raw/ring.rs"]
mod ring;

use io_uring::{IoUring, cqueue, opcode, types};
use ring::{Buffers, RECEIVE_AREA_BYTES};

const BUFFER_BYTES: usize = 16 * 1024;
const BUFFERS: u16 = (RECEIVE_AREA_BYTES / BUFFER_BYTES) as u16;

fn receive(ring: &mut IoUring, connection: u32, bundle: bool) {
    let fd = types::Fixed(connection);
    let entry = if bundle {
        opcode::RecvMultiBundle::new(fd, 0).build()
    } else {
        opcode::RecvMulti::new(fd, 0).build()
    };
    // SAFETY: the entry names no memory; the queue is longer than there are connections.
    unsafe { ring.submission().push(&entry.user_data(u64::from(connection))) }.expect("room");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut connections: u32 =
        arguments.first().and_then(|count| count.parse().ok()).expect("CONNECTIONS [bundle]");
    let bundle = arguments.len() > 1;
    let mut ring = ring::new(1024, 4096);
    let mut buffers = Buffers::new(&ring, BUFFERS, BUFFER_BYTES);
    let listener = ring::listen_and_tell();
    let sockets: Vec<i32> = (0..connections)
        .map(|_| {
            // SAFETY: the peer's address is not asked for.
            unsafe {
                libc::accept4(
                    listener,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    libc::SOCK_CLOEXEC,
                )
            }
        })
        .collect();
    ring.submitter().register_files(&sockets).expect("register_files");
    for connection in 0..connections {
        receive(&mut ring, connection, bundle);
    }
    // Buffers are filled in the order in which they were given: that of this line.
    let mut line: std::collections::VecDeque<u16> = (0..BUFFERS).collect();
    let (mut requests, mut bytes) = (0u64, 0u64);
    let mut completions: Vec<cqueue::Entry> = Vec::new();
    while connections > 0 {
        ring.submit_and_wait(1).expect("io_uring_enter");
        completions.extend(ring.completion());
        for completion in completions.drain(..) {
            let (result, flags) = (completion.result(), completion.flags());
            if result > 0 {
                let first = cqueue::buffer_select(flags).expect("a buffer");
                assert_eq!(line.front(), Some(&first));
                for _ in 0..(result as usize).div_ceil(BUFFER_BYTES) {
                    let id = line.pop_front().expect("a buffer");
                    buffers.give_back(id);
                    line.push_back(id);
                }
                requests += 1;
                bytes += result as u64;
            } else if result == 0 {
                connections -= 1;
            } else {
                assert_eq!(result, -libc::ENOBUFS, "receive");
            }
            if result != 0 && !cqueue::more(flags) {
                receive(&mut ring, completion.user_data() as u32, bundle);
            }
        }
        buffers.publish();
    }
    ring::done(requests, bytes);
}
