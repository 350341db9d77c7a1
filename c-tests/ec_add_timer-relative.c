/* A timer without interval expires once, after its time; the event says so. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct itimerspec when = { { 0, 0 }, { 0, 20000000 } };
        int source;
        CHECK_SET(source, ec_add_timer(ec, clocks[i], &when, 0, 0xabcdef));
        event_data_t event;
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_TIMER);
        CHECK(event.ev_fd == -1);
        CHECK(event.ev_cookie == 0xabcdef);
        CHECK(event.ev_result == 1);
        CHECK(event.ev_errno == 0);
        CHECK(event.ev_source == source);
        check_no_event(ec, 50);
        CHECK_OK(ec_remove(ec, source));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
