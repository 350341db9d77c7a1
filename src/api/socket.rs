//! Sockets that work in an area: `dma_assoc dma_disassoc sio_detach sio_info`, and accepted
//! sockets that inherit.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::context::{Association, Attached, Context, context};
use super::notify;
use crate::channel::source::Heir;
use crate::channel::{Channel, State};
use crate::engine::frame::{open_copied_frames, open_flow, open_frames};
use crate::engine::table::{self, Choice, Frames, Kind};
use crate::engine::{Counters, Key, Socket};
use crate::error::{Errno, Result};
use crate::limits::DESCRIPTOR_MAX;
use crate::sys::log::{self, Level};
use crate::sys::stat::layout::socket as count;
use crate::sys::trace::{self, Fallback};

/// `dma_assoc`: the socket's data goes to and comes from the area. `insist` has the bits of the
/// engines that flags ask for.
pub fn assoc(fd: RawFd, handle: u64, limit_bytes: usize, insist: u32) -> Result<()> {
    let region = context().region(handle)?;
    if limit_bytes > region.mapping().len() {
        return Err(Errno::EINVAL);
    }
    let insist = if insist == 0 { region.engines() } else { insist };
    let socket = Socket::new(fd, region, limit_bytes)?;
    let (socket, choice, insist) = choose(socket, insist)?;
    let association = Association::new(Arc::new(socket), choice, insist, limit_bytes);
    if let Some(Attached { channel, key }) = enter(&association)? {
        channel.abandon(key);
    }
    Ok(())
}

/// Picks what serves a socket: an interface, if that is wanted and can be had, or an engine.
fn choose(socket: Socket, insist: u32) -> Result<(Socket, Choice, u32)> {
    let wanted = table::frames(insist);
    if wanted == Frames::No {
        return Ok((socket, table::choose(insist)?, insist));
    }
    if let Ok(known) = context().socket(socket.fd)
        && known.socket.is_current()
    {
        return Err(Errno::EBUSY);
    }
    let Socket { fd, domain, region, account, .. } = &socket;
    let served = Kind::AfXdp.check().and_then(|()| {
        if socket.is_of_frames() {
            open_frames(*fd, region, account, insist == Kind::AfXdp.bit())
        } else {
            open_flow(*fd, *domain, region, account)
        }
    });
    let (served, reason) = match served {
        Err(refusal) if wanted == Frames::Preferred && socket.is_of_frames() => {
            let by_ring = open_copied_frames(*fd, region, account);
            (by_ring.map_err(|_| refusal.clone()), refusal.cause)
        }
        served => (served, String::new()),
    };
    match served {
        Ok(flow) => {
            socket.region.insist_on_frames();
            let choice = Choice { kind: Kind::of_port(flow.port_name()), reason };
            Ok((socket.with_flow(flow), choice, Kind::AfXdp.bit()))
        }
        Err(refusal) => {
            log::write(Level::Warn, format_args!("{}", refusal.cause));
            trace::fallback(socket.fd, Kind::AfXdp.code(), Fallback::Interface);
            if wanted == Frames::Required {
                return Err(refusal.errno);
            }
            Ok((socket, Choice { reason: refusal.cause, ..table::choose(0)? }, 0))
        }
    }
}

/// Enters an association into the table. One that is there already and whose socket was closed
/// without `sio_detach` gives way; where it was attached is returned.
fn enter(association: &Arc<Association>) -> Result<Option<Attached>> {
    if association.socket.fd as usize >= DESCRIPTOR_MAX {
        return Err(Errno::EMFILE);
    }
    let Some(old) = context().add_socket(association)? else { return Ok(None) };
    if old.socket.is_current() {
        return Err(Errno::EBUSY);
    }
    context().remove_socket(&old);
    if context().add_socket(association)?.is_some() {
        return Err(Errno::EBUSY);
    }
    let attached = old.attached();
    Ok(attached.map(|attached| Attached::clone(&attached)))
}

/// Makes an accepted socket what its listening socket is.
pub(super) fn inherit(
    listener: RawFd,
    connection: RawFd,
    channel: &Weak<Channel>,
) -> Result<Option<Heir>> {
    let Some(model) = context().with_socket(listener, |found| found.cloned()) else {
        return Ok(None);
    };
    let region = model.socket.region.clone();
    let socket = Arc::new(Socket::new(connection, region, model.limit_bytes)?);
    let association =
        Association::new(socket.clone(), model.choice.clone(), model.insist, model.limit_bytes);
    let replaced = match enter(&association)? {
        Some(old) if Weak::ptr_eq(&Arc::downgrade(&old.channel), channel) => Some(old.key),
        Some(old) => {
            old.channel.abandon(old.key);
            None
        }
        None => None,
    };
    Ok(Some(Heir { socket, replaced }))
}

