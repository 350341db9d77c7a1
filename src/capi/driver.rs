//! Devices in the program, `sio_driver.h`. Source: "Implementing Asynchronous I/O in Device
//! Drivers", whose drivers are in the kernel.
#![allow(non_camel_case_types)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;

use libc::{iovec, ssize_t};

use super::{convert, guard};
use crate::api::device;
use crate::error::{Errno, Result};
use crate::sys::driver::{FileBlock, Operations};
use crate::sys::kiocb::Shown;

/// A device that is registered: a handle, never a pointer; 0 is none.
pub type sio_device_t = u64;

/// One opening of a device. It stays where it is from open until release.
#[repr(C)]
pub struct sio_file {
    /// The driver's, from registration.
    pub sf_device: *mut c_void,
    /// For the driver, which sets it in open; NULL before.
    pub sf_private: *mut c_void,
    /// As sio_device_open was given them.
    pub sf_flags: c_int,
}

/// One request, in the hands of the driver until that has ended it.
#[repr(C)]
pub struct sio_kiocb {
    /// SIO_KI_READ, SIO_KI_WRITE, SIO_KI_FSYNC
    pub ki_operation: c_int,
    /// SIO_KI_DATASYNC
    pub ki_flags: u32,
    /// Where in the device: aio_offset.
    pub ki_pos: i64,
    /// The buffer, in pieces.
    pub ki_iov: *const iovec,
    pub ki_iovcnt: usize,
    /// The length of all pieces.
    pub ki_bytes: usize,
    /// The driver's, from registration.
    pub ki_device: *mut c_void,
    /// By which opening of the device it comes.
    pub ki_file: *mut sio_file,
    /// For the driver: NULL when the request comes.
    pub ki_private: [*mut c_void; 8],
}

/// The driver's functions, each NULL if there is none. read, write and fsync return what
/// sio_complete takes, or SIO_QUEUED; cancel and open 0, or the negative of an errno value.
#[repr(C)]
pub struct sio_device_operations {
    pub read: Option<unsafe extern "C" fn(kiocb: *mut sio_kiocb) -> ssize_t>,
    pub write: Option<unsafe extern "C" fn(kiocb: *mut sio_kiocb) -> ssize_t>,
    pub fsync: Option<unsafe extern "C" fn(kiocb: *mut sio_kiocb) -> ssize_t>,
    /// Takes back a request that the driver has not ended: 0 if it will not touch it any more.
    pub cancel: Option<unsafe extern "C" fn(kiocb: *mut sio_kiocb) -> c_int>,
    pub open: Option<unsafe extern "C" fn(file: *mut sio_file) -> c_int>,
    /// All descriptors are closed, and all requests have ended.
    pub release: Option<unsafe extern "C" fn(file: *mut sio_file)>,
}

const _: () = {
    assert!(size_of::<sio_file>() == size_of::<FileBlock>());
    assert!(offset_of!(sio_file, sf_device) == offset_of!(FileBlock, device));
    assert!(offset_of!(sio_file, sf_private) == offset_of!(FileBlock, private));
    assert!(offset_of!(sio_file, sf_flags) == offset_of!(FileBlock, flags));
    assert!(size_of::<sio_kiocb>() == size_of::<Shown>());
    assert!(offset_of!(sio_kiocb, ki_operation) == offset_of!(Shown, operation));
    assert!(offset_of!(sio_kiocb, ki_flags) == offset_of!(Shown, flags));
    assert!(offset_of!(sio_kiocb, ki_pos) == offset_of!(Shown, position));
    assert!(offset_of!(sio_kiocb, ki_iov) == offset_of!(Shown, pieces));
    assert!(offset_of!(sio_kiocb, ki_iovcnt) == offset_of!(Shown, piece_count));
    assert!(offset_of!(sio_kiocb, ki_bytes) == offset_of!(Shown, bytes));
    assert!(offset_of!(sio_kiocb, ki_device) == offset_of!(Shown, device));
    assert!(offset_of!(sio_kiocb, ki_file) == offset_of!(Shown, file));
    assert!(offset_of!(sio_kiocb, ki_private) == offset_of!(Shown, private));
    assert!(size_of::<sio_device_operations>() == size_of::<Operations>());
    assert!(SIO_QUEUED as isize == device::QUEUED);
    assert!(SIO_KI_READ == device::OPERATION_READ && SIO_KI_WRITE == device::OPERATION_WRITE);
    assert!(SIO_KI_FSYNC == device::OPERATION_FSYNC && SIO_KI_DATASYNC == device::FLAG_DATASYNC);
};

