//! The processes that can be looked into, and why others cannot.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::unistd::geteuid;
use sio::api::Errno;
use sio::sys::stat::layout::{COUNTERS, Kind, VERSION};
use sio::sys::stat::reader::{Candidate, Found, Object, Snapshot, candidates};

/// What one process has told.
#[derive(Debug, Default)]
pub struct Process {
    pub id: i32,
    pub name: String,
    pub library: String,
    /// Objects that are not shown, because there are too many.
    pub hidden: u64,
    pub requests: [u64; 3],
    pub behind: String,
    pub objects: Vec<Object>,
    past: Vec<(Kind, &'static str, [u64; COUNTERS])>,
}

/// One that was asked for, and cannot be looked into.
pub struct Refused {
    pub process: i32,
    pub cause: String,
}

/// The processes that were asked for, or all of this user's (for root: all).
pub fn find(asked: &[i32]) -> Result<(Vec<Process>, Vec<Refused>), String> {
    let all = candidates().map_err(|errno| {
        let hint = match errno {
            Errno::ENOENT => " (a kernel without System V shared memory, or no /proc)",
            _ => "",
        };
        format!("the list of shared memory: {}{hint}", errno.desc())
    })?;
    let mut by_process: BTreeMap<i32, Vec<Candidate>> = BTreeMap::new();
    for candidate in all {
        by_process.entry(candidate.process).or_default().push(candidate);
    }
    let mut refused = Vec::new();
    if asked.is_empty() {
        let me = geteuid();
        by_process.retain(|process, of_process| {
            let is_mine = of_process.iter().any(|candidate| candidate.user == me.as_raw());
            (is_mine || me.is_root()) && is_alive(*process)
        });
        let found = by_process.iter().filter_map(|(id, of_process)| read(*id, of_process).ok());
        return Ok((found.collect(), refused));
    }
    let mut found = Vec::new();
    for &id in asked {
        let of_process = by_process.get(&id).map_or(&[][..], Vec::as_slice);
        match read(id, of_process) {
            Ok(process) => found.push(process),
            Err(cause) => refused.push(Refused { process: id, cause }),
        }
    }
    Ok((found, refused))
}

fn directory(process: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}

fn is_alive(process: i32) -> bool {
    directory(process).exists()
}

fn read(id: i32, candidates: &[Candidate]) -> Result<Process, String> {
    let mut snapshots = Vec::new();
    let mut why = None;
    for candidate in candidates {
        match candidate.attach() {
            Ok(Found::Ours(attached)) => snapshots.push(attached.read()),
            Ok(Found::Other(version)) => {
                why = Some(format!(
                    "its libsio counts as version {version} does, and this program reads version \
                     {VERSION}: use the sio-stat of that libsio"
                ));
            }
            Ok(Found::Nothing) => {}
            // It has ended meanwhile.
            Err(Errno::EIDRM | Errno::EINVAL) => {}
            Err(Errno::EACCES) => {
                let user = candidate.user;
                why.get_or_insert(format!(
                    "belongs to another user ({user}): run sio-stat as that user"
                ));
            }
            Err(errno) => why = Some(errno.desc().to_owned()),
        }
    }
    if !is_alive(id) {
        return Err("there is no such process".to_owned());
    }
    if snapshots.is_empty() {
        return Err(why.unwrap_or_else(|| why_nothing(id)));
    }
    let name = fs::read_to_string(directory(id).join("comm")).unwrap_or_default();
    let name = name.trim_end().chars().filter(|character| !character.is_control()).collect();
    Ok(merge(id, name, snapshots))
}

/// A process of which no counters are found.
fn why_nothing(id: i32) -> String {
    let space = |process: &str| fs::read_link(format!("/proc/{process}/ns/ipc")).ok();
    let theirs = space(&id.to_string());
    if theirs.is_some() && theirs != space("self") {
        return "lives in another IPC namespace, as in a container: run sio-stat there".to_owned();
    }
    "does not use libsio, or has not yet, or SIO_STAT=0 is set for it".to_owned()
}

fn merge(id: i32, name: String, mut snapshots: Vec<Snapshot>) -> Process {
    snapshots.sort_by_key(|snapshot| snapshot.number);
    let mut process = Process { id, name, ..Process::default() };
    for snapshot in snapshots {
        if snapshot.number == 0 {
            process.library = snapshot.library;
            process.hidden = snapshot.hidden;
            process.requests = snapshot.requests;
            process.behind = snapshot.behind;
            process.past = snapshot.past;
        }
        process.objects.extend(snapshot.objects);
    }
    process.objects.sort_by_key(|object| {
        (object.kind, object.channel, object.descriptor, object.area, object.engine)
    });
    process
}

impl Process {
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }

    /// All that objects of a kind have counted, those among them that have gone.
    pub fn total(&self, kind: Kind) -> [u64; COUNTERS] {
        let past =
            self.past.iter().filter(|(of, _, _)| *of == kind).map(|(_, _, counters)| counters);
        let present = self.of(kind).map(|object| &object.counters);
        past.chain(present).fold([0; COUNTERS], |mut sum, counters| {
            for (sum, count) in sum.iter_mut().zip(counters) {
                *sum = sum.wrapping_add(*count);
            }
            sum
        })
    }
}
