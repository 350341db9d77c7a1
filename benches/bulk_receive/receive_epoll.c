/* receive_epoll: receives what some connections send, with epoll and read, into an area that it
 * walks through.
 *
 *     receive_epoll CONNECTIONS BYTES
 */
#include "../bench.h"
#include <sys/epoll.h>

int main(int argc, char **argv)
{
    unsigned long long requests = 0, bytes = 0;
    struct epoll_event events[BATCH], e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};

    if (argc < 3)
        errx(2, "usage: receive_epoll CONNECTIONS BYTES");
    int connections = atoi(argv[1]);
    size_t size = (size_t)atol(argv[2]), at = 0;
    char *area = mmap(NULL, RECEIVE_AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (area == MAP_FAILED)
        err(1, "mmap");
    int set = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int listener = listen_and_tell(0);
    for (int i = 0; i < connections; i++) {
        int sock = check(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
        e.data.fd = sock;
        check(epoll_ctl(set, EPOLL_CTL_ADD, sock, &e), "epoll_ctl");
    }
    while (connections > 0) {
        int n = check(epoll_wait(set, events, BATCH, -1), "epoll_wait");
        for (int i = 0; i < n; i++) {
            bool ended = events[i].events & EPOLLRDHUP;
            ssize_t got = (ssize_t)size;
            /* A short read says that there is no more, unless the end has come. */
            while (got == (ssize_t)size || (ended && got > 0)) {
                got = read(events[i].data.fd, area + at, size);
                check(got < 0 && errno != EAGAIN ? -1 : 0, "read");
                if (got > 0) {
                    requests++;
                    bytes += (size_t)got;
                    at = at + 2 * size > RECEIVE_AREA_BYTES ? 0 : at + size;
                }
            }
            if (got == 0) {
                close(events[i].data.fd);
                connections--;
            }
        }
    }
    done(requests, bytes);
}
