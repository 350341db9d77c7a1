/* With EC_EDGE an event comes when something arrives, once, and not again while it lies there. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    char text[8];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], "a", 1) == 1);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, EC_EDGE, 1));
    /* What was there before counts as an arrival. */
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    for (int i = 0; i < 50; i++) {
        CHECK(read(ends[0], text, sizeof text) > 0);
        CHECK(write(ends[1], "b", 1) == 1);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_FD && event.ev_result == POLLIN);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
