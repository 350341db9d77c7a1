//! The functions of the C library, or of whoever comes after us, whose names we have.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use libc::{
    epoll_event, iovec, loff_t, mmsghdr, msghdr, pid_t, posix_spawn_file_actions_t,
    posix_spawnattr_t, size_t, sockaddr, socklen_t, ssize_t, timespec,
};

use crate::by_name::Next;

/// Functions that take any number of arguments, which nobody here looks at.
static VARIADIC: [Next; 4] = [
    Next::new(b"execl\0"),
    Next::new(b"execle\0"),
    Next::new(b"execlp\0"),
    Next::new(b"syscall\0"),
];

/// The address of one of them, or of a function that fails.
pub fn variadic(number: usize) -> *const c_void {
    unsafe extern "C" fn is_missing() -> c_long {
        *libc::__errno_location() = libc::ENOSYS;
        -1
    }
    let address = VARIADIC[number].address();
    if address.is_null() { is_missing as *const c_void } else { address }
}

/// Before the program begins.
pub fn find_all() {
    find_known();
    for next in &VARIADIC {
        next.find();
    }
}

functions! {
    fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn send(fd: c_int, bytes: *const c_void, length: size_t, flags: c_int) -> ssize_t;
    fn sendto(
        fd: c_int,
        bytes: *const c_void,
        length: size_t,
        flags: c_int,
        to: *const sockaddr,
        to_length: socklen_t
    ) -> ssize_t;
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    fn recv(fd: c_int, bytes: *mut c_void, length: size_t, flags: c_int) -> ssize_t;
    fn recvfrom(
        fd: c_int,
        bytes: *mut c_void,
        length: size_t,
        flags: c_int,
        from: *mut sockaddr,
        from_length: *mut socklen_t
    ) -> ssize_t;
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    fn __recv_chk(
        fd: c_int,
        bytes: *mut c_void,
        length: size_t,
        room: size_t,
        flags: c_int
    ) -> ssize_t;
    fn __recvfrom_chk(
        fd: c_int,
        bytes: *mut c_void,
        length: size_t,
        room: size_t,
        flags: c_int,
        from: *mut sockaddr,
        from_length: *mut socklen_t
    ) -> ssize_t;
    fn unshare(flags: c_int) -> c_int;
    fn epoll_ctl(set: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int;
    fn read(fd: c_int, bytes: *mut c_void, length: size_t) -> ssize_t;
    fn readv(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t;
    fn __read_chk(fd: c_int, bytes: *mut c_void, length: size_t, room: size_t) -> ssize_t;
    fn splice(
        from: c_int,
        from_offset: *mut loff_t,
        to: c_int,
        to_offset: *mut loff_t,
        length: size_t,
        flags: c_uint
    ) -> ssize_t;
    fn recvmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        limit: *mut timespec
    ) -> c_int;
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    fn write(fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t;
    fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t;
    fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    fn setsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: socklen_t
    ) -> c_int;
    fn shutdown(fd: c_int, how: c_int) -> c_int;
    fn _exit(status: c_int) -> c_int;
    fn close(fd: c_int) -> c_int;
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int;
    fn closefrom(first: c_int) -> c_int;
    fn dup(fd: c_int) -> c_int;
    fn dup2(fd: c_int, other: c_int) -> c_int;
    fn dup3(fd: c_int, other: c_int, flags: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int;
    fn fcntl64(fd: c_int, command: c_int, argument: *mut c_void) -> c_int;
    fn execve(
        path: *const c_char,
        words: *const *const c_char,
        variables: *const *const c_char
    ) -> c_int;
    fn execv(path: *const c_char, words: *const *const c_char) -> c_int;
    fn execvp(file: *const c_char, words: *const *const c_char) -> c_int;
    fn execvpe(
        file: *const c_char,
        words: *const *const c_char,
        variables: *const *const c_char
    ) -> c_int;
    fn posix_spawn(
        process: *mut pid_t,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        words: *const *const c_char,
        variables: *const *const c_char
    ) -> c_int;
    fn posix_spawnp(
        process: *mut pid_t,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        words: *const *const c_char,
        variables: *const *const c_char
    ) -> c_int;
    fn fexecve(
        fd: c_int,
        words: *const *const c_char,
        variables: *const *const c_char
    ) -> c_int;
}
