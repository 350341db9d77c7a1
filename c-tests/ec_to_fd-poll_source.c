/* A channel becomes readable for poll when a source has an event, with no call of the program. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    event_data_t event;
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 1));
    for (int i = 0; i < 100; i++) {
        char byte;
        CHECK(is_readable(ec, 0) == 0);
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK(is_readable(ec, WAIT_MS) == 1);
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_source == source);
        CHECK(read(ends[0], &byte, 1) == 1);
        /* The level is gone: at most one look at the channel finds that out. */
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    }
    struct itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
    CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 2));
    CHECK(is_readable(ec, WAIT_MS) == 1);
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_type == EC_EV_TIMER && event.ev_source == source);
    CHECK(is_readable(ec, 0) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
