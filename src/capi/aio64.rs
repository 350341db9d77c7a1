//! The names of the family that end in 64: programs that are compiled for large files ask for
//! them. Where this library runs, every file is large, and they are the same functions.

use std::ffi::c_int;

use libc::{aiocb, sigevent, timespec};

use super::aio;

/// The same as aio_read.
///
/// The arguments are as aio_read has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_read64(aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_read(aiocbp) }
}

/// The same as aio_write.
///
/// The arguments are as aio_write has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_write64(aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_write(aiocbp) }
}

/// The same as aio_fsync.
///
/// The arguments are as aio_fsync has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_fsync64(op: c_int, aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_fsync(op, aiocbp) }
}

/// The same as aio_error.
///
/// The arguments are as aio_error has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_error64(aiocbp: *const aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_error(aiocbp) }
}

/// The same as aio_return.
///
/// The arguments are as aio_return has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_return64(aiocbp: *mut aiocb) -> isize {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_return(aiocbp) }
}

/// The same as aio_suspend.
///
/// The arguments are as aio_suspend has them.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn aio_suspend64(
    list: *const *const aiocb,
    nent: c_int,
    timeout: *const timespec,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_suspend(list, nent, timeout) }
}

/// The same as aio_cancel.
///
/// The arguments are as aio_cancel has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aio_cancel64(fildes: c_int, aiocbp: *mut aiocb) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::aio_cancel(fildes, aiocbp) }
}

/// The same as lio_listio.
///
/// The arguments are as lio_listio has them.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn lio_listio64(
    mode: c_int,
    list: *const *mut aiocb,
    nent: c_int,
    sig: *mut sigevent,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { aio::lio_listio(mode, list, nent, sig) }
}
