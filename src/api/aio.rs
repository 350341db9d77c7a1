//! Asynchronous requests: where the calls of the family come together.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use super::blocking::{Blocking, Progress};
use super::context::context;
use crate::aio::{self, Step, Waiting};
pub use crate::aio::{
    Cancelled, List, Listing, Notification, Operation, Request, asked, cancel, list, poke, submit,
};
use crate::error::Result;
use crate::sys::control::Control;
use crate::sys::wait::Terms;

/// SIGEV_EC: a slot of a channel is reserved, until the request has ended or is refused.
pub fn event(ec: RawFd, cookie: u64, list: Option<usize>) -> Result<Notification> {
    let mailbox = context().channel(ec)?.reserve_for_request()?;
    Ok(Notification::Event { mailbox, cookie, list })
}

/// `aio_suspend`, and the rest of a `lio_listio` with `LIO_WAIT`.
pub struct Wait<'a>(Waiting<'a>);

impl<'a> Wait<'a> {
    /// Until one of these is not under way.
    pub fn for_any(blocks: &'a [Option<Control>], terms: Terms) -> Self {
        Self(Waiting::for_any(blocks, terms))
    }
}

impl From<aio::Waiting<'static>> for Wait<'_> {
    fn from(waiting: Waiting<'static>) -> Self {
        Self(waiting)
    }
}

impl Blocking for Wait<'_> {
    type Output = ();

    fn step(&mut self, slept: Option<Result<()>>) -> Result<Progress<()>> {
        Ok(match self.0.step(slept)? {
            Step::Done => Progress::Done(()),
            Step::Block(sleep) => Progress::Block(sleep),
        })
    }

    fn terms(&self) -> Terms {
        *self.0.terms()
    }
}
