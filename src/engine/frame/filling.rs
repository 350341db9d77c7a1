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
        let (region, offsets) = (&self.region, &mut self.offsets);
        region.take_frames(most - self.count, |frame| {
            offsets.push(region.frame_offset(frame) as u64);
        });
        let taken = port.fill(&self.offsets);
        self.count += taken;
        for (number, offset) in self.offsets.drain(..).enumerate() {
            let frame = region.frame_at(offset as usize);
            if number < taken {
                self.is_filling[frame as usize] = true;
            } else {
                region.drop_frame(frame);
            }
        }
    }

    /// Nobody looks until something happens: where the port can receive nothing more for want of
    /// frames, their return has to be that.
    pub fn await_space(&self) {
        if self.count < AWAITED_BELOW.min(self.most()) {
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
