"""What a program can see of TCP connections within one host, case by case, as text.

The test runs it as it is and under sio-run --local-bypass, and the two have to write the same.
"""
import array
import ctypes
import errno
import fcntl
import hashlib
import os
import random
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

LATER = 0.1
SIOCATMARK = 0x8905
# <bits/socket.h>: what Python does not name.
MSG_ERRQUEUE = 0x2000
C = ctypes.CDLL(None, use_errno=True)
CASES = []


def case(function):
    CASES.append(function)
    return function


def pair(address=("127.0.0.1", 0), family=socket.AF_INET, prepare=None):
    listening = socket.socket(family)
    if prepare:
        prepare(listening)
    listening.bind(address)
    listening.listen(8)
    client = socket.socket(family)
    client.connect(listening.getsockname())
    server, _ = listening.accept()
    listening.close()
    return client, server


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def drain(sock, digest):
    count = 0
    while data := sock.recv(1 << 18):
        digest.update(data)
        count += len(data)
    return count


def pieces(sock, *texts):
    """Sends them one by one, with time in between."""
    def send():
        for text in texts:
            sock.send(text)
            time.sleep(LATER)
    return in_thread(send)


@case
def waits_for_all():
    client, server = pair()
    results = []
    for receive in (
        lambda: server.recv(100, socket.MSG_WAITALL),
        lambda: server.recvfrom(100, socket.MSG_WAITALL)[0],
    ):
        thread = pieces(client, b"a" * 25, b"b" * 25, b"c" * 49, b"d")
        results.append(receive())
        thread.join()
    rooms = [bytearray(10), bytearray(0), bytearray(60), bytearray(30)]
    thread = pieces(client, b"a" * 5, b"b" * 70, b"c" * 25)
    results.append(server.recvmsg_into(rooms, 0, socket.MSG_WAITALL)[0])
    thread.join()
    results.append([bytes(room) for room in rooms])
    # The end of the stream, a time limit, and O_NONBLOCK end the wait.
    client.send(b"rest")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    results.append(server.recv(100, socket.MSG_WAITALL))
    results.append(outcome(server.recv, 100, socket.MSG_WAITALL))
    client.send(b"rest")
    time.sleep(LATER)
    results.append(server.recv(100, socket.MSG_WAITALL | socket.MSG_DONTWAIT))
    client.send(b"rest")
    client.close()
    results.append(server.recv(100, socket.MSG_WAITALL))
    return results


@case
def throws_away():
    client, server = pair()
    client.send(b"thrown away, and kept")
    room = bytearray(b"-" * 13)
    counts = [server.recv_into(room, 13, socket.MSG_TRUNC)]
    return counts, bytes(room), server.recv(100)


@case
def looks_first():
    client, server = pair()
    client.send(b"abcd")
    client.send(b"efg")
    time.sleep(LATER)
    found = [server.recv(100, socket.MSG_PEEK), server.recv(5, socket.MSG_PEEK), server.recv(100)]
    return found, outcome(server.recv, 10, socket.MSG_PEEK | socket.MSG_DONTWAIT)


@case
def asks_for_nothing():
    client, server = pair()
    empty = outcome(server.recv, 0), ask_for_nothing(server, socket.MSG_DONTWAIT)
    threading.Timer(LATER, client.send, [b"abc"]).start()
    waited = ask_for_nothing(server, 0), server.recv(2, socket.MSG_DONTWAIT)
    found = ask_for_nothing(server, socket.MSG_DONTWAIT), server.recv(100)
    client.close()
    return empty, waited, found, ask_for_nothing(server, 0)


def ask_for_nothing(sock, flags):
    """Python itself does not ask the kernel then."""
    answer = C.recv(sock.fileno(), None, 0, flags)
    return answer if answer >= 0 else errno.errorcode[ctypes.get_errno()]


@case
def counts_what_is_there():
    client, server = pair()
    counts = []
    for text in (b"", b"abc", b"defgh"):
        if text:
            client.send(text)
        time.sleep(LATER)
        number = array.array("i", [-1])
        fcntl.ioctl(server, termios.FIONREAD, number)
        counts.append(number[0])
    return counts