/// ki_operation: into the buffer.
pub const SIO_KI_READ: c_int = 0;
/// ki_operation: from the buffer.
pub const SIO_KI_WRITE: c_int = 1;
/// ki_operation: what was written before is to last; there is no buffer.
pub const SIO_KI_FSYNC: c_int = 0x100;
/// ki_flags: with SIO_KI_FSYNC, the data alone.
pub const SIO_KI_DATASYNC: u32 = 0x1;

/// What read, write and fsync return when the request ends later, with sio_complete. It is the
/// negative of no errno value.
pub const SIO_QUEUED: c_int = -529;

/// Up to cancel: what the first version had.
const OPERATIONS_BYTES_MIN: usize = offset_of!(sio_device_operations, open);

/// # Safety
/// `name` is null or a string.
unsafe fn name<'a>(name: *const c_char) -> Result<&'a [u8]> {
    convert::not_null(name)?;
    // SAFETY: by the contract of this function.
    Ok(unsafe { CStr::from_ptr(name) }.to_bytes())
}

/// Registers a device. See sio_driver(7) and sio_device_register(3).
///
/// `devicep` is valid for writing, `name` a string; `operations` points to `size` bytes, and
/// `size` is sizeof(struct sio_device_operations).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_device_register(
    devicep: *mut sio_device_t,
    name: *const c_char,
    operations: *const sio_device_operations,
    size: usize,
    context: *mut c_void,
) -> c_int {
    guard::making(|| {
        convert::not_null(devicep)?;
        convert::not_null(operations)?;
        if !(OPERATIONS_BYTES_MIN..=4096).contains(&size) {
            return Err(Errno::EINVAL);
        }
        // SAFETY: by the contract of this function.
        let (name, operations) = unsafe {
            let operations = Operations::new(operations.cast(), size).ok_or(Errno::EINVAL)?;
            (self::name(name)?, operations)
        };
        let handle = device::register(name, operations, context as usize)?;
        // SAFETY: by the contract of this function.
        unsafe { convert::write(devicep, handle) }
    })
}

/// Takes a device away. See sio_driver(7) and sio_device_unregister(3).
#[unsafe(no_mangle)]
pub extern "C" fn sio_device_unregister(device: sio_device_t) -> c_int {
    guard::nothing(|| device::unregister(device))
}

/// Opens a device: a descriptor. See sio_driver(7) and sio_device_open(3).
///
/// `name` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sio_device_open(name: *const c_char, flags: c_int) -> c_int {
    // SAFETY: by the contract of this function.
    guard::growing(|| device::open(unsafe { self::name(name) }?, flags))
}

/// Closes a descriptor of a device. See sio_driver(7) and sio_device_close(3).
#[unsafe(no_mangle)]
pub extern "C" fn sio_device_close(fd: c_int) -> c_int {
    guard::nothing(|| device::close(fd))
}

/// Says whether descriptors of a device are readable. See sio_driver(7) and sio_device_ready(3).
///
/// `file` is any pointer: the library knows its own.
#[unsafe(no_mangle)]
pub extern "C" fn sio_device_ready(
    device: sio_device_t,
    file: *mut sio_file,
    poll_events: u32,
) -> c_int {
    guard::nothing(|| {
        if poll_events & !(libc::POLLIN as u32) != 0 {
            return Err(Errno::EINVAL);
        }
        let block = (!file.is_null()).then_some(file as usize);
        device::ready(device, block, poll_events != 0)
    })
}

/// Ends a request. See sio_driver(7) and sio_complete(3).
///
/// `kiocb` is any pointer: the library knows its own.
#[unsafe(no_mangle)]
pub extern "C" fn sio_complete(kiocb: *mut sio_kiocb, result: ssize_t) -> c_int {
    guard::nothing(|| device::complete(kiocb as usize, result))
}
