//! The epoll engine: readiness from the channel's poll set, data by plain system calls.
//!
//! It needs nothing that a kernel or a sandbox refuses. Sends are put off until the channel is
//! turned; what the kernel does not take at once goes on when the socket is writable again.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::connections::Connections;
use super::ready::Ready;
use super::{
    Ask, Engine, Key, Notice, Outbox, PollSet, Readiness, Received, Request, Socket, direct, file,
};
use crate::error::{Errno, Result};
use crate::sys::poll;
use crate::sys::stat::{Tally, layout::engine as count};
use crate::sys::wait::Sleep;

/// Messages that are worth gathering into one call.
const TOGETHER_MAX: usize = 64;

pub struct Epoll {
    counts: Arc<Tally>,
    connections: Connections<Box<Connection>>,
    /// Sockets with requests that have not been tried yet.
    dirty: Vec<Key>,
    /// Sockets that had no room to receive into.
    starved: Vec<Key>,
}

struct Connection {
    counts: Arc<Tally>,
    socket: Arc<Socket>,
    ready: Ready,
    outbox: Outbox,
    is_dirty: bool,
    /// The kernel's buffer is full: wait until it is not.
    is_full: bool,
}

impl Epoll {
    pub fn new(counts: Arc<Tally>) -> Self {
        let (dirty, starved) = (Vec::new(), Vec::new());
        Self { counts, connections: Connections::default(), dirty, starved }
    }
}

impl Connection {
    /// One system call for the first request, or for several small ones of a stream.
    fn try_to_send(&self) -> Option<Result<usize>> {
        let mut unsent = self.outbox.unsent();
        let entry = unsent.next()?;
        let has_more = unsent.next().is_some() && self.socket.is_stream();
        Some(if has_more && entry.request.is_plain() {
            direct::send_gathered(&self.socket, &self.outbox)
        } else {
            direct::send(&self.socket, &entry.request, entry.sent)
        })
    }

    /// One system call for several messages, as far as the kernel takes them.
    fn try_to_send_together(&mut self) -> Option<Result<()>> {
        if self.socket.is_stream() || self.outbox.unsent().nth(1).is_none() {
            return None;
        }
        self.counts.add(count::SYSTEM_CALLS, 1);
        let sent = direct::send_messages(&self.socket, &self.outbox, TOGETHER_MAX);
        Some(sent.map(|count| self.outbox.advance_messages(count)))
    }

    fn try_to_send_some(&mut self) -> Option<Result<()>> {
        self.try_to_send_together().or_else(|| {
            let sent = self.try_to_send()?;
            self.counts.add(count::SYSTEM_CALLS, 1);
            Some(sent.map(|bytes| {
                self.outbox.advance(bytes, true);
            }))
        })
    }

    /// Hands the kernel what there is up to the last file, as far as it takes it.
    fn pass_files(&mut self) -> file::Stop {
        let mut calls = 0;
        let stop = file::pass(&self.socket, &mut self.outbox, usize::MAX, &mut calls);
        self.counts.add(count::SYSTEM_CALLS, calls);
        stop
    }

    /// Hands the kernel as much as it takes.
    fn flush(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let stop = self.pass_files();
        self.is_full = stop != file::Stop::NoFile;
        while !self.is_full
            && let Some(sent) = self.try_to_send_some()
        {
            match sent {
                Ok(()) => {}
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.is_full = true,
                Err(errno) => self.outbox.fail(errno),
            }
        }
        let asked = if stop == file::Stop::TurnOver {
            self.ready.want_output_anew(poll)
        } else {
            self.ready.want_output(self.is_full, poll)
        };
        let is_gone = matches!(asked, Err(Errno::EBADF | Errno::ENOENT | Errno::EPERM));
        // The program has closed it, and somebody else has its number: there is nothing to wait for,
        // and the others in the channel are to go on.
        while is_gone && self.outbox.has_unsent() {
            self.outbox.fail(Errno::EBADF);
        }
        self.is_full &= !is_gone;
        self.outbox.tell(key, &self.socket, notices);
        if is_gone { Ok(()) } else { asked }
    }
}

impl Engine for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn attach(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()> {
        let connection = Connection {
            counts: self.counts.clone(),
            socket: socket.clone(),
            ready: Ready::new(socket, key, edge, poll)?,
            outbox: Outbox::default(),
            is_dirty: false,
            is_full: false,
        };
        self.connections.insert(key, Box::new(connection));
        Ok(())
    }

    fn detach(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        if let Some(mut connection) = self.connections.remove(key) {
            connection.ready.close(poll);
            connection.outbox.cancel(key, &connection.socket, notices);
        }
    }

    fn set_edge(&mut self, key: Key, edge: bool, poll: &mut PollSet) -> Result<()> {
        let connection = self.connections.get_mut(key).ok_or(Errno::ENOENT)?;
        connection.ready.set_edge(edge, poll)
    }

    fn send(&mut self, key: Key, request: Request) -> Result<()> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        let is_file = request.file.is_some();
        connection.outbox.push_kept(request, connection.is_full)?;
        if is_file && !connection.is_full {
            // While the program has the file open. What comes of it is told with the next turn.
            connection.pass_files();
            connection.outbox.keep_last_file();
        }
        if !connection.is_dirty && !connection.is_full {
            connection.is_dirty = true;
            self.dirty.push(key);
        }
        Ok(())
    }

    fn receive(&mut self, key: Key, ask: &Ask, poll: &mut PollSet) -> Result<Received> {
        let connection = self.connections.get_mut(key).ok_or(Errno::EINVAL)?;
        self.counts.add(count::SYSTEM_CALLS, 1);
        let answer = connection.ready.receive(ask, poll);
        if matches!(answer, Err(Errno::ENOBUFS)) {
            self.starved.push(key);
        }
        answer
    }

    fn waiting(&self, key: Key) -> Readiness {
        self.connections.get(key).map_or(Readiness::default(), |found| found.ready.waiting())
    }

    fn is_polled(&self, _key: Key) -> bool {
        true
    }

    fn ready(
        &mut self,
        key: Key,
        events: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Option<Readiness> {
        let connection = self.connections.get_mut(key)?;
        if events & (poll::OUT | poll::ERR | poll::HUP) != 0 && connection.is_full {
            // What cannot be told now is told by the send's own event.
            let _ = connection.flush(key, poll, notices);
        }
        connection.ready.readiness(events, poll)
    }

    fn turn(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let mut flushed = Ok(());
        let mut done = 0;
        while flushed.is_ok() && done < self.dirty.len() {
            let key = self.dirty[done];
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_dirty = false;
                flushed = connection.flush(key, poll, notices);
            }
            done += 1;
        }
        // After a failure the others have their turn next time.
        self.dirty.drain(..done);
        flushed
    }

    fn is_idle(&mut self) -> bool {
        self.dirty.is_empty()
    }

    fn is_settled(&mut self, _stays: bool) -> bool {
        true
    }

    fn replenish(&mut self, poll: &mut PollSet) {
        for key in std::mem::take(&mut self.starved) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.ready.replenish(poll);
            }
        }
    }

    fn push_on(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        for (key, connection) in self.connections.iter_mut() {
            if connection.is_full {
                connection.flush(key, poll, notices)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, _wanted: bool) -> bool {
        false
    }

    fn sleep(&mut self, poll: &mut PollSet) -> Result<Sleep> {
        Ok(Sleep::Poll { fd: poll.fd(), events: libc::POLLIN })
    }

    fn retire(&mut self, _area: u64) {}
}
