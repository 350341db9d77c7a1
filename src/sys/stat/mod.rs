//! Counting what channels, engines, areas and sockets do, where others can look at it.
//!
//! The counters lie in System V shared memory, which suits the purpose: it takes no descriptor, it
//! is found by its owner (`/proc/sysvipc/shm`) without any right to trace the process, and it goes
//! with the last process that has it, be that killed. See shmget(2), shmctl(2). Where there is
//! none to be had, or `SIO_STAT=0` forbids it, the same counters lie in private memory.
//!
//! A child after fork finds zeroes of its own in the place of its parent's counters
//! (`fork::forget_in_child`), and makes new segments for objects of its own.

pub mod layout;
mod memory;
pub mod reader;

use std::ptr;
use std::sync::atomic::Ordering;

use self::layout::{COUNTERS, KINDS, Kind, MAGIC, SLOTS, Segment, Slot, VERSION};
use super::annotate;
use super::fork;
use super::per_process::PerProcess;
use super::sync::{Mutex, MutexGuard};

/// So many segments of a process can be seen: 65,536 objects. Systems have 4,096 for all.
const VISIBLE_MAX: usize = 64;

/// The segments of this process.
struct Book {
    epoch: u32,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    segments: Vec<&'static Segment>,
    /// Slots of the last segment that were given out.
    used: usize,
    /// Slots that came back.
    free: Vec<&'static Slot>,
    /// How many segments can be seen: the first ones.
    seen: usize,
}

static BOOK: PerProcess<Book> = PerProcess::empty();

fn book() -> &'static Book {
    BOOK.get_or_make(|| Book { epoch: fork::epoch(), pages: Mutex::default() })
}

impl Book {
    /// Nothing is half done in there after a panic: each step is one of counters.
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock()
    }
}

impl Pages {
    fn first(&mut self) -> &'static Segment {
        match self.segments.first() {
            Some(first) => first,
            None => self.add(),
        }
    }

    fn add(&mut self) -> &'static Segment {
        let number = self.segments.len();
        let may_be_seen = number < VISIBLE_MAX && self.seen == number && memory::is_wanted();
        let seen = if may_be_seen { memory::shared() } else { None };
        self.seen += usize::from(seen.is_some());
        let segment = seen.unwrap_or_else(memory::private);
        annotate::disregard(segment);
        let header = &segment.header;
        header.version.store(VERSION, Ordering::Relaxed);
        header.header_bytes.store(size_of::<layout::Header>() as u32, Ordering::Relaxed);
        header.slot_bytes.store(size_of::<Slot>() as u32, Ordering::Relaxed);
        header.slots.store(SLOTS as u32, Ordering::Relaxed);
        header.number.store(number as u32, Ordering::Relaxed);
        header.library.set(env!("CARGO_PKG_VERSION"));
        header.magic.store(MAGIC, Ordering::Release);
        self.segments.push(segment);
        self.used = 0;
        segment
    }

    fn slot(&mut self) -> &'static Slot {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        let segment = match self.segments.last() {
            Some(last) if self.used < SLOTS => last,
            _ => self.add(),
        };
        self.used += 1;
        // Each comes back some time, when there may be no memory.
        self.free.reserve((self.segments.len() - 1) * SLOTS + self.used);
        segment.header.used.store(self.used as u32, Ordering::Release);
        &segment.slots[self.used - 1]
    }

    /// Whether a slot is where nobody sees it, though others can be seen.
    fn hides(&self, slot: &Slot) -> bool {
        let place = ptr::from_ref(slot);
        let mut seen = self.segments[..self.seen].iter();
        self.seen < self.segments.len()
            && !seen.any(|segment| segment.slots.as_ptr_range().contains(&place))
    }

    /// Changes of what is where, for one who looks: begun, and ended.
    fn changing(&mut self) {
        self.first().header.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// The counters of one object, as long as it lives.
pub struct Tally {
    slot: &'static Slot,
    kind: Kind,
    book: &'static Book,
}

impl Tally {
    pub fn new(kind: Kind) -> Self {
        let book = book();
        let mut pages = book.lock();
        pages.changing();
        let slot = pages.slot();
        slot.kind.store(kind as u32, Ordering::Release);
        if pages.hides(slot) {
            pages.first().header.hidden.fetch_add(1, Ordering::Relaxed);
        }
        pages.changing();
        drop(pages);
        Self { slot, kind, book }
    }

    /// The caller has what guards the object: nobody else does this at the same time.
    #[inline(always)]
    pub fn add(&self, counter: usize, count: u64) {
        let cell = &self.slot.owned.0[counter];
        // An addition in memory, without the lock of one that others may do too.
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// As [`Tally::add`], for a counter that is kept elsewhere.
    #[inline(always)]
    pub fn set(&self, counter: usize, value: u64) {
        self.slot.owned.0[counter].store(value, Ordering::Relaxed);
    }

    /// From any thread.
    pub fn add_shared(&self, counter: usize, count: u64) {
        self.slot.shared.0[counter].fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self, counter: usize) -> u64 {
        self.slot.counter(counter)
    }

    /// Which of [`layout::ENGINES`] serves it.
    pub fn set_engine(&self, engine: u32) {
        self.slot.engine.store(engine, Ordering::Relaxed);
    }

    pub fn engine(&self) -> u32 {
        self.slot.engine.load(Ordering::Relaxed)
    }

    pub fn channel(&self) -> i32 {
        self.slot.channel().unwrap_or(-1)
    }

    /// -1: it is in none.
    pub fn set_channel(&self, fd: i32) {
        self.slot.channel.store((fd + 1) as u32, Ordering::Relaxed);
    }

    pub fn set_descriptor(&self, fd: i32) {
        self.slot.descriptor.store(fd as u32, Ordering::Relaxed);
    }

    pub fn set_area(&self, handle: u64) {
        self.slot.area.store(handle, Ordering::Relaxed);
    }

    pub fn set_size(&self, size: u64) {
        self.slot.size.store(size, Ordering::Relaxed);
    }

    pub fn set_reason(&self, reason: &str) {
        self.slot.reason.set(reason);
    }
}

impl Drop for Tally {
    /// What it has counted is added to what those have counted that went before.
    fn drop(&mut self) {
        if self.book.epoch != fork::epoch() {
            return;
        }
        let mut pages = self.book.lock();
        pages.changing();
        let slot = self.slot;
        let engine = slot.engine.swap(0, Ordering::Relaxed) as usize;
        let place = KINDS.iter().position(|kind| *kind == self.kind);
        let past = place.and_then(|kind| pages.first().header.past[kind].get(engine));
        for number in 0..COUNTERS {
            let counted = slot.counter(number);
            if let Some(past) = past.filter(|_| counted != 0) {
                past.0[number].fetch_add(counted, Ordering::Relaxed);
            }
            slot.owned.0[number].store(0, Ordering::Relaxed);
            slot.shared.0[number].store(0, Ordering::Relaxed);
        }
        slot.kind.store(0, Ordering::Relaxed);
        for word in [&slot.channel, &slot.descriptor] {
            word.store(0, Ordering::Relaxed);
        }
        for word in [&slot.area, &slot.size] {
            word.store(0, Ordering::Relaxed);
        }
        slot.reason.set("");
        if pages.hides(slot) {
            pages.first().header.hidden.fetch_sub(1, Ordering::Relaxed);
        }
        pages.free.push(slot);
        pages.changing();
    }
}

/// Where requests of POSIX AIO are counted, and what does them is told.
pub fn requests() -> &'static layout::Header {
    &book().lock().first().header
}
