//! events_uring: events with io_uring as it is: one multishot poll for each descriptor, or, for
//! data, one multishot read into a ring of buffers.
//!
//!     events_uring edge|data own|apart SOURCES ACTIVE SECONDS PROCESSOR

#[path = "../raw/load.rs"]
mod load;
#[path = "../raw/ring.rs"]
mod ring;

use std::os::fd::RawFd;

use io_uring::{IoUring, cqueue, opcode, types};
use load::{Contestant, Load, Trigger};
use ring::Buffers;

const BUFFERS: u16 = 1024;
const VALUE_BYTES: usize = 8;
/// Flags of io_uring_enter(2).
const GETEVENTS: u32 = 1;
const EXT_ARG: u32 = 1 << 3;

struct Rings {
    ring: IoUring,
    buffers: Option<Buffers>,
    values_read: u64,
}

impl Rings {
    fn new(trigger: Trigger) -> Self {
        let ring = ring::new(256, 4096);
        let buffers = (trigger == Trigger::Data).then(|| Buffers::new(&ring, BUFFERS, VALUE_BYTES));
        Self { ring, buffers, values_read: 0 }
    }
}

impl Rings {
    /// Has the kernel do all that it has put off. It does some twenty pieces, or as many as are
    /// waited for: so many are, with a set of signals that is refused before it would wait.
    fn bring_forth(&mut self) {
        let refused = [1u64, 1, 0];
        // SAFETY: struct io_uring_getevents_arg, valid during the call.
        let answer =
            unsafe { self.ring.submitter().enter(0, 1024, GETEVENTS | EXT_ARG, Some(&refused)) };
        let error = answer.err().and_then(|error| error.raw_os_error());
        assert!(matches!(error, None | Some(libc::EINVAL)), "io_uring_enter: {error:?}");
    }
}

impl Contestant for Rings {
    fn watch(&mut self, fd: RawFd) {
        let entry = if self.buffers.is_some() {
            opcode::ReadMulti::new(types::Fd(fd), 0, 0).build()
        } else {
            opcode::PollAdd::new(types::Fd(fd), libc::POLLIN as u32).multi(true).build()
        };
        let entry = entry.user_data(fd as u64);
        // SAFETY: the entry names no memory but that of `Buffers`, which is never unmapped.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit().expect("io_uring_enter");
        }
    }

    fn take(&mut self) -> usize {
        let mut count = 0;
        if self.ring.completion().is_empty() {
            self.bring_forth();
        }
        if self.ring.completion().is_empty() {
            self.ring.submit_and_wait(1).expect("io_uring_enter");
        }
        let mut ended = Vec::new();
        for completion in self.ring.completion() {
            let (result, flags) = (completion.result(), completion.flags());
            if !cqueue::more(flags) {
                ended.push(completion.user_data() as RawFd);
            }
            match (&mut self.buffers, cqueue::buffer_select(flags)) {
                (Some(buffers), Some(id)) => {
                    assert_eq!(result, VALUE_BYTES as i32, "read");
                    // SAFETY: that buffer was filled with a value, and is ours.
                    self.values_read += unsafe { buffers.address(id).cast::<u64>().read() };
                    buffers.give_back(id);
                    count += 1;
                }
                (Some(_), None) => assert_eq!(result, -libc::ENOBUFS, "read"),
                (None, _) => {
                    assert!(result > 0, "poll: {result}");
                    count += 1;
                }
            }
        }
        if let Some(buffers) = &mut self.buffers {
            buffers.publish();
        }
        for fd in ended {
            self.watch(fd);
        }
        count
    }

    fn values_read(&self) -> u64 {
        self.values_read
    }
}

fn main() {
    Load::new().run(Rings::new);
}
