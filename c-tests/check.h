/*
 * Helpers of the C tests. A test is one program for one behaviour. It exits with 0 (passed),
 * 1 (failed: file, line, expression and errno are on stderr) or 77 (skipped: why is on stdout).
 * It makes no assumption about the engine: the runner repeats it with each.
 *
 * Every check of a successful call also checks that the call left errno alone.
 */
#ifndef CHECK_H
#define CHECK_H

#include <sio.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- outcome -------------------------------------------------------------------------- */

#define HANG_SECONDS 20    /* no test needs a second: whoever takes this long hangs */
#define ERRNO_KEPT 12345   /* no errno value: a successful call has to leave it */

static const char *check_context = "";   /* which variant of the test runs now */

__attribute__((noreturn, format(printf, 3, 4)))
static inline void check_fail(const char *file, int line, const char *format, ...)
{
    va_list list;
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    if (*check_context)
        fprintf(stderr, "[%s] ", check_context);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(1);
}

__attribute__((noreturn, format(printf, 1, 2)))
static inline void check_skip(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
    _exit(77);
}

/* The first call of every main(): nothing hangs for ever. */
static inline void check_start(void)
{
    alarm(HANG_SECONDS);
}

static inline const char *check_errno_text(int error)
{
    return error == 0 ? "0" : error == ERRNO_KEPT ? "untouched" : strerror(error);
}

static inline void check_true(const char *file, int line, const char *text, int good)
{
    int error = errno;
    if (!good)
        check_fail(file, line, "%s is false (errno %s)", text, check_errno_text(error));
}

static inline void check_value(const char *file, int line, const char *text, long long value,
                               long long expected)
{
    int error = errno;
    if (value != expected)
        check_fail(file, line, "%s is %lld, not %lld (errno %s)", text, value, expected,
                   check_errno_text(error));
    if (error != ERRNO_KEPT)
        check_fail(file, line, "%s succeeded and set errno to %s", text, check_errno_text(error));
}

static inline void check_not_failed(const char *file, int line, const char *text, long long value)
{
    int error = errno;
    if (value < 0)
        check_fail(file, line, "%s is %lld (errno %s)", text, value, check_errno_text(error));
    if (error != ERRNO_KEPT)
        check_fail(file, line, "%s succeeded and set errno to %s", text, check_errno_text(error));
}

static inline void check_error(const char *file, int line, const char *text, long long value,
                               int expected, int or_expected)
{
    int error = errno;
    if (value != -1)
        check_fail(file, line, "%s is %lld, not -1 with %s", text, value,
                   check_errno_text(expected));
    if (error != expected && error != or_expected)
        check_fail(file, line, "%s failed with %s, not with %s", text, check_errno_text(error),
                   check_errno_text(expected));
}

