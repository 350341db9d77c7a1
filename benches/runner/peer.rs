//! The other ends of bulk transfers: a sink that throws away what comes, and sources.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::system;

const SINK_BYTES: usize = 1 << 20;

/// A thread that takes one connection and discards what arrives, without copying it.
pub struct Sink {
    pub port: u16,
    thread: JoinHandle<io::Result<u64>>,
}

impl Sink {
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        system::pin_tcp(listener.as_raw_fd());
        let port = listener.local_addr()?.port();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            let mut bytes = 0;
            loop {
                match system::discard(stream.as_raw_fd(), SINK_BYTES)? {
                    0 => return Ok(bytes),
                    taken => bytes += taken as u64,
                }
            }
        });
        Ok(Self { port, thread })
    }

    /// The bytes that came, once the sender has closed.
    pub fn finish(self) -> io::Result<u64> {
        self.thread.join().map_err(|_| io::Error::other("the sink panicked"))?
    }
}

/// Sends through some connections, in turn, until the time is over. Returns the bytes.
pub fn send(streams: &mut [TcpStream], piece_bytes: usize, time: Duration) -> io::Result<u64> {
    let piece = vec![b'x'; piece_bytes];
    let end = Instant::now() + time;
    let mut bytes = 0;
    while Instant::now() < end {
        for stream in &mut *streams {
            stream.write_all(&piece)?;
            bytes += piece_bytes as u64;
        }
    }
    for stream in streams {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(bytes)
}

/// Connections to a receiver.
pub fn connect(port: u16, count: usize) -> io::Result<Vec<TcpStream>> {
    (0..count)
        .map(|_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            system::pin_tcp(stream.as_raw_fd());
            Ok(stream)
        })
        .collect()
}
