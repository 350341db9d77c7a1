//! What a test cannot do in safe Rust: bytes of blocks, headers of received messages, processes
//! that fork or are denied system calls.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A block of an area that the test holds, or held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block {
    pub address: usize,
    pub size: usize,
}

impl Block {
    /// What is in it. The caller holds the block.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a block that the program holds is mapped, and nobody else writes to it: that is
        // what is being tested.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.size) }
    }

    /// Writes to the beginning of it. The caller holds the block, and it is not being sent.
    pub fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.size);
        // SAFETY: as above, for so many bytes.
        unsafe {
            (self.address as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// A part of it.
    pub fn part(&self, from: usize, size: usize) -> Self {
        assert!(from + size <= self.size);
        Self { address: self.address + from, size }
    }

    pub fn end(&self) -> usize {
        self.address + self.size
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.address < other.end() && other.address < self.end()
    }
}

/// A received message as its header in the area tells it.
#[derive(Debug)]
pub struct Message {
    /// What is to be given to `sio_release`.
    pub header: Block,
    pub data: Block,
    pub name: Vec<u8>,
    pub flags: i32,
    pub control: Vec<Control>,
}

/// One element of the control data.
#[derive(PartialEq, Eq, Debug)]
pub struct Control {
    pub level: i32,
    pub kind: i32,
    pub bytes: Vec<u8>,
}

impl Message {
    /// Reads the header that `sio_recvmsg` has stored the address of.
    pub fn read(address: usize) -> Self {
        let header = Block { address, size: size_of::<libc::msghdr>() };
        assert!(address.is_multiple_of(align_of::<libc::msghdr>()));
        // SAFETY: the address is that of a header, by the contract; its pointers are valid for
        // the lengths beside them.
        unsafe {
            let message = &*(address as *const libc::msghdr);
            assert_eq!(message.msg_iovlen, 1);
            let part = *message.msg_iov;
            let data = Block { address: part.iov_base as usize, size: part.iov_len };
            let length = message.msg_namelen as usize;
            let name = match message.msg_name.is_null() {
                true => Vec::new(),
                false => std::slice::from_raw_parts(message.msg_name.cast(), length).to_vec(),
            };
            let control = controls(message);
            Self { header, data, name, flags: message.msg_flags, control }
        }
    }

    /// The descriptors that came with it, owned from now on. Call it once.
    pub fn rights(&self) -> Vec<OwnedFd> {
        let rights = |control: &&Control| {
            (control.level, control.kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
        };
        let numbers = self.control.iter().filter(rights).flat_map(|control| {
            control.bytes.chunks(4).map(|four| i32::from_ne_bytes(four.try_into().expect("4")))
        });
        // SAFETY: the kernel made these descriptors for whoever receives the message.
        numbers.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
    }
}

/// # Safety
/// The header's control data is valid.
unsafe fn controls(message: &libc::msghdr) -> Vec<Control> {
    let mut found = Vec::new();
    // SAFETY: by the contract of this function; the macros stay within the control data.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = next.as_ref() {
            let length = header.cmsg_len - libc::CMSG_LEN(0) as usize;
            let bytes = std::slice::from_raw_parts(libc::CMSG_DATA(next), length).to_vec();
            found.push(Control { level: header.cmsg_level, kind: header.cmsg_type, bytes });
            next = libc::CMSG_NXTHDR(message, next);
        }
    }
    found
}

/// Control data that passes a descriptor.
pub fn control_with_right(fd: RawFd) -> Vec<u8> {
    let number = fd.to_ne_bytes();
    // SAFETY: these two only calculate.
    let (length, space) = unsafe { (libc::CMSG_LEN(4) as usize, libc::CMSG_SPACE(4) as usize) };
    let mut control = length.to_ne_bytes().to_vec();
    control.extend(libc::SOL_SOCKET.to_ne_bytes());
    control.extend(libc::SCM_RIGHTS.to_ne_bytes());
    control.extend(number);
    control.resize(space, 0);
    control
}

/// This process ends with the one that has started it, whatever becomes of that.
pub fn end_with_parent() {
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Runs `body` in a child of this process, and insists that it comes to its end. Meanwhile the
/// parent does `beside`.
pub fn fork(body: impl FnOnce(), beside: impl FnOnce()) {
    // SAFETY: the child runs code that may allocate: this process has only threads that wait.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        end_with_parent();
        let ended = catch_unwind(AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the child without anything of the parent's being undone there.
        unsafe { libc::_exit(if ended { 0 } else { 1 }) };
    }
    beside();
    let mut status = 0;
    // SAFETY: waits for our own child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "child: {status:#x}");
}

/// SIGPIPE as a C program has it: a signal that kills.
pub fn let_sigpipe_kill() {
    // SAFETY: puts the default in place.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// From now on the system calls of io_uring fail with EPERM in this process, as in many
/// containers. `Err` says why that cannot be had here.
pub fn deny_io_uring() -> Result<(), String> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let equal = |number: libc::c_long, to| line(EQUAL, to, 0, number as u32);
    // The number of the system call is the first member of struct seccomp_data.
    let mut filter = [
        line(LOAD, 0, 0, 0),
        equal(libc::SYS_io_uring_setup, 3),
        equal(libc::SYS_io_uring_enter, 2),
        equal(libc::SYS_io_uring_register, 1),
        line(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        line(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is valid for both calls.
    let answer = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const program,
        )
    };
    if answer == 0 {
        return Ok(());
    }
    Err(format!("no seccomp filter here: {}", std::io::Error::last_os_error()))
}
