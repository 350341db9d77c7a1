/* accept_epoll: a server that accepts connections with epoll and accept4, and closes them. */
#include "../bench.h"
#include <sys/epoll.h>

int main(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int set = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int listener = listen_and_tell(SOCK_NONBLOCK), sock;

    check(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (;;) {
        check(epoll_wait(set, &event, 1, -1), "epoll_wait");
        while ((sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            close(sock);
        check(errno == EAGAIN ? 0 : -1, "accept4");
    }
}
