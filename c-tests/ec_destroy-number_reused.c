/*
 * A channel made after ec_destroy gets the same descriptor number, and nothing of the old one:
 * no events, no sources.
 */
#include "check.h"

int main(void)
{
    check_start();
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    for (uint64_t i = 0; i < 100; i++) {
        event_data_t event;
        struct itimerspec soon = { { 0, 0 }, { 0, 1 } };
        ec_t ec = channel_new(0);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, i));
        CHECK(event_wait(ec).ev_cookie == i);
        CHECK_OK(ec_remove(ec, source));
        CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, EC_EDGE, i));
        CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, i));
        post_user(ec, i);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
