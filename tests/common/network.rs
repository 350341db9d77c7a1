//! Networks of a test's own: two namespaces with a pair of interfaces between them, gone with the
//! value. Threads and programs are put into a namespace; the rest of the machine is not touched.

#![allow(dead_code)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{has_program, output};

/// Two namespaces, `near` and `far`, each with an interface: `near0` has the addresses 10.9.0.1 and
/// fd09::1, `far0` those that end with 2.
pub struct Network {
    pub near: String,
    pub far: String,
}

pub const NEAR: &str = "10.9.0.1";
pub const FAR: &str = "10.9.0.2";
pub const NEAR6: &str = "fd09::1";
pub const FAR6: &str = "fd09::2";

impl Network {
    /// With `queues` in each direction, or the reason why there is none.
    pub fn new(queues: u32) -> Result<Self, String> {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            return Err("needs root".to_owned());
        }
        if !has_program("ip") {
            return Err("no ip(8)".to_owned());
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("sio-{}-{number}-{end}", std::process::id());
        let network = Self { near: name("near"), far: name("far") };
        network.set_up(queues)?;
        Ok(network)
    }

    fn set_up(&self, queues: u32) -> Result<(), String> {
        let (near, far) = (&self.near, &self.far);
        ip(&format!("netns add {near}"))?;
        ip(&format!("netns add {far}"))?;
        let queues = format!("numrxqueues {queues} numtxqueues {queues}");
        ip(&format!(
            "-n {near} link add near0 {queues} type veth peer name far0 netns {far} {queues}"
        ))?;
        for (space, interface, address, address6) in
            [(near, "near0", NEAR, NEAR6), (far, "far0", FAR, FAR6)]
        {
            ip(&format!("-n {space} link set lo up"))?;
            ip(&format!("-n {space} addr add {address}/24 dev {interface}"))?;
            ip(&format!("-n {space} addr add {address6}/64 dev {interface} nodad"))?;
            ip(&format!("-n {space} link set {interface} up"))?;
        }
        Ok(())
    }

    /// Runs `body` in a thread inside of a namespace.
    pub fn inside<T: Send>(space: &str, body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter(space);
                body()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that runs in a namespace.
    pub fn command(space: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space]).arg(program);
        command
    }
}

/// From now on this thread is in the namespace.
pub fn enter(space: &str) {
    let file = File::open(format!("/run/netns/{space}")).expect("the namespace");
    // SAFETY: a valid descriptor.
    let answer = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(answer, 0, "setns: {}", std::io::Error::last_os_error());
}

/// ip(8) with these arguments.
pub fn ip(arguments: &str) -> Result<String, String> {
    output(Command::new("ip").args(arguments.split_whitespace()))
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in [&self.near, &self.far] {
            let mut command = Command::new("ip");
            command.args(["netns", "del", space]).stderr(Stdio::null());
            let _ = command.status();
        }
    }
}
