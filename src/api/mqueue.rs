//! Message queues that tell a channel when they are empty no more: what mq_notify makes of
//! SIGEV_EC.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::context::context;
use super::source::change;
use crate::channel::Channel;
use crate::channel::source::{Kind as SourceKind, Source};
use crate::engine::Key;
use crate::error::Result;
use crate::sys::mqueue::Notification;

/// Whether there has ever been a registration: most programs have none.
static IS_USED: AtomicBool = AtomicBool::new(false);

/// Which source waits on behalf of a queue's descriptor.
pub struct Registration {
    channel: Weak<Channel>,
    key: Key,
}

/// `mq_notify` with SIGEV_EC. The source goes with its event, or when the registration is undone.
pub fn notify(fd: RawFd, queue: RawFd, cookie: u64) -> Result<()> {
    drop(context().channel(fd)?.enter()?);
    let notification = Notification::new(queue)?;
    // If the descriptor had one before, that has ended: the kernel keeps one for each queue.
    withdrawn(queue);
    let source = Source::new(cookie, SourceKind::Notification(notification));
    let registration = change(fd, |channel, state| {
        Ok(Registration { channel: Arc::downgrade(channel), key: state.add_polled(source)? })
    })?;
    IS_USED.swap(true, Ordering::Relaxed);
    context().queues.set(queue as usize, registration);
    Ok(())
}

/// Whether [`withdrawn`] may have something to do.
pub fn is_used() -> bool {
    IS_USED.load(Ordering::Relaxed)
}

/// The registration of a queue's descriptor has ended. Its channel would find that out with the
/// next event, but its descriptor would be readable until then.
pub fn withdrawn(queue: RawFd) {
    if let Some(registration) = context().queues.remove(queue as usize)
        && let Some(channel) = registration.channel.upgrade()
        && let Ok(mut state) = channel.enter()
    {
        state.look_at_notification(registration.key);
        // An error here is the next caller's to see.
        let _ = state.turn().and_then(|()| channel.settle(&mut state));
    }
}
