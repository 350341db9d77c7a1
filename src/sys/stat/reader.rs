//! Looking at the counters of other processes. What is read there may be anything: it is taken as
//! numbers and texts, and checked where it says how much of it there is.

use std::sync::atomic::{Ordering, fence};

use super::layout::{COUNTERS, ENGINES, Header, KINDS, Kind, MAGIC, SLOTS, Segment, Slot, VERSION};
use crate::error::{Errno, Result};

const LIST: &str = "/proc/sysvipc/shm";
/// A segment that goes with the last process that has it.
const DESTROYED: u32 = 0o1000;
/// How often it is tried to read while nothing changes.
const TRIES_MAX: usize = 100;

/// A segment of shared memory that may be one of ours.
#[derive(Clone, Debug)]
pub struct Candidate {
    id: i32,
    bytes: usize,
    pub process: i32,
    pub user: u32,
}

/// The segments of the system that may be ours, in their order.
pub fn candidates() -> Result<Vec<Candidate>> {
    let list = std::fs::read_to_string(LIST)
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    Ok(list.lines().skip(1).filter_map(candidate).collect())
}

/// `key shmid perms size cpid lpid nattch uid ...`
fn candidate(line: &str) -> Option<Candidate> {
    let mut words = line.split_ascii_whitespace();
    let key: i64 = words.next()?.parse().ok()?;
    let id = words.next()?.parse().ok()?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let bytes: usize = words.next()?.parse().ok()?;
    let process = words.next()?.parse().ok()?;
    let attached: u64 = words.nth(1)?.parse().ok()?;
    let user = words.next()?.parse().ok()?;
    let may_be =
        key == 0 && mode == (DESTROYED | 0o600) && bytes >= size_of::<Header>() && attached > 0;
    may_be.then_some(Candidate { id, bytes, process, user })
}

/// A segment of a process, attached for reading.
pub struct Attached {
    place: *const Segment,
}

/// What became of a look.
pub enum Found {
    Ours(Attached),
    /// Of another version of the library.
    Other(u32),
    /// Something else.
    Nothing,
}

impl Candidate {
    /// Attaches it. `EACCES`: it is another user's.
    pub fn attach(&self) -> Result<Found> {
        // SAFETY: the memory is detached when the value is dropped, and is large enough for a
        // header, as the list said of this very segment: a segment never changes its size.
        let place = unsafe { libc::shmat(self.id, std::ptr::null(), libc::SHM_RDONLY) };
        if place as isize == -1 {
            return Err(Errno::last());
        }
        let attached = Attached { place: place.cast() };
        let header = attached.header();
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Ok(Found::Nothing);
        }
        let version = header.version.load(Ordering::Relaxed);
        let is_whole = self.bytes >= size_of::<Segment>()
            && header.header_bytes.load(Ordering::Relaxed) as usize == size_of::<Header>()
            && header.slot_bytes.load(Ordering::Relaxed) as usize == size_of::<Slot>()
            && header.slots.load(Ordering::Relaxed) as usize == SLOTS;
        Ok(if version == VERSION && is_whole {
            Found::Ours(attached)
        } else {
            Found::Other(version)
        })
    }
}

/// One object of a process.
#[derive(Clone, Debug)]
pub struct Object {
    pub kind: Kind,
    pub engine: &'static str,
    pub channel: Option<i32>,
    pub descriptor: i32,
    pub area: u64,
    pub size: u64,
    pub reason: String,
    pub counters: [u64; COUNTERS],
}

/// Everything in one segment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub number: u32,
    pub library: String,
    pub hidden: u64,
    /// At once, by the ring, by threads.
    pub requests: [u64; 3],
    pub behind: String,
    pub objects: Vec<Object>,
    /// What those have counted that have gone.
    pub past: Vec<(Kind, &'static str, [u64; COUNTERS])>,
}

impl Attached {
    fn header(&self) -> &Header {
        // SAFETY: there is at least a header, as attach() has seen; it is made of atomics.
        unsafe { &(*self.place).header }
    }

    /// Those that were ever in use: to look at the others would give them memory.
    fn slots(&self) -> &[Slot] {
        let used = self.header().used.load(Ordering::Acquire) as usize;
        // SAFETY: a value that is given out by attach() has all of a segment.
        let slots = unsafe { &(*self.place).slots };
        &slots[..used.min(SLOTS)]
    }

    /// What stands there, all of it from between two changes if possible: a process that was
    /// stopped amid one is read as it is.
    pub fn read(&self) -> Snapshot {
        let changes = &self.header().changes;
        for _ in 0..TRIES_MAX {
            let before = changes.load(Ordering::Acquire);
            let snapshot = self.read_once();
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && changes.load(Ordering::Relaxed) == before {
                return snapshot;
            }
            std::thread::yield_now();
        }
        self.read_once()
    }

    fn read_once(&self) -> Snapshot {
        let header = self.header();
        let request = |number: usize| header.requests.0[number].load(Ordering::Relaxed);
        let past = KINDS.iter().zip(&header.past).flat_map(|(&kind, lines)| {
            lines.iter().zip(ENGINES).map(move |(line, engine)| {
                (kind, engine, std::array::from_fn(|n| line.0[n].load(Ordering::Relaxed)))
            })
        });
        Snapshot {
            number: header.number.load(Ordering::Relaxed),
            library: header.library.get(),
            hidden: header.hidden.load(Ordering::Relaxed),
            requests: [request(0), request(1), request(2)],
            behind: header.behind.get(),
            objects: self.slots().iter().filter_map(object).collect(),
            past: past.filter(|(_, _, counters)| counters.iter().any(|n| *n != 0)).collect(),
        }
    }
}

fn object(slot: &Slot) -> Option<Object> {
    let kind = Kind::from_number(slot.kind.load(Ordering::Acquire))?;
    let engine = slot.engine.load(Ordering::Relaxed) as usize;
    Some(Object {
        kind,
        engine: ENGINES.get(engine).copied().unwrap_or_default(),
        channel: slot.channel(),
        descriptor: slot.descriptor.load(Ordering::Relaxed) as i32,
        area: slot.area.load(Ordering::Relaxed),
        size: slot.size.load(Ordering::Relaxed),
        reason: slot.reason.get(),
        counters: std::array::from_fn(|number| slot.counter(number)),
    })
}

impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: attached by Candidate::attach, and not used any more.
        unsafe { libc::shmdt(self.place.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list() {
        let line =
            "         0      32770  1600                263680   901   0      1   1000   1000";
        let found = candidate(line).expect("a segment like ours");
        assert_eq!((found.id, found.bytes, found.process, found.user), (32770, 263680, 901, 1000));
        assert!(candidate("").is_none() && candidate("0 a b").is_none());
        // One that has a key, one that stays, one that nobody has, one that is too small.
        for other in [
            "7 1 1600 263680 901 0 1 1000",
            "0 1 600 263680 901 0 1 1000",
            "0 1 1600 263680 901 0 0 1000",
            "0 1 1600 64 901 0 1 1000",
        ] {
            assert!(candidate(other).is_none(), "{other}");
        }
    }
}
