//! The one who sends to all programs. When it is to be fast, it is the kernel itself, which passes
//! frames to the interface in batches and makes no packet buffers of its own for them: a sender that
//! is slower than the programs would make all of them equal. Paced, it is a packet(7) socket.

use std::ffi::CString;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::network::{self, FAR, FAR_HARDWARE, FAR_INTERFACE, NEAR, NEAR_HARDWARE, Network};
use crate::system;

pub const PAYLOAD_BYTES: usize = 64;
/// Packets that the kernel passes on together.
const BATCH: u32 = 64;
/// As many with one call, when it is to be fast.
const SALVO: u32 = 1 << 19;

#[derive(Default)]
struct Shared {
    per_second: AtomicU64,
    port: AtomicU16,
    ends: AtomicBool,
}

pub struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// It begins with nothing.
    pub fn start(network: &Network, processor: Option<usize>) -> Result<Self, String> {
        let space = network.open_far().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let opened = network::enter(&space)
                .and_then(|()| processor.map_or(Ok(()), |one| system::stay_on(&[one])))
                .and_then(|()| Ok((Cannon::new()?, Socket::new()?)));
            match opened {
                Ok((cannon, socket)) => {
                    let _ = tell.send(Ok(()));
                    run(&own, &cannon, &socket);
                }
                Err(error) => drop(tell.send(Err(format!("the sender: {error}")))),
            }
        });
        told.recv().map_err(|error| error.to_string())??;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// From now on to this port.
    pub fn aim(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    /// From now on so many in each second; as many as possible with `u64::MAX`.
    pub fn pace(&self, per_second: u64) {
        self.shared.per_second.store(per_second, Ordering::Relaxed);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A program of the kernel's that passes each packet to the interface, and the run of it over
/// packets that are real: bpf(2), `BPF_PROG_TEST_RUN` with live frames (Linux 5.18).
struct Cannon {
    program: RawFd,
}

impl Cannon {
    fn new() -> io::Result<Self> {
        #[repr(C)]
        struct Load {
            kind: u32,
            count: u32,
            instructions: u64,
            license: u64,
            rest: [u64; 14],
        }
        const TYPE_XDP: u32 = 6;
        const COMMAND_LOAD: i32 = 5;
        let name = CString::new(FAR_INTERFACE).expect("no zero in it");
        // SAFETY: a string that ends with zero.
        let interface = unsafe { libc::if_nametoindex(name.as_ptr()) };
        // r1 = interface; r2 = 0; call bpf_redirect; exit
        let program: [u64; 4] = [0x1b7 | u64::from(interface) << 32, 0x2b7, 23 << 32 | 0x85, 0x95];
        let mut load = Load {
            kind: TYPE_XDP,
            count: program.len() as u32,
            instructions: program.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            rest: [0; 14],
        };
        bpf(COMMAND_LOAD, &mut load).map(|program| Self { program: program as RawFd })
    }

    /// Sends the frame so many times.
    fn fire(&self, frame: &[u8], count: u32) -> io::Result<()> {
        #[repr(C)]
        struct Run {
            program: u32,
            answer: u32,
            bytes_in: u32,
            bytes_out: u32,
            data_in: u64,
            data_out: u64,
            repeat: u32,
            duration: u32,
            context_in_bytes: u32,
            context_out_bytes: u32,
            context_in: u64,
            context_out: u64,
            flags: u32,
            processor: u32,
            batch: u32,
            _pad: u32,
        }
        const COMMAND_RUN: i32 = 10;
        const LIVE_FRAMES: u32 = 1 << 1;
        let mut run = Run {
            program: self.program as u32,
            answer: 0,
            bytes_in: frame.len() as u32,
            bytes_out: 0,
            data_in: frame.as_ptr() as u64,
            data_out: 0,
            repeat: count,
            duration: 0,
            context_in_bytes: 0,
            context_out_bytes: 0,
            context_in: 0,
            context_out: 0,
            flags: LIVE_FRAMES,
            processor: 0,
            batch: BATCH,
            _pad: 0,
        };
        bpf(COMMAND_RUN, &mut run).map(drop)
    }
}

/// A socket through which frames go out at the interface, past its queueing.
struct Socket(RawFd);

impl Socket {
    fn new() -> io::Result<Self> {
        const PACKET_QDISC_BYPASS: i32 = 20;
        let name = CString::new(FAR_INTERFACE).expect("no zero in it");
        let one = 1i32;
        // SAFETY: a name that ends with zero, a value and an address of the lengths that are told.
        unsafe {
            let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
            let option = (&raw const one).cast();
            let length = size_of_val(&address) as libc::socklen_t;
            if socket < 0
                || libc::setsockopt(socket, libc::SOL_PACKET, PACKET_QDISC_BYPASS, option, 4) < 0
                || libc::bind(socket, (&raw const address).cast(), length) < 0
            {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(socket))
        }
    }

    /// Sends the frame so many times.
    fn fire(&self, frame: &[u8], count: u32) {
        let mut piece =
            libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
        // SAFETY: a message of zeroes is a valid one.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_iov = &raw mut piece;
        message.msg_hdr.msg_iovlen = 1;
        let mut messages = [message; BATCH as usize];
        // SAFETY: as many messages as there are; what they point to outlives the call.
        unsafe { libc::sendmmsg(self.0, messages.as_mut_ptr(), count.min(BATCH), 0) };
    }
}

fn bpf<T>(command: i32, attributes: &mut T) -> io::Result<i64> {
    // SAFETY: a structure of the length that is told; what it points to outlives the call.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>())
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// The datagram in its headers. A UDP checksum of 0 is none.
fn frame(port: u16) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv4Addr>().expect("an address").octets();
    let bytes = |length: usize| (length as u16).to_be_bytes();
    let mut frame = Vec::new();
    frame.extend(NEAR_HARDWARE);
    frame.extend(FAR_HARDWARE);
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend(bytes(20 + 8 + PAYLOAD_BYTES));
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    frame.extend(address(FAR));
    frame.extend(address(NEAR));
    let sum: u32 =
        frame[14..].chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[24..26].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    frame.extend(4000u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(bytes(8 + PAYLOAD_BYTES));
    frame.extend([0, 0]);
    frame.extend([1; PAYLOAD_BYTES]);
    frame
}

fn run(shared: &Shared, cannon: &Cannon, socket: &Socket) {
    let (mut pace, mut begin, mut due) = (0, Instant::now(), 0.0);
    while !shared.ends.load(Ordering::Relaxed) {
        let frame = frame(shared.port.load(Ordering::Relaxed));
        let wanted = shared.per_second.load(Ordering::Relaxed);
        if wanted != pace {
            (pace, begin, due) = (wanted, Instant::now(), 0.0);
        }
        // What does not go out shows in what is received.
        if pace == u64::MAX {
            let _ = cannon.fire(&frame, SALVO);
            continue;
        }
        let late = begin.elapsed().as_secs_f64() * pace as f64 - due;
        let batch = (late as u32).min(BATCH);
        if batch == 0 {
            std::thread::sleep(Duration::from_micros(50));
            continue;
        }
        due += f64::from(batch);
        socket.fire(&frame, batch);
    }
}
