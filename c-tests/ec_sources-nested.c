/*
 * A channel with each kind of source is readable when that has something: for poll, in an epoll
 * set (level and edge), and as a source of another channel; and not any more when it was fetched.
 */
#include "sources.h"

#include <sys/epoll.h>

enum { IN_POLL, IN_EPOLL, IN_EPOLL_EDGE, IN_CHANNEL, IN_CHANNEL_EDGE, PLACES };

static int epoll_add(ec_t ec, uint32_t events)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = { .events = events };
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ec, &wanted) == 0);
    return set;
}

/* Whether something is told within the time. */
static int is_told(int place, int outer, ec_t ec, int ms)
{
    struct epoll_event ready;
    struct timespec limit = milliseconds(ms);
    event_data_t event;
    int n;
    switch (place) {
    case IN_POLL:
        return is_readable(ec, ms);
    case IN_EPOLL:
    case IN_EPOLL_EDGE:
        /* A thread that has submitted to a ring may be told EINTR without a signal. */
        do
            n = epoll_wait(outer, &ready, 1, ms);
        while (n == -1 && errno == EINTR);
        CHECK(n >= 0);
        return n;
    default:
        n = ec_wait_events(outer, &event, 1, &limit, NULL);
        CHECK(n == 1 || (n == -1 && errno == ETIMEDOUT));
        return n == 1;
    }
}

static void run(int place)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct sources all;
        ec_t ec = channel_new(0);
        int outer = -1, source;
        sources_make(&all);
        source_add(&all, ec, kind);
        if (place == IN_EPOLL || place == IN_EPOLL_EDGE)
            outer = epoll_add(ec, place == IN_EPOLL ? EPOLLIN : EPOLLIN | EPOLLET);
        if (place >= IN_CHANNEL) {
            outer = channel_new(0);
            unsigned flags = place == IN_CHANNEL ? 0 : EC_EDGE;
            CHECK_SET(source, ec_add_fd(outer, ec, POLLIN, flags, 1));
        }
        int rounds = kind == OF_PROCESS ? 1 : 5;
        for (int round = 0; round < rounds; round++) {
            event_data_t event;
            CHECK(!is_told(place, outer, ec, 2));
            source_fire(&all, kind);
            CHECK(is_told(place, outer, ec, WAIT_MS));
            if (place == IN_POLL || place == IN_EPOLL || place == IN_CHANNEL)
                CHECK(is_told(place, outer, ec, WAIT_MS));
            CHECK_OK(ec_next_event(ec, &event));
            source_take(&all, &event);
            /* The level of what lay outside is gone: one look at the channel finds that out. */
            CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
            if (kind == OF_FUTEX) {
                word_set(&all.word, 0);
                CHECK_OK(ec_modify(ec, all.source[kind], 0, 0));
            }
            while (place == IN_EPOLL_EDGE || place == IN_CHANNEL_EDGE)
                if (!is_told(place, outer, ec, 2))
                    break;
        }
        if (place >= IN_CHANNEL)
            CHECK_OK(ec_destroy(outer));
        else if (outer != -1)
            CHECK(close(outer) == 0);
        CHECK_OK(ec_destroy(ec));
        sources_end(&all);
    }
}

int main(void)
{
    static const char *const names[] = { "poll", "epoll", "epoll, edge", "channel",
                                         "channel, edge" };
    check_start();
    for (int place = 0; place < PLACES; place++) {
        check_context = names[place];
        run(place);
    }
    return 0;
}
