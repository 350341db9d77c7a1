//! The other side, where it is not the sender: one who drops everything, and one who answers.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sio::port::link;
use sio::sys::bpf::{Link, Program};
use sio_benches::system;

use crate::network::{self, FAR, FAR_INTERFACE, Network};

/// Does something in the far namespace, in a thread of its own.
fn there<T: Send + 'static>(
    network: &Network,
    body: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<JoinHandle<Result<T, String>>, String> {
    let space = network.open_far().map_err(|error| error.to_string())?;
    Ok(std::thread::spawn(move || {
        network::enter(&space).map_err(|error| error.to_string())?;
        body()
    }))
}

/// The far interface drops what comes, in its driver, for as long as the value lives: what sending
/// costs is compared, and not what receiving does.
pub struct Drain {
    _link: Link,
    _program: Program,
}

impl Drain {
    pub fn new(network: &Network) -> Result<Self, String> {
        let attach = || {
            const RETURN_DROP: [u64; 2] = [0xb7 | 1 << 32, 0x95];
            let interface = link::interface_by_name(FAR_INTERFACE)?;
            let program = Program::load(&RETURN_DROP, &[], true)?;
            let link = program.attach(interface.index, true)?;
            Ok(Self { _link: link, _program: program })
        };
        let attach = move || attach().map_err(|errno: sio::error::Errno| format!("{errno:?}"));
        there(network, attach)?.join().map_err(|_| "a panic".to_owned())?
    }
}

/// Sends back what comes, with the calls of the kernel's sockets.
pub struct Echo {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Echo {
    pub fn start(network: &Network, port: u16, processor: Option<usize>) -> Result<Self, String> {
        let ends = Arc::new(AtomicBool::new(false));
        let seen = ends.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let serve = move || {
            let text = |error: std::io::Error| error.to_string();
            processor.map_or(Ok(()), |one| system::stay_on(&[one])).map_err(text)?;
            let socket = UdpSocket::bind((FAR, port)).map_err(text)?;
            socket.set_read_timeout(Some(Duration::from_millis(100))).map_err(text)?;
            let _ = tell.send(());
            let mut bytes = [0; 2048];
            while !seen.load(Ordering::Relaxed) {
                // Nothing within the time: perhaps it is over.
                if let Ok((count, from)) = socket.recv_from(&mut bytes) {
                    socket.send_to(&bytes[..count], from).map_err(text)?;
                }
            }
            Ok(())
        };
        let thread = there(network, serve)?;
        told.recv().map_err(|_| "the one who answers has not begun".to_owned())?;
        Ok(Self { ends, thread: Some(thread) })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
