//! Asynchronous requests: POSIX's family of calls, and what the talk adds to it. aio(7).
//!
//! A request is done at once where that cannot block for long (`inline.rs`). Otherwise it is
//! entered in the books of the process (`queue.rs`, `state.rs`) and given to a backend: a ring of
//! the kernel's, or threads. What has come back is taken in by whoever asks or waits; a thread of
//! our own (`helper.rs`) exists only while something has to happen that nobody asks for.
//!
//! aio_error, aio_return and aio_suspend may be called by signal handlers: nothing that they reach
//! allocates memory, and the books are only entered with signals blocked.
#![forbid(unsafe_code)]

mod backend;
mod cancel;
pub mod device;
mod helper;
mod inline;
mod kind;
mod lanes;
mod list;
mod mailbox;
mod queue;
mod request;
mod socket;
mod state;
mod uncopied;
mod wait;

pub use cancel::{Cancelled, cancel};
pub use inline::asked;
pub use list::{List, Listing, list};
pub use mailbox::{Letter, Mailbox, Recipient};
pub use queue::poke;
pub use request::{Notification, Operation, Request};
pub use wait::{Step, Waiting};

use crate::error::Result;
use inline::Outcome;

/// Begins a request. Its block tells the result; an error here means that there is no request.
pub fn submit(request: &Request) -> Result<()> {
    request.control.begin();
    match inline::attempt(request) {
        Outcome::Done(outcome) => {
            request.control.finish(outcome);
            request.notification.clone().send(&request.end(outcome));
            Ok(())
        }
        Outcome::Rest(rest) => {
            let accepted = queue::queue().and_then(|queue| queue.accept(request, rest));
            if let Err(errno) = accepted {
                request.control.finish(Err(errno));
                request.notification.forgo();
            }
            accepted
        }
    }
}
