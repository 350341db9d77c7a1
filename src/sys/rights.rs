//! Descriptors that go with a message: `SCM_RIGHTS`, unix(7).

use std::os::fd::AsRawFd;

use super::descriptor::{self, Descriptor};
use crate::error::Result;

const LENGTH_BYTES: usize = size_of::<usize>();
const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();

/// Puts descriptors of our own in the place of those in control data: the program may close its own
/// then. What is not control data is left for the kernel to refuse.
pub fn keep(control: &mut [u8]) -> Result<Vec<Descriptor>> {
    let mut kept = Vec::new();
    let mut rest = control;
    while let Some(length) =
        rest.first_chunk::<LENGTH_BYTES>().map(|word| usize::from_ne_bytes(*word))
        && (HEADER_BYTES..=rest.len()).contains(&length)
    {
        let next = length.next_multiple_of(LENGTH_BYTES).min(rest.len());
        let (message, behind) = rest.split_at_mut(next);
        // SAFETY: there is a header, of integers, wherever it lies.
        let header = unsafe { message.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            for number in message[HEADER_BYTES..length].as_chunks_mut::<4>().0 {
                let own = descriptor::duplicate(i32::from_ne_bytes(*number))?;
                *number = own.as_raw_fd().to_ne_bytes();
                kept.push(own);
            }
        }
        rest = behind;
    }
    Ok(kept)
}
