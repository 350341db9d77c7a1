"""What a program can see of its UDP sockets, case by case, as text."""
from cases import *


@case
def each_call_receives():
    near, far = warmed()
    name = far.getsockname()
    burst(far, 9)
    print(near.recv(100), near.recvfrom(100)[1] == name, os.read(near.fileno(), 100))
    room = bytearray(100)
    print(near.recv_into(room), room[:8], near.recvfrom_into(room)[1] == name, room[:8])
    one, two = bytearray(3), bytearray(30)
    print(os.readv(near.fileno(), [one, two]), one, two[:5])
    data, control, flags, sender = near.recvmsg(100)
    print(data, control, flags, sender == name)
    print(near.recvmsg_into([one, two])[0], one, two[:5])
    print(near.recv(100, socket.MSG_DONTWAIT), rest(near))


@case
def no_bytes_leave_it_where_it_is():
    near, far = warmed(connected=True)
    burst(far, 3)
    print(os.read(near.fileno(), 0), os.readv(near.fileno(), []), near.recv(100))
    print(os.read(near.fileno(), 0), os.readv(near.fileno(), [bytearray(0)] * 3), near.recv(100))
    print(os.writev(near.fileno(), [b"", b""]), os.writev(near.fileno(), []), rest(near))
    print(os.write(near.fileno(), b""), far.recv(100), os.write(near.fileno(), b"x"), far.recv(100))


@case
def it_is_readable_exactly_while_something_waits():
    near, far = warmed()
    inner, outer = select.epoll(), select.epoll()
    inner.register(near, select.EPOLLIN)
    outer.register(inner, select.EPOLLIN)
    for count in (1, 2, 7, 1, 30):
        assert not is_readable(near)
        burst(far, count)
        seen = []
        for _ in range(count):
            seen.append((is_readable(near), bool(inner.poll(0)), bool(outer.poll(0))))
            near.recv(100)
        print(count, set(seen), is_readable(near), inner.poll(0), outer.poll(0))
    print(rest(near))


@case
def edges_are_told():
    near, far = warmed()
    near.setblocking(False)
    edges = select.epoll()
    edges.register(near, select.EPOLLIN | select.EPOLLET)
    edges.poll(0)
    for count in (1, 5, 1, 20):
        burst(far, count)
        print(len(edges.poll(1)), len(rest(near)), len(edges.poll(0)))
    once = select.epoll()
    once.register(near, select.EPOLLIN | select.EPOLLONESHOT)
    burst(far, 3)
    print(len(once.poll(0)), len(once.poll(0)), near.recv(10))
    once.modify(near, select.EPOLLIN | select.EPOLLONESHOT)
    print(len(once.poll(0)), rest(near))


@case
def what_is_longer_is_cut():
    near, far = warmed()
    burst(far, 6, size=20)
    print(near.recv(3), near.recv_into(bytearray(3), 3, socket.MSG_TRUNC))
    data, _, flags, _ = near.recvmsg(5)
    print(data, flags == socket.MSG_TRUNC)
    data, _, flags, _ = near.recvmsg(30, 0, socket.MSG_TRUNC)
    print(data, flags, near.recv(0), near.recv(30))
    for size in (0, 0, 1):
        far.send(b"x" * size)
    time.sleep(LATER)
    print(near.recv(5), is_readable(near), near.recv(5), near.recv(5), is_readable(near))


@case
def control_data_is_told():
    options = [(socket.IPPROTO_IP, IP_PKTINFO, 1), (socket.IPPROTO_IP, IP_RECVTOS, 1),
               (socket.IPPROTO_IP, IP_RECVTTL, 1)]
    near, far = warmed(NEAR, *options)
    far.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
    far.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x20)
    rooms = (200, 200, 40, 10, 72, 68, 67, 60, 48, 45, 41, 24, 20, 16, 15)
    burst(far, len(rooms))
    for room in rooms:
        data, control, flags, _ = near.recvmsg(100, room)
        print(room, data, control, flags)
    options = [(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1),
               (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1),
               (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)]
    near, far = warmed(NEAR6, *options, far=FAR6)
    burst(far, 3)
    for _ in range(3):
        data, control, flags, _ = near.recvmsg(100, 200)
        print(data, control, flags)


