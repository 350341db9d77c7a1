//! The Rust face: `sio::api`.

use std::os::fd::RawFd;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use sio::api::blocking::{Receive, Wait, deadline, run};
use sio::api::engines::Kind;
use sio::api::send::{How, Outgoing, Part, Send};
use sio::api::{Options, channel, region, socket, source};
use sio::capi::types::{
    DMA_ENGINE_AF_XDP, DMA_ENGINE_EPOLL, DMA_ENGINE_IO_URING, DMA_HUGE, DMA_HUGE_ONLY, EC_ATTACH,
    EC_COUNTER, EC_EDGE, EC_NONBLOCK, EC_ONESHOT, EC_SINGLE, SIO_QUIET, SIO_RELEASE,
};
use sio::channel::Event;
use sio::channel::state::Modify;
use sio::engine::{Form, Received};
use sio::error::Result;
use sio::region::map::Pages;
use sio::sys::message::Address;
use sio::sys::semaphore::Semaphore as System;
use sio::sys::wait::Terms;
use sio::sys::word::{Scope, Word};

use super::face::{Face, Got, Info, Parts};
use super::system::Semaphore;

pub struct RustFace;

fn modify(flags: u32) -> Modify {
    Modify {
        edge: flags & EC_EDGE != 0,
        oneshot: flags & EC_ONESHOT != 0,
        attach: flags & EC_ATTACH != 0,
        nonblocking: flags & EC_NONBLOCK != 0,
        counter: flags & EC_COUNTER != 0,
    }
}

fn engines(flags: u32) -> u32 {
    let bit = |flag, kind: Kind| if flags & flag != 0 { kind.bit() } else { 0 };
    bit(DMA_ENGINE_IO_URING, Kind::Uring)
        | bit(DMA_ENGINE_EPOLL, Kind::Epoll)
        | bit(DMA_ENGINE_AF_XDP, Kind::AfXdp)
}

fn terms(limit: Option<Duration>) -> Terms {
    Terms { deadline: deadline(limit), mask: None }
}

/// Sends in whichever form; an empty name is none.
fn send(sock: RawFd, parts: &[Part], name: &[u8], control: &[u8], flags: i32) -> Result<usize> {
    let name = if name.is_empty() { None } else { Some(Box::new(Address::new(name)?)) };
    run(Send::new(
        sock,
        Outgoing {
            parts,
            name,
            control: control.to_vec(),
            how: How {
                flags: flags & !(SIO_RELEASE | SIO_QUIET),
                release: flags & SIO_RELEASE != 0,
                quiet: flags & SIO_QUIET != 0,
            },
        },
    )?)
}

fn receive(sock: RawFd, size: usize, flags: i32, form: Form) -> Result<(Got, Vec<u8>)> {
    Ok(match run(Receive::new(sock, size, flags, form)?)? {
        Received::End => (Got::END, Vec::new()),
        Received::Block { address, count, name } => {
            let name = name.map_or(Vec::new(), |name| name.bytes().to_vec());
            (Got { address, count }, name)
        }
    })
}

impl Face for RustFace {
    fn create(flags: u32) -> Result<RawFd> {
        let single = flags & EC_SINGLE != 0;
        channel::create(Options { single, capacity_log2: flags >> 24 })
    }

    fn destroy(ec: RawFd) -> Result<()> {
        channel::destroy(ec)
    }

    fn next_events(ec: RawFd, room: &mut [Event]) -> Result<usize> {
        channel::next_events(ec, room)
    }

    fn to_fd(ec: RawFd) -> Result<RawFd> {
        channel::to_fd(ec)
    }

    fn delay(ec: RawFd, limit: Option<Duration>) -> Result<()> {
        run(Wait::new(ec, None, terms(limit))?).map(drop)
    }

    fn wait_events(ec: RawFd, room: &mut [Event], limit: Option<Duration>) -> Result<usize> {
        run(Wait::new(ec, Some(room), terms(limit))?)
    }

    fn post(ec: RawFd, event: &Event) -> Result<()> {
        channel::post(ec, *event)
    }

    fn wake(ec: RawFd, count: i32) -> Result<()> {
        channel::wake(ec, count)
    }

    fn flush(ec: RawFd) -> Result<()> {
        channel::flush(ec)
    }

    fn add_fd(ec: RawFd, fd: RawFd, events: i16, flags: u32, cookie: u64) -> Result<i32> {
        source::add_fd(ec, fd, events as u32, modify(flags), cookie)
    }