/// Undoes the inheritance of a connection that the program will never see.
pub(super) fn disown(connection: RawFd) -> Option<Key> {
    let association = context().socket(connection).ok()?;
    context().remove_socket(&association);
    association.attached().map(|attached| attached.key)
}

/// `dma_disassoc`: `EBUSY` while received data waits to be fetched.
pub fn disassoc(fd: RawFd, handle: u64, limit_bytes: usize) -> Result<()> {
    let region = context().region(handle)?;
    let association = context().current_socket(fd)?;
    let is_that = association.socket.region.handle() == region.handle()
        && association.limit_bytes == limit_bytes;
    if !is_that {
        return Err(Errno::EINVAL);
    }
    loop {
        let part = |attached: &Arc<Attached>, state: &mut State| {
            state.turn()?;
            if state.has_data(attached.key)? {
                return Err(Errno::EBUSY);
            }
            state.detach(attached.key)?;
            // If something has come in the last moment the call fails, and so changes nothing.
            let ended = end_empty(&association.socket);
            if ended.is_err() && state.attach_again(attached.key).is_ok() {
                return ended;
            }
            state.forget(attached.key);
            association.leave(attached);
            ended
        };
        match association.in_channel(part) {
            Some(parted) => {
                parted?;
                notify::moved(fd);
            }
            None => end_empty(&association.socket)?,
        }
        association.socket.discard_backlog();
        if context().remove_alone(&association)? {
            return Ok(());
        }
    }
}

/// Nothing more comes to a socket that is in no channel, and nothing that has come is lost: otherwise
/// `EBUSY`.
fn end_empty(socket: &Socket) -> Result<()> {
    if socket.backlog().is_data() {
        return Err(Errno::EBUSY);
    }
    socket.flow().map_or(Ok(()), |flow| flow.close())
}

/// `sio_detach`: nothing of the socket's is pending any more, and none of its events comes.
pub fn detach(fd: RawFd) -> Result<()> {
    let association = context().socket(fd)?;
    let was_current = loop {
        let part = |attached: &Arc<Attached>, state: &mut State| {
            // The source may be gone already, by ec_remove.
            if let Err(errno) = state.remove(attached.key)
                && errno != Errno::ENOENT
            {
                return Err(errno);
            }
            association.leave(attached);
            Ok(())
        };
        association.in_channel(part).transpose()?;
        association.socket.discard_backlog();
        if let Some(flow) = association.socket.flow() {
            flow.discard(&association.socket);
        }
        let is_current = association.socket.is_current();
        if context().remove_alone(&association)? {
            break is_current;
        }
    };
    notify::moved(fd);
    if was_current { Ok(()) } else { Err(Context::why_not_current(fd)) }
}

/// What `sio_info` tells.
pub struct Info {
    pub engine: &'static str,
    pub reason: String,
    pub zero_copy_send: bool,
    pub zero_copy_receive: bool,
    pub locked: bool,
    pub registered: bool,
    pub sends: u64,
    pub sent: u64,
    pub sent_copied: u64,
    pub receives: u64,
    pub received: u64,
    pub received_copied: u64,
    pub refused: u64,
    pub failed: u64,
}

/// `sio_info`.
pub fn info(fd: RawFd) -> Result<Info> {
    let association = context().current_socket(fd)?;
    let attached = association.attached();
    if let Some(attached) = &attached {
        // Of a channel of one thread nothing is told to another.
        drop(attached.channel.enter()?);
    }
    // The channel's engine serves a socket that insists on none.
    let choice = match &attached {
        Some(attached) if association.insist == 0 => attached.channel.choice(),
        _ => &association.choice,
    };
    // Why no interface does was found out when the socket came.
    let reason = match &association.choice.reason {
        known if known.is_empty() => choice.reason.clone(),
        known => known.clone(),
    };
    let socket = &association.socket;
    let Counters { tally, zero_copy, registered, .. } = &socket.counters;
    let (sent, sent_copied) = socket.counters.sent();
    let (received, received_copied) = socket.counters.received();
    let unlocked = socket.region.mapping().unlocked();
    let reason = match unlocked {
        Some(errno) if reason.is_empty() => {
            format!("area not locked: {errno:?}: RLIMIT_MEMLOCK")
        }
        _ => reason,
    };
    let has_no_copy = socket.flow().map(|flow| flow.is_zero_copy());
    Ok(Info {
        engine: choice.kind.name(),
        reason,
        zero_copy_send: has_no_copy.unwrap_or_else(|| zero_copy.load(Ordering::Relaxed)),
        zero_copy_receive: has_no_copy.unwrap_or(false),
        locked: unlocked.is_none(),
        registered: has_no_copy.is_some() || registered.load(Ordering::Relaxed),
        sends: tally.get(count::SENDS),
        sent,
        sent_copied,
        receives: tally.get(count::RECEIVES),
        received,
        received_copied,
        refused: tally.get(count::REFUSED),
        failed: tally.get(count::FAILED),
    })
}
