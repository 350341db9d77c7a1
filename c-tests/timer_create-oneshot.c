/* A timer of SIGEV_EC is a source of the channel: not armed at first, and each arming is one event. */
#include "sigevent.h"

int main(void)
{
    check_start();
    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        ec_t ec = channel_new(0);
        struct sigevent how = to_channel(ec, 0x1122334455667788u);
        struct sigevent given = how;
        int source = -1;
        timer_t timer;
        CHECK_OK(timer_create(clocks[i], &how, &timer));
        CHECK(memcmp(&given, &how, sizeof how) == 0);
        check_no_event(ec, 20);
        for (int j = 0; j < 3; j++) {
            timer_arm(timer, 5, 0);
            event_data_t event = event_wait(ec);
            CHECK(event.ev_type == EC_EV_TIMER && event.ev_fd == -1 && event.ev_result == 1);
            CHECK(event.ev_cookie == 0x1122334455667788u && event.ev_errno == 0);
            CHECK(event.ev_flags == 0 && event.ev_ptr == NULL && event.ev_len == 0);
            CHECK(event.ev_source >= 0 && (j == 0 || event.ev_source == source));
            source = event.ev_source;
            check_no_event(ec, 10);
        }
        CHECK_OK(timer_delete(timer));
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
