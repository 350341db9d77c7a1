//! The other ends: a sink that throws away what comes, sources, connections that do nothing, and
//! some that come and go.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sio_benches::system;

const SINK_BYTES: usize = 1 << 20;
const SOURCE_BYTES: usize = 256 << 10;
/// Connections that come at a time.
const BATCH: usize = 64;

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

/// Sends through some connections, in turn, until the time is over. Returns the bytes. The pieces
/// are large, so that not the sender sets the pace.
pub fn send(streams: &mut [TcpStream], time: Duration) -> io::Result<u64> {
    let piece = vec![b'x'; SOURCE_BYTES];
    let end = Instant::now() + time;
    let mut bytes = 0;
    while Instant::now() < end {
        for stream in &mut *streams {
            stream.write_all(&piece)?;
            bytes += SOURCE_BYTES as u64;
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

/// Connections to an echo server over each of which one message has gone and come back.
pub fn connect_idle(port: u16, count: usize, bytes: usize) -> io::Result<Vec<TcpStream>> {
    let message = vec![b'x'; bytes];
    let mut answer = vec![0; bytes];
    let mut streams = connect(port, count)?;
    for stream in &mut streams {
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
    }
    Ok(streams)
}

/// Connects and waits for the server to close, again and again until the time is over. Returns how
/// often. What is left of a connection is gone at once: there are not so many ports.
pub fn come_and_go(port: u16, time: Duration) -> io::Result<u64> {
    let end = Instant::now() + time;
    let mut count = 0;
    while Instant::now() < end {
        for mut stream in connect(port, BATCH)? {
            if stream.read(&mut [0])? != 0 {
                return Err(io::Error::other("the server has sent something"));
            }
            system::close_with_reset(stream.as_raw_fd())?;
            count += 1;
        }
    }
    Ok(count)
}