/* Anything that has to be true: system calls of the test itself too. */
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, !!(condition))
/* A library call that has to return 0 / a value, and to leave errno. */
#define CHECK_OK(call) CHECK_IS(call, 0)
#define CHECK_IS(call, value) \
    check_value(__FILE__, __LINE__, #call, (errno = ERRNO_KEPT, (long long)(call)), (value))
/* A library call whose result (0 or more) is wanted. */
#define CHECK_SET(variable, call) \
    (errno = ERRNO_KEPT, (variable) = (call), \
     check_not_failed(__FILE__, __LINE__, #call, (long long)(variable)))
/* A library call that has to return -1 with this errno. */
#define CHECK_ERR(call, error) CHECK_ERR_IN(call, error, error)
/* The same where two errors are equally right. */
#define CHECK_ERR_IN(call, error, or_error) \
    check_error(__FILE__, __LINE__, #call, (errno = 0, (long long)(call)), (error), (or_error))
/* A pthread call, which returns its error. */
#define CHECK_THREAD(call) CHECK((errno = (call)) == 0)

/* ---- time ----------------------------------------------------------------------------- */

static inline struct timespec milliseconds(long number)
{
    struct timespec time = { number / 1000, number % 1000 * 1000000 };
    return time;
}

static inline void sleep_ms(long number)
{
    struct timespec rest = milliseconds(number);
    while (nanosleep(&rest, &rest) == -1 && errno == EINTR)
        continue;
}

/* ---- patterns: each byte is a function of its place in the stream ---------------------- */

static inline unsigned char pattern_byte(size_t at)
{
    return (unsigned char)((at * 2654435761u) >> 13);
}

static inline void pattern_fill(void *buffer, size_t size, size_t at)
{
    unsigned char *byte = buffer;
    for (size_t i = 0; i < size; i++)
        byte[i] = pattern_byte(at + i);
}

static inline size_t pattern_matching(const void *buffer, size_t size, size_t at)
{
    const unsigned char *byte = buffer;
    size_t i = 0;
    while (i < size && byte[i] == pattern_byte(at + i))
        i++;
    return i;
}

#define CHECK_PATTERN(buffer, size, at) \
    CHECK(pattern_matching((buffer), (size), (at)) == (size_t)(size))

/* ---- sockets -------------------------------------------------------------------------- */

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
static inline void each_pair(unsigned kinds, void (*run)(enum pair_kind kind))
{
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        if (!(kinds >> kind & 1))
            continue;
        if (!pair_exists((enum pair_kind)kind)) {
            printf("not tested: no %s here\n", pair_name((enum pair_kind)kind));
            continue;
        }
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

/* ---- channels, areas, associated sockets ----------------------------------------------- */

#define WAIT_MS 10000   /* longer than anything takes that happens at all */

/* Where the environment says so, all channels are of one thread. */
static inline ec_t channel_new(unsigned flags)
{
    if (getenv("CHECK_SINGLE") != NULL)
        flags |= EC_SINGLE;
    ec_t ec;
    CHECK_SET(ec, ec_create(flags));
    return ec;
}

static inline event_data_t user_event(uint64_t cookie)
{
    event_data_t event;
    memset(&event, 0, sizeof event);
    event.ev_type = EC_EV_USER;
    event.ev_fd = -1;
    event.ev_cookie = cookie;
    return event;
}

static inline void post_user(ec_t ec, uint64_t cookie)
{
    event_data_t event = user_event(cookie);
    CHECK_OK(ec_post(ec, &event));
}

/* The next event; fails when there is none for a long time. */
static inline event_data_t event_wait(ec_t ec)
{
    struct timespec limit = milliseconds(WAIT_MS);
    event_data_t event;
    memset(&event, 0xa5, sizeof event);
    CHECK_IS(ec_wait_events(ec, &event, 1, &limit, NULL), 1);
    CHECK(event.ev_pad == 0);
    CHECK(event.ev_reserved == 0);
    return event;
}

/* The next event of this type and descriptor; readiness that is repeated is passed over. */
static inline event_data_t event_wait_for(ec_t ec, int type, int fd)
{
    for (;;) {
        event_data_t event = event_wait(ec);
        if (event.ev_type == type && event.ev_fd == fd)
            return event;
        CHECK(event.ev_type == EC_EV_RECV || event.ev_type == EC_EV_FD);
    }
}

/* No event is queued, and none comes soon. */
static inline void check_no_event(ec_t ec, long ms)
{
    struct timespec limit = milliseconds(ms);
    event_data_t event;
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_ERR(ec_delay(ec, &limit), ETIMEDOUT);
}

static inline dma_mem_t area_new(size_t size)
{
    dma_mem_t area = 0;
    CHECK_OK(dma_alloc(&area, size, 0));
    CHECK(area != 0);
    return area;
}

static inline void *block_new(dma_mem_t area, size_t size)
{
    void *block = NULL;
    CHECK_OK(sio_reserve(area, &block, size));
    CHECK(block != NULL);
    return block;
}

/* A socket with an area of its own and, if wanted, in a channel of its own. */
struct endpoint {
    int sock;
    dma_mem_t area;
    size_t size;
    ec_t ec;      /* -1: in no channel */
    int source;
};

enum attach { ALONE, ATTACHED };

#define ENDPOINT_COOKIE 0x1122334455667788u

static inline struct endpoint endpoint_open(int sock, size_t size, enum attach attach)
{
    struct endpoint end = { sock, area_new(size), size, -1, -1 };
    CHECK_OK(dma_assoc(sock, end.area, 0, 0));
    if (attach == ATTACHED) {
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, sock, 0, ENDPOINT_COOKIE));
    }
    return end;
}

/* Takes it all down again, and so checks that no block of the area was lost. */
static inline void endpoint_close(struct endpoint *end)
{
    CHECK_OK(sio_detach(end->sock));
    CHECK(close(end->sock) == 0);
    if (end->ec != -1)
        CHECK_OK(ec_destroy(end->ec));
    CHECK_OK(dma_free(end->area, end->size));
}

/* Runs a body for a socket in no channel and for one in a channel. */
static inline void each_attach(enum pair_kind kind,
                               void (*run)(enum pair_kind kind, enum attach attach))
{
    char text[64];
    for (int attach = ALONE; attach <= ATTACHED; attach++) {
        snprintf(text, sizeof text, "%s, %s", pair_name(kind),
                 attach == ALONE ? "in no channel" : "in a channel");
        check_context = text;
        run(kind, (enum attach)attach);
        check_context = "";
    }
}

/* Waits until sio_recv has something to tell. */
static inline void endpoint_wait(struct endpoint *end)
{
    if (end->ec != -1)
        event_wait_for(end->ec, EC_EV_RECV, end->sock);
    else
        CHECK(poll(&(struct pollfd){ end->sock, POLLIN, 0 }, 1, WAIT_MS) == 1);
}

/* Receives this much of a stream, piece by piece, and gives it back. */
static inline void endpoint_read_pattern(struct endpoint *end, size_t size, size_t at)
{
    for (size_t done = 0; done < size;) {
        void *piece = NULL;
        int n;
        CHECK_SET(n, sio_recv(end->sock, &piece, size - done, 0));
        CHECK(n > 0 && (size_t)n <= size - done && piece != NULL);
        CHECK_PATTERN(piece, (size_t)n, at + done);
        CHECK_OK(sio_release(end->area, piece, (size_t)n));
        done += (size_t)n;
    }
}

/* A send of part of a block that has to be accepted; in a channel, waits for its event too. */
static inline void endpoint_send(struct endpoint *end, const void *from, size_t size, int flags)
{
    CHECK_IS(sio_send(end->sock, from, size, flags), (int)size);
    if (end->ec != -1 && !(flags & SIO_QUIET)) {
        event_data_t event = event_wait_for(end->ec, EC_EV_SENT, end->sock);
        CHECK(event.ev_result == (int64_t)size);
        CHECK(event.ev_errno == 0);
        CHECK(event.ev_ptr == from);
        CHECK(event.ev_len == size);
    }
}

/* A send that fails: at once, or with an event when the socket is in a channel. */
static inline void endpoint_send_fails(struct endpoint *end, const void *from, size_t size,
                                       int flags, int error, int or_error)
{
    int n = sio_send(end->sock, from, size, flags);
    if (n == (int)size && end->ec != -1) {
        event_data_t event = event_wait_for(end->ec, EC_EV_SENT, end->sock);
        CHECK(event.ev_result == -1);
        CHECK(event.ev_ptr == from);
        n = (int)event.ev_result;
        errno = event.ev_errno;
    }
    CHECK(n == -1);
    CHECK(errno == error || errno == or_error);
}

/* ---- what the process has open ---------------------------------------------------------- */

static inline int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static inline int count_mappings(void)
{
    int count = 0, c;
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

/* The size of all mappings, in bytes. */
static inline long mapped_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

#define CYCLES 50

/*
 * Runs a body again and again: descriptors and mappings have to return to where they were.
 * The first rounds do not count: caches fill and lazy things are made. A body that loses one
 * mapping or `bytes` of memory per round is found: it does so in every series of rounds, while
 * a heap or a stack that grows by a step does so in one.
 */
static inline void check_no_leak(void (*body)(void), long bytes)
{
    for (int i = 0; i < 5; i++)
        body();
    int descriptors = count_descriptors();
    int more_mappings = 0;
    long more_bytes = 0;
    for (int series = 0; series < 3; series++) {
        int mappings = count_mappings();
        long size = mapped_bytes();
        for (int i = 0; i < CYCLES; i++)
            body();
        CHECK(count_descriptors() == descriptors);
        more_mappings = count_mappings() - mappings;
        more_bytes = mapped_bytes() - size;
        if (more_mappings < CYCLES / 2 && more_bytes < bytes * CYCLES / 2)
            return;
    }
    CHECK(more_mappings < CYCLES / 2);
    CHECK(more_bytes < bytes * CYCLES / 2);
}

/* ---- threads and processes --------------------------------------------------------------- */

static inline pthread_t thread_start(void *(*body)(void *argument), void *argument)
{
    pthread_t thread;
    CHECK_THREAD(pthread_create(&thread, NULL, body, argument));
    return thread;
}

static inline void *thread_end(pthread_t thread)
{
    void *result;
    CHECK_THREAD(pthread_join(thread, &result));
    return result;
}

static inline pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* Returns when a thread of this process sleeps and goes on sleeping: it waits for something. */
static inline void wait_asleep(const _Atomic pid_t *thread)
{
    for (int asleep = 0; asleep < 50; asleep++) {
        char path[64], state = '?';
        pid_t id = atomic_load(thread);
        sleep_ms(1);
        if (id == 0) {
            asleep = 0;
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
        FILE *file = fopen(path, "re");
        CHECK(file != NULL && fscanf(file, "%*d %*[^)]) %c", &state) == 1);
        fclose(file);
        if (state != 'S')
            asleep = 0;
    }
}

/* A child that dies if it hangs, and that must not write what the parent has buffered. */
static inline pid_t child_start(void)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0)
        check_start();
    return child;
}

static inline void child_end(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

/* ---- signals ------------------------------------------------------------------------------ */

static volatile sig_atomic_t signals_seen;

static inline void signal_count(int number)
{
    (void)number;
    signals_seen++;
}

/* SIGUSR1 runs a handler that interrupts: no SA_RESTART. */
static inline void signal_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signal_count;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* SIGUSR1 to this process every 10 ms, so that no signal can come too early and be missed. */
static inline timer_t signal_start(void)
{
    struct sigevent how;
    struct itimerspec when = { milliseconds(10), milliseconds(10) };
    timer_t timer;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR1;
    CHECK(timer_create(CLOCK_MONOTONIC, &how, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* SIGUSR2 to this process every 100 us: a handler runs, with these flags of sigaction. */
static inline timer_t storm_start(int flags)
{
    struct sigaction action;
    struct sigevent how;
    struct itimerspec when = { { 0, 100000 }, { 0, 100000 } };
    timer_t timer;
    memset(&action, 0, sizeof action);
    memset(&how, 0, sizeof how);
    action.sa_handler = signal_count;
    action.sa_flags = flags;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    CHECK(timer_create(CLOCK_MONOTONIC, &how, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* A thread that the storm leaves alone. */
static inline pthread_t thread_start_sheltered(void *(*body)(void *argument), void *argument)
{
    sigset_t set, old;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
    pthread_t thread = thread_start(body, argument);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    return thread;
}

/* Gives up the privileges that free root from limits. */
static inline void become_nobody(void)
{
    if (geteuid() == 0)
        CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

#endif
