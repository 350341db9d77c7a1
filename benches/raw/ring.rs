//! What the programs that use io_uring as it is have in common: the ring, a ring of buffers, and
//! how the runner talks to them (see bench.h).
#![allow(dead_code)] // not every program needs everything

use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use io_uring::{IoUring, types};

/// As in bench.h.
pub const SEND_AREA_BYTES: usize = 256 << 20;
pub const SEND_BLOCK_BYTES: usize = 1 << 20;
pub const SEND_WINDOW: usize = 64;
pub const RECEIVE_AREA_BYTES: usize = 64 << 20;

/// A ring that only this thread uses.
pub fn new(submissions: u32, completions: u32) -> IoUring {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_cqsize(completions)
        .build(submissions)
        .unwrap_or_else(|error| fail("io_uring_setup", &error))
}

/// Ends the program: 77 is "this machine cannot do that".
pub fn fail(what: &str, error: &std::io::Error) -> ! {
    eprintln!("{what}: {error}");
    std::process::exit(77);
}

/// Fresh memory, populated.
pub fn map(bytes: usize) -> *mut u8 {
    map_as(bytes, libc::MAP_PRIVATE)
}

/// The same, which a child of this process shares.
pub fn map_shared(bytes: usize) -> *mut u8 {
    map_as(bytes, libc::MAP_SHARED)
}

fn map_as(bytes: usize, sharing: i32) -> *mut u8 {
    // SAFETY: an anonymous mapping wherever the kernel likes.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            sharing | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
            -1,
            0,
        )
    };
    assert_ne!(base, libc::MAP_FAILED, "mmap");
    base.cast()
}

/// Buffers that the kernel picks from.
pub struct Buffers {
    entries: *mut types::BufRingEntry,
    base: *mut u8,
    each_bytes: usize,
    mask: u16,
    tail: u16,
}

impl Buffers {
    /// `count` is a power of two; the group is number 0.
    pub fn new(ring: &IoUring, count: u16, each_bytes: usize) -> Self {
        let entries: *mut types::BufRingEntry = map(usize::from(count) * 16).cast();
        // SAFETY: mapped for as long as the process lives.
        let registered =
            unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, count, 0, 0) };
        registered.unwrap_or_else(|error| fail("register_buf_ring", &error));
        let base = map(usize::from(count) * each_bytes);
        let mut buffers = Self { entries, base, each_bytes, mask: count - 1, tail: 0 };
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.publish();
        buffers
    }

    pub fn address(&self, id: u16) -> *mut u8 {
        // SAFETY: ids are below the number of buffers.
        unsafe { self.base.add(usize::from(id) * self.each_bytes) }
    }

    /// Seen by the kernel after [`Buffers::publish`].
    pub fn give_back(&mut self, id: u16) {
        let address = self.address(id) as u64;
        // SAFETY: the index is below the number of entries.
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail & self.mask)) };
        entry.set_addr(address);
        entry.set_len(self.each_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    pub fn publish(&mut self) {
        // SAFETY: the tail lies in the first entry; the kernel reads it with acquire semantics.
        unsafe {
            let tail = types::BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

/// How many descriptors the process may have; the table of fixed files cannot be larger.
pub fn descriptors_allowed() -> u32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to a local.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    check(result, "getrlimit");
    limit.rlim_cur.min(1 << 20) as u32
}

fn check(result: i32, call: &str) -> i32 {
    assert!(result >= 0, "{call}: {}", std::io::Error::last_os_error());
    result
}

fn set_option(sock: RawFd, level: i32, name: i32, value: &[u8]) -> bool {
    // SAFETY: pointer and length are those of a slice.
    let length = value.len() as libc::socklen_t;
    unsafe { libc::setsockopt(sock, level, name, value.as_ptr().cast(), length) == 0 }
}

/// As in bench.h.
fn segment_as_asked(sock: RawFd) {
    let Ok(bytes) = std::env::var("BENCH_SEGMENT") else { return };
    let bytes: i32 = bytes.parse().expect("BENCH_SEGMENT");
    let is_set = set_option(sock, libc::SOL_UDP, libc::UDP_SEGMENT, &bytes.to_ne_bytes());
    assert!(is_set, "UDP_SEGMENT");
}

fn pin_tcp(sock: RawFd) {
    let set = |name, value: &[u8]| set_option(sock, libc::IPPROTO_TCP, name, value);
    if !set(libc::TCP_CONGESTION, b"cubic") {
        set(libc::TCP_CONGESTION, b"reno");
    }
    assert!(set(libc::TCP_NODELAY, &1i32.to_ne_bytes()), "TCP_NODELAY");
}

fn address(host: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host.octets()) },
        sin_zero: [0; 8],
    }
}

const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// A listening socket on loopback; the port is told to the runner.
pub fn listen_and_tell() -> RawFd {
    let mut own = address(Ipv4Addr::LOCALHOST, 0);
    let mut length = ADDRESS_BYTES;
    // SAFETY: the addresses are locals of the lengths given.
    let listener = unsafe {
        let listener = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        check(listener, "socket");
        pin_tcp(listener);
        check(libc::bind(listener, (&raw const own).cast(), length), "bind");
        check(libc::listen(listener, 4096), "listen");
        check(libc::getsockname(listener, (&raw mut own).cast(), &raw mut length), "getsockname");
        listener
    };
    println!("port {}", u16::from_be(own.sin_port));
    listener
}

/// A connected socket; the arguments are those of the command line.
pub fn connect_to(protocol: &str, host: &str, port: &str) -> RawFd {
    let is_tcp = protocol == "tcp";
    let kind = if is_tcp { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let peer = SocketAddrV4::new(host.parse().expect("address"), port.parse().expect("port"));
    let peer = address(*peer.ip(), peer.port());
    // SAFETY: the address is a local of the length given.
    unsafe {
        let sock = check(libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0), "socket");
        if is_tcp {
            pin_tcp(sock);
        } else {
            segment_as_asked(sock);
        }
        check(libc::connect(sock, (&raw const peer).cast(), ADDRESS_BYTES), "connect");
        sock
    }
}

/// Waits for the runner; when the seconds that it grants will be over.
pub fn wait_for_go(seconds: &str) -> Instant {
    println!("ready");
    let read = std::io::stdin().lock().read_line(&mut String::new());
    assert!(matches!(read, Ok(1..)), "the runner has gone");
    Instant::now() + Duration::from_secs_f64(seconds.parse().expect("seconds"))
}

/// Tells the result, and stays until it has been looked at.
pub fn done(requests: u64, bytes: u64) {
    println!("done {requests} {bytes}");
    let _ = std::io::stdout().flush();
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
}
