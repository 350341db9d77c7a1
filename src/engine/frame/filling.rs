//! The empty frames that a port has to receive into.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::hub::FILL_SHARE;
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
    /// frames, their return has to be that.
    pub fn await_space(&self) {
        if self.is_short() {
            self.region.want_space();
            // One may have come back before it was known that somebody waits.
            if let Some(frame) = self.region.take_frame() {
                self.region.drop_frame(frame);
            }
        }
    }

    /// The port has filled a frame: it is ours.
    pub fn filled(&mut self, frame: Frame) {
        let was_filling = std::mem::replace(&mut self.is_filling[frame as usize], false);
        debug_assert!(was_filling, "frame {frame} was not the port's");
        self.count -= usize::from(was_filling);
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
