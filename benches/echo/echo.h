/* echo.h: what the echo servers without a ring have in common: one buffer for all connections, and
 * what a socket does not take, which is kept for it. A server says how it watches a socket.
 */
#include "../bench.h"

enum { DESCRIPTORS = 65536, BUFFER_BYTES = 64 << 10 };

static struct rest {
    char *bytes;
    size_t at, size;
} rests[DESCRIPTORS]; /* by descriptor */
static char buffer[BUFFER_BYTES];

/* Of the server: what it does before a socket is closed, and to be told when it is ready to be read
 * from, or to be written to. */
static void forget(int sock);
static void await(int sock, bool is_writing);

static inline void drop(int sock)
{
    free(rests[sock].bytes);
    rests[sock] = (struct rest){0};
    forget(sock);
    close(sock);
}

/* What a write of `size` bytes did not take, `from` on. */
static inline void keep_rest(int sock, const char *from, size_t size)
{
    struct rest *r = &rests[sock];

    *r = (struct rest){.bytes = malloc(size), .size = size};
    if (!r->bytes)
        err(1, "malloc");
    memcpy(r->bytes, from, size);
    await(sock, true);
}

/* False when the socket is full or gone. */
static inline bool write_rest(int sock)
{
    struct rest *r = &rests[sock];

    while (r->at < r->size) {
        ssize_t n = write(sock, r->bytes + r->at, r->size - r->at);
        if (n < 0 && errno != EAGAIN)
            drop(sock);
        if (n < 0)
            return false;
        r->at += (size_t)n;
    }
    free(r->bytes);
    *r = (struct rest){0};
    await(sock, false);
    return true;
}

/* A short read says that there is no more, which spares the call that would fail with EAGAIN. */
static inline void echo(int sock)
{
    ssize_t size = BUFFER_BYTES;

    while (size == BUFFER_BYTES) {
        size = read(sock, buffer, BUFFER_BYTES);
        if (size == 0 || (size < 0 && errno != EAGAIN))
            drop(sock);
        if (size <= 0)
            return;
        ssize_t n = write(sock, buffer, (size_t)size);
        if (n < 0 && errno != EAGAIN) {
            drop(sock);
            return;
        }
        n = n < 0 ? 0 : n;
        if (n < size) {
            keep_rest(sock, buffer + n, (size_t)(size - n));
            return;
        }
    }
}

static inline void echo_ready(int sock)
{
    if (!rests[sock].bytes || write_rest(sock))
        echo(sock);
}

/* A new connection, or -1 when there is none any more. */
static inline int accept_one(int listener)
{
    int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (sock >= DESCRIPTORS)
        errx(1, "too many connections");
    return sock;
}
