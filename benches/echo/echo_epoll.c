/* echo_epoll: a TCP echo server with epoll, read and write. One buffer for all connections; what
 * a socket does not take is kept for it. A short read says that there is no more, which spares
 * the call that would fail with EAGAIN.
 *
 *     echo_epoll [edge|level]
 */
#include "../bench.h"
#include <sys/epoll.h>

enum { DESCRIPTORS = 65536, BUFFER_BYTES = 64 << 10 };

static struct rest {
    char *bytes;
    size_t at, size;
} rests[DESCRIPTORS]; /* by descriptor */
static char buffer[BUFFER_BYTES];
static unsigned trigger = EPOLLET;
static int set;

static void drop(int sock)
{
    free(rests[sock].bytes);
    rests[sock] = (struct rest){0};
    close(sock);
}

static void watch(int sock, int operation, unsigned events)
{
    struct epoll_event e = {.events = events | trigger, .data.fd = sock};
    check(epoll_ctl(set, operation, sock, &e), "epoll_ctl");
}

/* False when the socket is full or gone. */
static bool write_rest(int sock)
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
    watch(sock, EPOLL_CTL_MOD, EPOLLIN);
    return true;
}

static void echo(int sock)
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
            struct rest *r = &rests[sock];
            r->size = (size_t)(size - n);
            if (!(r->bytes = malloc(r->size)))
                err(1, "malloc");
            memcpy(r->bytes, buffer + n, r->size);
            watch(sock, EPOLL_CTL_MOD, EPOLLOUT);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[BATCH];

    trigger = argc > 1 && strcmp(argv[1], "level") == 0 ? 0 : EPOLLET;
    set = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int listener = listen_and_tell(SOCK_NONBLOCK);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int n = check(epoll_wait(set, events, BATCH, -1), "epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, sock;
            if (fd != listener) {
                if (!rests[fd].bytes || write_rest(fd))
                    echo(fd);
                continue;
            }
            while ((sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                if (sock >= DESCRIPTORS)
                    errx(1, "too many connections");
                watch(sock, EPOLL_CTL_ADD, EPOLLIN);
            }
        }
    }
}
