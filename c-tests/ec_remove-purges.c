/* ec_remove takes back events of the source that are queued already, and only those. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source[2], timer;
    struct itimerspec soon = { { 0, 0 }, { 0, 1 } };
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    for (int i = 0; i < 50; i++) {
        unsigned flags = i % 2 == 0 ? 0 : EC_EDGE;
        CHECK_SET(source[0], ec_add_fd(ec, ends[0], POLLIN, flags, 1));
        CHECK_SET(timer, ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 2));
        sleep_ms(1);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK(is_readable(ec, 0) == 1);
        CHECK_OK(ec_remove(ec, source[0]));
        CHECK_OK(ec_remove(ec, timer));
        check_no_event(ec, 1);
        CHECK(is_readable(ec, 0) == 0);

        CHECK_SET(source[0], ec_add_fd(ec, ends[0], POLLIN, flags, 3));
        CHECK_SET(source[1], ec_add_fd(ec, ends[0], POLLIN, EC_ONESHOT, 4));
        post_user(ec, 5);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_remove(ec, source[0]));
        uint64_t sum = 0;
        sum += event_wait(ec).ev_cookie;
        sum += event_wait(ec).ev_cookie;
        CHECK(sum == 4 + 5);
        check_no_event(ec, 1);
        CHECK_OK(ec_remove(ec, source[1]));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
