/* Sources of all kinds that come and go leave no descriptor and no mapping behind. */
#include "check.h"

static ec_t ec;

static void body(void)
{
    struct itimerspec soon = { { 0, 0 }, { 0, 1 } }, late = { { 0, 0 }, { 3600, 0 } };
    struct sockaddr_storage address;
    socklen_t length;
    int ends[2], source[4];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    int listener = listener_open(TCP4, &address, &length);
    CHECK_SET(source[0], ec_add_fd(ec, ends[0], POLLIN, 0, 0));
    CHECK_SET(source[1], ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 1));
    CHECK_SET(source[2], ec_add_timer(ec, CLOCK_REALTIME, &late, 0, 2));
    CHECK_SET(source[3], ec_add_accept(ec, listener, 0, 3));
    CHECK(event_wait(ec).ev_cookie == 1);
    for (int i = 0; i < 4; i++)
        CHECK_OK(ec_remove(ec, source[i]));
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(listener) == 0);
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    check_no_leak(body, 64 * 1024);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
