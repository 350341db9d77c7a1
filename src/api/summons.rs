//! How a thread that sleeps until something arrives for a socket hears that the socket has moved: into
//! a channel, out of one, or out of the library.
//!
//! Invariant: whoever moves a socket does so first and rings then; whoever is about to sleep takes
//! the bell first and looks then where the socket is. A bell is rung once, for all who have it, and
//! those who come later get another one: so none has to be lowered.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::sys::descriptor::Counter;
use crate::sys::sync::Mutex;

#[derive(Default)]
pub struct Summons(Mutex<Option<Arc<Counter>>>);

impl Summons {
    /// Readable from when the socket moves next. `None`: there is no descriptor to be had, and the
    /// thread sleeps until something arrives.
    pub fn bell(&self) -> Option<Arc<Counter>> {
        let mut bell = self.0.lock();
        if bell.is_none() {
            *bell = Counter::new().ok().map(Arc::new);
        }
        bell.clone()
    }

    /// The socket has moved.
    pub fn ring(&self) {
        if let Some(bell) = self.0.lock().take() {
            bell.raise();
        }
    }
}