@case
def counts_all_that_is_left():
    """A reader that goes by what FIONREAD says finds all that a faster sender has sent."""
    client, server = pair()
    client.setblocking(False)
    sent = got = 0
    number = array.array("i", [-1])
    for _ in range(200):
        try:
            while True:
                sent += client.send(b"x" * 50000)
        except BlockingIOError:
            pass
        fcntl.ioctl(server, termios.FIONREAD, number)
        if number[0] == 0 and got < sent:
            time.sleep(LATER)
            fcntl.ioctl(server, termios.FIONREAD, number)
        if number[0] == 0:
            return "nothing of", sent - got
        got += len(server.recv(min(number[0], 100000)))
    return "all"


@case
def urgent_data():
    client, server = pair()
    results = []
    fcntl.fcntl(server, fcntl.F_SETOWN, os.getpid())
    signal.signal(signal.SIGURG, lambda *_: results.append("SIGURG"))
    client.send(b"before")
    reader = in_thread(lambda: results.append(server.recv(100)))
    reader.join()
    client.send(b"!", socket.MSG_OOB)
    client.send(b"after")
    time.sleep(LATER)
    poll = select.poll()
    poll.register(server, select.POLLPRI)
    results.append([events for _, events in poll.poll(1000)])
    results.append(server.recv(1, socket.MSG_OOB))
    number = array.array("i", [-1])
    fcntl.ioctl(server, SIOCATMARK, number)
    results.append(number[0])
    results.append(server.recv(100))
    results.append(outcome(server.recv, 1, socket.MSG_OOB | socket.MSG_DONTWAIT))
    # In line, and in front of what follows.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    client.send(b"?", socket.MSG_OOB)
    client.send(b"end")
    time.sleep(LATER)
    results.append(server.recv(1))
    results.append(server.recv(100))
    return results


@case
def the_queue_of_errors_is_not_waited_for():
    client, server = pair()
    results = []
    for text in (b"", b"abc"):
        client.send(text)
        time.sleep(LATER)
        results.append(outcome(server.recv, 10, MSG_ERRQUEUE))
        results.append(outcome(server.recvmsg, 10, 100, MSG_ERRQUEUE))
    return results, server.recv(10)


@case
def a_mark_is_behind_what_is_unread():
    client, server = pair()
    client.send(b"before")
    time.sleep(LATER)
    client.send(b"!", socket.MSG_OOB)
    time.sleep(LATER)
    number = array.array("i", [-1])
    marks = []
    for text in (b"bef", b"ore", b""):
        fcntl.ioctl(server, SIOCATMARK, number)
        marks.append((number[0], C.sockatmark(server.fileno()), server.recv(len(text)) == text))
    return marks, server.recv(1, socket.MSG_OOB), C.sockatmark(-1)


@case
def waits_for_a_number():
    client, server = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    client.send(b"abcd")
    time.sleep(LATER)
    first = bool(select.select([server], [], [], LATER)[0])
    client.send(b"x" * 6)
    second = bool(select.select([server], [], [], 5)[0])
    return first, second, server.recv(100)


@case
def closes_one_way():
    results = []
    for first, second in (pair(), reversed(pair())):
        first.send(b"request")
        first.shutdown(socket.SHUT_WR)
        results.append(outcome(first.send, b"x") if False else "shut")
        time.sleep(LATER)
        results += [second.recv(100), second.recv(100)]
        second.send(b"answer")
        second.close()
        results += [first.recv(100), first.recv(100)]
        first.close()
    return results


@case
def shuts_reading():
    client, server = pair()
    client.send(b"abc")
    time.sleep(LATER)
    server.shutdown(socket.SHUT_RD)
    results = [server.recv(10), server.recv(10)]
    results.append(client.send(b"more"))
    time.sleep(LATER)
    return results + [server.recv(10, socket.MSG_DONTWAIT)]


