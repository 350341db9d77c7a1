//! echo_uring: a TCP echo server with io_uring as it is: accepted into the table of fixed files,
//! one multishot receive for each connection into a ring of buffers, sends in batches.
//!
//! Bytes go back from the buffer that they arrived in; a connection has one send under way at a
//! time, the others stand in line, because two could overtake each other.

#[path = "../raw/ring.rs"]
mod ring;

use std::collections::VecDeque;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use ring::{Buffers, listen_and_tell};

const ACCEPT: u64 = 1;
const RECEIVE: u64 = 2;
const SEND: u64 = 3;
const BUFFER_BYTES: usize = 16 * 1024;
const BUFFERS: u16 = 4096;
/// Connections at a time.
const FILES: u32 = 16384;

/// Bytes of a buffer that are to go back.
struct Piece {
    buffer: u16,
    from: usize,
    bytes: usize,
}

fn data(what: u64, connection: u32) -> u64 {
    what << 32 | u64::from(connection)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) {
    // SAFETY: entries name memory of `Buffers`, which lives as long as the process.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit().expect("io_uring_enter");
    }
}

fn receive(ring: &mut IoUring, connection: u32) {
    let entry = opcode::RecvMulti::new(types::Fixed(connection), 0).build();
    push(ring, &entry.user_data(data(RECEIVE, connection)));
}

fn send(ring: &mut IoUring, buffers: &Buffers, connection: u32, piece: &Piece) {
    // SAFETY: the piece lies inside of its buffer.
    let from = unsafe { buffers.address(piece.buffer).add(piece.from) };
    let entry = opcode::Send::new(types::Fixed(connection), from, piece.bytes as u32)
        .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
        .build();
    push(ring, &entry.user_data(data(SEND, connection)));
}

fn main() {
    let mut ring = ring::new(4096, 16384);
    let files = FILES.min(ring::descriptors_allowed());
    ring.submitter().register_files_sparse(files).expect("register_files_sparse");
    let mut buffers = Buffers::new(&ring, BUFFERS, BUFFER_BYTES);
    let mut lines: Vec<VecDeque<Piece>> = (0..files).map(|_| VecDeque::new()).collect();
    let listener = listen_and_tell();
    let accept = opcode::AcceptMulti::new(types::Fd(listener))
        .allocate_file_index(true)
        .build()
        .user_data(data(ACCEPT, 0));
    push(&mut ring, &accept);
    let mut completions: Vec<cqueue::Entry> = Vec::new();
    loop {
        ring.submit_and_wait(1).expect("io_uring_enter");
        completions.extend(ring.completion());
        for completion in completions.drain(..) {
            let connection = completion.user_data() as u32;
            let result = completion.result();
            let flags = completion.flags();
            match completion.user_data() >> 32 {
                ACCEPT => {
                    assert!(result >= 0, "accept: {result}");
                    receive(&mut ring, result as u32);
                }
                RECEIVE => {
                    let line = &mut lines[connection as usize];
                    if let Some(buffer) = cqueue::buffer_select(flags).filter(|_| result > 0) {
                        line.push_back(Piece { buffer, from: 0, bytes: result as usize });
                        if line.len() == 1 {
                            send(&mut ring, &buffers, connection, &line[0]);
                        }
                    }
                    if result == 0 || result == -libc::ECONNRESET {
                        let close = opcode::Close::new(types::Fixed(connection)).build();
                        push(&mut ring, &close.flags(squeue::Flags::SKIP_SUCCESS));
                    } else if !cqueue::more(flags) {
                        assert!(result > 0 || result == -libc::ENOBUFS, "receive: {result}");
                        receive(&mut ring, connection);
                    }
                }
                SEND => {
                    let line = &mut lines[connection as usize];
                    let first = &mut line[0];
                    let gone = [-libc::EPIPE, -libc::ECONNRESET, -libc::EBADF].contains(&result);
                    assert!(result > 0 || gone, "send: {result}");
                    let sent = if result < 0 { first.bytes } else { result as usize };
                    first.from += sent;
                    first.bytes -= sent;
                    if first.bytes == 0 {
                        buffers.give_back(first.buffer);
                        line.pop_front();
                    }
                    if let Some(next) = line.front() {
                        send(&mut ring, &buffers, connection, next);
                    }
                }
                _ => {}
            }
        }
        buffers.publish();
    }
}
