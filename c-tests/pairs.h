/* Pairs of connected sockets of every kind, and what goes through them. */
#ifndef PAIRS_H
#define PAIRS_H

#include "check.h"

enum pair_kind { TCP4, TCP6, UDP4, UDP6, UNIX_STREAM, UNIX_DGRAM, UNIX_SEQPACKET, PAIR_KINDS };

#define TCP_PAIRS (1u << TCP4 | 1u << TCP6)
#define UDP_PAIRS (1u << UDP4 | 1u << UDP6)
#define STREAM_PAIRS (TCP_PAIRS | 1u << UNIX_STREAM)
#define DATAGRAM_PAIRS (UDP_PAIRS | 1u << UNIX_DGRAM)
#define MESSAGE_PAIRS (DATAGRAM_PAIRS | 1u << UNIX_SEQPACKET)
#define CONNECTION_PAIRS (STREAM_PAIRS | 1u << UNIX_SEQPACKET)
#define ALL_PAIRS (STREAM_PAIRS | MESSAGE_PAIRS)

static inline const char *pair_name(enum pair_kind kind)
{
    static const char *const names[] = { "tcp4", "tcp6", "udp4", "udp6", "unix stream",
                                         "unix dgram", "unix seqpacket" };
    return names[kind];
}

static inline int pair_is_stream(enum pair_kind kind)
{
    return STREAM_PAIRS >> kind & 1;
}

static inline int pair_family(enum pair_kind kind)
{
    return kind == TCP4 || kind == UDP4 ? AF_INET : kind == TCP6 || kind == UDP6 ? AF_INET6
                                                                                 : AF_UNIX;
}

static inline int pair_type(enum pair_kind kind)
{
    return pair_is_stream(kind) ? SOCK_STREAM : kind == UNIX_SEQPACKET ? SOCK_SEQPACKET
                                                                       : SOCK_DGRAM;
}

/* With SIO_C_TEST_NETWORK datagrams of the Internet protocols go over two interfaces instead of the
 * loopback one: the first socket of a pair is at the near end, where engines that need an interface
 * can serve it; the second is at the far end, in a namespace of its own. Both go with the process. */
static pid_t check_far;          /* a process that keeps the far namespace */
static int check_is_far;         /* where the next socket is to be */

static inline int check_enter(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    int answer = space < 0 ? -1 : setns(space, CLONE_NEWNET);
    close(space);
    return answer;
}

static inline int check_has_network(enum pair_kind kind)
{
    static const char set_up[] =
        "ip link set lo up && ip link add near0 type veth peer name far0 netns %d && "
        "ip addr add 10.9.0.1/24 dev near0 && ip addr add fd09::1/64 dev near0 nodad && "
        "ip link set near0 up && nsenter -t %d -n sh -c 'ip link set lo up && "
        "ip addr add 10.9.0.2/24 dev far0 && ip addr add fd09::2/64 dev far0 nodad && "
        "ip link set far0 up'";
    if (!(UDP_PAIRS >> kind & 1) || !getenv("SIO_C_TEST_NETWORK"))
        return 0;
    if (check_far == 0) {
        char command[1024], byte = 0;
        int ready[2];
        CHECK(pipe2(ready, O_CLOEXEC) == 0);
        CHECK((check_far = fork()) >= 0);
        if (check_far == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            byte = unshare(CLONE_NEWNET) == 0;
            if (write(ready[1], &byte, 1) == 1)
                for (;;)
                    pause();
            _exit(0);
        }
        if (read(ready[0], &byte, 1) != 1 || !byte || unshare(CLONE_NEWNET) == -1)
            check_skip("no network namespace");
        close(ready[0]);
        close(ready[1]);
        snprintf(command, sizeof command, set_up, (int)check_far, (int)check_far);
        if (system(command) != 0)
            check_skip("no pair of interfaces");
    }
    return 1;
}

/* An unconnected socket. */
static inline int socket_new(enum pair_kind kind)
{
    int is_far = check_has_network(kind) && check_is_far;
    int near = is_far ? open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
    CHECK(!is_far || check_enter(check_far) == 0);
    int sock = socket(pair_family(kind), pair_type(kind) | SOCK_CLOEXEC, 0);
    CHECK(sock >= 0);
    CHECK(!is_far || (setns(near, CLONE_NEWNET) == 0 && close(near) == 0));
    return sock;
}

/* Binds to a free port of the loopback interface (or of the network above), or to a free abstract
 * Unix address. */
static inline int socket_bind(int sock, enum pair_kind kind, struct sockaddr_storage *address,
                              socklen_t *length)
{
    memset(address, 0, sizeof *address);
    address->ss_family = (sa_family_t)pair_family(kind);
    *length = sizeof(sa_family_t);
    if (pair_family(kind) == AF_INET) {
        ((struct sockaddr_in *)(void *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (check_has_network(kind))
            inet_pton(AF_INET, check_is_far ? "10.9.0.2" : "10.9.0.1",
                      &((struct sockaddr_in *)(void *)address)->sin_addr);
        *length = sizeof(struct sockaddr_in);
    } else if (pair_family(kind) == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)address)->sin6_addr = in6addr_loopback;
        if (check_has_network(kind))
            inet_pton(AF_INET6, check_is_far ? "fd09::2" : "fd09::1",
                      &((struct sockaddr_in6 *)(void *)address)->sin6_addr);
        *length = sizeof(struct sockaddr_in6);
    }
    if (bind(sock, (struct sockaddr *)address, *length) == -1)
        return -1;
    *length = sizeof *address;
    return getsockname(sock, (struct sockaddr *)address, length);
}