    fn add_timer(
        ec: RawFd,
        clock: i32,
        when: &libc::itimerspec,
        flags: u32,
        cookie: u64,
    ) -> Result<i32> {
        source::add_timer(ec, clock, when, flags as i32, cookie)
    }

    fn add_mq(ec: RawFd, mq: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        source::add_queue(ec, mq, modify(flags), cookie)
    }

    fn add_signal(ec: RawFd, set: &libc::sigset_t, cookie: u64) -> Result<i32> {
        source::add_signals(ec, set, cookie)
    }

    fn add_futex(ec: RawFd, word: &AtomicU32, expected: u32, cookie: u64) -> Result<i32> {
        // SAFETY: by the contract of the trait.
        let word = unsafe { Word::new(word.as_ptr(), Scope::Any) }?;
        source::add_word(ec, word, expected, cookie)
    }

    fn add_sem(ec: RawFd, semaphore: &Semaphore, flags: u32, cookie: u64) -> Result<i32> {
        // SAFETY: by the contract of the trait.
        let semaphore = unsafe { System::new(semaphore.as_ptr()) }?;
        source::add_semaphore(ec, semaphore, modify(flags), cookie)
    }

    fn add_process(ec: RawFd, pidfd: RawFd, cookie: u64) -> Result<i32> {
        source::add_process(ec, pidfd, cookie)
    }

    fn add_accept(ec: RawFd, listener: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        source::add_accept(ec, listener, modify(flags), cookie)
    }

    fn add_socket(ec: RawFd, sock: RawFd, flags: u32, cookie: u64) -> Result<i32> {
        source::add_socket(ec, sock, modify(flags), cookie)
    }

    fn modify(ec: RawFd, source: i32, events: i16, flags: u32) -> Result<()> {
        source::modify(ec, source, events as u32, modify(flags))
    }

    fn rearm(ec: RawFd, source: i32, expected: u32) -> Result<()> {
        source::modify(ec, source, expected, Modify::default())
    }

    fn remove(ec: RawFd, source: i32) -> Result<()> {
        source::remove(ec, source)
    }

    fn alloc(size: usize, flags: u32) -> Result<u64> {
        let pages = match (flags & DMA_HUGE != 0, flags & DMA_HUGE_ONLY != 0) {
            (_, true) => Pages::OnlyHuge,
            (true, false) => Pages::PreferHuge,
            (false, false) => Pages::Normal,
        };
        region::alloc(size, pages, engines(flags))
    }

    fn free(area: u64, size: usize) -> Result<()> {
        region::free(area, size)
    }

    fn base(area: u64) -> Result<(usize, usize)> {
        region::base(area).map(|(base, length)| (base as usize, length))
    }

    fn assoc(sock: RawFd, area: u64, size: usize, flags: u32) -> Result<()> {
        socket::assoc(sock, area, size, engines(flags))
    }

    fn disassoc(sock: RawFd, area: u64, size: usize) -> Result<()> {
        socket::disassoc(sock, area, size)
    }

    fn reserve(area: u64, size: usize) -> Result<usize> {
        region::reserve(area, size)
    }

    fn release(area: u64, address: usize, size: usize) -> Result<()> {
        region::release(area, address, size)
    }

    fn send(sock: RawFd, address: usize, size: usize, flags: i32) -> Result<usize> {
        send(sock, &[(address, size)], &[], &[], flags)
    }

    fn send_to(sock: RawFd, address: usize, size: usize, flags: i32, to: &[u8]) -> Result<usize> {
        send(sock, &[(address, size)], to, &[], flags)
    }

    fn send_message(sock: RawFd, parts: &Parts, flags: i32) -> Result<usize> {
        send(sock, &parts.parts, &parts.name, &parts.control, flags)
    }

    fn receive(sock: RawFd, size: usize, flags: i32) -> Result<Got> {
        receive(sock, size, flags, Form::Data).map(|(got, _)| got)
    }

    fn receive_from(sock: RawFd, size: usize, flags: i32) -> Result<(Got, Vec<u8>)> {
        receive(sock, size, flags, Form::Name)
    }

    fn receive_message(sock: RawFd, flags: i32) -> Result<Got> {
        receive(sock, size_of::<libc::msghdr>(), flags, Form::Message).map(|(got, _)| got)
    }

    fn detach(sock: RawFd) -> Result<()> {
        socket::detach(sock)
    }

    fn info(sock: RawFd) -> Result<Info> {
        socket::info(sock).map(|info| Info {
            engine: info.engine.to_owned(),
            reason: info.reason,
            sent: info.sent,
            sent_copied: info.sent_copied,
            received: info.received,
            received_copied: info.received_copied,
        })
    }
}
