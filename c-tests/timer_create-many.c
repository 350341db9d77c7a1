/* Many timers in two channels: each expires once, in its own, and has an id of its own. */
#include "sigevent.h"

#define TIMERS 200

int main(void)
{
    check_start();
    ec_t ec[2] = { channel_new(EC_CAPACITY(1)), channel_new(0) };
    timer_t timer[TIMERS];
    int seen[TIMERS] = { 0 };
    for (int i = 0; i < TIMERS; i++) {
        timer[i] = timer_new(ec[i % 2], (uintptr_t)i);
        for (int j = 0; j < i; j++)
            CHECK(timer[i] != timer[j]);
    }
    for (int i = 0; i < TIMERS; i++)
        timer_arm(timer[i], 1 + i * 7 % 50, 0);
    for (int i = 0; i < TIMERS; i++) {
        event_data_t event = event_wait(ec[i % 2]);
        CHECK(event.ev_type == EC_EV_TIMER && event.ev_result == 1);
        CHECK(event.ev_cookie < TIMERS && event.ev_cookie % 2 == (unsigned)i % 2);
        CHECK(seen[event.ev_cookie]++ == 0);
    }
    check_no_event(ec[0], 60);
    check_no_event(ec[1], 0);
    for (int i = 0; i < TIMERS; i++)
        CHECK_OK(timer_delete(timer[i]));
    CHECK_OK(ec_destroy(ec[0]));
    CHECK_OK(ec_destroy(ec[1]));
    return 0;
}
