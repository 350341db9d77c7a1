"""What the kernel says of calls on sockets with addresses at which there is nothing, as text.

The tests run it as it is and under sio-run, and the two have to write the same. Each call is made in
a process of its own, which may end by it.
"""
import ctypes
import errno
import mmap
import os
import signal
import socket
import struct
import sys

PAGE = mmap.PAGESIZE
TRUNC, WAITALL = socket.MSG_TRUNC, socket.MSG_WAITALL
# <bits/ioctls.h>
FIONBIO = 0x5421
C = ctypes.CDLL(None, use_errno=True)
for name in ["send", "sendto", "sendmsg", "write", "writev", "recv", "recvfrom", "recvmsg", "read", "readv"]:
    getattr(C, name).restype = ctypes.c_ssize_t
C.mmap.restype = ctypes.c_void_p

# The second page cannot be touched.
START = C.mmap(None, ctypes.c_size_t(2 * PAGE), 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
BAD = START + PAGE
assert C.mprotect(ctypes.c_void_p(BAD), ctypes.c_size_t(PAGE), 0) == 0
NOWHERE = (1 << 64) - 1
LARGE = 1 << 63
KEPT = []


def place(*words, before_bad=False):
    """Words in memory, or the last ones before the page that cannot be touched."""
    data = struct.pack(f"{len(words)}Q", *words)
    if before_bad:
        ctypes.memmove(BAD - len(data), data, len(data))
        return BAD - len(data)
    KEPT.append(ctypes.create_string_buffer(data, len(data)))
    return ctypes.addressof(KEPT[-1])


def room(size=64):
    return place(*[0] * (size // 8))


def pieces(*pairs):
    return place(*[word for pair in pairs for word in pair])


def message(to=0, to_length=0, parts=None, count=1, control=0, size=0, **where):
    """A struct msghdr."""
    parts = pieces((room(), 8)) if parts is None else parts
    return place(to, to_length, parts, count, control, size, 0, **where)


def rights(length, *numbers, before_bad=False):
    """A struct cmsghdr, and the numbers as they fit into words."""
    return place(length, socket.SOL_SOCKET | socket.SCM_RIGHTS << 32, *numbers, before_bad=before_bad)


def call(name, fd, *arguments):
    numbers = [ctypes.c_size_t(argument % (1 << 64)) for argument in arguments]
    answer = getattr(C, name)(fd, *numbers)
    return answer if answer >= 0 else errno.errorcode[ctypes.get_errno()]


def several(name, fd, messages, count, limit=0):
    return call(name, fd, messages, count, socket.MSG_DONTWAIT, limit)


def mixed(control):
    """A good message, and one with such control data: an array of struct mmsghdr."""
    first = [0, 0, pieces((room(), 8)), 1, 0, 0, 0, 0]
    return place(*first, *first[:4], control, 64, 0, 0)


def two(address, length, first=True):
    """A message with such a piece before or behind a good one: an array of struct mmsghdr."""
    both = [[0, 0, pieces(pair), 1, 0, 0, 0, 0] for pair in [(address, length), (room(), 8)]]
    return place(*both[not first], *both[first])


SENT = {
    "no message": lambda fd: call("sendmsg", fd, 0, 0),
    "message nowhere": lambda fd: call("sendmsg", fd, NOWHERE, 0),
    "bad message": lambda fd: call("sendmsg", fd, BAD, 0),
    "part of a message": lambda fd: call("sendmsg", fd, BAD - 16, 0),
    "control data nowhere": lambda fd: call("sendmsg", fd, message(control=NOWHERE, size=64), 0),
    "bad control data": lambda fd: call("sendmsg", fd, message(control=BAD, size=64), 0),
    "part of control data": lambda fd: call("sendmsg", fd, message(control=BAD - 8, size=64), 0),
    "half a list of rights":
        lambda fd: call("sendmsg", fd, message(control=rights(32, before_bad=True), size=32), 0),
    "bad second control data":
        lambda fd: call("sendmsg", fd, message(control=rights(16, before_bad=True), size=64), 0),
    "much control data": lambda fd: call("sendmsg", fd, message(control=room(), size=LARGE), 0),
    "control data without end": lambda fd: call("sendmsg", fd, message(control=room(), size=-1 % LARGE), 0),
    "control data and rights without end":
        lambda fd: call("sendmsg", fd, message(control=rights(-1 % (1 << 64), 0), size=-1 % (1 << 64)), 0),
    "rights of nothing": lambda fd: call("sendmsg", fd, message(control=rights(20, 1 << 20), size=24), 0),
    "bad pieces": lambda fd: call("sendmsg", fd, message(parts=BAD), 0),
    "many pieces": lambda fd: call("sendmsg", fd, message(count=1025), 0),
    "a bad piece": lambda fd: call("sendmsg", fd, message(parts=pieces((BAD, 8))), 0),
    "an endless piece": lambda fd: call("sendmsg", fd, message(parts=pieces((room(), LARGE))), 0),
    "bad name": lambda fd: call("sendmsg", fd, message(to=BAD, to_length=16), 0),
    "nothing": lambda fd: call("send", fd, BAD, 0, 0),
    "bad bytes": lambda fd: call("send", fd, BAD, 8, 0),
    "half the bytes": lambda fd: call("send", fd, BAD - 4, 8, 0),
    "bad bytes to nobody": lambda fd: call("sendto", fd, BAD, 8, 0, 0, 0),
    "bad address": lambda fd: call("sendto", fd, room(), 8, 0, BAD, 16),
    "bad bytes written": lambda fd: call("write", fd, BAD, 8),
    "bad pieces written": lambda fd: call("writev", fd, BAD, 1),
    "a bad piece written": lambda fd: call("writev", fd, pieces((BAD, 8)), 1),
    "no messages": lambda fd: several("sendmmsg", fd, 0, 1),
    "no message of bad ones": lambda fd: several("sendmmsg", fd, BAD, 0),
    "bad messages": lambda fd: several("sendmmsg", fd, BAD, 1),
    "messages nowhere": lambda fd: several("sendmmsg", fd, NOWHERE, 1),
    "bad control data of the second": lambda fd: several("sendmmsg", fd, mixed(BAD), 2),
    "a bad piece of a message": lambda fd: several("sendmmsg", fd, two(BAD, 8), 2),
    "a bad piece of the second": lambda fd: several("sendmmsg", fd, two(BAD, 8, first=False), 2),
    "half a piece of the first": lambda fd: several("sendmmsg", fd, two(BAD - 4, 8), 2),
    "no bytes of the first": lambda fd: several("sendmmsg", fd, two(BAD, 0), 2),
    "connected to a bad address": lambda fd: call("connect", new(), BAD, 16),
    "connected to nowhere": lambda fd: call("connect", new(), NOWHERE, 16),
    "connected to nothing": lambda fd: call("connect", new(), 0, 16),
    "connected to half an address": lambda fd: call("connect", new(), BAD - 8, 16),
    "bound to a bad address": lambda fd: call("bind", new(), BAD, 16),
}

RECEIVED = {
    "bad room": lambda fd: call("recv", fd, BAD, 8, 0),
    "bad room for all": lambda fd: call("recv", fd, BAD, 8, WAITALL),
    "thrown away": lambda fd: call("recv", fd, BAD, 8, TRUNC),
    "bad room read": lambda fd: call("read", fd, BAD, 8),
    "bad pieces": lambda fd: call("readv", fd, BAD, 1),
    "a bad piece": lambda fd: call("readv", fd, pieces((BAD, 8)), 1),
    "no message": lambda fd: call("recvmsg", fd, 0, 0),
    "bad control data": lambda fd: call("recvmsg", fd, message(control=BAD, size=64), 0),
    "no messages": lambda fd: several("recvmmsg", fd, 0, 1),
    "no message of bad ones": lambda fd: several("recvmmsg", fd, BAD, 0),
    "bad messages": lambda fd: several("recvmmsg", fd, BAD, 1),
    "bad limit": lambda fd: several("recvmmsg", fd, mixed(0), 1, BAD),
    "count": lambda fd: call("ioctl", fd, 0x541B, BAD),
    "blocking": lambda fd: call("ioctl", fd, FIONBIO, BAD),
}
for flags in [0, TRUNC, WAITALL, socket.MSG_OOB]:
    RECEIVED |= {
        f"bad length, {flags:#x}":
            lambda fd, flags=flags: call("recvfrom", fd, room(), 8, flags, room(), BAD),
        f"negative length, {flags:#x}":
            lambda fd, flags=flags: call("recvfrom", fd, room(), 8, flags, room(), place(-1 % (1 << 64))),
        f"length of no name, {flags:#x}":
            lambda fd, flags=flags: call("recvfrom", fd, room(), 8, flags, 0, BAD),
        f"bad message, {flags:#x}": lambda fd, flags=flags: call("recvmsg", fd, BAD, flags),
        f"part of a message, {flags:#x}": lambda fd, flags=flags: call("recvmsg", fd, BAD - 16, flags),
        f"bad pieces, {flags:#x}":
            lambda fd, flags=flags: call("recvmsg", fd, message(parts=BAD), flags),
        f"a name of less than nothing, {flags:#x}":
            lambda fd, flags=flags: call("recvmsg", fd, message(to=room(), to_length=(1 << 32) - 1), flags),
        f"many pieces, {flags:#x}":
            lambda fd, flags=flags: call("recvmsg", fd, message(count=1 << 30), flags),
        f"an endless piece, {flags:#x}":
            lambda fd, flags=flags: call("recvmsg", fd, message(parts=pieces((room(), LARGE))), flags),
    }


def new():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM).detach()


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        return client, listening.accept()[0]


def udp():
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in ends:
        end.bind(("127.0.0.1", 0))
    ends[0].connect(ends[1].getsockname())
    ends[1].connect(ends[0].getsockname())
    return ends


def outcome(ends, function, has_text):
    """In a child: what the call answers, and what has come then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        near, far = ends()
        if has_text:
            near.send(b"12345678")
        text = str(function(far.fileno() if has_text else near.fileno()))
        if not has_text:
            far.setblocking(False)
            try:
                text += f", {len(far.recv(100))} bytes"
            except BlockingIOError:
                pass
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with open(reader) as told:
        return told.read() or f"signal {os.WTERMSIG(status)}"


# One that may be moved, so that what is handed to others is looked at.
KEPT.append(udp())
for kind in sys.argv[1:]:
    makers = {"unix": lambda: socket.socketpair(), "tcp": tcp, "udp": udp}
    for cases, has_text in [(SENT, False), (RECEIVED, True)]:
        for name, function in cases.items():
            text = outcome(makers[kind], function, has_text)
            print(f"{kind}, {'received' if has_text else 'sent'}, {name}: {text}", flush=True)
