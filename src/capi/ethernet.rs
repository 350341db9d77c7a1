//! Whole frames. Source: "Sketch of a shared DMA buffer async IO setup" has the name
//! `open_ethernet_device`, and leaves open which device that is.

use std::ffi::{CStr, c_char, c_int, c_uint};

use super::types::{SIO_ETHERNET_NONBLOCK, SIO_ETHERNET_PROMISCUOUS};
use super::{convert, guard};
use crate::api::ethernet::{self, Wanted};
use crate::error::Errno;

const TYPE_BITS: u32 = 0xffff;

/// A descriptor for whole frames of an interface. See sio_open_ethernet(3).
///
/// `ifname` is null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_open_ethernet(ifname: *const c_char, flags: c_uint) -> c_int {
    guard::growing(|| {
        convert::not_null(ifname)?;
        if flags & !(TYPE_BITS | SIO_ETHERNET_NONBLOCK | SIO_ETHERNET_PROMISCUOUS) != 0 {
            return Err(Errno::EINVAL);
        }
        // SAFETY: by the contract of this function.
        let name = unsafe { CStr::from_ptr(ifname) }.to_str().map_err(|_| Errno::ENODEV)?;
        let kind = (flags & TYPE_BITS) as u16;
        ethernet::open(
            name,
            &Wanted {
                kind: (kind != 0).then_some(kind),
                promiscuous: flags & SIO_ETHERNET_PROMISCUOUS != 0,
                nonblocking: flags & SIO_ETHERNET_NONBLOCK != 0,
            },
        )
    })
}

/// The same for the interface of this host. See sio_open_ethernet(3).
#[unsafe(no_mangle)]
pub extern "C" fn open_ethernet_device() -> c_int {
    guard::growing(ethernet::open_device)
}
