//! The load on an echo server: some connections, each with one message under way. The same for
//! all servers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use sio_benches::system::{self, Poll, READ, WRITE};

struct Connection {
    stream: TcpStream,
    written: usize,
    read: usize,
    waits_to_write: bool,
}

pub struct Load {
    connections: Vec<Connection>,
    poll: Poll,
    message: Vec<u8>,
    room: Vec<u8>,
    keys: Vec<u64>,
}

impl Load {
    /// Connects, and sends the first message through each connection.
    pub fn new(port: u16, count: usize, bytes: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for key in 0..count {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            system::pin_tcp(stream.as_raw_fd());
            stream.set_nonblocking(true)?;
            poll.add(stream.as_raw_fd(), READ, key as u64)?;
            connections.push(Connection { stream, written: 0, read: 0, waits_to_write: false });
        }
        // Bytes that differ from place to place: a mistake in the order would show.
        let message = (0..bytes).map(|index| (index % 251) as u8).collect();
        let mut load = Self { connections, poll, message, room: vec![0; bytes], keys: Vec::new() };
        for key in 0..count {
            load.write(key)?;
        }
        Ok(load)
    }

    /// Goes on for some time; the number of messages that came back.
    pub fn run(&mut self, time: Duration) -> io::Result<u64> {
        let end = Instant::now() + time;
        let mut count = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(count);
            }
            let mut keys = std::mem::take(&mut self.keys);
            self.poll.wait(left.max(Duration::from_millis(1)), &mut keys)?;
            for &key in &keys {
                count += self.ready(key as usize)?;
            }
            self.keys = keys;
        }
    }

    fn write(&mut self, key: usize) -> io::Result<()> {
        let connection = &mut self.connections[key];
        match connection.stream.write(&self.message[connection.written..]) {
            Ok(bytes) => connection.written += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let waits = connection.written < self.message.len();
        if waits != connection.waits_to_write {
            connection.waits_to_write = waits;
            let events = if waits { READ | WRITE } else { READ };
            self.poll.modify(connection.stream.as_raw_fd(), events, key as u64)?;
        }
        Ok(())
    }

    /// One when a message is complete, and the next one is on its way.
    fn ready(&mut self, key: usize) -> io::Result<u64> {
        let connection = &mut self.connections[key];
        if connection.waits_to_write {
            self.write(key)?;
        }
        let connection = &mut self.connections[key];
        let room = &mut self.room[connection.read..];
        let bytes = match connection.stream.read(room) {
            Ok(0) => return Err(io::Error::other("the server has closed a connection")),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let expected = &self.message[connection.read..connection.read + bytes];
        if room[..bytes] != *expected {
            return Err(io::Error::other("the server sent something else than it got"));
        }
        connection.read += bytes;
        if connection.read < self.message.len() {
            return Ok(0);
        }
        connection.read = 0;
        connection.written = 0;
        self.write(key)?;
        Ok(1)
    }
}
