"""A receiver that waits for edges and stops where epoll(7) lets it, behind a sender that is faster.

What is sent first is passed on, and the rest goes by TCP, since there is no room for it where the
receiver is. The test runs it as it is and under sio-run --local-bypass: nobody may wait in vain.
"""
import array
import ctypes
import fcntl
import os
import select
import socket
import termios
import threading
import time

LATER = 0.1
# A test that fails ends by it.
PATIENCE = 5
FIRST, THEN = 100, 2_000_000
ROOM = 4096


def until_short(receive):
    """A piece that is shorter than there is room for is the last one."""
    got = 0
    while count := receive(ROOM):
        got += count
        if count < ROOM:
            break
    return got


def recv(sock):
    def receive(room):
        try:
            return len(sock.recv(room))
        except BlockingIOError:
            return 0
    return until_short(receive)


def recvmsg_into(sock):
    places = [bytearray(1), bytearray(150), bytearray(ROOM - 151)]

    def receive(_):
        try:
            return sock.recvmsg_into(places)[0]
        except BlockingIOError:
            return 0
    return until_short(receive)


class Piece(ctypes.Structure):
    _fields_ = [("place", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("pieces", ctypes.POINTER(Piece)), ("count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("pad", ctypes.c_int),
                ("length", ctypes.c_uint)]


LIBRARY = ctypes.CDLL(None, use_errno=True)


def recvmmsg(sock):
    """One message, so that the call does not look for more."""
    place = ctypes.create_string_buffer(ROOM)
    piece = Piece(ctypes.addressof(place), ROOM)
    message = Message(pieces=ctypes.pointer(piece), count=1)

    def receive(_):
        count = LIBRARY.recvmmsg(sock.fileno(), ctypes.byref(message), 1, 0, None)
        return message.length if count == 1 else 0
    return until_short(receive)


def recv_to_nowhere(sock):
    def receive(room):
        try:
            return len(sock.recv(room, socket.MSG_TRUNC))
        except BlockingIOError:
            return 0
    return until_short(receive)


def splice(sock):
    reading, writing = os.pipe()

    def receive(room):
        try:
            count = os.splice(sock.fileno(), writing, room, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        os.read(reading, room)
        return count
    got = until_short(receive)
    os.close(reading)
    os.close(writing)
    return got


def recv_as_counted(sock):
    """What has been counted is all that is there."""
    number = array.array("i", [-1])
    fcntl.ioctl(sock, termios.FIONREAD, number)
    left = number[0]
    while left > 0:
        left -= len(sock.recv(min(left, ROOM)))
    return number[0]


def carries(receive):
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    server, _ = listening.accept()
    server.setblocking(False)
    edges = select.epoll()
    edges.register(server, select.EPOLLIN | select.EPOLLET)

    def send():
        client.sendall(b"1" * FIRST)
        client.sendall(b"2" * THEN)
    threading.Thread(target=send, daemon=True).start()
    got = 0
    while got < FIRST + THEN:
        time.sleep(LATER if got == 0 else 0)
        if not edges.poll(PATIENCE):
            return f"waits in vain after {got}"
        got += receive(server)
    return "all"


for way in recv, recvmsg_into, recvmmsg, recv_to_nowhere, splice, recv_as_counted:
    print(f"{way.__name__}: {carries(way)}", flush=True)
