//! The stack of free frames (`region/frames.rs`) in any order: no frame is two threads' at once,
//! none is lost, and what the program holds is given back once.

mod rig;

use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::thread;
use sio_model::error::Errno;
use sio_model::limits::FRAME_BYTES;
use sio_model::region::map::Pages;
use sio_model::region::{Frame, Region};

const FRAMES: usize = 4;

/// Who has which frame, as the scenario knows it.
type Owners = Arc<Mutex<[bool; FRAMES]>>;

fn mark(owners: &Owners, frame: Frame, is_taken: bool) {
    let was_taken = std::mem::replace(&mut owners.lock().expect("sound")[frame as usize], is_taken);
    assert_ne!(was_taken, is_taken, "frame {frame} has two owners, or none");
}

/// What a hub does: takes several together, and drops one after the other.
fn take_together(region: &Region, owners: &Owners, count: usize) {
    let mut taken = Vec::new();
    region.take_frames(count, &mut taken);
    taken.iter().for_each(|&frame| mark(owners, frame, true));
    for frame in taken {
        mark(owners, frame, false);
        region.drop_frame(frame);
    }
}

/// What a program does: reserves a block, and two threads release it.
fn reserve_and_release_twice(region: &Arc<Region>, owners: &Owners) {
    let address = match region.reserve(1) {
        Ok(address) => address,
        // The others have all of them.
        Err(errno) => return assert_eq!(errno, Errno::ENOBUFS),
    };
    let frame = region.frame_at(region.mapping().offset_of(address, 1).expect("inside"));
    mark(owners, frame, true);
    mark(owners, frame, false);
    let again = region.clone();
    let other = thread::spawn(move || again.release(address, 1));
    let own = region.release(address, 1);
    let answers = [own, other.join().expect("no panic")];
    // Who comes later finds nothing, unless the frame has been given to the program once more,
    // which nobody does here.
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
}

fn frames() {
    let bytes = FRAMES * FRAME_BYTES;
    let region = Region::new(1, bytes, Pages::Normal, 0, Some(FRAME_BYTES)).expect("an area");
    let owners = Owners::default();
    let others: Vec<_> = [1, 3]
        .into_iter()
        .map(|count| {
            let (region, owners) = (region.clone(), owners.clone());
            thread::spawn(move || {
                take_together(&region, &owners, count);
                take_together(&region, &owners, count);
            })
        })
        .collect();
    reserve_and_release_twice(&region, &owners);
    others.into_iter().for_each(|other| other.join().expect("no panic"));
    let mut left = Vec::new();
    assert_eq!(region.take_frames(FRAMES + 1, &mut left), FRAMES, "some are lost");
    left.iter().for_each(|&frame| mark(&owners, frame, true));
}

#[test]
fn frames_in_any_order() {
    rig::explore_on(&[sio_model::api::engines::Kind::Epoll], "frames_in_any_order", 3000, frames);
}
