//! The empty frames that a port has to receive into.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::hub::{FILL_SHARE, State};
use crate::port::{Facts, Port};
use crate::region::{Frame, Region};

pub struct Filling {
    region: Arc<Region>,
    /// Which frames the port has, by number, and how many.
    is_filling: Vec<bool>,
    count: usize,
    /// So many make sense for the port.
    suitable: usize,
    /// Kept for their memory.
    frames: Vec<Frame>,
    offsets: Vec<u64>,
}

/// With more, the port receives, and that is told.
const AWAITED_BELOW: usize = 16;

impl Filling {
    pub fn new(region: &Arc<Region>, facts: &Facts) -> Self {
        region.add_port();
        Self {
            region: region.clone(),
            is_filling: vec![false; region.frame_count()],
            count: 0,
            suitable: facts.fill_frames as usize,
            frames: Vec::new(),
            offsets: Vec::new(),
        }
    }

    /// So many the port has at most: the share of the area that is for receiving is divided among its
    /// ports.
    fn most(&self) -> usize {
        let share = self.region.frame_count() / FILL_SHARE / self.region.port_count().max(1);
        self.suitable.min(share)
    }

    /// Gives the port frames, if some are free and it lacks more than a few.
    pub fn fill(&mut self, port: &mut dyn Port) {
        let most = self.most();
        if self.count * 8 > most * 7 {
            return;
        }
        let Self { region, is_filling, frames, offsets, .. } = self;
        frames.clear();
        region.take_frames(most - self.count, frames);
        let frame_bytes = region.frame_bytes().unwrap_or(0) as u64;
        offsets.clear();
        offsets.extend(frames.iter().map(|&frame| u64::from(frame) * frame_bytes));
        let taken = port.fill(offsets);
        self.count += taken;
        let (filling, refused) = frames.split_at(taken);
        filling.iter().for_each(|&frame| is_filling[frame as usize] = true);
        refused.iter().for_each(|&frame| region.drop_frame(frame));
    }

    /// Whether the port has hardly anything to receive into.
    pub fn is_short(&self) -> bool {
        self.count < AWAITED_BELOW.min(self.most())
    }

    /// Nobody looks until something happens: where the port can receive nothing more for want of
    /// frames, their return has to be that. `true`: it got some.
    pub fn await_space(&mut self, port: &mut dyn Port) -> bool {
        if !self.is_short() {
            return false;
        }
        self.region.want_space();
        // Some may have come back before it was known that somebody waits. To announce those would
        // bring whoever waits back here, and they would lie there still.
        let before = self.count;
        self.fill(port);
        self.count > before
    }

    /// The port has filled a frame: it is ours.
    pub fn filled(&mut self, frame: Frame) {
        let was_filling = std::mem::replace(&mut self.is_filling[frame as usize], false);
        debug_assert!(was_filling, "frame {frame} was not the port's");
        self.count -= usize::from(was_filling);
    }
}

impl State {
    /// As [`Filling::await_space`].
    pub(super) fn await_space(&mut self) -> bool {
        self.filling.await_space(&mut *self.port)
    }
}

impl Drop for Filling {
    /// The port is gone.
    fn drop(&mut self) {
        for (frame, _) in self.is_filling.iter().enumerate().filter(|(_, is_filling)| **is_filling)
        {
            self.region.drop_frame(frame as Frame);
        }
        self.region.remove_port();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::limits::FRAME_BYTES;
    use crate::port::memory::{End, pair, usual_facts};
    use crate::region::Patron;
    use crate::region::map::Pages;

    /// Counts how often it was told that there is room.
    #[derive(Default)]
    struct Listener(AtomicUsize);

    impl Patron for Listener {
        fn space(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn reclaim(&self, _area: u64) {}

        fn retire(&self, _area: u64) {}
    }

    fn area() -> Arc<Region> {
        Region::new(1, 8 * FRAME_BYTES, Pages::Normal, 0, Some(FRAME_BYTES)).expect("an area")
    }

    #[test]
    fn a_frame_that_is_free_goes_to_the_port_and_is_not_announced() {
        let region = area();
        let end = |region: &Arc<Region>| End {
            region: region.clone(),
            interface_index: 1,
            hardware_address: [2; 6],
        };
        let (mut port, _) = pair(end(&region), end(&area()), &usual_facts()).expect("ports");
        let listener = Arc::new(Listener::default());
        let patron: Arc<dyn Patron> = listener.clone();
        region.add_patron(&patron);
        let mut frames = Vec::new();
        region.take_frames(8, &mut frames);
        let mut filling = Filling::new(&region, port.facts());
        assert!(!filling.await_space(&mut port));
        region.drop_frame(frames.remove(0));
        assert_eq!(listener.0.swap(0, Ordering::Relaxed), 1);
        // Whoever was told came back to wait, without a look.
        assert!(filling.await_space(&mut port));
        assert_eq!((filling.count, listener.0.load(Ordering::Relaxed)), (1, 0));
        frames.into_iter().for_each(|frame| region.drop_frame(frame));
    }
}
