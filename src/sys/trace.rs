//! Places that tracers can stop at: static probes of the provider `libsio`, an instruction that does
//! nothing each, with a note in the file that says where its arguments are. See sio-stat(1).

use probe::probe;

/// A send was accepted.
#[inline(always)]
pub fn submit(fd: i32, bytes: usize, engine: u32) {
    probe!(libsio, submit, fd, bytes, engine);
}

/// One that was accepted has ended: with a number of bytes, or the negative of an errno.
#[inline(always)]
pub fn complete(fd: i32, result: isize, engine: u32) {
    probe!(libsio, complete, fd, result, engine);
}

/// Some layer has copied data that was sent, or received.
#[inline(always)]
pub fn copy(fd: i32, bytes: usize, is_sent: bool) {
    probe!(libsio, copy, fd, bytes, is_sent);
}

/// Something is done in a way that serves less well.
#[cold]
#[inline(never)]
pub fn fallback(fd: i32, engine: u32, why: Fallback) {
    probe!(libsio, fallback, fd, engine, why as u32);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Fallback {
    /// A channel is served by another engine than the preferred one.
    Engine = 1,
    /// A socket of the Internet is received from by readiness, not into buffers of the ring.
    Readiness = 2,
    /// A send without a copy was refused, and is copied.
    ZeroCopyRefused = 3,
    /// One was copied by the kernel all the same.
    ZeroCopyCopied = 4,
    /// An interface does not serve a socket that it was to serve.
    Interface = 5,
}
