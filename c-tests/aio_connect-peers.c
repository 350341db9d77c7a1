/*
 * aio_connect: to a listener, to one that has no room yet, to nobody; sends that follow wait for the
 * connection. The address may be reused at once, and the socket blocks as it did before.
 */
#include "aio_cb.h"

static void run_mode(enum pair_kind kind, int nonblocking)
{
    struct sockaddr_storage address, to;
    socklen_t length;
    int sock, accepted, listener = pair_is_stream(kind) ? listener_open(kind, &address, &length)
                                                        : socket_new(kind);
    char in[16] = "";
    if (!pair_is_stream(kind))
        CHECK(socket_bind(listener, kind, &address, &length) == 0);
    sock = socket_new(kind);
    set_nonblocking(sock, nonblocking);
    struct aio_cb connect = cb_new(sock, NULL, 0), send = cb_new(sock, "hello", 5);
    to = address;
    CHECK_OK(aio_connect(&connect, (struct sockaddr *)&to, length));
    memset(&to, 0, sizeof to);
    CHECK_OK(aio_send(&send, 0));
    CB_DONE(&connect, 0);
    CB_DONE(&send, 5);
    CHECK((fcntl(sock, F_GETFL) & O_NONBLOCK) == (nonblocking ? O_NONBLOCK : 0));
    accepted = pair_is_stream(kind) ? accept(listener, NULL, NULL) : dup(listener);
    CHECK(accepted >= 0 && recv(accepted, in, sizeof in, 0) == 5);
    CHECK(memcmp(in, "hello", 5) == 0);
    if (pair_is_stream(kind)) {
        CHECK_OK(aio_connect(&connect, (struct sockaddr *)&address, length));
        CB_FAILED(&connect, EISCONN);
    }
    CHECK(close(sock) == 0 && close(accepted) == 0 && close(listener) == 0);
    /* Nobody is there any more. */
    sock = socket_new(kind);
    set_nonblocking(sock, nonblocking);
    connect.aio_fildes = sock;
    if (kind != UDP4 && kind != UDP6) {
        CHECK_OK(aio_connect(&connect, (struct sockaddr *)&address, length));
        CB_FAILED(&connect, ECONNREFUSED);
        CHECK((fcntl(sock, F_GETFL) & O_NONBLOCK) == (nonblocking ? O_NONBLOCK : 0));
    }
    CHECK(close(sock) == 0);
}

static void run(enum pair_kind kind)
{
    run_mode(kind, 0);
    run_mode(kind, 1);
}

/* A listener with a full backlog: the others wait until it accepts, whether they block or not. */
static void waits(int nonblocking)
{
    struct sockaddr_storage address;
    socklen_t length;
    int listener = socket_new(UNIX_STREAM), socks[6];
    struct aio_cb cbs[6];
    CHECK(socket_bind(listener, UNIX_STREAM, &address, &length) == 0);
    CHECK(listen(listener, 1) == 0);
    for (int i = 0; i < 6; i++) {
        socks[i] = socket_new(UNIX_STREAM);
        set_nonblocking(socks[i], nonblocking);
        cbs[i] = cb_new(socks[i], NULL, 0);
        CHECK_OK(aio_connect(&cbs[i], (struct sockaddr *)&address, length));
    }
    CB_WAITS(&cbs[5]);
    for (int i = 0; i < 6; i++) {
        /* What waits goes on when somebody asks. */
        while (!is_readable(listener, 5))
            (void)aio_error(&cbs[5].aiocb);
        int fd = accept(listener, NULL, NULL);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    for (int i = 0; i < 6; i++) {
        CB_DONE(&cbs[i], 0);
        CHECK(close(socks[i]) == 0);
    }
    CHECK(close(listener) == 0);
}

/* One that waits is given up. */
static void given_up(int nonblocking)
{
    struct sockaddr_storage address;
    socklen_t length;
    int listener = socket_new(TCP4), socks[6];
    struct aio_cb cbs[6];
    CHECK(socket_bind(listener, TCP4, &address, &length) == 0);
    CHECK(listen(listener, 0) == 0);
    for (int i = 0; i < 6; i++) {
        socks[i] = socket_new(TCP4);
        set_nonblocking(socks[i], nonblocking);
        cbs[i] = cb_new(socks[i], NULL, 0);
        CHECK_OK(aio_connect(&cbs[i], (struct sockaddr *)&address, length));
    }
    CB_DONE(&cbs[0], 0);
    CB_WAITS(&cbs[5]);
    CHECK_IS(aio_cancel(socks[5], NULL), AIO_CANCELED);
    CB_FAILED(&cbs[5], ECANCELED);
    CHECK((fcntl(socks[5], F_GETFL) & O_NONBLOCK) == (nonblocking ? O_NONBLOCK : 0));
    CHECK(close(listener) == 0);
    for (int i = 0; i < 6; i++) {
        (void)aio_cancel(socks[i], NULL);
        CHECK(close(socks[i]) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS & ~(1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM), run);
    for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
        waits(nonblocking);
        given_up(nonblocking);
    }
    return 0;
}
