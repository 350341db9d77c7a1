/*
 * aio_accept: connections that are there and those that come, the peer's address, the flags of the
 * new descriptor; others that accept on the same listening socket, which may block or not; and
 * cancellation.
 */
#include "aio_cb.h"

static struct sockaddr_storage address;
static socklen_t length;

static int result(struct aio_cb *cb)
{
    CHECK(aio_await(&cb->aiocb) == 0);
    int fd = (int)aio_return(&cb->aiocb);
    CHECK(fd >= 0);
    return fd;
}

static void *competitor(void *listener)
{
    int fd = accept(*(int *)listener, NULL, NULL);
    CHECK(fd >= 0 || errno == EAGAIN);
    if (fd >= 0)
        CHECK(close(fd) == 0);
    return NULL;
}

static void run_mode(enum pair_kind kind, int nonblocking)
{
    static const int flags[] = { 0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK };
    int listener = listener_open(kind, &address, &length), client, fd;
    struct sockaddr_storage peer, own;
    socklen_t peerlen, ownlen;
    set_nonblocking(listener, nonblocking);
    for (int i = 0; i < 8; i++) {
        struct aio_cb cb = cb_new(listener, NULL, 0);
        peerlen = sizeof peer;
        if (i % 2) {
            client = client_open(kind, &address, length);
            CHECK_OK(aio_accept(&cb, flags[i / 2], (struct sockaddr *)&peer, &peerlen));
        } else {
            CHECK_OK(aio_accept(&cb, flags[i / 2], (struct sockaddr *)&peer, &peerlen));
            CB_WAITS(&cb);
            client = client_open(kind, &address, length);
        }
        fd = result(&cb);
        CHECK(((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) == ((flags[i / 2] & SOCK_CLOEXEC) != 0));
        CHECK(((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0) == ((flags[i / 2] & SOCK_NONBLOCK) != 0));
        ownlen = sizeof own;
        CHECK(getsockname(client, (struct sockaddr *)&own, &ownlen) == 0);
        CHECK(peerlen == ownlen && memcmp(&peer, &own, ownlen) == 0);
        CHECK(write(client, "x", 1) == 1);
        char in[2];
        CHECK(read(fd, in, 2) == 1);
        CHECK(close(client) == 0 && close(fd) == 0);
    }
    /* Cut to the room there is, and its full length is told. */
    struct aio_cb cut = cb_new(listener, NULL, 0);
    peerlen = 1;
    CHECK_OK(aio_accept(&cut, 0, (struct sockaddr *)&peer, &peerlen));
    client = client_open(kind, &address, length);
    CHECK(close(result(&cut)) == 0 && close(client) == 0);
    CHECK(peerlen == ownlen || kind == UNIX_STREAM);

    struct aio_cb cbs[3];
    for (int i = 0; i < 3; i++) {
        cbs[i] = cb_new(listener, NULL, 0);
        CHECK_OK(aio_accept(&cbs[i], 0, NULL, NULL));
    }
    CHECK_IS(aio_cancel(listener, &cbs[1].aiocb), AIO_CANCELED);
    CB_FAILED(&cbs[1], ECANCELED);
    for (int i = 0; i < 3; i += 2) {
        client = client_open(kind, &address, length);
        CHECK(close(result(&cbs[i])) == 0 && close(client) == 0);
    }
    CHECK_IS(aio_cancel(listener, NULL), AIO_ALLDONE);
    CHECK(close(listener) == 0);
}

static void run(enum pair_kind kind)
{
    run_mode(kind, 0);
    run_mode(kind, 1);
}

/* Whoever takes the connection: nothing else stands still, and nothing is lost. */
static void competes(int nonblocking)
{
    int listener = listener_open(TCP4, &address, &length), pair[2], clients[2];
    char in[16];
    set_nonblocking(listener, nonblocking);
    pair_open(UNIX_STREAM, pair);
    for (int i = 0; i < 50; i++) {
        struct aio_cb cb = cb_new(listener, NULL, 0), other = cb_new(pair[0], in, sizeof in);
        CHECK_OK(aio_accept(&cb, 0, NULL, NULL));
        pthread_t thread = thread_start(competitor, &listener);
        clients[0] = client_open(TCP4, &address, length);
        /* Other requests go on meanwhile. */
        CHECK_OK(aio_recv(&other, 0));
        CHECK(write(pair[1], "x", 1) == 1);
        CB_DONE(&other, 1);
        clients[1] = client_open(TCP4, &address, length);
        CHECK(close(result(&cb)) == 0);
        thread_end(thread);
        CHECK(close(clients[0]) == 0 && close(clients[1]) == 0);
        /* The other one came too early for both. */
        while (is_readable(listener, 0))
            CHECK(close(accept(listener, NULL, NULL)) == 0);
    }
    CHECK(close(listener) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    competes(0);
    competes(1);
    return 0;
}