@case
def one_socket_has_both_protocols():
    near = near_socket("::")
    port = near.getsockname()[1]
    far4, far6 = far_socket(FAR), far_socket(FAR6)
    far4.connect((NEAR, port))
    far6.connect((NEAR6, port))
    for _ in range(4):
        far4.send(b"four")
        far6.send(b"six")
    time.sleep(LATER)
    seen = [near.recvfrom(100) for _ in range(8)]
    print(sorted({(data, sender[0]) for data, sender in seen}))
    for far in (far4, far6):
        burst(far, 4)
        print([near.recvfrom(100)[0] for _ in range(4)])
        near.sendto(b"answer", ("::ffff:" + FAR if far is far4 else FAR6, far.getsockname()[1]))
        print(far.recv(100))


@case
def several_are_received_with_one_call():
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    class Header(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                    ("vectors", ctypes.POINTER(Vector)), ("count", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                    ("flags", ctypes.c_int), ("padding", ctypes.c_int),
                    ("bytes", ctypes.c_uint), ("more_padding", ctypes.c_uint)]

    near, far = warmed()
    rooms = [ctypes.create_string_buffer(100) for _ in range(8)]
    vectors = [Vector(ctypes.cast(room, ctypes.c_void_p), 99) for room in rooms]
    headers = (Header * 8)(*[Header(None, 0, ctypes.pointer(vector), 1) for vector in vectors])

    def receive(count, flags):
        ctypes.set_errno(0)
        got = C.recvmmsg(near.fileno(), headers, count, flags, None)
        return got, [rooms[n].raw[:headers[n].bytes] for n in range(max(got, 0))], ctypes.get_errno()

    near.setblocking(True)
    burst(far, 10)
    print(receive(4, 0))
    print(receive(8, socket.MSG_DONTWAIT))
    print(receive(8, socket.MSG_DONTWAIT))
    burst(far, 3)
    print(receive(8, MSG_WAITFORONE))
    near.connect(far.getsockname())
    for vector in vectors:
        vector.length = 5
    print(C.sendmmsg(near.fileno(), headers, 3, 0), [far.recv(100) for _ in range(3)])


def moved_by(change, count=5):
    """Something happens to the socket while datagrams wait."""
    near, far = warmed()
    burst(far, count)
    first = near.recv(100)
    answer = change(near, far)
    burst(far, 2, start=count)
    found = [first] + rest(near)
    print(change.__name__, answer, found, is_readable(near))
    burst(far, 2, start=50)
    print(rest(near))


@case
def nothing_is_lost_when_it_goes_back():
    def peek(near, far):
        return near.recv(100, socket.MSG_PEEK), near.recvfrom(100, socket.MSG_PEEK)[0]

    def time_stamps(near, far):
        return near.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)

    def hops(near, far):
        return near.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)

    def connect(near, far):
        return near.connect(far.getsockname())

    def duplicate(near, far):
        other = near.dup()
        return other.recv(100)

    def duplicate_by_number(near, far):
        return os.read(fcntl.fcntl(near, fcntl.F_DUPFD_CLOEXEC, 100), 100)

    def over_another(near, far):
        other = os.open("/dev/null", os.O_RDONLY)
        os.dup2(near.fileno(), other)
        return os.read(other, 100)

    def child(near, far):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, near.recv(100))
            os._exit(0)
        os.wait()
        return os.read(reading, 100)

    def another_program(near, far):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.dup2(near.fileno(), 0)
            os.dup2(writing, 1)
            os.execvp("head", ["head", "-c", "8"])
        os.wait()
        return os.read(reading, 100)

    def spawned(near, far):
        near.set_inheritable(True)
        reading, writing = os.pipe()
        words = ["sh", "-c", "head -c 8 <&%d" % near.fileno()]
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
        os.waitpid(os.posix_spawn("/bin/sh", words, os.environ, file_actions=actions), 0)
        return os.read(reading, 100)

    def rights(near, far):
        left, right = socket.socketpair()
        socket.send_fds(left, [b"x"], [near.fileno()])
        _, fds, _, _ = socket.recv_fds(right, 1, 1)
        return os.read(fds[0], 100)

    def half(near, far):
        # Of a socket that is not connected.
        return outcome(near.shutdown, socket.SHUT_WR)

    for change in (peek, time_stamps, hops, connect, duplicate, duplicate_by_number, over_another,
                   child, another_program, spawned, rights, half):
        moved_by(change)
        moved_by(change, 2)


