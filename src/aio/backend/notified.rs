//! Sends without a copy that have two completions: the result, and the notification that the kernel
//! has let go of the memory. They end with the second. Nothing is allocated here.

use io_uring::cqueue;

use crate::sys::ring::NOTIFICATION_COPIED;

/// At the same time; those beyond are copied.
const MAX: usize = 256;

struct Send {
    index: u32,
    result: Option<i32>,
    was_copied: Option<bool>,
}

pub struct Notified(Vec<Send>);

impl Notified {
    pub fn new() -> Self {
        Self(Vec::with_capacity(MAX))
    }

    /// Room for one more.
    pub fn add(&mut self, index: u32) -> bool {
        let has_room = self.0.len() < MAX;
        if has_room {
            self.0.push(Send { index, result: None, was_copied: None });
        }
        has_room
    }

    pub fn remove(&mut self, index: u32) {
        self.0.retain(|send| send.index != index);
    }

    /// A completion of any request: its result, if it has ended.
    pub fn pass(&mut self, index: u32, result: i32, flags: u32) -> Option<i32> {
        let is_notice = cqueue::notif(flags);
        if !is_notice && !cqueue::more(flags) {
            return Some(result);
        }
        let send = self.0.iter_mut().find(|send| send.index == index)?;
        if is_notice {
            send.was_copied = Some(result as u32 & NOTIFICATION_COPIED != 0);
            return send.result;
        }
        send.result = Some(result);
        None
    }

    /// What was told of one that has ended, once.
    pub fn report(&mut self, index: u32) -> Option<bool> {
        let place = self.0.iter().position(|send| send.index == index)?;
        self.0.swap_remove(place).was_copied
    }
}
