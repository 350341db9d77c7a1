//! What the programs that receive datagrams have in common. Arguments and counter: see udp.h.
#![allow(dead_code)] // not every program needs everything

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Counter {
    words: *mut AtomicU64,
}

impl Counter {
    fn map(path: &str) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).expect("the counter");
        // SAFETY: a fresh mapping of a file that has that length.
        let words = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), 4096, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(words, libc::MAP_FAILED, "mmap");
        Self { words: words.cast() }
    }

    /// So many datagrams more; the sum of all first bytes.
    pub fn add(&self, count: u64, sum: u64) {
        // SAFETY: mapped for as long as the process lives.
        let (datagrams, first_bytes) = unsafe { (&*self.words, &*self.words.add(1)) };
        first_bytes.store(sum, Ordering::Relaxed);
        datagrams.store(datagrams.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}

pub struct Arguments {
    pub address: Ipv4Addr,
    pub port: u16,
    pub counter: Counter,
}

pub fn arguments() -> Arguments {
    let words: Vec<String> = std::env::args().collect();
    let [_, address, port, counter] = words.as_slice() else {
        eprintln!("usage: {} ADDRESS PORT COUNTER", words[0]);
        std::process::exit(2);
    };
    Arguments {
        address: address.parse().expect("ADDRESS"),
        port: port.parse().expect("PORT"),
        counter: Counter::map(counter),
    }
}

/// A small datagram to an address of the other side, in its headers.
pub fn frame(to: Ipv4Addr, port: u16) -> Vec<u8> {
    use sio::net::build::{Path, Template, Transport};
    use sio::net::checksum::Sum;
    use sio::net::flow::Endpoint;

    const PAYLOAD: [u8; 64] = [1; 64];
    // As network.rs makes them.
    let mut template = Template::new(&Path {
        source: Endpoint::new(Ipv4Addr::new(10, 9, 0, 1), 4000),
        destination: Endpoint::new(to, port),
        own_station: [2, 0, 0, 9, 0, 1],
        next_station: [2, 0, 0, 9, 0, 2],
        vlan: None,
        traffic_class: 0,
        hop_limit: 64,
    });
    let mut sum = Sum::default();
    sum.add(&PAYLOAD);
    let header = template.header(PAYLOAD.len(), Transport::Payload(sum));
    [header, &PAYLOAD].concat()
}

/// The socket, which is never closed, and the counter.
pub fn open() -> (RawFd, Counter) {
    let Arguments { address, port, counter } = arguments();
    let socket = UdpSocket::bind((address, port)).expect("bind").into_raw_fd();
    let bytes = 4i32 << 20;
    // SAFETY: a value of the length that is told.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            4,
        )
    };
    (socket, counter)
}
