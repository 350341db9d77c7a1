//! What an associated socket has of interfaces: its flows there, what has arrived for it, and how
//! it sends. A socket in no channel is served from here.
#![forbid(unsafe_code)]

use std::hint;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::claims::Claims;
use super::door::{Door, Looker, Sleeper};
use super::hub::{Hub, OutletKey};
use super::inlet::{Brief, Inlet, Inlets, Reader, Source};
use super::patience::Patience;
use super::sender::{Sender, Session};
use super::transmit::Sending;
use crate::engine::{Ask, Received, Request, Socket, direct};
use crate::error::{Errno, Result};
use crate::net::flow::{Endpoint, FlowKey};
use crate::port::FrameType;
use crate::region::Account;
use crate::sys::biased::{Biased, Inside};
use crate::sys::descriptor::Descriptor;
use crate::sys::glance::Glimpse;
use crate::sys::own::Own;
use crate::sys::sync::atomic::{AtomicU64, Ordering};
use crate::sys::sync::{Mutex, MutexGuard, OnceLock};
use crate::sys::wait::Several;
use crate::sys::{bpf, internet, poll, wait};

pub struct Flow {
    fd: RawFd,
    door: Arc<Door>,
    legs: Vec<(Arc<Hub>, OutletKey)>,
    /// The thread of a channel that only one uses is the favourite here.
    inlets: Biased<Inlets>,
    sender: Mutex<Alone>,
    /// Readable when the socket has something to be looked at: made when it is first asked for.
    set: OnceLock<Option<Descriptor>>,
    /// When the socket was last seen to wait without a limit of time.
    waited: AtomicU64,
    patience: Patience,
}

/// How the socket sends, and what is only for one in no channel.
pub struct Alone {
    pub sender: Sender,
    next_number: u64,
    /// Sends do not end at once: memory that the program has again at once is copied.
    is_slow: bool,
}

/// What became of a send.
pub struct Sent {
    pub copied: bool,
}

/// How often it is looked whether a send has ended that is being waited for.
const LOOKS_MAX: usize = 200;
/// Numbers of sends in no channel: no channel counts that far.
const ALONE: u64 = 1 << 63;
const ANYTHING: u64 = 0;
/// For so long it is taken for granted that a socket still waits without a limit of time, and no
/// longer than [`NAP`].
const HABIT: Duration = Duration::from_millis(10);
pub const NAP: Duration = Duration::from_millis(1);

/// The flows of a socket with these addresses.
pub fn keys(
    domain: i32,
    is_ipv6_only: bool,
    local: SocketAddr,
    remote: Option<SocketAddr>,
) -> Vec<FlowKey> {
    let own = Endpoint { address: local.ip(), port: local.port() };
    if let Some(remote) = remote.filter(|remote| remote.is_ipv4() == local.is_ipv4()) {
        return vec![FlowKey::connected(
            own,
            Endpoint { address: remote.ip(), port: remote.port() },
        )];
    }
    let mut keys = vec![FlowKey::open(own)];
    if domain == libc::AF_INET6 && local.ip().is_unspecified() && !is_ipv6_only {
        keys.push(FlowKey::open(Endpoint::new(std::net::Ipv4Addr::UNSPECIFIED, local.port())));
    }
    keys
}

