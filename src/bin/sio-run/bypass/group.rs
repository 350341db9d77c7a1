//! The control group of a run: below the one that sio-run was started in, so that all limits hold.
//! cgroups(7).
//!
//! Its directory is locked by whoever keeps it. One that nobody has locked and nothing is in was left
//! by a run whose keeper was killed.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::super::program::reason;

const PREFIX: &str = "sio-run-";
/// Groups below groups that are looked into for what was left.
const DEPTH_MAX: usize = 16;

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {}", path.display(), reason(error))
}

/// Where the groups of the second version are.
pub fn mount() -> Result<PathBuf, String> {
    let path = Path::new("/proc/self/mounts");
    let mounts = fs::read_to_string(path).map_err(|error| told(path, &error))?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })
        .next()
        .ok_or_else(|| "there are no control groups of version 2 (cgroup2 is not mounted)".into())
}

/// One run at a time sets itself up.
pub fn lock(root: &Path) -> Result<Flock<File>, String> {
    let directory = File::open(root).map_err(|error| told(root, &error))?;
    Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, errno)| format!("{}: {}", root.display(), errno.desc()))
}

/// The group that this process is in.
fn own(root: &Path) -> Result<PathBuf, String> {
    let path = Path::new("/proc/self/cgroup");
    let groups = fs::read_to_string(path).map_err(|error| told(path, &error))?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.ok_or("this process is in no control group of version 2")?;
    if own.starts_with("..") {
        return Err("the control group of this process is out of sight".into());
    }
    Ok(root.join(own))
}

/// Removes what runs have left whose keepers were killed.
pub fn sweep(root: &Path) {
    sweep_below(root, 0);
}

fn sweep_below(directory: &Path, depth: usize) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || depth == DEPTH_MAX {
            continue;
        }
        let path = entry.path();
        sweep_below(&path, depth + 1);
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Ok(file) = File::open(&path) else { continue };
        if is_one && Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            // Fails while something is in it.
            let _ = fs::remove_dir(&path);
        }
    }
}

pub struct Group {
    path: PathBuf,
    /// Open, and locked, for as long as anybody keeps it.
    directory: Flock<File>,
}

impl Group {
    pub fn new(root: &Path) -> Result<Self, String> {
        let path = own(root)?.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| told(&path, &error))?;
        let directory = File::open(&path).map_err(|error| told(&path, &error))?;
        let directory = Flock::lock(directory, FlockArg::LockExclusive)
            .map_err(|(_, errno)| format!("{}: {}", path.display(), errno.desc()))?;
        Ok(Self { path, directory })
    }

    /// As the kernel's programs know it.
    pub fn number(&self) -> u64 {
        self.directory.metadata().map_or(0, |directory| directory.ino())
    }

    pub fn enter(&self) -> Result<(), String> {
        let path = self.path.join("cgroup.procs");
        fs::write(&path, "0").map_err(|error| told(&path, &error))
    }

    /// What tells, by a change, that the last process has left.
    pub fn events(&self) -> Result<File, String> {
        let path = self.path.join("cgroup.events");
        File::open(&path).map_err(|error| told(&path, &error))
    }

    /// With the groups that programs of the run have made in it.
    pub fn remove(&self) {
        remove_below(&self.path, 0);
    }
}

fn remove_below(directory: &Path, depth: usize) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < DEPTH_MAX {
            remove_below(&entry.path(), depth + 1);
        }
    }
    let _ = fs::remove_dir(directory);
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}
