//! accept_uring: a server that accepts connections with io_uring as it is, one multishot accept into
//! the table of fixed files, and closes them there, in batches.

#[path = "../raw/ring.rs"]
mod ring;

use io_uring::{opcode, squeue, types};

const ACCEPT: u64 = 1;
const FILES: u32 = 4096;

fn main() {
    let mut ring = ring::new(1024, 8192);
    ring.submitter().register_files_sparse(FILES).expect("register_files_sparse");
    let listener = ring::listen_and_tell();
    let accept = opcode::AcceptMulti::new(types::Fd(listener))
        .allocate_file_index(true)
        .build()
        .user_data(ACCEPT);
    // SAFETY: no operation names memory.
    let push = |ring: &mut io_uring::IoUring, entry: &squeue::Entry| unsafe {
        while ring.submission().push(entry).is_err() {
            ring.submit().expect("io_uring_enter");
        }
    };
    push(&mut ring, &accept);
    let mut accepted = Vec::new();
    loop {
        ring.submit_and_wait(1).expect("io_uring_enter");
        accepted.extend(ring.completion().filter(|entry| entry.user_data() == ACCEPT));
        for completion in accepted.drain(..) {
            let result = completion.result();
            assert!(result >= 0, "accept: {result}");
            let close = opcode::Close::new(types::Fixed(result as u32)).build();
            push(&mut ring, &close.flags(squeue::Flags::SKIP_SUCCESS));
            if !io_uring::cqueue::more(completion.flags()) {
                push(&mut ring, &accept);
            }
        }
    }
}