impl Flow {
    /// Claims the flows of a bound socket on the given interfaces: on all that do not refuse, and
    /// at least on one.
    pub fn open(
        fd: RawFd,
        domain: i32,
        hubs: &[Arc<Hub>],
        account: &Arc<Account>,
    ) -> Result<Arc<Self>> {
        let local = internet::local_address(fd)?;
        if local.port() == 0 {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let remote = internet::peer_address(fd);
        let keys = keys(domain, internet::is_ipv6_only(fd), local, remote);
        let shares = internet::shares_port(fd);
        let claims = Claims::Flows { keys: &keys, shares };
        let sender = Sender::new(fd, local, remote);
        Self::claim(fd, hubs, &claims, sender, account)
    }

    /// Claims whole frames on an interface.
    pub fn open_frames(
        fd: RawFd,
        hub: Arc<Hub>,
        kind: FrameType,
        account: &Arc<Account>,
    ) -> Result<Arc<Self>> {
        Self::claim(fd, &[hub], &Claims::Frames(kind), Sender::Frames, account)
    }

    fn claim(
        fd: RawFd,
        hubs: &[Arc<Hub>],
        claims: &Claims<'_>,
        sender: Sender,
        account: &Arc<Account>,
    ) -> Result<Arc<Self>> {
        let door = Door::new()?;
        let mut inlets: Vec<Inlet> = Vec::new();
        let mut refused = Errno::ENODEV;
        for hub in hubs {
            match hub.open(fd, claims, account, &door) {
                Ok(inlet) => inlets.push(inlet),
                Err(errno) => refused = errno,
            }
        }
        if inlets.is_empty() {
            return Err(refused);
        }
        let legs = inlets.iter().map(|inlet| (inlet.hub.clone(), inlet.outlet)).collect();
        Ok(Arc::new(Self {
            fd,
            door,
            legs,
            inlets: Biased::new(Inlets::new(inlets, internet::control_wishes(fd))),
            sender: Mutex::new(Alone { sender, next_number: ALONE, is_slow: false }),
            set: OnceLock::new(),
            waited: AtomicU64::new(0),
            patience: Patience::default(),
        }))
    }

    pub fn legs(&self) -> &[(Arc<Hub>, OutletKey)] {
        &self.legs
    }

    pub fn lock_sender(&self) -> MutexGuard<'_, Alone> {
        self.sender.lock()
    }

