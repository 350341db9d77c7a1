//! sio-bench-udp-uring: receives datagrams with one multishot receive of io_uring, into buffers that
//! the kernel picks. Arguments and counter: see udp.h.

#[path = "receiver.rs"]
mod receiver;
#[path = "../raw/ring.rs"]
mod ring;

use io_uring::{cqueue, opcode, types};

const BUFFERS: u16 = 4096;
const BUFFER_BYTES: usize = 2048;

fn main() {
    let (socket, counter) = receiver::open();
    let mut ring = ring::new(64, 8192);
    let mut buffers = ring::Buffers::new(&ring, BUFFERS, BUFFER_BYTES);
    let receive = opcode::RecvMulti::new(types::Fd(socket), 0).build();
    let mut is_armed = false;
    let mut sum = 0;
    loop {
        if !is_armed {
            // SAFETY: the operation names no memory but the group's.
            unsafe { ring.submission().push(&receive).expect("room for one") };
            is_armed = true;
        }
        ring.submit_and_wait(1).unwrap_or_else(|error| ring::fail("io_uring_enter", &error));
        let mut count = 0;
        for entry in ring.completion() {
            if !cqueue::more(entry.flags()) {
                is_armed = false;
            }
            let Some(id) = cqueue::buffer_select(entry.flags()) else { continue };
            // SAFETY: the kernel has filled it in, and does not touch it before it is given back.
            sum += u64::from(unsafe { buffers.address(id).read() });
            buffers.give_back(id);
            count += 1;
        }
        buffers.publish();
        counter.add(count, sum);
    }
}