@case
def resets():
    client, server = pair()
    client.send(b"abc")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    time.sleep(LATER)
    results = [outcome(server.recv, 10) for _ in range(3)]
    client, server = pair()
    server.close()
    time.sleep(LATER)
    for _ in range(3):
        results.append(outcome(client.send, b"x"))
        time.sleep(LATER)
    return results


@case
def tells_by_poll():
    client, server = pair()
    results = []
    poll = select.poll()
    poll.register(server, select.POLLIN | select.POLLRDHUP | select.POLLOUT)
    edges = select.epoll()
    edges.register(server, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def look():
        time.sleep(LATER)
        results.append([events for _, events in poll.poll(0)])
        results.append([events for _, events in edges.poll(0)])
    look()
    client.send(b"a")
    look()
    look()
    client.send(b"b")
    look()
    server.recv(1)
    look()
    server.recv(1)
    look()
    client.shutdown(socket.SHUT_WR)
    look()
    server.close()
    poll = select.poll()
    poll.register(client, select.POLLIN | select.POLLRDHUP)
    time.sleep(LATER)
    results.append([events for _, events in poll.poll(0)])
    return results


@case
def is_interrupted():
    _, server = pair()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    start = time.monotonic()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
    results = [outcome(server.recv, 1)]
    results.append(time.monotonic() - start >= 0.19)
    main = threading.main_thread().ident
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))

    def handler(*_):
        raise InterruptedError
    signal.signal(signal.SIGALRM, handler)
    threading.Timer(LATER, lambda: signal.pthread_kill(main, signal.SIGALRM)).start()
    try:
        server.recv(1)
    except InterruptedError:
        results.append("interrupted")
    return results


@case
def holds_up_a_sender():
    client, server = pair()
    client.setblocking(False)
    block = bytes(range(251)) * 263
    sent = 0
    for _ in range(20):
        try:
            while sent < 1 << 27:
                sent += client.send(block[sent % 251:])
        except BlockingIOError:
            time.sleep(0.005)
    got, right = 0, True
    while got < sent:
        data = server.recv(1 << 18)
        right = right and data == (block * 5)[got % 251:got % 251 + len(data)]
        got += len(data)
    # And again, now that there is room.
    return sent < 1 << 26, right, select.select([], [client], [], 5)[1] == [client], client.send(b"x"), server.recv(9)


@case
def carries_much():
    source = random.Random(1)
    block = source.randbytes(1 << 20)
    client, server = pair()
    answers = {}

    def send(name, sock):
        digest = hashlib.sha256()
        order = random.Random(name)
        for _ in range(1500):
            start = order.randrange(len(block))
            data = block[start:start + order.choice([1, 100, 5000, 70000])]
            sock.sendall(data)
            digest.update(data)
        sock.shutdown(socket.SHUT_WR)
        answers[name + " sent"] = digest.hexdigest()

    def receive(name, sock):
        digest = hashlib.sha256()
        order = random.Random(name)
        count = 0
        while data := sock.recv(order.choice([1, 700, 9000, 200000])):
            digest.update(data)
            count += len(data)
            if order.random() < 0.002:
                time.sleep(0.003)
        answers[name + " received"] = digest.hexdigest(), count
    threads = [in_thread(lambda args=args: args[0](*args[1:])) for args in (
        (send, "up", client), (receive, "up", server), (send, "down", server), (receive, "down", client))]
    for thread in threads:
        thread.join()
    right = all(answers[way + " sent"] == answers[way + " received"][0] for way in ("up", "down"))
    return right, sorted(answers.items())


@case
def sends_files():
    with open(sys.executable, "rb") as file:
        content = file.read()
        client, server = pair()

        def send():
            at = 0
            while at < len(content):
                at += os.sendfile(client.fileno(), file.fileno(), at, len(content) - at)
            client.close()
        thread = in_thread(send)
        digest = hashlib.sha256()
        count = drain(server, digest)
        thread.join()
    return count == len(content), digest.hexdigest() == hashlib.sha256(content).hexdigest()


