//! Whether somebody else has the same socket: a child, a parent, whoever was handed the descriptor.
//! Then each of them has a right to its datagrams, and it stays with the kernel.

use std::ffi::c_int;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The process has forked, or was forked, since the program began.
static HAS_FORKED: AtomicBool = AtomicBool::new(false);

pub fn forked() {
    HAS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether the socket is open in another process, as far as that can be told.
pub fn is_elsewhere(fd: c_int) -> bool {
    if !HAS_FORKED.load(Ordering::Relaxed) {
        return false;
    }
    let Ok(own) = fs::metadata(format!("/proc/self/fd/{fd}")) else { return true };
    let own_process = std::process::id().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    processes
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_process(name) && *name != own_process)
        .any(|name| has_socket(&name, own.ino()))
}

/// One that we may not look into is somebody else's, who has not inherited from us.
fn has_socket(process: &str, inode: u64) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let wanted = format!("socket:[{inode}]");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target.as_os_str() == wanted.as_str())
}
