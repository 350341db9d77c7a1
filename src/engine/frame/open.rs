//! Which interfaces serve a socket, and their hubs: one for each interface of this process.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::claims::takes_from_host;
use super::flow::Flow;
use super::hub::Hub;
use super::outgoing::Alarm;
use super::shared::Shared;
use crate::error::{Errno, Refusal};
use crate::port::af_xdp::AfXdp;
use crate::port::link::{self, Interface, Routes};
use crate::port::packet_mmap::PacketMmap;
use crate::port::ways::{Changes, Way, Ways};
use crate::port::{FrameType, Port};
use crate::region::{Account, Region};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::Mutex;
use crate::sys::{internet, packet};

type Answer<T> = std::result::Result<T, Refusal>;

fn refusal(errno: Errno, cause: &str) -> Refusal {
    Refusal { errno, cause: format!("af_xdp: {cause}") }
}

fn refused_by(what: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| refusal(errno, &format!("{errno:?}: {what}"))
}

/// The flows of a socket, on the interfaces that its datagrams come in by.
pub fn open_flow(
    fd: RawFd,
    domain: i32,
    region: &Arc<Region>,
    account: &Arc<Account>,
) -> Answer<Arc<Flow>> {
    let hubs = open_hubs(fd, region)?;
    Flow::open(fd, domain, &hubs, account).map_err(not_claimed)
}

/// The frames of a socket for whole ones (packet(7)). `insists`: by a flag of the program's, which
/// may take from the host what it lives on.
pub fn open_frames(
    fd: RawFd,
    region: &Arc<Region>,
    account: &Arc<Account>,
    insists: bool,
) -> Answer<Arc<Flow>> {
    let (kind, interface) = wanted_frames(fd, region)?;
    if takes_from_host(kind) && !insists {
        let cause = "the kernel would get no such frames; DMA_ENGINE_AF_XDP says that it need not";
        return Err(refusal(Errno::EOPNOTSUPP, cause));
    }
    if interface.vlan.is_some() {
        let cause = "the frames of a VLAN are those of the interface that it is on";
        return Err(refusal(Errno::EOPNOTSUPP, cause));
    }
    let hub = hub(region, internet::namespace(fd), &interface)?;
    Flow::open_frames(fd, hub, kind, account).map_err(|errno| match errno {
        Errno::EADDRINUSE => refusal(errno, "another socket has frames or flows there"),
        _ => refused_by("the frames could not be claimed")(errno),
    })
}

/// The same by a ring that has copies of the frames: for interfaces that AF_XDP does not serve.
pub fn open_copied_frames(
    fd: RawFd,
    region: &Arc<Region>,
    account: &Arc<Account>,
) -> Answer<Arc<Flow>> {
    let (kind, interface) = wanted_frames(fd, region)?;
    let no_ring = refused_by("no ring of packet(7)");
    let port = PacketMmap::open(region, &interface, fd).map_err(&no_ring)?;
    // One for each socket: it has no other's frames.
    let hub = new_hub(region, Box::new(port))?;
    Flow::open_frames(fd, hub, kind, account).map_err(no_ring)
}

/// Which frames a socket is for, and of which interface.
fn wanted_frames(fd: RawFd, region: &Region) -> Answer<(FrameType, Interface)> {
    let binding = packet::binding(fd).map_err(refused_by("no socket for frames"))?;
    if let Some(what) = packet::hindrance(fd) {
        return Err(refusal(Errno::EOPNOTSUPP, &format!("the socket has {what}")));
    }
    if !packet::is_whole(fd) {
        return Err(refusal(Errno::EPROTONOSUPPORT, "the socket's frames have no header"));
    }
    check_area(fd, region)?;
    let kind = match binding.kind {
        packet::EVERY_TYPE => FrameType::Any,
        kind if kind >= packet::TYPE_MIN => FrameType::Only(kind),
        _ => return Err(refusal(Errno::EOPNOTSUPP, "frames without a type are the kernel's")),
    };
    if binding.interface == 0 {
        return Err(refusal(Errno::EADDRNOTAVAIL, "the socket is not bound to an interface"));
    }
    let unknown = refused_by("the kernel does not tell of interfaces");
    let interface = link::interface_by_index(binding.interface).map_err(unknown)?;
    Ok((kind, interface))
}

