//! Whether it pays to send without a copy: what is known of the way from a socket to its peer.
//!
//! Zero copy is tried where it can pay and kept where the kernel's report says that it does.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use crate::sys::ring::Features;
use crate::sys::socket;

/// Below this, pinning and notifying cost more than copying.
pub const ZERO_COPY_BYTES_MIN: usize = 8 * 1024;
/// After so many bytes a path that copied is looked at again.
const LOOK_AGAIN_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Default)]
pub enum Path {
    #[default]
    Unknown,
    /// The kernel reported that it did not copy.
    ZeroCopy,
    /// It copied: plain sends are cheaper, for so many bytes.
    Copies { left_bytes: usize },
    /// The socket does not know zero copy.
    Never,
}

impl Path {
    pub fn copies() -> Self {
        Self::Copies { left_bytes: LOOK_AGAIN_BYTES }
    }

    pub fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }

    /// Whether it is known already that so many bytes are to be copied now; then they are booked.
    pub fn takes_copy(&mut self, bytes: usize) -> bool {
        match self {
            Self::Copies { left_bytes } if *left_bytes > bytes => {
                *left_bytes -= bytes;
                true
            }
            Self::Never => true,
            _ => bytes < ZERO_COPY_BYTES_MIN,
        }
    }

    /// Whether to try without a copy now.
    pub fn is_worth_trying(
        &mut self,
        bytes: usize,
        (fd, is_internet): (RawFd, bool),
        features: &Features,
    ) -> bool {
        if bytes < ZERO_COPY_BYTES_MIN || !features.send_zero_copy {
            return false;
        }
        match self {
            Self::Never => false,
            Self::ZeroCopy => true,
            Self::Unknown => {
                if !is_internet {
                    *self = Self::Never;
                } else if socket::is_peer_local(fd) {
                    // The kernel always copies for a receiver on the same host.
                    *self = Self::copies();
                } else {
                    return true;
                }
                false
            }
            Self::Copies { left_bytes } => {
                *left_bytes = left_bytes.saturating_sub(bytes);
                if *left_bytes == 0 {
                    *left_bytes = LOOK_AGAIN_BYTES;
                    return true;
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_is_copied_is_booked() {
        assert!(Path::Unknown.takes_copy(ZERO_COPY_BYTES_MIN - 1));
        assert!(!Path::Unknown.takes_copy(ZERO_COPY_BYTES_MIN));
        assert!(!Path::ZeroCopy.takes_copy(ZERO_COPY_BYTES_MIN));
        assert!(Path::Never.takes_copy(usize::MAX));
        let mut path = Path::copies();
        let block = LOOK_AGAIN_BYTES / 4;
        let taken = (0..5).map(|_| path.takes_copy(block)).collect::<Vec<_>>();
        // The path is looked at again with the last of them, and not passed over.
        assert_eq!(taken, [true, true, true, false, false]);
    }
}