@case
def the_next_length_is_told():
    near, far = warmed()

    def length():
        count = array.array("i", [-1])
        fcntl.ioctl(near, termios.FIONREAD, count)
        return count[0]

    print(length())
    for size in (8, 100, 8, 1000):
        far.send(b"." * size)
    time.sleep(LATER)
    for _ in range(4):
        before = length()
        print(before, len(near.recv(2000)))
    print(length())


@case
def waiting_ends():
    near, far = warmed()
    near.setblocking(True)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    start = time.monotonic()
    print(outcome(near.recv, 100), 0.04 < time.monotonic() - start < 3)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))

    class Told(Exception):
        pass

    def handler(*_):
        raise Told

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        near.recv(100)
    except Told:
        print("told")
    burst(far, 3)
    print([near.recv(100) for _ in range(3)])
    threading.Timer(LATER, lambda: far.send(b"late")).start()
    print(near.recv(100))
    os.set_blocking(near.fileno(), False)
    print(outcome(near.recv, 100))
    fcntl.ioctl(near, FIONBIO, array.array("i", [0]))
    threading.Timer(LATER, lambda: far.send(b"later")).start()
    print(C.recv(near.fileno(), ctypes.create_string_buffer(9), 9, 0))


@case
def threads_share_it():
    near, far = warmed()
    near.setblocking(True)
    found, lock = [], threading.Lock()

    def work():
        while (data := near.recv(100)) != b"end":
            with lock:
                found.append(data)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 200, 20):
        burst(far, 20, start)
    for _ in threads:
        far.send(b"end")
    for thread in threads:
        thread.join()
    print(sorted(found) == [b"%08d" % number for number in range(200)])


@case
def threads_share_a_set():
    near, far = warmed()
    near.setblocking(False)
    shared = select.epoll()
    shared.register(near, select.EPOLLIN)
    found, lock, end = [], threading.Lock(), threading.Event()

    def work():
        while not end.is_set():
            for _ in shared.poll(0.05):
                data = outcome(near.recv, 100)
                with lock:
                    found.append(data)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 200, 20):
        burst(far, 20, start)
    end.set()
    for thread in threads:
        thread.join()
    found = [data for data in found if data != "EAGAIN"]
    print(sorted(found) == [b"%08d" % number for number in range(200)])


@case
def what_comes_otherwise_comes_too():
    near, far = warmed()
    near.setblocking(False)
    local = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    local.bind((NEAR, 0))
    local.connect(near.getsockname())
    random.seed(5)
    sent, found = {True: [], False: []}, {True: [], False: []}
    for number in range(400):
        is_local = random.random() < 0.3
        size = 5000 if random.random() < 0.05 else 8
        data = b"%08d" % number + b"." * (size - 8)
        (local if is_local else far).send(data)
        sent[is_local].append(data)
        if random.random() < 0.2:
            time.sleep(0.002)
            for _ in range(random.randrange(40)):
                try:
                    data, sender = near.recvfrom(10000)
                except BlockingIOError:
                    break
                found[sender[0] == NEAR].append(data)
    time.sleep(LATER)
    while True:
        try:
            data, sender = near.recvfrom(10000)
        except BlockingIOError:
            break
        found[sender[0] == NEAR].append(data)
    small = lambda datagrams: [data for data in datagrams if len(data) == 8]
    print(found[True] == sent[True], small(found[False]) == small(sent[False]))
    print(sorted(found[False]) == sorted(sent[False]), is_readable(near))


