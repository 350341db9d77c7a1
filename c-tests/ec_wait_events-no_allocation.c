/* Waiting for and fetching events of sources that are there allocates nothing. */
#include "check.h"
#include "allocations.h"
#include <sys/eventfd.h>

enum { DESCRIPTORS = 50 };
static ec_t ec;
static int descriptors[DESCRIPTORS];

static void fetch(int count)
{
    event_data_t events[16];
    while (count > 0) {
        int n;
        CHECK_SET(n, ec_wait_events(ec, events, 16, NULL, NULL));
        for (int i = 0; i < n; i++) {
            uint64_t value;
            if (events[i].ev_type == EC_EV_FD && events[i].ev_cookie == 1)
                CHECK(read(events[i].ev_fd, &value, sizeof value) == sizeof value);
        }
        count -= n;
    }
}

static void post(size_t at)
{
    for (size_t i = 0; i < 5; i++)
        post_user(ec, at);
    fetch(5);
}

static void raise_some(size_t at)
{
    const uint64_t one = 1;
    for (size_t i = 0; i < 10; i++)
        CHECK(write(descriptors[(at + 5 * i) % DESCRIPTORS], &one, sizeof one) == sizeof one);
    fetch(10);
}

static void expire(size_t at)
{
    (void)at;
    fetch(1);
}

static void run(const char *what, unsigned flags, uint64_t cookie)
{
    ec = channel_new(0);
    for (int i = 0; i < DESCRIPTORS; i++) {
        CHECK_SET(descriptors[i], eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        CHECK(ec_add_fd(ec, descriptors[i], POLLIN, flags, cookie) >= 0);
    }
    count_allocations(what, raise_some, 0);
    for (int i = 0; i < DESCRIPTORS; i++)
        CHECK(close(descriptors[i]) == 0);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    run("levels", 0, 1);
    run("edges", EC_EDGE, 1);
    run("counters", EC_COUNTER, 2);

    const struct itimerspec often = { { 0, 100000 }, { 0, 100000 } };
    ec = channel_new(0);
    count_allocations("events of the program's own", post, 0);
    CHECK(ec_add_timer(ec, CLOCK_MONOTONIC, &often, 0, 3) >= 0);
    count_allocations("a timer", expire, 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
