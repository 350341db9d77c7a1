//! Frames: chunks of one size that come and go one by one with every packet, so that taking one,
//! holding it and giving it back costs a few atomic operations and no lock.
//!
//! A frame is in one place at a time: on the stack of free ones, or with whoever has a reference
//! to it. The word of a frame says how many references there are, and which part of it the program
//! holds. Invariants: the program's hold is one of the references; who drops the last one puts the
//! frame on the stack, with a reference for whoever takes it from there. Whoever has the only
//! reference changes the word without regard to others. The state lies outside of the memory, as
//! everywhere in this module.
#![forbid(unsafe_code)]

use crate::error::{Errno, Result};
use crate::sys::annotate;
use crate::sys::solo::{self, replace};
use crate::sys::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A frame by its number: its place in the area divided by its size.
pub type Frame = u32;

/// What a word says. The low half counts references.
const REFERENCE: u64 = 1;
const REFERENCES: u64 = 0xffff;
/// The chunk is a frame, and not part of a larger block or free in the allocator.
const IS_FRAME: u64 = 1 << 16;
/// The program holds a part of it: see `from` and `length`.
const IS_HELD: u64 = 1 << 17;
/// What it holds is the data of a message whose header stands at the start of the frame.
const IS_MESSAGE: u64 = 1 << 18;
/// Somebody's account knows of the bytes.
const IS_BOOKED: u64 = 1 << 19;
/// The bytes in front of what is held are headers on their way out.
const IS_LED: u64 = 1 << 20;
const FROM_SHIFT: u32 = 24;
const LENGTH_SHIFT: u32 = 40;
const FIELD: u64 = 0x3fff;

/// What a frame on the stack has as its word.
const FREE: u64 = IS_FRAME | REFERENCE;

/// The end of a list of frames.
const NONE: u32 = u32::MAX;

/// What is handed to the program.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// From the start of the frame, in bytes.
    pub from: usize,
    pub length: usize,
    pub is_message: bool,
    pub is_booked: bool,
}

/// A frame to which nobody refers any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Freed {
    pub frame: Frame,
    /// So many bytes were booked by whoever received them.
    pub booked_bytes: Option<usize>,
}

struct Slot {
    word: AtomicU64,
    /// The frame below it on the stack.
    below: AtomicU32,
    /// The allocator's name for it.
    chunk: AtomicU32,
}

pub struct Frames {
    /// The size of a frame, as a power of two: dividing by it is shifting.
    chunk_shift: u32,
    slots: Box<[Slot]>,
    /// The topmost free frame, and a number that every change moves on: the same frame may be on
    /// top again, above others, when somebody who has looked comes to take it.
    top: AtomicU64,
}

impl Frames {
    /// `chunk_bytes` is a power of two; none of the chunks is a frame yet.
    pub fn new(area_bytes: usize, chunk_bytes: usize) -> Self {
        assert!(chunk_bytes.is_power_of_two() && chunk_bytes <= FIELD as usize);
        solo::begin();
        let slot = || Slot {
            word: AtomicU64::new(0),
            below: AtomicU32::new(NONE),
            chunk: AtomicU32::new(NONE),
        };
        let slots: Box<[Slot]> = (0..area_bytes / chunk_bytes).map(|_| slot()).collect();
        slots.iter().for_each(annotate::disregard);
        Self { chunk_shift: chunk_bytes.ilog2(), slots, top: AtomicU64::new(u64::from(NONE)) }
    }

    pub fn chunk_bytes(&self) -> usize {
        1 << self.chunk_shift
    }

    /// How many there can be.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Where a frame begins in the area.
    pub fn offset(&self, frame: Frame) -> usize {
        (frame as usize) << self.chunk_shift
    }

    /// The number of the chunk that an offset lies in.
    pub fn at(&self, offset: usize) -> Frame {
        (offset >> self.chunk_shift) as Frame
    }

    fn split(&self, offset: usize) -> (Frame, usize) {
        (self.at(offset), offset & (self.chunk_bytes() - 1))
    }

    /// The frame that an offset lies in, if the chunk there is one.
    pub fn find(&self, offset: usize) -> Option<Frame> {
        let (frame, _) = self.split(offset);
        let word = self.slots.get(frame as usize)?.word.load(Ordering::Acquire);
        (word & IS_FRAME != 0).then_some(frame)
    }