@case
def each_call_sends():
    near, far = warmed()
    name = far.getsockname()
    print(near.sendto(b"sendto", name), far.recvfrom(100)[1] == near.getsockname())
    print(near.sendmsg([b"send", b"msg"], [], 0, name), far.recv(100))
    print(outcome(near.send, b"nowhere"), outcome(os.write, near.fileno(), b"nowhere"))
    print(outcome(near.sendto, b"x" * 70000, name), near.sendto(b"x" * 9000, name))
    print(len(far.recv(20000)), near.sendto(b"", name), far.recv(100))
    print(near.sendto(b"flags", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, name), far.recv(100))
    print(outcome(near.sendto, b"more", socket.MSG_MORE, name), near.sendto(b" and more", name))
    print(far.recv(100), outcome(near.sendto, b"x", (FAR, 0)), outcome(near.sendto, b"x", ("255.255.255.255", 9)))
    itself = near.getsockname()
    print(near.sendto(b"itself", itself), near.recvfrom(100)[1] == itself)
    info = struct.pack("i4s4s", 0, socket.inet_aton(NEAR), b"\0" * 4)
    print(near.sendmsg([b"info"], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, name), far.recv(9))
    for size in (1, 8, 63, 500, 1400, 1472):
        data = (bytes(range(256)) * 6)[:size]
        near.sendto(data, name)
        print(size, far.recv(2000) == data)
    near, far = warmed(connected=True)
    print(near.send(b"send"), os.write(near.fileno(), b"write"), os.writev(near.fileno(), [b"a", b"b"]))
    print([far.recv(100) for _ in range(3)])
    far.close()
    near.send(b"nobody")
    time.sleep(LATER)
    print(outcome(near.recv, 100), rest(near))


@case
def a_port_is_used_again():
    near, far = warmed()
    name = near.getsockname()
    burst(far, 5)
    near.recv(100)
    near.close()
    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    near.bind(name)
    near.settimeout(5)
    print(is_readable(near))
    for _ in range(3):
        burst(far, 5)
        print([near.recv(100) for _ in range(5)], is_readable(near))
    fd = near.detach()
    burst(far, 3)
    os.closerange(fd, fd + 1)
    time.sleep(LATER)
    print(outcome(far.send, b"x") in (1, "ECONNREFUSED"))
    time.sleep(LATER)
    print(outcome(far.recv, 1))


@case
def workers_share_a_port():
    option = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first = near_socket(NEAR, None, option)
    second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    second.setsockopt(*option)
    second.bind(first.getsockname())
    fars = [far_socket() for _ in range(16)]
    for far in fars:
        far.connect(first.getsockname())
        burst(far, 5)
    found = [rest(first), rest(second)]
    print(sum(map(len, found)), all(found))


@case
def many_that_wait_are_given_back():
    for change in (lambda near: near.dup(),
                   lambda near: near.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 0)):
        near, far = warmed()
        room = near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        for number in range(200):
            far.send(b"%d" % number)
        time.sleep(LATER)
        print(near.recv(100))
        kept = change(near)
        print([near.recv(100) for _ in range(199)] == [b"%d" % number for number in range(1, 200)])
        print(near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == room, is_readable(near))
        burst(far, 3)
        print([near.recv(100) for _ in range(3)])
        near.close()


def by_system_call(number):
    C.syscall({"x86_64": 3, "aarch64": 57}[platform.machine()], number)


def by_a_stream(number):
    C.fdopen.restype = ctypes.c_void_p
    C.fclose(ctypes.c_void_p(C.fdopen(number, b"r")))


