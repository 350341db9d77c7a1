//! Event channels and their sources: the `ec_` calls that do not block.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Weak};

use super::context::{Attached, context};
use super::socket;
use crate::channel::source::{Accept, Kind as SourceKind, Source, interest};
use crate::channel::state::Modify;
use crate::channel::{Channel, Event, Options, event};
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::{descriptor, poll, socket as system};

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
            && let attached = association.attachment.load_full()
            && attached.as_ref().is_some_and(|found| Arc::ptr_eq(&found.channel, &channel))
        {
            // Not if it has come into another channel meanwhile.
            association.attachment.compare_and_swap(&attached, None);
        }
    }
    Ok(())
}

/// `ec_to_fd`: the descriptor to poll.
pub fn to_fd(fd: RawFd) -> Result<RawFd> {
    let channel = context().channel(fd)?;
    drop(channel.enter()?);
    Ok(channel.fd())
}

/// `ec_next_events`: as many as there are and room is; `EAGAIN` when there is none.
pub fn next_events(fd: RawFd, room: &mut [Event]) -> Result<usize> {
    if room.is_empty() {
        return Err(Errno::EINVAL);
    }
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    state.turn()?;
    let count = state.fetch(room)?;
    channel.settle(&mut state)?;
    if count == 0 { Err(Errno::EAGAIN) } else { Ok(count) }
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

/// Makes one change to a channel.
fn change<T>(
    fd: RawFd,
    change: impl FnOnce(&Arc<Channel>, &mut crate::channel::State) -> Result<T>,
) -> Result<T> {
    let channel = context().channel(fd)?;
    let mut state = channel.enter()?;
    let changed = change(&channel, &mut state)?;
    if state.is_anyone_waiting() {
        state.turn()?;
    }
    channel.settle(&mut state)?;
    Ok(changed)
}

/// `ec_add_fd`.
pub fn add_fd(
    fd: RawFd,
    target: RawFd,
    poll_events: u32,
    flags: Modify,
    cookie: u64,
) -> Result<Key> {
    drop(context().channel(fd)?);
    let events = interest(poll_events, flags.edge, flags.oneshot)?;
    if flags.attach || flags.nonblocking || target == fd {
        return Err(Errno::EINVAL);
    }
    if descriptor::is_always_ready(target)? {
        return Err(Errno::EPERM);
    }
    let source = Source { cookie, kind: SourceKind::Descriptor { fd: target } };
    change(fd, |_, state| state.add_polled(source, events))
}

/// `ec_add_timer`; `flags` as timerfd_settime(2).
pub fn add_timer(
    fd: RawFd,
    clock: i32,
    when: &libc::itimerspec,
    flags: i32,
    cookie: u64,
) -> Result<Key> {
    drop(context().channel(fd)?.enter()?);
    let timer = descriptor::timer_create(clock)?;
    descriptor::timer_set(timer.as_raw_fd(), flags, when)?;
    let source = Source { cookie, kind: SourceKind::Timer { timer } };
    change(fd, |_, state| state.add_polled(source, poll::IN))
}

/// `ec_add_accept`.
pub fn add_accept(fd: RawFd, listener: RawFd, flags: Modify, cookie: u64) -> Result<Key> {
    if flags.edge || flags.oneshot {
        return Err(Errno::EINVAL);
    }
    drop(context().channel(fd)?);
    if !descriptor::is_open(listener) {
        return Err(Errno::EBADF);
    }
    if !system::is_listening(listener)? {
        return Err(Errno::EINVAL);
    }
    if flags.attach {
        context().current_socket(listener)?;
    }
    change(fd, |channel, state| {
        let weak: Weak<Channel> = Arc::downgrade(channel);
        let accept = Accept {
            fd: listener,
            attach: flags.attach,
            nonblocking: flags.nonblocking,
            blocks: !descriptor::is_nonblocking(listener)?,
            inherit: Box::new({
                let weak = weak.clone();
                move |connection| socket::inherit(listener, connection, &weak)
            }),
            disown: Box::new(socket::disown),
            attached: Box::new(move |socket, key| {
                if let Some(channel) = weak.upgrade()
                    && let Ok(association) = context().socket(socket.fd)
                {
                    if let Some(patron) = channel.patron() {
                        socket.region.add_patron(&patron);
                    }
                    association.attachment.store(Some(Arc::new(Attached { channel, key })));
                }
            }),
        };
        let source = Source { cookie, kind: SourceKind::Accept(accept) };
        state.add_polled(source, poll::IN)
    })
}

/// `ec_add_socket`: an associated socket reports to the channel.
pub fn add_socket(fd: RawFd, target: RawFd, flags: Modify, cookie: u64) -> Result<Key> {
    if flags.oneshot || flags.attach || flags.nonblocking {
        return Err(Errno::EINVAL);
    }
    drop(context().channel(fd)?);
    let association = context().current_socket(target)?;
    if association.socket.listening {
        return Err(Errno::EINVAL);
    }
    change(fd, |channel, state| {
        if association.attached().is_some() {
            return Err(Errno::EBUSY);
        }
        if let Some(patron) = channel.patron() {
            association.socket.region.add_patron(&patron);
        }
        let key = state.attach(&association.socket, flags.edge, cookie, association.insist)?;
        let attached = Attached { channel: channel.clone(), key };
        association.attachment.store(Some(Arc::new(attached)));
        Ok(key)
    })
}

/// `ec_modify`.
pub fn modify(fd: RawFd, source: Key, poll_events: u32, flags: Modify) -> Result<()> {
    change(fd, |_, state| {
        // Accepted sockets can only be attached if they inherit an area.
        if flags.attach
            && let Some(listener) = state.listener(source)
        {
            context().current_socket(listener)?;
        }
        state.modify(source, poll_events, flags)
    })
}

/// `ec_remove`.
pub fn remove(fd: RawFd, source: Key) -> Result<()> {
    let removed = change(fd, |_, state| state.remove(source))?;
    if let SourceKind::Socket(attachment) = &removed.kind
        && let Ok(association) = context().socket(attachment.socket.fd)
        && Arc::ptr_eq(&association.socket, &attachment.socket)
    {
        association.attachment.store(None);
    }
    Ok(())
}
