"""What the scripts beside this one have in common: cases, and sockets at both ends.

The test runs a script in one of two namespaces, as it is and under sio-run --udp, and it has to write
the same. Arguments: the other namespace, the own addresses and the others, IPv4 and IPv6.
"""
import array
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

SPACE, NEAR, FAR, NEAR6, FAR6 = sys.argv[1:6]
LATER = 0.03
# <linux/in.h>, <bits/socket.h>, <bits/ioctls.h>: what Python does not name.
IP_PKTINFO, IP_RECVTTL, IP_RECVTOS = 8, 12, 13
MSG_WAITFORONE, FIONBIO, SO_TIMESTAMP = 0x10000, 0x5421, 29
CASES = []
C = ctypes.CDLL(None, use_errno=True)
HERE = os.open("/proc/self/ns/net", os.O_RDONLY)
THERE = os.open("/run/netns/" + SPACE, os.O_RDONLY)


def case(function):
    CASES.append(function)
    return function


def far_socket(address=FAR, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    assert C.setns(THERE, 0) == 0
    sock = socket.socket(family, socket.SOCK_DGRAM)
    assert C.setns(HERE, 0) == 0
    sock.bind((address, port))
    sock.settimeout(5)
    return sock


def near_socket(address=NEAR, family=None, *options):
    family = family or (socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    for level, name, value in options:
        sock.setsockopt(level, name, value)
    sock.bind((address, 0))
    sock.settimeout(5)
    return sock


def warmed(address=NEAR, *options, far=FAR, connected=False):
    """A pair of sockets of which the near one has received something by now."""
    near = near_socket(address, None, *options)
    other = far_socket(far)
    if connected:
        near.connect(other.getsockname())
    other.connect((address, near.getsockname()[1]))
    for number in range(3):
        other.send(b"warm")
        assert near.recv(10) == b"warm"
        near.sendto(b"yes", other.getsockname()) if not connected else near.send(b"yes")
        assert other.recv(10) == b"yes"
    return near, other


def burst(far, count, start=0, size=8):
    for number in range(start, start + count):
        far.send(b"%08d" % number + b"." * (size - 8))
    time.sleep(LATER)


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def is_readable(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    polled = bool(poll.poll(0))
    assert polled == bool(select.select([sock], [], [], 0)[0])
    return polled


def rest(sock):
    sock.setblocking(False)
    found = []
    while (data := outcome(sock.recv, 10000)) != "EAGAIN":
        found.append(data)
    return found


def run():
    for function in CASES:
        print("#", function.__name__, flush=True)
        function()
        sys.stdout.flush()