@case
def a_number_that_was_closed_means_another():
    for close in (by_system_call, by_a_stream):
        near, far = warmed()
        late = near_socket()
        other = far_socket()
        other.connect((NEAR, late.getsockname()[1]))
        burst(far, 4)
        print(near.recv(100), near.recv(100))
        number = near.detach()
        close(number)
        # The number may be that of a file of ours, too.
        for _ in range(4):
            other.send(b"late")
            print(late.recv(100))
        burst(other, 5)
        print(rest(late))
        with open("/proc/self/comm") as file:
            print(file.fileno() == number, bool(file.read()))
        again, far = warmed()
        print(again.fileno() == number)
        burst(far, 4)
        print(rest(again))
        again.close()
        far.close()
        with open("/proc/self/comm") as file:
            print(file.fileno() == number, bool(file.read()))


@case
def a_child_that_shares_memory_closes_only_its_own():
    near, far = warmed()
    burst(far, 5)
    print(near.recv(100))
    subprocess.run(["true"], check=True)
    burst(far, 3, start=5)
    print(rest(near))


@case
def a_system_call_of_its_own_receives():
    near, far = warmed()
    burst(far, 5)
    print(near.recv(100))
    number = {"x86_64": 299, "aarch64": 243}[platform.machine()]
    room = ctypes.create_string_buffer(100)
    piece = struct.pack("PN", ctypes.addressof(room), 100)
    piece = ctypes.create_string_buffer(piece, len(piece))
    header = struct.pack("PIPNPNiI", 0, 0, ctypes.addressof(piece), 1, 0, 0, 0, 0)
    header = ctypes.create_string_buffer(header, 64)
    for _ in range(3):
        print(C.syscall(number, near.fileno(), header, 1, 0, None), room.value)
    burst(far, 2, start=5)
    print(rest(near))


@case
def one_address_of_a_port_is_anothers():
    option = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wide = near_socket("::", None, option)
    narrow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    narrow.setsockopt(*option)
    narrow.bind((NEAR, wide.getsockname()[1]))
    narrow.settimeout(5)
    far4, far6 = far_socket(), far_socket(FAR6)
    far4.connect(narrow.getsockname())
    far6.connect((NEAR6, wide.getsockname()[1]))
    burst(far6, 2)
    print(wide.recv(100), wide.recv(100))
    burst(far6, 3)
    burst(far4, 3)
    print(rest(wide), rest(narrow))


@case
def control_data_beyond_the_memory_are_refused():
    # Their length says that there are more descriptors than a message can have, and no memory follows.
    page, said = mmap.PAGESIZE, 128 << 10
    memory = mmap.mmap(-1, 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert C.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), 0) == 0
    struct.pack_into("@Nii", memory, page - 16, said, socket.SOL_SOCKET, socket.SCM_RIGHTS)
    header = struct.pack("@PIPNPNi", 0, 0, 0, 0, start + page - 16, said, 0)
    left, right = socket.socketpair()
    for sock in left, far_socket():
        print(C.sendmsg(sock.fileno(), header, 0), errno.errorcode[ctypes.get_errno()])


@case
def many_come_in_order():
    near, far = warmed()
    near.setblocking(False)
    waits = select.epoll()
    waits.register(near, select.EPOLLIN)
    expected = sent = 0
    random.seed(1)
    is_right = True
    while expected < 6000:
        for _ in range(random.randrange(60)):
            if sent < 6000 and sent - expected < 150:
                far.send(b"%08d" % sent)
                sent += 1
        if waits.poll(0):
            for _ in range(random.randrange(1, 80)):
                try:
                    data = near.recv(100)
                except BlockingIOError:
                    break
                is_right &= data == b"%08d" % expected
                expected += 1
        elif expected < sent:
            # Every one that was sent is told of.
            is_right &= bool(waits.poll(5))
    print(is_right, is_readable(near))


run()
