/*
 * A channel in an epoll set: epoll_wait tells of every kind of source, and of data at an associated
 * socket, and is not interrupted by them; both if one thread uses the channel and if many may.
 */
#include "sources.h"

#include <sys/epoll.h>

#define ROUNDS 5

/* What the end of another channel's ring may still do to this thread is not looked at here. */
static void in_child(void (*body)(unsigned flags), unsigned flags)
{
    pid_t child = child_start();
    if (child == 0) {
        body(flags);
        _exit(0);
    }
    child_end(child);
}

static int epoll_on(ec_t ec)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = { .events = EPOLLIN };
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ec, &wanted) == 0);
    return set;
}

static void sources_told(unsigned flags)
{
    static const int kinds[] = { OF_EDGE, OF_COUNTER, OF_MQ, OF_MQ_EDGE, OF_SIGNAL, OF_SEM };
    struct sources all;
    struct epoll_event ready;
    event_data_t event;
    ec_t ec = channel_new(flags);
    sources_make(&all);
    sources_add(&all, ec);
    int set = epoll_on(ec);
    for (int i = 0; i < ROUNDS; i++)
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
            source_fire(&all, kinds[j]);
            CHECK(epoll_wait(set, &ready, 1, WAIT_MS) == 1);
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(event.ev_cookie == (uint64_t)kinds[j]);
            source_take(&all, &event);
            CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        }
}

static void data_told(unsigned flags)
{
    int pair[2];
    struct epoll_event ready;
    pair_open(TCP4, pair);
    struct endpoint end = { pair[0], area_new(1 << 21), 1 << 21, channel_new(flags), -1 };
    CHECK_OK(dma_assoc(end.sock, end.area, 0, 0));
    CHECK_SET(end.source, ec_add_socket(end.ec, end.sock, 0, ENDPOINT_COOKIE));
    int set = epoll_on(end.ec);
    for (size_t i = 0; i < ROUNDS; i++) {
        int n;
        write_pattern(pair[1], 1, i);
        /* On a ring of many threads the one that began to receive is interrupted. */
        do
            n = epoll_wait(set, &ready, 1, WAIT_MS);
        while (n == -1 && errno == EINTR && !(flags & EC_SINGLE));
        CHECK(n == 1);
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV);
        endpoint_read_pattern(&end, 1, i);
    }
}

int main(void)
{
    check_start();
    in_child(sources_told, 0);
    in_child(sources_told, EC_SINGLE);
    in_child(data_told, 0);
    in_child(data_told, EC_SINGLE);
    return 0;
}
