"""What a program sends while more waits for it arrives, all of it and in order, case by case, as text.

Here a program answers when it has received a part of a burst: then answers may be held back for a
moment, and leave together.
"""
from cases import *


def received(sock, count):
    """So many, or those that come."""
    found = []
    try:
        while len(found) < count:
            found.append(sock.recv(20000))
    except OSError as error:
        found.append(type(error).__name__)
    return found


def answer(near, count, change=lambda data: data):
    """Answers so many of those that wait; what was sent."""
    sent = []
    for _ in range(count):
        data, name = near.recvfrom(20000)
        sent.append(change(data))
        near.sendto(sent[-1], name)
    return sent


@case
def they_leave_though_nothing_happens():
    near, far = warmed()
    for count in [1, 2, 5]:
        burst(far, count + 3)
        sent = answer(near, count)
        # The program is busy with something else now: it makes no call on the socket.
        print(received(far, count) == sent, len(rest(near)))
        near.settimeout(5)


@case
def sizes_and_order_are_kept():
    near, far = warmed()
    for sizes in [[8], [8, 9], [1400, 3], [3, 1400], [1472, 1473, 5], [0, 8, 0], [9, 9, 8, 8, 1]]:
        number = iter(range(100))

        def change(data):
            at = next(number)
            return (b"%02d" % at + b"x" * 2000)[: sizes[at % len(sizes)]]

        burst(far, 40)
        sent = answer(near, 40, change)
        print(sizes, received(far, 40) == sent)


@case
def what_is_large_goes_between():
    near, far = warmed()
    burst(far, 9)
    sent = answer(near, 3) + answer(near, 1, lambda data: b"y" * 9000) + answer(near, 3)
    name = far.getsockname()
    control = [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, socket.inet_aton(NEAR), bytes(4)))]
    near.sendmsg([b"by", b"control"], control, 0, name)
    near.sendto(b"one and ", socket.MSG_MORE, name)
    near.sendto(b"the other", name)
    sent += [b"bycontrol", b"one and the other"] + answer(near, 1)
    print(received(far, 10) == sent, len(rest(near)))


@case
def the_source_is_the_programs_choice():
    other = "192.0.2.77"
    os.system(f"ip addr replace {other}/32 dev near0")
    near, far = near_socket("0.0.0.0"), far_socket()
    for turn in (1, 10):
        sent = []
        for number in range(60):
            far.sendto(b"%08d" % number, (NEAR, near.getsockname()[1]))
        time.sleep(LATER)
        for number in range(60):
            data, name = near.recvfrom(100)
            source = other if number // turn % 2 else NEAR
            info = struct.pack("=I4s4s", 0, socket.inet_aton(source), bytes(4))
            near.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, name)
            sent.append((data, (source, near.getsockname()[1])))
        print([far.recvfrom(100) for _ in sent] == sent)
    near, far = near_socket("::"), far_socket(FAR6)
    sent = []
    for number in range(60):
        far.sendto(b"%08d" % number, (NEAR6, near.getsockname()[1]))
    time.sleep(LATER)
    for _ in range(60):
        data, name = near.recvfrom(100)
        info = socket.inet_pton(socket.AF_INET6, NEAR6) + bytes(4)
        near.sendmsg([data], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)], 0, name)
        sent.append((data, NEAR6))
    print([(data, name[0]) for data, name in (far.recvfrom(100) for _ in sent)] == sent)


@case
def connected_ones_answer():
    for address, other in [(NEAR, FAR), (NEAR6, FAR6)]:
        near, far = warmed(address, far=other, connected=True)
        burst(far, 90)
        sent = []
        for number in range(80):
            sent.append(near.recv(100)[: 8 - number // 40])
            near.send(sent[-1])
        print(received(far, 80) == sent, len(rest(near)))


@case
def each_gets_its_own():
    near = near_socket()
    fars = [far_socket() for _ in range(40)]
    random.seed(2)
    for far in fars:
        far.connect(near.getsockname())
        far.send(b"first")
        print(received(far, 1) if answer(near, 1) == [b"first"] else "another", end=" ")
    print()
    sent = {far.getsockname(): [] for far in fars}
    is_right = True
    for turn in range(40):
        count = 0
        for far in random.sample(fars, random.choice([1, 3, 17, 40])):
            for _ in range(random.randrange(1, 5)):
                far.send(b"%04d" % turn + b"z" * random.choice([4, 4, 4, 60, 1000]))
                count += 1
        for _ in range(count):
            data, name = near.recvfrom(2000)
            near.sendto(data, name)
            sent[name].append(data)
        for far in fars:
            name = far.getsockname()
            is_right &= received(far, len(sent[name])) == sent[name]
            sent[name] = []
    print(is_right, rest(near))


@case
def they_leave_before_the_socket_does():
    for end in ["close", "shutdown", "dup", "fork", "connect", "option"]:
        near, far = warmed()
        name = far.getsockname()
        burst(far, 9)
        sent = answer(near, 5)
        if end == "close":
            near.close()
        elif end == "shutdown":
            outcome(near.shutdown, socket.SHUT_WR)
        elif end == "dup":
            os.close(os.dup(near.fileno()))
        elif end == "fork":
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        elif end == "connect":
            near.connect(name)
        else:
            near.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        print(end, received(far, 5) == sent)
        near.close()
        far.close()


@case
def threads_answer_together():
    near, far = warmed()
    near.setblocking(False)
    stop = threading.Event()
    answered = []

    def serve():
        while not stop.is_set():
            try:
                data, name = near.recvfrom(100)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            near.sendto(data, name)
            answered.append(data)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    sent, found = [], []
    for turn in range(30):
        for number in range(30):
            sent.append(b"%04d" % (turn * 30 + number))
            far.send(sent[-1])
        found += received(far, 30)
    stop.set()
    for thread in threads:
        thread.join()
    print(sorted(found) == sent, len(answered))


run()
