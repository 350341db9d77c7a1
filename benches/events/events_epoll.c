/* events_epoll: events with epoll(7).
 *
 *     events_epoll edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR
 *
 * Data is edge-triggered and read(2).
 */
#include "events.h"
#include <sys/epoll.h>

static int set;
static enum trigger trigger;

static void start(enum trigger wanted)
{
    trigger = wanted;
    set = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (trigger != LEVEL)
        event.events |= EPOLLET;
    check(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static int take(void)
{
    struct epoll_event events[BATCH];
    int n = check(epoll_wait(set, events, BATCH, -1), "epoll_wait");

    if (trigger != EDGE)
        for (int i = 0; i < n; i++)
            read_value(events[i].data.fd);
    return n;
}

int main(int argc, char **argv)
{
    return argc < 7 ? 2 : run_events(argv + 1, &(struct contestant){start, watch, take});
}
