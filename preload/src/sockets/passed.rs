//! The table of sockets that have nothing by TCP, neither unread nor on its way: PASSED of bypass.c.
//! So for most receives that bring less than was asked for, a look at one word of memory replaces
//! two questions to the kernel.
//!
//! A descriptor of it comes from the keeper of the run before the program begins. It is closed again;
//! the mapping stays, and goes to children that are forked.

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libc::{
    AF_UNIX, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SO_PEERCRED, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_CLOEXEC,
    SOCK_SEQPACKET, SOL_SOCKET, socklen_t, timeval,
};

/// As bypass.c has it.
const PASSED_BITS: u32 = 16;
const BYTES: usize = size_of::<AtomicU64>() << PASSED_BITS;
/// The program does not wait longer for it.
static PATIENCE: timeval = timeval { tv_sec: 0, tv_usec: 200_000 };

static TABLE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// Whether all that was sent to the socket of this number has been passed on, or was read. What has
/// been received was received before the look.
pub fn has_nothing_by_tcp(number: u64) -> bool {
    let table = TABLE.load(Ordering::Relaxed);
    if table.is_null() {
        return false;
    }
    let at = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PASSED_BITS);
    // SAFETY: the mapping has an entry for each number of so many bits, and stays.
    number != 0 && unsafe { (*table.add(at as usize)).load(Ordering::Acquire) } == number
}

/// Gets it from who has this name; errno is anything afterwards. Where there is none the kernel is asked.
pub fn turn_on(name: &CStr) {
    // SAFETY: the descriptors are ours; the kernel maps what has been asked for or nothing.
    unsafe {
        let socket = libc::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if socket < 0 {
            return;
        }
        let file = if connect(socket, name.to_bytes()) { receive(socket) } else { -1 };
        libc::close(socket);
        if file < 0 {
            return;
        }
        let (protection, nowhere) = (libc::PROT_READ, std::ptr::null_mut());
        let table = libc::mmap(nowhere, BYTES, protection, libc::MAP_SHARED, file, 0);
        libc::close(file);
        if table != libc::MAP_FAILED {
            TABLE.store(table.cast(), Ordering::Relaxed);
        }
    }
}

/// Only to a keeper whom the program would have to believe anyway.
unsafe fn connect(socket: c_int, name: &[u8]) -> bool {
    let mut address: libc::sockaddr_un = std::mem::zeroed();
    address.sun_family = AF_UNIX as libc::sa_family_t;
    // In no directory: a byte of 0 is before it.
    let Some(place) = address.sun_path.get_mut(1..=name.len()) else { return false };
    if name.is_empty() {
        return false;
    }
    place.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte as _);
    let before = std::mem::offset_of!(libc::sockaddr_un, sun_path) + 1;
    for limit in [SO_SNDTIMEO, SO_RCVTIMEO] {
        let size = size_of_val(&PATIENCE) as socklen_t;
        libc::setsockopt(socket, SOL_SOCKET, limit, (&raw const PATIENCE).cast(), size);
    }
    let length = (before + name.len()) as socklen_t;
    if libc::syscall(libc::SYS_connect, socket, &raw const address, length) != 0 {
        return false;
    }
    let mut peer = libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: 0 };
    let mut size = size_of_val(&peer) as socklen_t;
    libc::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, (&raw mut peer).cast(), &mut size);
    peer.uid == 0 || peer.uid == libc::geteuid()
}

/// The descriptor that comes with a message, or -1.
unsafe fn receive(socket: c_int) -> c_int {
    #[repr(C, align(8))]
    struct Control([u8; 64]);
    let (mut byte, mut control) = (0u8, Control([0; 64]));
    let mut place = libc::iovec { iov_base: (&raw mut byte).cast::<c_void>(), iov_len: 1 };
    let mut message: libc::msghdr = std::mem::zeroed();
    message.msg_iov = &raw mut place;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    // Room for one, so that no others are left open.
    message.msg_controllen = libc::CMSG_SPACE(size_of::<c_int>() as u32) as _;
    if libc::syscall(libc::SYS_recvmsg, socket, &raw mut message, MSG_CMSG_CLOEXEC) != 1 {
        return -1;
    }
    let header = libc::CMSG_FIRSTHDR(&raw const message);
    if header.is_null()
        || (*header).cmsg_level != SOL_SOCKET
        || (*header).cmsg_type != SCM_RIGHTS
        || ((*header).cmsg_len as usize) < libc::CMSG_LEN(size_of::<c_int>() as u32) as usize
    {
        return -1;
    }
    libc::CMSG_DATA(header).cast::<c_int>().read_unaligned()
}