    fn slot(&self, frame: Frame) -> &Slot {
        &self.slots[frame as usize]
    }

    /// Makes a frame of a chunk of the allocator's that nobody else refers to, and puts it on the
    /// stack.
    pub fn adopt(&self, offset: usize, chunk: u32) {
        let (frame, within) = self.split(offset);
        debug_assert_eq!(within, 0);
        let slot = self.slot(frame);
        slot.chunk.swap(chunk, Ordering::Relaxed);
        slot.word.swap(FREE, Ordering::AcqRel);
        self.push(frame);
    }

    /// Takes a free frame off the stack for ever: the allocator's name for it.
    pub fn disown(&self) -> Option<u32> {
        let slot = self.slot(self.pop()?);
        slot.word.swap(0, Ordering::AcqRel);
        Some(slot.chunk.load(Ordering::Relaxed))
    }

    #[inline]
    fn push(&self, frame: Frame) {
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            self.slot(frame).below.store(top as u32, Ordering::Relaxed);
            let new = (top >> 32).wrapping_add(1) << 32 | u64::from(frame);
            match replace(&self.top, top, new) {
                Ok(_) => return,
                Err(other) => top = other,
            }
        }
    }

    fn pop(&self) -> Option<Frame> {
        let mut found = NONE;
        let taken = self.pop_many(1, |_, frame| found = frame);
        (taken > 0).then_some(found)
    }

    /// Takes up to `count` frames off the stack in one step: how many. `sink` gets them with their
    /// numbers, from 0 on: where it gets a number again, what it has had from there on is void, and so
    /// is what it has had beyond what is returned.
    #[inline]
    fn pop_many(&self, count: usize, mut sink: impl FnMut(usize, Frame)) -> usize {
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            let (mut rest, mut taken) = (top as u32, 0);
            while taken < count && rest != NONE {
                sink(taken, rest);
                // Others may have taken it meanwhile: then the top is not what it was.
                rest = self.slot(rest).below.load(Ordering::Relaxed);
                taken += 1;
            }
            if taken == 0 {
                return 0;
            }
            let new = (top >> 32).wrapping_add(1) << 32 | u64::from(rest);
            match replace(&self.top, top, new) {
                Ok(_) => return taken,
                Err(other) => top = other,
            }
        }
    }

    /// A free frame; the caller has the only reference.
    pub fn take(&self) -> Option<Frame> {
        self.pop()
    }

    /// Appends up to `count` free frames, each as [`Frames::take`] gives one: how many.
    pub fn take_many(&self, count: usize, into: &mut Vec<Frame>) -> usize {
        let before = into.len();
        into.reserve(count.min(self.count()));
        let taken = self.pop_many(count, |number, frame| {
            into.truncate(before + number);
            into.push(frame);
        });
        into.truncate(before + taken);
        taken
    }

    /// Changes a word as `change` says, or leaves it when that is `None`: the old word.
    #[inline(always)]
    fn update(&self, frame: Frame, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let word = &self.slot(frame).word;
        let mut old = word.load(Ordering::Acquire);
        loop {
            let new = change(old)?;
            match replace(word, old, new) {
                Ok(_) => return Some(old),
                Err(other) => old = other,
            }
        }
    }

    pub fn add_reference(&self, frame: Frame) {
        let old = self.slot(frame).word.fetch_add(REFERENCE, Ordering::AcqRel);
        debug_assert!(old & REFERENCES < REFERENCES);
    }

    /// Drops one reference. If it was the last, the frame is free now.
    pub fn drop_reference(&self, frame: Frame) -> Option<Freed> {
        let word = self.update(frame, |word| Some(without_reference(word)))?;
        self.free_if_last(frame, word)
    }

    /// `word` is what stood there before the reference was dropped.
    fn free_if_last(&self, frame: Frame, word: u64) -> Option<Freed> {
        if word & REFERENCES != REFERENCE {
            return None;
        }
        let booked_bytes = (word & IS_BOOKED != 0).then_some(length(word));
        self.push(frame);
        Some(Freed { frame, booked_bytes })
    }

    /// Makes the program the holder of a part of the frame. It takes over the caller's reference,
    /// which is the only one.
    pub fn hand_out(&self, frame: Frame, hold: &Hold) {
        debug_assert!(hold.from + hold.length <= self.chunk_bytes());
        let mut fields = held_part(hold.from, hold.length);
        if hold.is_message {
            fields |= IS_MESSAGE;
        }
        if hold.is_booked {
            fields |= IS_BOOKED;
        }
        let word = &self.slot(frame).word;
        debug_assert_eq!(word.load(Ordering::Relaxed), FREE, "somebody else has it too");
        word.store(FREE | fields, Ordering::Release);
    }

    /// The same for what is no message and in nobody's account.
    #[inline(always)]
    pub fn hand_out_plainly(&self, frame: Frame, from: usize, bytes: usize) {
        debug_assert!(from + bytes <= self.chunk_bytes());
        let word = &self.slot(frame).word;
        debug_assert_eq!(word.load(Ordering::Relaxed), FREE, "somebody else has it too");
        word.store(FREE | held_part(from, bytes), Ordering::Release);
    }

    /// Takes back what the program holds, if it is exactly that, no message, in nobody's account, and
    /// nobody else refers to it: the frame is free now. `false`: it has to be looked at closely.
    #[inline(always)]
    pub fn release_plainly(&self, offset: usize, bytes: usize) -> bool {
        let (frame, within) = self.split(offset);
        let Some(slot) = self.slots.get(frame as usize) else { return false };
        let held = FREE | held_part(within, bytes.min(FIELD as usize));
        let is_that = replace(&slot.word, held, FREE).is_ok();
        if is_that {
            self.push(frame);
        }
        is_that
    }

    /// Takes back what the program holds, if it is exactly that. `message_bytes` is the length of
    /// a message's header.
    pub fn release(
        &self,
        offset: usize,
        bytes: usize,
        message_bytes: usize,
    ) -> Result<Option<Freed>> {
        let (frame, within) = self.split(offset);
        let word = self.update(frame, |word| {
            let (from, held) = if word & IS_MESSAGE == 0 {
                (from(word), length(word))
            } else {
                (0, message_bytes)
            };
            let is_that = word & IS_HELD != 0 && from == within && held == bytes;
            is_that.then(|| without_reference(word & !(IS_HELD | IS_MESSAGE)))
        });
        word.map(|word| self.free_if_last(frame, word)).ok_or(Errno::EINVAL)
    }

    /// Takes back whatever the program holds of a frame, if anything.
    pub fn release_all(&self, frame: Frame) -> Option<Freed> {
        let word = self.update(frame, |word| {
            (word & IS_HELD != 0).then(|| without_reference(word & !(IS_HELD | IS_MESSAGE)))
        })?;
        self.free_if_last(frame, word)
    }

    /// One more reference to a frame of which the program holds these bytes.
    #[inline]
    pub fn lend(&self, offset: usize, bytes: usize) -> Result<Frame> {
        self.change_held(offset, bytes, |word| {
            (word & REFERENCES < REFERENCES).then_some(word + REFERENCE)
        })
    }

    /// The same, but it is the program's reference, which holds nothing of the frame any more.
    pub fn lend_last(&self, offset: usize, bytes: usize) -> Result<Frame> {
        self.change_held(offset, bytes, |word| Some(word & !(IS_HELD | IS_MESSAGE)))
    }

    /// Changes the word of a frame of which the program holds these bytes.
    #[inline(always)]
    fn change_held(
        &self,
        offset: usize,
        bytes: usize,
        change: impl Fn(u64) -> Option<u64>,
    ) -> Result<Frame> {
        let (frame, within) = self.split(offset);
        self.update(frame, |word| {
            let is_inside = word & IS_HELD != 0
                && within >= from(word)
                && within + bytes <= from(word) + length(word);
            if is_inside { change(word) } else { None }
        })
        .map(|_| frame)
        .ok_or(Errno::EFAULT)
    }

    /// Room for headers in front of what begins at `offset`: where the program's part begins there,
    /// at least `header_bytes` are in front of it, and no other headers stand there on their way
    /// out. From `true` on those of the caller do, who has a reference, until [`Frames::end_lead`] or
    /// [`Frames::retract`].
    pub fn lead(&self, offset: usize, header_bytes: usize) -> bool {
        let (frame, within) = self.split(offset);
        let lead = |word: u64| {
            let is_free = word & IS_LED == 0 && from(word) == within && within >= header_bytes;
            is_free.then_some(word | IS_LED)
        };
        self.update(frame, lead).is_some()
    }

    /// The headers are gone.
    pub fn end_lead(&self, frame: Frame) {
        self.update(frame, |word| Some(word & !IS_LED));
    }

    /// The headers are gone, and so is a reference. If it was the last one, the frame is free now.
    pub fn retract(&self, frame: Frame) -> Option<Freed> {
        let word = self.update(frame, |word| Some(without_reference(word & !IS_LED)))?;
        self.free_if_last(frame, word)
    }

    pub fn is_any_held(&self) -> bool {
        self.slots.iter().any(|slot| slot.word.load(Ordering::Acquire) & IS_HELD != 0)
    }
}

