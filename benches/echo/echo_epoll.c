/* echo_epoll: a TCP echo server with epoll, read and write.
 *
 *     echo_epoll [edge|level]
 */
#include "echo.h"
#include <sys/epoll.h>

static unsigned trigger = EPOLLET;
static int set;

static void watch(int sock, int operation, unsigned events)
{
    struct epoll_event e = {.events = events | trigger, .data.fd = sock};
    check(epoll_ctl(set, operation, sock, &e), "epoll_ctl");
}

static void forget(int sock)
{
    (void)sock; /* closing it is enough */
}

static void await(int sock, bool is_writing)
{
    watch(sock, EPOLL_CTL_MOD, is_writing ? EPOLLOUT : EPOLLIN);
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
            if (fd != listener)
                echo_ready(fd);
            else
                while ((sock = accept_one(listener)) >= 0)
                    watch(sock, EPOLL_CTL_ADD, EPOLLIN);
        }
    }
}
