/* Many timers in one channel: each expires once, with its own cookie. */
#include "check.h"

#define TIMERS 200

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_CAPACITY(1));
    int source[TIMERS], seen[TIMERS] = { 0 };
    for (int i = 0; i < TIMERS; i++) {
        struct itimerspec when = { { 0, 0 }, milliseconds(1 + i * 7 % 50) };
        CHECK_SET(source[i], ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, (uint64_t)i));
    }
    for (int i = 0; i < TIMERS; i++) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_TIMER && event.ev_cookie < TIMERS);
        CHECK(event.ev_source == source[event.ev_cookie] && event.ev_result == 1);
        CHECK(seen[event.ev_cookie]++ == 0);
    }
    check_no_event(ec, 60);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