/// What the word of a frame says of which the program holds a part.
fn held_part(from: usize, length: usize) -> u64 {
    IS_HELD | (from as u64) << FROM_SHIFT | (length as u64) << LENGTH_SHIFT
}

/// The word with one reference less; that of a free frame if it was the last.
fn without_reference(word: u64) -> u64 {
    if word & REFERENCES == REFERENCE { FREE } else { word - REFERENCE }
}

fn from(word: u64) -> usize {
    (word >> FROM_SHIFT & FIELD) as usize
}

fn length(word: u64) -> usize {
    (word >> LENGTH_SHIFT & FIELD) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 4096;
    const PLAIN: Hold = Hold { from: 128, length: 100, is_message: false, is_booked: false };

    fn frames(count: usize) -> Frames {
        let frames = Frames::new(count * CHUNK, CHUNK);
        (0..count).for_each(|number| frames.adopt(number * CHUNK, number as u32));
        frames
    }

    #[test]
    fn every_frame_is_taken_once() {
        let frames = frames(5);
        let mut taken: Vec<Frame> = std::iter::from_fn(|| frames.take()).collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        assert_eq!(frames.drop_reference(3), Some(Freed { frame: 3, booked_bytes: None }));
        assert_eq!((frames.take(), frames.take()), (Some(3), None));
    }

    #[test]
    fn exactly_what_was_handed_out_comes_back() {
        let frames = frames(2);
        let frame = frames.take().expect("a frame");
        let base = frames.offset(frame);
        assert_eq!(frames.release(base + 128, 100, 56), Err(Errno::EINVAL), "not held yet");
        frames.hand_out(frame, &PLAIN);
        assert!(frames.is_any_held());
        for (offset, bytes) in [(128, 99), (129, 100), (0, 56), (0, 100)] {
            assert_eq!(frames.release(base + offset, bytes, 56), Err(Errno::EINVAL));
            assert!(!frames.release_plainly(base + offset, bytes));
        }
        assert_eq!(frames.lend(base + 128, 101), Err(Errno::EFAULT));
        assert_eq!(frames.lend(base + 127, 2), Err(Errno::EFAULT));
        assert_eq!(frames.lend(base + 200, 28), Ok(frame));
        assert!(!frames.release_plainly(base + 128, 100), "a send refers to it");
        assert_eq!(frames.release(base + 128, 100, 56), Ok(None), "a send refers to it");
        assert_eq!(frames.release(base + 128, 100, 56), Err(Errno::EINVAL), "twice");
        assert_eq!(frames.lend(base + 128, 1), Err(Errno::EFAULT), "not the program's any more");
        assert!(frames.drop_reference(frame).is_some());
    }

    #[test]
    fn the_last_loan_takes_the_place_of_the_programs_hold() {
        let frames = frames(1);
        let frame = frames.take().expect("a frame");
        let base = frames.offset(frame);
        frames.hand_out(frame, &Hold { is_booked: true, ..PLAIN });
        assert_eq!(frames.lend_last(base + 128, 101), Err(Errno::EFAULT));
        assert_eq!(frames.lend(base + 128, 100), Ok(frame));
        assert_eq!(frames.lend_last(base + 200, 28), Ok(frame));
        assert_eq!(
            frames.lend_last(base + 200, 28),
            Err(Errno::EFAULT),
            "not the program's any more"
        );
        assert_eq!(frames.release(base + 128, 100, 56), Err(Errno::EINVAL));
        assert!(frames.lead(base + 128, 42), "what it has held is where it was");
        assert_eq!(frames.retract(frame), None);
        assert_eq!(frames.drop_reference(frame), Some(Freed { frame, booked_bytes: Some(100) }));
        assert_eq!((frames.take(), frames.take()), (Some(frame), None));
    }

    #[test]
    fn what_nobody_else_has_comes_back_plainly_and_once() {
        let frames = frames(1);
        let frame = frames.take().expect("a frame");
        assert!(!frames.release_plainly(0, 0), "not held yet");
        for hold in [Hold { is_message: true, ..PLAIN }, Hold { is_booked: true, ..PLAIN }] {
            frames.hand_out(frame, &hold);
            assert!(!frames.release_plainly(128, 100), "{hold:?}");
            assert!(frames.release_all(frame).is_some());
            assert_eq!(frames.take(), Some(frame));
        }
        frames.hand_out(frame, &PLAIN);
        assert!(!frames.release_plainly(CHUNK + 128, 100), "no such frame");
        assert!(frames.release_plainly(128, 100) && !frames.release_plainly(128, 100));
        assert_eq!((frames.take(), frames.take()), (Some(frame), None));
    }

    #[test]
    fn a_message_comes_back_with_its_header() {
        let frames = frames(1);
        let frame = frames.take().expect("a frame");
        frames.hand_out(frame, &Hold { is_message: true, is_booked: true, ..PLAIN });
        assert_eq!(frames.lend(128, 100), Ok(frame), "its data may be sent");
        assert_eq!(frames.release(128, 100, 56), Err(Errno::EINVAL));
        assert_eq!(frames.release(0, 56, 56), Ok(None));
        assert_eq!(frames.drop_reference(frame), Some(Freed { frame, booked_bytes: Some(100) }));
    }

    #[test]
    fn headers_have_the_room_to_themselves() {
        let frames = frames(1);
        let frame = frames.take().expect("a frame");
        frames.hand_out(frame, &PLAIN);
        assert_eq!(frames.lend(128, 100), Ok(frame));
        assert!(!frames.lead(129, 42), "bytes of the program's stand in front");
        assert!(!frames.lead(128, 129));
        assert!(frames.lead(128, 42));
        assert!(!frames.lead(128, 42), "others are there");
        frames.end_lead(frame);
        assert!(frames.lead(128, 42));
        assert_eq!(frames.retract(frame), None, "the program has it");
        assert_eq!(frames.lend(128, 100), Ok(frame));
        assert!(frames.lead(128, 42));
        assert_eq!(frames.release(128, 100, 56), Ok(None));
        assert!(frames.retract(frame).is_some(), "nobody has it any more");
        assert_eq!(frames.take(), Some(frame));
        frames.hand_out(frame, &PLAIN);
        assert!(frames.lead(128, 42), "nothing is left of the headers");
    }

    #[test]
    fn what_the_allocator_gets_back_is_no_frame() {
        let frames = frames(1);
        assert_eq!(frames.find(4095), Some(0));
        assert_eq!((frames.disown(), frames.disown()), (Some(0), None));
        assert_eq!((frames.find(0), frames.take()), (None, None));
        assert_eq!(frames.release(128, 100, 56), Err(Errno::EINVAL));
    }

    #[test]
    fn threads_never_have_the_same_frame() {
        const COUNT: usize = 8;
        let frames = frames(COUNT);
        let owners: Vec<AtomicU32> = (0..COUNT).map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|scope| {
            for me in 1..=3 {
                let (frames, owners) = (&frames, &owners);
                scope.spawn(move || {
                    for _ in 0..50_000 {
                        let held: Vec<Frame> = (0..3).filter_map(|_| frames.take()).collect();
                        for &frame in &held {
                            assert_eq!(owners[frame as usize].swap(me, Ordering::Relaxed), 0);
                        }
                        for &frame in &held {
                            owners[frame as usize].swap(0, Ordering::Relaxed);
                            assert!(frames.drop_reference(frame).is_some());
                        }
                    }
                });
            }
        });
        assert_eq!(std::iter::from_fn(|| frames.take()).count(), COUNT);
    }
}
