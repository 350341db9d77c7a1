//! How much of an area the data of one socket occupies: the `size` of `dma_assoc`.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes received and not given back yet, against a limit.
pub struct Account {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    shared: bool,
}

impl Account {
    /// `limit_bytes` of 0 is the whole area.
    pub fn new(limit_bytes: usize, area_bytes: usize) -> Self {
        Self {
            limit_bytes: if limit_bytes == 0 { area_bytes } else { limit_bytes },
            used_bytes: AtomicUsize::new(0),
            shared: limit_bytes == 0,
        }
    }

    /// The account if anything has to be booked: the area itself bounds who may use all of it.
    pub fn booked(self: &Arc<Self>) -> Option<Arc<Self>> {
        (!self.shared).then(|| self.clone())
    }

    /// Whether the socket has no limit of its own.
    #[inline]
    pub fn is_whole_area(&self) -> bool {
        self.shared
    }

    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub fn left_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.used_bytes.load(Ordering::Relaxed))
    }

    #[inline]
    pub fn add(&self, bytes: usize) {
        if self.shared {
            return;
        }
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn subtract(&self, bytes: usize) {
        if self.shared {
            return;
        }
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
