//! A connection of our own over the loopback interface, before the program gets any: kernels differ in
//! what such a connection can do.
#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, accept, bind, connect, getsockname,
    listen, socket,
};

use super::super::system::{self, Said};

/// What may be wrong, by the exit status that tells it.
const REASONS: [&str; 7] = [
    "the group cannot be entered",
    "no connection over the loopback interface",
    "connections are not taken up",
    "FIONREAD does not see what has come",
    "a sender is not held up when nobody reads",
    "what was sent is not what has come",
    "what is sent goes by TCP all the same",
];
const GROUP: u8 = 1;
const CONNECTION: u8 = 2;
const JOINED: u8 = 3;
const READABLE: u8 = 4;
const HELD_UP: u8 = 5;
const CONTENT: u8 = 6;
const PASSED: u8 = 7;

const UNREAD_MAX: usize = 64 << 20;

/// In words, what the status of the trial's process says.
pub fn reason(status: i32) -> String {
    let reason = usize::try_from(status - 1).ok().and_then(|at| REASONS.get(at));
    (*reason.unwrap_or(&"the trial has failed")).to_owned()
}

/// To be called in a child. 0, or what is wrong.
pub fn run(enter: impl FnOnce() -> Result<(), String>) -> u8 {
    if enter().is_err() {
        return GROUP;
    }
    match pair() {
        Ok((sender, receiver)) => check(sender, receiver).err().unwrap_or(0),
        Err(_) => CONNECTION,
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    system::say(&socket, Said::MayJoin)?;
    Ok(socket)
}

fn pair() -> Result<(TcpStream, TcpStream), Errno> {
    let listening = open()?;
    bind(listening.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    listen(&listening, Backlog::new(1)?)?;
    let address: SockaddrIn = getsockname(listening.as_raw_fd())?;
    let sender = open()?;
    connect(sender.as_raw_fd(), &address)?;
    let receiver = accept(listening.as_raw_fd())?;
    Ok((sender.into(), system::own(receiver).into()))
}

/// Byte by byte, what is sent.
fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

fn check(mut sender: TcpStream, mut receiver: TcpStream) -> Result<(), u8> {
    for end in [sender.as_fd(), receiver.as_fd()] {
        system::say(&end, Said::HasJoined).map_err(|_| JOINED)?;
    }
    let mut sent = 0;
    let pattern: Vec<u8> = (0..251 * 257).map(byte).collect();
    sender.write_all(&pattern[..5]).map_err(|_| CONNECTION)?;
    sent += 5;
    // There is something that was passed on.
    if system::say(&receiver, Said::HasRead).is_ok() {
        return Err(PASSED);
    }
    if system::readable(&receiver) != 5 {
        return Err(READABLE);
    }
    sender.set_nonblocking(true).map_err(|_| CONNECTION)?;
    while sent < UNREAD_MAX {
        match sender.write(&pattern[sent % 251..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return Err(HELD_UP),
        }
    }
    if sent >= UNREAD_MAX {
        return Err(HELD_UP);
    }
    drop(sender);
    let mut received = Vec::with_capacity(sent);
    receiver.read_to_end(&mut received).map_err(|_| CONTENT)?;
    let is_same =
        received.len() == sent && received.iter().enumerate().all(|(at, found)| *found == byte(at));
    if is_same { Ok(()) } else { Err(CONTENT) }
}
