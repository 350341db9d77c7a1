//! The sources of event channels: `ec_add_...`, `ec_modify`, `ec_remove`.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

use super::context::{Attached, context};
use super::{notify, socket};
use crate::aio::device;
use crate::channel::source::{
    Accept, Counter, Descriptor, Kind as SourceKind, Process, Semaphore, Signals, Source, Timer,
    Turn, Word, interest,
};
use crate::channel::state::Modify;
use crate::channel::{Channel, event};
use crate::engine::Key;
use crate::error::{Errno, Result};
use crate::sys::semaphore::Semaphore as SystemSemaphore;
use crate::sys::word::Word as SystemWord;
use crate::sys::{descriptor, poll, socket as system};

/// Makes one change to a channel.
pub(super) fn change<T>(
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
    let is_device = device::find(target)?.is_some();
    if !flags.counter {
        let descriptor = Descriptor::new(target, event::FD, events, 0);
        // A channel as an edge-triggered source stays in the poll set: epoll knows about circles.
        // So does a device in the program: a ring would keep it open.
        let can_watch =
            descriptor.is_watchable() && !is_device && context().channel(target).is_err();
        let source = Source::new(cookie, SourceKind::Descriptor(descriptor));
        return change(fd, |_, state| state.add_descriptor(source, can_watch));
    }
    if flags.oneshot || poll_events != poll::IN || !descriptor::is_counter(target)? {
        return Err(Errno::EINVAL);
    }
    let counter = Counter {
        fd: target,
        blocks: !descriptor::is_nonblocking(target)?,
        is_watched: false,
        pending: 0,
    };
    let source = Source::new(cookie, SourceKind::Counter(counter));
    change(fd, |_, state| state.add_descriptor(source, true))
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
    let timer = Timer::new(clock)?;
    timer.set(flags, when)?;
    let source = Source::new(cookie, SourceKind::Timer(Arc::new(timer)));
    change(fd, |_, state| state.add_polled(source))
}

/// `ec_add_mq`: a message queue, for receiving, or for sending if that is all it is open for.
pub fn add_queue(fd: RawFd, queue: RawFd, flags: Modify, cookie: u64) -> Result<Key> {
    drop(context().channel(fd)?);
    if flags.attach || flags.nonblocking || flags.counter {
        return Err(Errno::EINVAL);
    }
    let is_for_sending = descriptor::queue_access(queue)? == libc::O_WRONLY;
    let default_events = if is_for_sending { poll::OUT } else { poll::IN };
    let events = interest(default_events, flags.edge, flags.oneshot)?;
    let descriptor = Descriptor::new(queue, event::MQ, events, default_events);
    let can_watch = descriptor.is_watchable();
    let source = Source::new(cookie, SourceKind::Descriptor(descriptor));
    change(fd, |_, state| state.add_descriptor(source, can_watch))
}

/// `ec_add_signal`: signals that the program has blocked.
pub fn add_signals(fd: RawFd, set: &libc::sigset_t, cookie: u64) -> Result<Key> {
    drop(context().channel(fd)?.enter()?);
    let source = Source::new(cookie, SourceKind::Signals(Signals::new(set)?));
    change(fd, |_, state| state.add_polled(source))
}

/// `ec_add_futex`: told once when the word is not `expected`, or is woken.
pub fn add_word(fd: RawFd, word: SystemWord, expected: u32, cookie: u64) -> Result<Key> {
    let source = Source::new(cookie, SourceKind::Word(Box::new(Word::new(word, expected))));
    change(fd, |_, state| state.add_word(source))
}

/// `ec_add_sem`: an event for each unit that was taken for the program.
pub fn add_semaphore(
    fd: RawFd,
    semaphore: SystemSemaphore,
    flags: Modify,
    cookie: u64,
) -> Result<Key> {
    if flags != Modify::default() && flags != Modify::ONESHOT {
        return Err(Errno::EINVAL);
    }
    let semaphore = Semaphore::new(semaphore, flags.oneshot);
    let source = Source::new(cookie, SourceKind::Semaphore(Box::new(semaphore)));
    change(fd, |_, state| state.add_word(source))
}

/// `ec_add_process`: told once when the process ends; a child is reaped.
pub fn add_process(fd: RawFd, pidfd: RawFd, cookie: u64) -> Result<Key> {
    drop(context().channel(fd)?);
    let source = Source::new(cookie, SourceKind::Process(Process::new(pidfd)?));
    change(fd, |_, state| state.add_polled(source))
}

/// `ec_add_accept`.
pub fn add_accept(fd: RawFd, listener: RawFd, flags: Modify, cookie: u64) -> Result<Key> {
    if flags.edge || flags.oneshot || flags.counter {
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
            turn: Turn::of(listener)?,
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
                    association.attach(Some(Attached { channel, key }));
                }
            }),
        };
        state.add_polled(Source::new(cookie, SourceKind::Accept(Box::new(accept))))
    })
}

/// `ec_add_socket`: an associated socket reports to the channel.
pub fn add_socket(fd: RawFd, target: RawFd, flags: Modify, cookie: u64) -> Result<Key> {
    if flags.oneshot || flags.attach || flags.nonblocking || flags.counter {
        return Err(Errno::EINVAL);
    }
    drop(context().channel(fd)?);
    let association = context().current_socket(target)?;
    if association.socket.listening {
        return Err(Errno::EINVAL);
    }
    let key = change(fd, |channel, state| {
        if association.attached().is_some() {
            return Err(Errno::EBUSY);
        }
        if let Some(patron) = channel.patron() {
            association.socket.region.add_patron(&patron);
        }
        let mut is_claimed = false;
        let claim = |key| {
            context().attach(&association, Attached { channel: channel.clone(), key })?;
            // Of a send that has begun before it is clear then whether there is a rest.
            drop(association.tail.take_turn());
            is_claimed = true;
            Ok(())
        };
        let key = state.attach(&association.socket, flags.edge, cookie, association.insist, claim);
        if key.is_err() && is_claimed {
            association.attach(None);
        }
        key
    })?;
    notify::moved(target);
    Ok(key)
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
    let removed = change(fd, |_, state| {
        let removed = state.remove(source)?;
        if let SourceKind::Socket(attachment) = &removed.kind
            && let Ok(association) = context().socket(attachment.socket.fd)
            && Arc::ptr_eq(&association.socket, &attachment.socket)
        {
            // Said inside: whoever comes in later for the socket finds that it has gone.
            association.attach(None);
        }
        Ok(removed)
    })?;
    if let SourceKind::Socket(attachment) = &removed.kind {
        notify::moved(attachment.socket.fd);
    }
    Ok(())
}
