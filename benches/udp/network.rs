//! Two network namespaces with a pair of interfaces between them, and the file in which a program
//! counts. All of it is gone with the value.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub const NEAR: &str = "10.9.0.1";
pub const FAR: &str = "10.9.0.2";
pub const NEAR_HARDWARE: [u8; 6] = [2, 0, 0, 9, 0, 1];
pub const FAR_HARDWARE: [u8; 6] = [2, 0, 0, 9, 0, 2];
pub const FAR_INTERFACE: &str = "far0";

pub struct Network {
    near: String,
    far: String,
    counter: PathBuf,
}

/// Puts this thread, or this process before its program begins, into a namespace.
pub fn enter(space: &File) -> io::Result<()> {
    // SAFETY: a valid descriptor.
    match unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    let output = command.args(arguments.split_whitespace()).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Network {
    pub fn new() -> Result<Self, String> {
        let id = std::process::id();
        let network = Self {
            near: format!("sio-bench-{id}-near"),
            far: format!("sio-bench-{id}-far"),
            counter: std::env::temp_dir().join(format!("sio-bench-{id}")),
        };
        let (near, far) = (&network.near, &network.far);
        ip(&format!("netns add {near}"))?;
        ip(&format!("netns add {far}"))?;
        ip(&format!(
            "-n {near} link add near0 address 02:00:00:09:00:01 type veth \
             peer name {FAR_INTERFACE} address 02:00:00:09:00:02 netns {far}"
        ))?;
        for (space, interface, own, other, hardware) in [
            (near, "near0", NEAR, FAR, "02:00:00:09:00:02"),
            (far, FAR_INTERFACE, FAR, NEAR, "02:00:00:09:00:01"),
        ] {
            ip(&format!("-n {space} addr add {own}/24 dev {interface}"))?;
            ip(&format!("-n {space} link set lo up"))?;
            ip(&format!("-n {space} link set {interface} up"))?;
            ip(&format!("-n {space} neigh replace {other} lladdr {hardware} dev {interface}"))?;
        }
        // Without it the interface takes no frames that are passed on in batches.
        let mut ethtool = Command::new("ip");
        ethtool.args(["netns", "exec", near, "ethtool", "-K", "near0", "gro", "on"]);
        match ethtool.stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(network),
            answer => Err(format!("ethtool: {answer:?}")),
        }
    }

    pub fn open_near(&self) -> io::Result<File> {
        File::open(format!("/run/netns/{}", self.near))
    }

    pub fn open_far(&self) -> io::Result<File> {
        File::open(format!("/run/netns/{}", self.far))
    }

    pub fn counter_path(&self) -> &PathBuf {
        &self.counter
    }

    /// The file, with nothing counted.
    pub fn counter(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(true).open(&self.counter)?;
        file.set_len(4096)?;
        Ok(file)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.counter);
        for space in [&self.near, &self.far] {
            let mut command = Command::new("ip");
            let _ = command.args(["netns", "del", space]).stderr(Stdio::null()).status();
        }
    }
}
