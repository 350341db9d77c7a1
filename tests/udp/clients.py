"""Asks a server of somebody else's over UDP, and TCP where it has that, and says what it answers.

Arguments: the server's kind, its address and port. The text is the same in every run.
"""
import hashlib
import random
import select
import socket
import struct
import sys
import time

KIND, HOST, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
CLIENTS, WINDOW, PATIENCE = 8, 12, 0.5


def connected():
    """When the server has begun."""
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((HOST, PORT), 5)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def ask(requests, number_of, merge):
    """Asks all of it by several sockets, with some under way at each; one that is lost is asked again.

    `number_of` tells the number of a request that a datagram answers; `merge` takes it in, and says
    whether that was the last part of the answer.
    """
    left = list(range(len(requests)))[::-1]
    under_way = {}
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CLIENTS)]
    for sock in socks:
        sock.connect((HOST, PORT))
        sock.setblocking(False)
        under_way[sock] = {}
    while left or any(under_way.values()):
        now = time.monotonic()
        for sock, waits in under_way.items():
            late = [number for number, since in waits.items() if now - since > PATIENCE]
            for number in late:
                del waits[number]
            left += late
            while left and len(waits) < WINDOW:
                number = left.pop()
                sock.send(requests[number])
                waits[number] = now
        for sock in select.select(socks, [], [], PATIENCE)[0]:
            while True:
                try:
                    data = sock.recv(10000)
                except BlockingIOError:
                    break
                number = number_of(data)
                if merge(number, data):
                    under_way[sock].pop(number, None)


def memcached():
    random.seed(3)
    stream = connected()
    reader = stream.makefile("rb")
    count = 1500
    values = [random.randbytes(random.choice([32, 32, 32, 7, 900, 4000])) for _ in range(count)]
    for number, value in enumerate(values):
        stream.sendall(b"set k%d 0 0 %d\r\n%b\r\n" % (number, len(value), value))
    print("stored", all(reader.readline() == b"STORED\r\n" for _ in values))
    answers = [{} for _ in values]

    def merge(number, data):
        _, part, parts, _ = struct.unpack(">HHHH", data[:8])
        answers[number][part] = data[8:]
        return len(answers[number]) == parts

    requests = [struct.pack(">HHHH", number, 0, 1, 0) + b"get k%d\r\n" % number for number in range(count)]
    ask(requests, lambda data: struct.unpack(">H", data[:2])[0], merge)
    found = [b"".join(part for _, part in sorted(parts.items())) for parts in answers]
    wanted = [b"VALUE k%d 0 %d\r\n%b\r\nEND\r\n" % (at, len(value), value) for at, value in enumerate(values)]
    print("by UDP", found == wanted)
    stream.sendall(b"".join(b"get k%d\r\n" % number for number in range(count)))
    digest = hashlib.sha256()
    for answer in wanted:
        digest.update(reader.read(len(answer)))
    print("by TCP", digest.digest() == hashlib.sha256(b"".join(wanted)).digest())


def dnsmasq():
    connected().close()
    random.seed(4)
    count = 1500
    names = [random.choice([b"one", b"two", b"other%d" % number]) for number in range(count)]
    answers = [None] * count

    def request(number):
        head = struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0)
        labels = (names[number], b"example")
        return head + b"".join(bytes([len(label)]) + label for label in labels) + b"\0\0\1\0\1"

    def merge(number, data):
        answers[number] = data
        return True

    ask([request(number) for number in range(count)], lambda data: struct.unpack(">H", data[:2])[0], merge)
    for name in (b"one", b"two", b"other"):
        ends = {answer[-4:] for answer, asked in zip(answers, names) if asked.startswith(name)}
        print(name, [socket.inet_ntoa(end) for end in ends])
    print("repeated", all(name in answer for name, answer in zip(names, answers)))


{"memcached": memcached, "dnsmasq": dnsmasq}[KIND]()