    /// The name of what it is served by: the same on all interfaces.
    pub fn port_name(&self) -> &'static str {
        self.legs.first().map_or("", |(hub, _)| hub.facts().name)
    }

    /// Whether nobody copies on the way.
    pub fn is_zero_copy(&self) -> bool {
        self.legs.iter().all(|(hub, _)| hub.facts().zero_copy)
    }

    /// What it is served by, in words.
    pub fn description(&self) -> String {
        let ports: Vec<String> = self
            .legs
            .iter()
            .map(|(hub, _)| {
                let facts = hub.facts();
                let how = if facts.zero_copy { "zero copy" } else { "the kernel copies once" };
                format!("{}: {how}", facts.interface_name)
            })
            .collect();
        ports.join(", ")
    }

    pub(super) fn lock_inlets(&self) -> Inside<'_, Inlets> {
        self.inlets.lock()
    }

    /// A channel receives from now on, or one that only the thread of that mark uses. `EBUSY`: one
    /// does already.
    pub(super) fn enter_channel(&self, owner: Option<u64>) -> Result<()> {
        let mut inlets = self.inlets.lock();
        if inlets.reader != Reader::Anybody {
            return Err(Errno::EBUSY);
        }
        inlets.reader = owner.map_or(Reader::Channel, Reader::Thread);
        inlets.favour(owner);
        drop(inlets);
        // Whoever waits goes on with the channel.
        self.door.knock(false);
        Ok(())
    }

    pub(super) fn leave_channel(&self) {
        let mut inlets = self.inlets.lock();
        inlets.reader = Reader::Anybody;
        inlets.favour(None);
        drop(inlets);
        // Whoever waits may go on without the channel.
        self.door.knock(false);
    }

    /// Something was received in the channel. Threads that sleep until something arrives have been
    /// called once, and whoever came first may have taken the call and left something.
    pub(super) fn tell_of_rest(&self, inlets: &Inlets) {
        if inlets.readiness().is_data() {
            self.door.knock(false);
        }
    }

    /// A receive that nobody else need know of: see [`Inlets::receive_in_passing`]. `None`: it has
    /// to go the whole way.
    #[inline(always)]
    pub fn receive_in_passing<L>(
        &self,
        own: &Own,
        look: &Glimpse<'_, L>,
        ask: &Ask,
        socket: &Socket,
        source: &mut Option<Source>,
    ) -> Option<Brief> {
        match self.inlets.visit(own, look) {
            // The only thread of the channel.
            Some(mut inlets) => inlets.receive_in_passing(ask, socket, source),
            None => self.receive_with_lock(own, ask, socket, source),
        }
    }

    #[inline(never)]
    fn receive_with_lock(
        &self,
        own: &Own,
        ask: &Ask,
        socket: &Socket,
        source: &mut Option<Source>,
    ) -> Option<Brief> {
        let mut inlets = self.inlets.try_lock()?;
        match inlets.reader {
            Reader::Thread(owner) if owner != own.mark() => None,
            _ => inlets.receive_in_passing(ask, socket, source),
        }
    }

    /// A descriptor that is readable when it is worth looking again. It is good for a thread that
    /// listens ([`Flow::listen`]) and looks once more before it sleeps.
    pub fn waiting_fd(&self) -> Result<RawFd> {
        let make = || -> Result<Descriptor> {
            let set = poll::create()?;
            for fd in self.watched() {
                poll::add(set.as_raw_fd(), fd, poll::IN, ANYTHING)?;
            }
            Ok(set)
        };
        let set = self.set.get_or_init(|| make().ok());
        set.as_ref().map(AsRawFd::as_raw_fd).ok_or(Errno::EMFILE)
    }

    /// The door's, the kernel's socket, and those of each hub.
    pub fn watched(&self) -> impl Iterator<Item = RawFd> {
        let hubs = self.legs.iter().flat_map(|(hub, _)| hub.watched());
        [self.door.fd(), self.fd].into_iter().chain(hubs.copied())
    }

    /// The same one by one, for a wait that costs less: [`Flow::woken`] is to be told how it has
    /// ended. `None`: there are too many.
    pub fn bed(&self) -> Option<Arc<Several>> {
        Several::new(self.watched()).map(Arc::new)
    }

    /// A thread that listens has slept there: what has woken it is seen to.
    pub fn woken(&self, bed: &Several) {
        let mut told = bed.take_told();
        if told & 1 != 0 {
            self.door.lower();
        }
        if told & 2 != 0 {
            self.inlets.lock().kernel_may_have();
        }
        told >>= 2;
        // In a channel nobody knocks for what the thread leaves.
        let is_alone = self.inlets.lock().reader == Reader::Anybody;
        let looker = if is_alone { Looker::Thread(&self.door) } else { Looker::Nobody };
        for (hub, _) in &self.legs {
            let count = hub.watched().len();
            if told & ((1 << count) - 1) != 0 {
                hub.service(looker);
            }
            told >>= count;
        }
    }

    /// Looks for a moment whether something comes, where that has paid lately.
    pub fn linger(&self) {
        let Some(until) = self.patience.until() else { return };
        let mut has_found = false;
        while !has_found && Instant::now() < until {
            let inlets = self.inlets.lock();
            if inlets.reader != Reader::Anybody {
                return;
            }
            inlets.poll(Looker::Thread(&self.door));
            has_found = inlets.readiness().is_data();
            drop(inlets);
            hint::spin_loop();
        }
        self.patience.learn(has_found);
    }

    /// The socket was seen to wait without a limit of time.
    pub fn has_waited(&self) {
        self.waited.store(wait::monotonic_nanoseconds(), Ordering::Relaxed);
    }

    /// Whether it was seen so a moment ago.
    pub fn has_waited_lately(&self) -> bool {
        let seen = Duration::from_nanos(self.waited.load(Ordering::Relaxed));
        Duration::from_nanos(wait::monotonic_nanoseconds()).saturating_sub(seen) < HABIT
    }

    /// From now on this thread is told when something arrives.
    pub fn listen(&self) -> Sleeper {
        self.door.listen()
    }

    /// Threads that sleep until something arrives are to look again; `listens`: but for the caller.
    pub fn call(&self, listens: bool) {
        self.door.knock(listens);
    }

    /// Before a thread sleeps on one of the descriptors.
    pub fn prepare_to_sleep(&self) {
        for (hub, _) in &self.legs {
            hub.prepare_to_sleep();
        }
    }

    /// Readable when a send that was refused may be tried again.
    pub fn output_fd(&self) -> Result<RawFd> {
        self.legs[0].0.fd()
    }

    /// A thread has slept: what has woken it is seen to.
    pub fn slept(&self) {
        self.door.lower();
        self.inlets.lock().kernel_may_have();
        for (hub, _) in &self.legs {
            hub.service(Looker::Nobody);
        }
    }

    /// Receives for a socket in no channel; `is_current` says whether the descriptor still means it,
    /// `listens` whether the thread is one of those that wait for it.
    pub fn receive(
        &self,
        ask: &Ask,
        socket: &Socket,
        listens: bool,
        is_current: impl Fn() -> Result<()>,
    ) -> Result<Received> {
        let mut inlets = self.inlets.lock();
        if inlets.reader != Reader::Anybody {
            return Err(Errno::EAGAIN);
        }
        let found = inlets.receive(ask, socket).or_else(|| {
            inlets.poll(Looker::Thread(&self.door));
            inlets.receive(ask, socket)
        });
        if inlets.readiness().is_data() {
            // Others who wait may have the rest.
            self.door.knock(listens);
        }
        match found {
            Some(answer) => answer,
            None => match inlets.receive_from_kernel(|| {
                is_current()?;
                direct::receive(socket, ask)
            }) {
                Err(Errno::EAGAIN) if !inlets.wait_for_more() => {
                    inlets.receive(ask, socket).unwrap_or(Err(Errno::EAGAIN))
                }
                answer => answer,
            },
        }
    }

    /// Sends for a socket in no channel: the memory is the program's again. `ENOBUFS`: the port is
    /// full; `EAGAIN`: the kernel's socket is.
    pub fn send(&self, socket: &Socket, request: &mut Request) -> Result<Sent> {
        // A driver that works in the area itself may take its time.
        self.send_from(socket, request, Some(self.is_zero_copy()))
    }

    /// The same, where nothing is written to the memory before the send has ended.
    pub fn send_in_place(&self, socket: &Socket, request: &mut Request) -> Result<Sent> {
        self.send_from(socket, request, None)
    }

    /// `reuse`: the memory is the program's at once, so it is copied where sends take long, which
    /// is known or will be seen.
    fn send_from(
        &self,
        socket: &Socket,
        request: &mut Request,
        reuse: Option<bool>,
    ) -> Result<Sent> {
        let mut alone = self.sender.lock();
        let Alone { sender, next_number, is_slow } = &mut *alone;
        let number = *next_number;
        *next_number += 1;
        let must_copy = reuse.is_some_and(|takes_long| takes_long || *is_slow);
        let mut session = Session::new(&self.legs, sender);
        let mut sending = session.send(request, number, must_copy);
        if sending.lacks_room() {
            session.ring_doorbell();
            session.complete();
            sending = session.send(request, number, must_copy);
        }
        match sending {
            Sending::Full => {
                session.ring_doorbell();
                Err(Errno::ENOBUFS)
            }
            // Whoever holds all frames may be the caller, and what has arrived for it: it must not wait.
            Sending::Refused | Sending::Starved => {
                drop(session);
                direct::send(socket, request, 0).map(|_| Sent { copied: true })
            }
            Sending::Begun { copied, first } => {
                session.ring_doorbell();
                if !copied && reuse.is_some() {
                    // The kernel copies within the doorbell; usually the frame is back already.
                    *is_slow = !(0..LOOKS_MAX).any(|_| {
                        session.complete();
                        !session.is_in_flight(first, number)
                    });
                }
                Ok(Sent { copied })
            }
        }
    }

    /// Gives the flows back to the kernel. `EBUSY`, and nothing has changed: something has arrived
    /// and was not fetched. Not while the socket is in a channel.
    pub fn close(&self) -> Result<()> {
        let inlets = self.inlets.lock();
        for (hub, outlet) in &self.legs {
            hub.close(*outlet);
        }
        // A packet that was claimed a moment ago is on its way still: then it has arrived.
        bpf::wait_for_programs();
        for (hub, _) in &self.legs {
            hub.poll(Looker::Nobody);
        }
        if inlets.readiness().is_data() {
            for (hub, outlet) in &self.legs {
                hub.reopen(*outlet);
            }
            return Err(Errno::EBUSY);
        }
        self.give_up();
        Ok(())
    }

    /// Another socket may have the flows now, though a thread that waits has this one in hand still.
    fn give_up(&self) {
        for (hub, outlet) in &self.legs {
            hub.give_up(*outlet);
        }
    }

    /// Looks whether something has arrived that a receive would find here; asks to be told if not.
    pub fn look(&self) -> bool {
        self.slept();
        let mut inlets = self.inlets.lock();
        let has_data = inlets.reader == Reader::Anybody && !inlets.wait_for_more();
        drop(inlets);
        self.prepare_to_sleep();
        has_data
    }

    /// Gives the flows back to the kernel, and throws away what has arrived and was not fetched.
    pub fn discard(&self, socket: &Socket) {
        self.give_up();
        self.inlets.lock().discard(socket);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        for (hub, outlet) in &self.legs {
            hub.forget(*outlet);
        }
        self.inlets.lock().abandon();
    }
}
