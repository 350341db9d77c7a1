"""Receivers that wait for edges and stop at a short piece, behind senders that do anything.

What is sent is passed on or goes by TCP, as it happens: buffers are small, receivers are slow at
times, and senders wait at times until all has arrived, so that no edge helps a receiver that has
stopped too early. The test runs it as it is and under sio-run --local-bypass: nobody may wait in vain.

    random_edges.py SEED [ROUNDS]
"""
import os
import random
import select
import socket
import struct
import sys
import tempfile
import threading
import time

# A test that fails ends by it.
PATIENCE = 10
CONNECTIONS = 6
STEPS = 60
LENGTH = 1 << 17
PATTERN = bytes(at % 251 for at in range(LENGTH + 251))
NUMBER = struct.Struct("=Q")


def open_pattern():
    """What sendfile and splice take: the bytes of the stream from any place on."""
    file = tempfile.TemporaryFile()
    file.write(PATTERN)
    file.flush()
    return file


class Sender(threading.Thread):
    def __init__(self, sock, seed, file, has_urgent):
        super().__init__(daemon=True)
        self.sock, self.random, self.file = sock, random.Random(seed), file
        self.has_urgent = has_urgent
        self.sent = self.arrived = 0
        self.pipe = os.pipe()

    def bytes(self, count):
        start = self.sent % 251
        return PATTERN[start:start + count]

    def send(self, count):
        self.sock.sendall(self.bytes(count))
        self.sent += count

    def sendmsg(self, count):
        data = self.bytes(count)
        cut = self.random.randrange(count + 1)
        self.sent += self.sock.sendmsg([data[:cut], data[cut:]])

    def sendfile(self, count):
        self.sent += os.sendfile(self.sock.fileno(), self.file.fileno(), self.sent % 251, count)

    def splice(self, count):
        count = os.splice(self.file.fileno(), self.pipe[1], count, offset_src=self.sent % 251)
        while count > 0:
            moved = os.splice(self.pipe[0], self.sock.fileno(), count)
            count -= moved
            self.sent += moved

    def urgent(self, _):
        self.sent += self.sock.send(self.bytes(1), socket.MSG_OOB)

    def await_arrival(self):
        while self.arrived < self.sent:
            text = self.sock.recv(NUMBER.size, socket.MSG_WAITALL)
            if not text:
                return
            self.arrived, = NUMBER.unpack(text)

    def run(self):
        ways = [self.send, self.send, self.sendmsg, self.sendfile, self.splice]
        for step in range(STEPS):
            top = self.random.choice([10, 300, 3000, 30_000, LENGTH])
            for _ in range(self.random.choice([1, 1, 2, 3])):
                self.random.choice(ways)(self.random.randint(1, top))
            chance = self.random.random()
            if chance < 0.5:
                self.await_arrival()
            elif chance < 0.6:
                time.sleep(self.random.random() / 100)
            elif step > STEPS / 2 and self.has_urgent:
                self.urgent(1)
        self.await_arrival()
        self.sock.shutdown(socket.SHUT_WR)


class Receiver:
    def __init__(self, sock, seed, has_urgent):
        self.sock, self.random, self.has_urgent = sock, random.Random(seed), has_urgent
        self.got, self.is_wrong = 0, False
        sock.setblocking(False)
        # Urgent data is among the other.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    def recv(self, room):
        return self.sock.recv(room)

    def read(self, room):
        return os.read(self.sock.fileno(), room)

    def recvfrom(self, room):
        return self.sock.recvfrom(room)[0]

    def places(self, room):
        cuts = sorted(self.random.randrange(room + 1) for _ in range(2))
        return [bytearray(cuts[0]), bytearray(cuts[1] - cuts[0]), bytearray(room - cuts[1])]

    def readv(self, room):
        places = self.places(room)
        count = os.readv(self.sock.fileno(), places)
        return b"".join(places)[:count]

    def recvmsg(self, room):
        places = self.places(room)
        count = self.sock.recvmsg_into(places)[0]
        return b"".join(places)[:count]

    def until_short(self, is_last):
        """Whether the stream is at its end."""
        ways = [self.recv, self.recv, self.read, self.recvfrom, self.readv, self.recvmsg]
        while True:
            room = self.random.choice([50, 4000, 4000, 40_000])
            try:
                piece = self.random.choice(ways)(room)
            except BlockingIOError:
                break
            start = self.got % 251
            self.is_wrong |= piece != PATTERN[start:start + len(piece)]
            self.got += len(piece)
            if not piece:
                return True
            # A piece that is shorter than there is room for is the last one, or ends at a mark.
            if len(piece) < room and not is_last and not self.has_urgent:
                break
        try:
            self.sock.send(NUMBER.pack(self.got))
        except BlockingIOError:
            pass
        return False


def has_urgent(number):
    return number == 0


def child(address, seed, small):
    file = open_pattern()
    senders = []
    for number in range(CONNECTIONS):
        sock = socket.socket()
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
        sock.connect(address)
        sock.send(bytes([number]))
        senders.append(Sender(sock, f"{seed} sender {number}", file, has_urgent(number)))
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def carries(seed):
    choice = random.Random(seed)
    listening = socket.socket()
    small = choice.random() < 0.7
    if small:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
    listening.bind(("127.0.0.1", 0))
    listening.listen(CONNECTIONS)
    process = os.fork()
    if process == 0:
        try:
            child(listening.getsockname(), seed, small)
        finally:
            os._exit(0)
    edges = select.epoll()
    receivers = {}
    for _ in range(CONNECTIONS):
        sock, _ = listening.accept()
        number = sock.recv(1)[0]
        receivers[sock.fileno()] = Receiver(
            sock, f"{seed} receiver {number}", has_urgent(number))
        edges.register(sock, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
    wrong, unfinished = 0, set(receivers)
    while unfinished:
        ready = edges.poll(PATIENCE)
        if not ready:
            counts = [receivers[fd].got for fd in unfinished]
            os.kill(process, 9)
            return f"waits in vain after {counts}"
        if choice.random() < 0.3:
            time.sleep(choice.random() / 100)
        for fd, what in ready:
            receiver = receivers[fd]
            if receiver.until_short(what & select.EPOLLRDHUP):
                edges.unregister(fd)
                unfinished.discard(fd)
                wrong += receiver.is_wrong
                receiver.sock.close()
    os.waitpid(process, 0)
    return f"{wrong} streams are wrong" if wrong else "all"


first = int(sys.argv[1])
for seed in range(first, first + int(sys.argv[2]) if len(sys.argv) > 2 else first + 1):
    print(f"{seed}: {carries(seed)}", flush=True)