@case
def splices():
    content = random.Random(2).randbytes(3 << 20)
    client, server = pair()
    back, end = pair()
    reading, writing = os.pipe()

    def send():
        client.sendall(content)
        client.close()

    def pass_on():
        while count := os.splice(server.fileno(), writing, 1 << 20):
            while count:
                count -= os.splice(reading, back.fileno(), count)
        back.close()
    threads = [in_thread(send), in_thread(pass_on)]
    digest = hashlib.sha256()
    count = drain(end, digest)
    for thread in threads:
        thread.join()
    right = digest.digest() == hashlib.sha256(content).digest()
    client, server = pair()
    server.setblocking(False)
    nothing = outcome(os.splice, server.fileno(), writing, 100)
    client.send(b"five5")
    time.sleep(LATER)
    return count == len(content), right, nothing, os.splice(server.fileno(), writing, 100), os.read(reading, 100)


@case
def splices_only_to_pipes():
    client, server = pair()
    client.send(b"stays")
    time.sleep(LATER)
    reading, writing = os.pipe()
    named = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY)
    null = os.open(os.devnull, os.O_WRONLY)
    ends = [(null, 0), (client.fileno(), 0), (reading, 0), (writing, 1 << 8), (named, 0)]
    results = [outcome(os.splice, server.fileno(), to, 5, None, None, flags) for to, flags in ends]
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, LATER)
    return results, C.splice(server.fileno(), None, writing, None, 5, 0), ctypes.get_errno()


@case
def begins_early():
    """What is sent before the other side has accepted, in parts, keeps its order."""
    results = []
    for option in (None, 9, 23):    # TCP_DEFER_ACCEPT, TCP_FASTOPEN
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        if option:
            listening.setsockopt(socket.IPPROTO_TCP, option, 5)
        listening.listen(8)
        client = socket.socket()
        if option == 23:
            client.sendto(b"first ", 0x20000000, listening.getsockname())    # MSG_FASTOPEN
        else:
            client.connect(listening.getsockname())
            client.send(b"first ")
        client.send(b"second ")
        server, _ = listening.accept()
        client.send(b"third")
        client.shutdown(socket.SHUT_WR)
        text = b""
        while data := server.recv(100):
            text += data
        results.append(text)
    return results


@case
def has_any_address():
    results = []
    for family, address in (
        (socket.AF_INET, "127.0.0.2"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
    ):
        try:
            client, server = pair((address, 0), family)
        except OSError:
            results.append("there is none")
            continue
        client.send(b"there")
        server.send(b"back")
        results += [server.recv(10), client.recv(10), server.getpeername()[0]]
    return results


@case
def is_connected_to_itself():
    for port in range(40000, 60000):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        sock.send(b"to myself")
        return sock.recv(100)
    return None


@case
def is_inherited():
    client, server = pair()
    child = os.fork()
    if child == 0:
        client.send(b"from the child, ")
        os._exit(0)
    os.waitpid(child, 0)
    client.send(b"from the parent")
    time.sleep(LATER)
    return server.recv(100)


@case
def comes_and_goes():
    """Many short connections; a number for each comes back."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)

    def serve():
        for _ in range(1000):
            sock, _ = listening.accept()
            with sock:
                text = sock.recv(100)
                sock.sendall(text * 3)
                if len(text) % 2:
                    sock.shutdown(socket.SHUT_WR)
                    sock.recv(1)
    thread = in_thread(serve)
    wrong = 0
    for number in range(1000):
        with socket.create_connection(listening.getsockname()) as sock:
            sock.sendall(str(number).encode())
            text = b""
            while data := sock.recv(100):
                text += data
            wrong += text != str(number).encode() * 3
    thread.join()
    return wrong


@case
def is_shared_by_threads():
    client, server = pair()
    lock, got = threading.Lock(), []

    def read():
        while data := server.recv(8, 0):
            with lock:
                got.append(data)
    threads = [in_thread(read) for _ in range(4)]
    for _ in range(2000):
        client.send(b"12345678")
    client.shutdown(socket.SHUT_WR)
    for thread in threads:
        thread.join()
    return sum(map(len, got))


def main():
    wanted = sys.argv[1:]
    for function in CASES:
        if not wanted or function.__name__ in wanted:
            print(f"{function.__name__}: {function()}", flush=True)


main()