/// A socket that stays the kernel's for the program: see shared.rs.
pub fn open_shared(
    fd: RawFd,
    domain: i32,
    region: &Arc<Region>,
    alarm: &Arc<Alarm>,
) -> Answer<Arc<Shared>> {
    if let Some(what) = internet::hindrance(fd) {
        return Err(refusal(Errno::EOPNOTSUPP, &format!("the socket has {what}")));
    }
    if internet::local_address(fd).is_ok_and(internet::is_narrowed) {
        let cause = "another socket has the port at one address";
        return Err(refusal(Errno::EADDRINUSE, cause));
    }
    let hubs = open_hubs(fd, region)?;
    Shared::open(fd, domain, &hubs, region, alarm).map_err(|errno| match errno {
        Errno::EOPNOTSUPP | Errno::EINVAL => {
            let cause = "the interface or the kernel cannot give packets back (Linux 5.18)";
            refusal(Errno::EOPNOTSUPP, cause)
        }
        _ => not_claimed(errno),
    })
}

fn not_claimed(errno: Errno) -> Refusal {
    match errno {
        Errno::EADDRINUSE => refusal(errno, "another socket has the same flow"),
        _ => refused_by("the flow could not be claimed")(errno),
    }
}

/// The hubs of the interfaces that a socket's datagrams come in by.
pub fn open_hubs(fd: RawFd, region: &Arc<Region>) -> Answer<Vec<Arc<Hub>>> {
    if !internet::is_udp(fd) {
        return Err(refusal(Errno::EPROTONOSUPPORT, "UDP sockets only"));
    }
    check_area(fd, region)?;
    let local = internet::local_address(fd).map_err(refused_by("no address"))?;
    if local.port() == 0 {
        return Err(refusal(Errno::EADDRNOTAVAIL, "the socket is not bound to a port"));
    }
    let mut first = None;
    let mut hubs: Vec<Arc<Hub>> = Vec::new();
    for interface in interfaces(fd, local)? {
        match hub(region, internet::namespace(fd), &interface) {
            Ok(hub) => hubs.push(hub),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    if hubs.is_empty() {
        let nothing = || refusal(Errno::ENODEV, "no interface has the socket's address");
        return Err(first.unwrap_or_else(nothing));
    }
    Ok(hubs)
}

fn check_area(fd: RawFd, region: &Region) -> Answer<()> {
    if region.frame_bytes().is_none() {
        return Err(refusal(Errno::EINVAL, "dma_alloc has not made the area for it"));
    }
    if internet::namespace(fd) != internet::own_namespace() {
        return Err(refusal(Errno::EOPNOTSUPP, "the socket is of another network namespace"));
    }
    Ok(())
}

/// The interfaces by which a socket's datagrams come in: the one that it is bound to; that with its
/// address; for a socket of any address, that of its peer or all.
fn interfaces(fd: RawFd, local: SocketAddr) -> Answer<Vec<Interface>> {
    let unknown = refused_by("the kernel does not tell of interfaces");
    let bound = internet::bound_interface(fd);
    let index = if bound != 0 {
        bound
    } else if local.ip().is_unspecified() {
        let all = link::interfaces().map_err(unknown)?;
        let is_able = |found: &Interface| {
            found.is_up && found.is_ethernet && !found.is_loopback && found.vlan.is_none()
        };
        return Ok(all.into_iter().filter(is_able).collect());
    } else if local.ip().is_multicast() {
        return Err(refusal(Errno::EOPNOTSUPP, "multicast is the kernel's"));
    } else {
        link::interface_with(local.ip()).map_err(refused_by("nobody has the socket's address"))?
    };
    let interface = link::interface_by_index(index).map_err(&unknown)?;
    // The packets of a VLAN are those of the interface that it is on.
    match interface.vlan {
        Some(vlan) => Ok(vec![link::interface_by_index(vlan.of_interface).map_err(&unknown)?]),
        None => Ok(vec![interface]),
    }
}

/// With the namespace and the number of their interface, and what goes last of each.
type Hubs = Vec<((u64, u32), Weak<Hub>, Weak<()>)>;

static HUBS: PerProcess<Mutex<Hubs>> = PerProcess::empty();

/// The hub between an area and an interface, made when the first socket needs it. Making it may
/// take a tenth of a second: drivers start their queues anew.
fn hub(region: &Arc<Region>, namespace: u64, interface: &Interface) -> Answer<Arc<Hub>> {
    let mut hubs = HUBS.get_or_make(Mutex::default).lock();
    hubs.retain(|(_, _, presence)| presence.strong_count() > 0);
    let place = (namespace, interface.index);
    for (_, hub, presence) in hubs.iter().filter(|(known, ..)| *known == place) {
        let Some(known) = hub.upgrade() else {
            await_end(presence);
            continue;
        };
        if Arc::ptr_eq(known.region(), region) {
            return Ok(known);
        }
        let cause = format!("{}: another area of this process has it", interface.name);
        return Err(refusal(Errno::EBUSY, &cause));
    }
    let Some(frame_bytes) = region.frame_bytes() else {
        return Err(refusal(Errno::EINVAL, "the area is not made of frames"));
    };
    // What was found before may be of when another thread had not given the interface back yet.
    let interface = link::interface_by_index(interface.index)
        .map_err(refused_by("the kernel does not tell of interfaces"))?;
    let port = AfXdp::open(region, &interface, frame_bytes as u32)?;
    let hub = new_hub(region, Box::new(port))?;
    hubs.push((place, Arc::downgrade(&hub), Arc::downgrade(&hub.presence)));
    Ok(hub)
}

/// Another thread has let go of a hub just now, and gives its interface back.
fn await_end(presence: &Weak<()>) {
    let end = Instant::now() + Duration::from_secs(1);
    while presence.strong_count() > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn new_hub(region: &Arc<Region>, port: Box<dyn Port>) -> Answer<Arc<Hub>> {
    let ways = KernelWays::open().map_err(refused_by("routes are not told"))?;
    Hub::new(region, port, Box::new(ways)).map_err(|errno| match errno {
        Errno::ENOBUFS => refusal(errno, "the area is too small"),
        _ => refused_by("no hub")(errno),
    })
}

/// The kernel's routes and neighbours.
struct KernelWays {
    routes: Routes,
    interfaces: HashMap<u32, Interface>,
}

impl KernelWays {
    fn open() -> crate::error::Result<Self> {
        Ok(Self { routes: Routes::open()?, interfaces: HashMap::new() })
    }

    fn interface(&mut self, index: u32) -> Option<&mut Interface> {
        match self.interfaces.entry(index) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => Some(place.insert(link::interface_by_index(index).ok()?)),
        }
    }
}

impl Ways for KernelWays {
    fn way(
        &mut self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: u32,
        now: Instant,
    ) -> Option<Way> {
        let hop = self.routes.hop(destination, source, interface, now).ok()?.clone();
        let next_station = hop.hardware_address.filter(|_| hop.is_unicast)?;
        let found = self.interface(hop.interface)?;
        let mtu_bytes = hop.mtu_bytes.unwrap_or(found.mtu_bytes).min(found.mtu_bytes);
        Some(Way {
            interface: found.vlan.map_or(found.index, |vlan| vlan.of_interface),
            vlan: found.vlan.map(|vlan| vlan.id),
            source: hop.source,
            next_station,
            mtu_bytes: Some(mtu_bytes),
        })
    }

    fn refresh(&mut self) -> Changes {
        let changes = self.routes.refresh();
        if changes.links {
            self.interfaces.clear();
        }
        changes
    }

    fn fd(&self) -> Option<RawFd> {
        Some(self.routes.fd())
    }

    fn names(&mut self, interface: u32) -> (Vec<IpAddr>, Vec<u16>) {
        let vlans = link::vlans(interface).unwrap_or_default();
        (link::addresses().unwrap_or_default(), vlans.iter().map(|vlan| vlan.id).collect())
    }
}
