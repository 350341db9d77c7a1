//! A socket that AF_XDP serves, with an area of its own or that of another.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sio::api::blocking::{Receive, deadline, run};
use sio::api::send::{How, Outgoing, Send};
use sio::api::{Options, channel, region, socket, source};
use sio::channel::Event;
use sio::channel::state::Modify;
use sio::engine::{Form, Received};
use sio::error::{Errno, Result};
use sio::region::map::Pages;
use sio::sys::message::Address;
use sio::sys::socket::DONTWAIT;
use sio::sys::wait::Terms;

/// The bit of the engine, as `DMA_ENGINE_AF_XDP` becomes it.
pub const AF_XDP: u32 = 4;
pub const AREA_BYTES: usize = 2 << 20;

/// Bytes that differ from place to place and from one `seed` to another.
pub fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + seed * 17 + at / 251) as u8).collect()
}

struct Area(u64);

impl Drop for Area {
    fn drop(&mut self) {
        region::free(self.0, AREA_BYTES).expect("everything was given back");
    }
}

pub struct Node {
    kernel: UdpSocket,
    area: Arc<Area>,
}

/// A datagram that was received.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    pub address: usize,
    pub count: usize,
    pub from: Option<SocketAddr>,
}

impl Node {
    pub fn new(address: &str) -> Self {
        Self::with(UdpSocket::bind(address).expect("bound"))
    }

    pub fn with(kernel: UdpSocket) -> Self {
        let area = region::alloc(AREA_BYTES, Pages::Normal, AF_XDP).expect("dma_alloc");
        Self::associated(kernel, Arc::new(Area(area)))
    }

    /// Another one in the same area.
    pub fn beside(&self, address: &str) -> Self {
        self.beside_with(UdpSocket::bind(address).expect("bound"))
    }

    pub fn beside_with(&self, kernel: UdpSocket) -> Self {
        Self::associated(kernel, self.area.clone())
    }

    fn associated(kernel: UdpSocket, area: Arc<Area>) -> Self {
        socket::assoc(kernel.as_raw_fd(), area.0, 0, AF_XDP).expect("dma_assoc");
        Self { kernel, area }
    }

    pub fn kernel(&self) -> &UdpSocket {
        &self.kernel
    }

    pub fn fd(&self) -> RawFd {
        self.kernel.as_raw_fd()
    }

    pub fn address(&self) -> SocketAddr {
        self.kernel.local_addr().expect("bound")
    }

    pub fn info(&self) -> socket::Info {
        socket::info(self.fd()).expect("sio_info")
    }

    pub fn attach(&self) -> RawFd {
        let ec = channel::create(Options::default()).expect("ec_create");
        source::add_socket(ec, self.fd(), Modify::default(), 0).expect("ec_add_socket");
        ec
    }

    pub fn disassociate(&self) -> Result<()> {
        socket::disassoc(self.fd(), self.area.0, 0)
    }

    pub fn got(&self, received: Received) -> Result<Got> {
        let Received::Block { address, count, name } = received else { return Err(Errno::EPIPE) };
        Ok(Got { address, count, from: name.and_then(|name| name.to_internet()) })
    }

    pub fn receive(&self) -> Result<Got> {
        self.got(run(Receive::new(self.fd(), 65_536, DONTWAIT, Form::Name)?)?)
    }

    /// Tries for so long.
    pub fn receive_within(&self, time: Duration) -> Result<Got> {
        let until = Instant::now() + time;
        loop {
            match self.receive() {
                Err(Errno::EAGAIN) if Instant::now() < until => std::thread::yield_now(),
                answer => return answer,
            }
        }
    }

    pub fn bytes(&self, got: &Got) -> Vec<u8> {
        // SAFETY: a block that the library has handed out, and that was not given back.
        unsafe { std::slice::from_raw_parts(got.address as *const u8, got.count) }.to_vec()
    }

    pub fn release(&self, got: &Got) {
        region::release(self.area.0, got.address, got.count).expect("sio_release");
    }

    /// Sends bytes of a block.
    pub fn send_block(
        &self,
        address: usize,
        count: usize,
        to: Option<SocketAddr>,
    ) -> Result<usize> {
        let domain = if self.address().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let name = to.map(|to| Box::new(Address::of_internet(domain, to.ip(), to.port(), 0)));
        let parts = [(address, count)];
        let asked = Outgoing {
            parts: &parts,
            name,
            control: Vec::new(),
            how: How { flags: 0, release: false, quiet: false },
        };
        run(Send::new(self.fd(), asked)?)
    }

    /// Sends bytes from a block of their own.
    pub fn send(&self, data: &[u8], to: Option<SocketAddr>) -> Result<usize> {
        let block = region::reserve(self.area.0, data.len())?;
        // SAFETY: a block of that length, which is ours.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), block as *mut u8, data.len()) };
        let sent = self.send_block(block, data.len(), to);
        region::release(self.area.0, block, data.len())?;
        sent
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have been disassociated.
        let _ = socket::detach(self.fd());
    }
}

/// Waits for an event of a kind; others are passed over.
pub fn wait(ec: RawFd, kind: i32) -> Event {
    loop {
        let mut room = [Event::EMPTY];
        let terms = Terms { deadline: deadline(Some(Duration::from_secs(5))), mask: None };
        let call = sio::api::blocking::Wait::new(ec, Some(&mut room), terms).expect("a call");
        assert_eq!(run(call), Ok(1), "an event of kind {kind}");
        if room[0].kind == kind {
            return room[0];
        }
    }
}
