//! Errors are errno values: that is what a C program gets, so nothing is lost on the way.
#![forbid(unsafe_code)]

pub use nix::errno::Errno;

/// The result of everything in this crate that can be refused.
pub type Result<T> = std::result::Result<T, Errno>;

/// Why an engine or a port does not serve: what `sio_info` and `sio-probe` tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub errno: Errno,
    pub cause: String,
}