/* Whether this machine has such sockets (a host may have no IPv6). */
static inline int pair_exists(enum pair_kind kind)
{
    struct sockaddr_storage address;
    socklen_t length;
    int sock = socket(pair_family(kind), pair_type(kind) | SOCK_CLOEXEC, 0);
    int exists = sock >= 0 && socket_bind(sock, kind, &address, &length) == 0;
    if (sock >= 0)
        close(sock);
    return exists;
}

static inline int listener_open(enum pair_kind kind, struct sockaddr_storage *address,
                                socklen_t *length)
{
    int sock = socket_new(kind);
    CHECK(socket_bind(sock, kind, address, length) == 0);
    CHECK(listen(sock, 128) == 0);
    return sock;
}

static inline int client_open(enum pair_kind kind, const struct sockaddr_storage *address,
                              socklen_t length)
{
    int sock = socket_new(kind);
    CHECK(connect(sock, (const struct sockaddr *)address, length) == 0);
    return sock;
}

/* Two blocking sockets connected to each other. */
static inline void pair_open(enum pair_kind kind, int pair[2])
{
    struct sockaddr_storage address[2];
    socklen_t length[2];
    if (pair_family(kind) == AF_UNIX) {
        CHECK(socketpair(AF_UNIX, pair_type(kind) | SOCK_CLOEXEC, 0, pair) == 0);
    } else if (pair_is_stream(kind)) {
        int one = 1;
        int listener = listener_open(kind, &address[0], &length[0]);
        pair[0] = client_open(kind, &address[0], length[0]);
        CHECK((pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
        CHECK(close(listener) == 0);
        for (int i = 0; i < 2; i++)
            CHECK(setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    } else {
        for (int i = 0; i < 2; i++) {
            check_is_far = i;
            pair[i] = socket_new(kind);
            CHECK(socket_bind(pair[i], kind, &address[i], &length[i]) == 0);
        }
        check_is_far = 0;
        for (int i = 0; i < 2; i++)
            CHECK(connect(pair[i], (struct sockaddr *)&address[!i], length[!i]) == 0);
    }
}

/* Runs a test body once for each kind of sockets that the machine has. */
/* Whether a kind is one of these, and there are such sockets here. */
static inline int pair_is_wanted(unsigned kinds, enum pair_kind kind)
{
    if (!(kinds >> kind & 1))
        return 0;
    if (!pair_exists(kind))
        printf("not tested: no %s here\n", pair_name(kind));
    return pair_exists(kind);
}

static inline void each_pair(unsigned kinds, void (*run)(enum pair_kind kind))
{
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        if (!pair_is_wanted(kinds, (enum pair_kind)kind))
            continue;
        check_context = pair_name((enum pair_kind)kind);
        run((enum pair_kind)kind);
        check_context = "";
    }
}

static inline void set_nonblocking(int fd, int on)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags != -1);
    CHECK(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0);
}

/* Closes a TCP socket so that the peer sees a reset. */
static inline void close_with_reset(int sock)
{
    struct linger now = { 1, 0 };
    CHECK(setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    CHECK(close(sock) == 0);
}

/* The peer's side, without the library: everything, in order, or the test fails. */
static inline void write_pattern(int sock, size_t size, size_t at)
{
    unsigned char chunk[4096];
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof chunk ? size - done : sizeof chunk;
        pattern_fill(chunk, part, at + done);
        for (size_t sent = 0; sent < part;) {
            ssize_t n = send(sock, chunk + sent, part - sent, MSG_NOSIGNAL);
            CHECK(n > 0);
            sent += (size_t)n;
        }
        done += part;
    }
}

static inline void read_pattern(int sock, size_t size, size_t at)
{
    unsigned char chunk[4096];
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof chunk ? size - done : sizeof chunk;
        ssize_t n = recv(sock, chunk, part, 0);
        CHECK(n > 0);
        CHECK_PATTERN(chunk, (size_t)n, at + done);
        done += (size_t)n;
    }
}

/* One message of the peer's. */
static inline void write_message(int sock, size_t size, size_t at)
{
    unsigned char *message = malloc(size + 1);
    CHECK(message != NULL);
    pattern_fill(message, size, at);
    CHECK(send(sock, message, size, MSG_NOSIGNAL) == (ssize_t)size);
    free(message);
}

static inline void read_message(int sock, size_t size, size_t at)
{
    unsigned char *message = malloc(size + 1);
    CHECK(message != NULL);
    CHECK(recv(sock, message, size + 1, 0) == (ssize_t)size);
    CHECK_PATTERN(message, size, at);
    free(message);
}

/* Nothing is readable on a descriptor during this time. */
static inline void check_silent(int fd, int ms)
{
    struct pollfd set = { fd, POLLIN, 0 };
    CHECK(poll(&set, 1, ms) == 0);
}

static inline int is_readable(int fd, int ms)
{
    struct pollfd set = { fd, POLLIN, 0 };
    int ready = poll(&set, 1, ms);
    CHECK(ready >= 0);
    CHECK(ready == 0 || set.revents == POLLIN);
    return ready;
}

#endif
