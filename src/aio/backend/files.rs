//! Files of requests that a thread of the kernel's does from the start. It looks a descriptor up
//! only when it begins, and the program may have closed it by then, and have another file under
//! its number. So the file is put into a slot of the ring for as long as the request is under way.

use std::os::fd::RawFd;

use crate::sys::ring::Ring;

/// Requests of that kind at the same time; those beyond are tried by the thread that makes them.
const SLOTS: usize = 64;

pub struct Files {
    /// Whether the ring has a table; it gets one when it is needed first.
    table: Option<bool>,
    /// The request that has the slot.
    slots: [Option<u32>; SLOTS],
    used: usize,
}

impl Files {
    pub fn new() -> Self {
        Self { table: None, slots: [None; SLOTS], used: 0 }
    }

    /// A slot with the file that the descriptor means now.
    pub fn take(&mut self, ring: &Ring, index: u32, fd: RawFd) -> Option<u32> {
        let has_table =
            *self.table.get_or_insert_with(|| ring.register_file_table(SLOTS as u32).is_ok());
        if !has_table {
            return None;
        }
        let slot = self.slots.iter().position(Option::is_none)?;
        ring.register_file(slot as u32, Some(fd)).ok()?;
        self.slots[slot] = Some(index);
        self.used += 1;
        Some(slot as u32)
    }

    /// The request has ended: its file may be closed.
    pub fn give_back(&mut self, ring: &Ring, index: u32) {
        if self.used == 0 {
            return;
        }
        if let Some(slot) = self.slots.iter().position(|&holder| holder == Some(index)) {
            // The file stays open until the slot is used again: nothing better can be done.
            let _ = ring.register_file(slot as u32, None);
            self.slots[slot] = None;
            self.used -= 1;
        }
    }
}
