/*
 * Channels in one another: the channel itself is EINVAL, and by another number ELOOP, as is every other
 * circle. A descriptor that is a source already needs one level more; where there is none it is
 * ELOOP, and the source that was there before goes on. A hundred sources of one descriptor are possible,
 * and where there are too many that is ELOOP.
 */
#include "check.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define LEVELS_MAX 8
#define MANY 2000

static void circles(void)
{
    ec_t ec = channel_new(0), other = channel_new(0);
    int copy = dup(ec);

    CHECK(copy >= 0);
    CHECK_ERR(ec_add_fd(ec, ec, POLLIN, 0, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, copy, POLLIN, 0, 0), ELOOP);
    CHECK(ec_add_fd(ec, other, POLLIN, 0, 0) >= 0);
    CHECK_ERR(ec_add_fd(other, ec, POLLIN, 0, 0), ELOOP);
    CHECK_ERR(ec_add_fd(other, copy, POLLIN, EC_ONESHOT, 0), ELOOP);
    CHECK(close(copy) == 0);
    CHECK_OK(ec_destroy(other));
    CHECK_OK(ec_destroy(ec));
}

/* A set over so many others, and at the bottom an eventfd. */
static int sets_over(int fd, int levels)
{
    for (int i = 0; i < levels; i++) {
        struct epoll_event wanted = { .events = EPOLLIN };
        int set = epoll_create1(EPOLL_CLOEXEC);
        CHECK(set >= 0);
        if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted) != 0)
            return -1;
        fd = set;
    }
    return fd;
}

static void many(int counter)
{
    ec_t ec = channel_new(0);
    int sources = 0;

    while (sources < MANY && ec_add_fd(ec, counter, POLLIN, EC_ONESHOT, 0) >= 0)
        sources++;
    CHECK(sources >= 100 && (sources == MANY || errno == ELOOP));
    for (int i = 0; i < sources; i++)
        CHECK(event_wait(ec).ev_fd == counter);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    int counter = eventfd(1, EFD_CLOEXEC), deepest = 0;

    check_start();
    circles();
    many(counter);
    for (int levels = 0; levels < LEVELS_MAX; levels++) {
        ec_t ec = channel_new(0);
        int fd = sets_over(counter, levels), sources = 0;
        for (; fd >= 0 && sources < 3; sources++) {
            int source = ec_add_fd(ec, fd, POLLIN, 0, 0);
            if (source < 0) {
                CHECK(errno == ELOOP);
                break;
            }
        }
        /* All, then the first one only, then none. */
        CHECK(deepest < 2 ? sources == 3 || sources == 1 : sources == 0);
        deepest = sources == 3 ? 1 : sources == 1 ? 2 : 3;
        for (int i = 0; i < sources; i++)
            CHECK(event_wait(ec).ev_fd == fd);
        CHECK_OK(ec_destroy(ec));
    }
    CHECK(deepest == 3);
    return 0;
}
