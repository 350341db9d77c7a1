//! Devices in the program: where the calls of sio_driver.h come together.
#![forbid(unsafe_code)]

pub use crate::aio::device::{
    FLAG_DATASYNC, OPERATION_FSYNC, OPERATION_READ, OPERATION_WRITE, QUEUED, close, complete, open,
    ready, register, unregister,
};
