//! Event channels: the `ec_` calls that do not block, but for those on sources (`source.rs`).
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use super::context::context;
use super::notify;
use crate::channel::{Channel, Event, Options, event};
use crate::error::{Errno, Result};

/// `ec_create`: the descriptor of a new channel.
pub fn create(options: Options) -> Result<RawFd> {
    let channel = Channel::new(options)?;
    context().add_channel(&channel)?;
    Ok(channel.fd())
}

/// `ec_destroy`.
pub fn destroy(fd: RawFd) -> Result<()> {
    let channel = context().channel(fd)?;
    let sockets = channel.destroy()?;
    context().remove_channel(fd);
    // They stay associated, but must not keep the channel's descriptors open.
    for socket in sockets {
        if let Ok(association) = context().socket(socket.fd)
            && Arc::ptr_eq(&association.socket, &socket)
            && association.part_from(&channel)
        {
            notify::moved(socket.fd);
        }
    }
    Ok(())
}

/// `ec_to_fd`: the descriptor to poll.
pub fn to_fd(fd: RawFd) -> Result<RawFd> {
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.may_be_polled();
    channel.settle(&mut state)?;
    Ok(channel.fd())
}

/// `ec_next_events`: as many as there are and room is; `EAGAIN` when there is none.
pub fn next_events(fd: RawFd, room: &mut [Event]) -> Result<usize> {
    if room.is_empty() {
        return Err(Errno::EINVAL);
    }
    let in_passing = context().glance_at_channel(fd, |channel| channel.look_in_passing(room));
    if let Some(count @ 1..) = in_passing {
        return Ok(count);
    }
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.may_be_polled();
    let mut count = state.turn_and_fetch(room, false)?;
    if count == 0 {
        count = state.fetch_now(room)?;
    }
    state.count_fetched(count);
    let settled = state.rest(false).and_then(|()| channel.settle(&mut state));
    match count {
        0 => settled.and(Err(Errno::EAGAIN)),
        // Not lost because something else went wrong.
        count => Ok(count),
    }
}

/// `ec_post`: an event of the program's own.
pub fn post(fd: RawFd, event: Event) -> Result<()> {
    if event.kind != event::USER || event.pad != 0 || event.reserved != 0 {
        return Err(Errno::EINVAL);
    }
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.post(Event { source: -1, ..event })?;
    channel.settle(&mut state)
}

/// `ec_wake`: threads that wait now return without an event.
pub fn wake(fd: RawFd, count: i32) -> Result<()> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.wake(count)
}

/// `ec_flush`: what was accepted goes out now.
pub fn flush(fd: RawFd) -> Result<()> {
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.flush()?;
    channel.settle(&mut state)
}
