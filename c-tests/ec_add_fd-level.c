/* Without flags a source is level-triggered: its event comes again until its cause is gone. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t events[4];
    int ends[2], source;
    char text[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 1));
    check_no_event(ec, 20);
    CHECK(write(ends[1], "xy", 2) == 2);
    for (int i = 0; i < 10; i++) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_FD && event.ev_result == POLLIN);
        CHECK(event.ev_source == source);
    }
    /* One batch has it once. */
    CHECK_IS(ec_next_events(ec, events, 4), 1);
    CHECK(read(ends[0], text, 1) == 1);
    CHECK(event_wait(ec).ev_result == POLLIN);
    CHECK(read(ends[0], text, 1) == 1);
    check_no_event(ec, 20);
    CHECK(write(ends[1], "z", 1) == 1);
    CHECK(event_wait(ec).ev_result == POLLIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
