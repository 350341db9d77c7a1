/* timer_getoverrun tells the expirations beyond the first in the event that was fetched last. */
#include "sigevent.h"

/* Fetches several, because what a look has found and what comes later are told together. */
static event_data_t fetch(ec_t ec)
{
    event_data_t event[4];
    CHECK_IS(ec_next_events(ec, event, 4), 1);
    CHECK(event[0].ev_type == EC_EV_TIMER);
    return event[0];
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    struct itimerspec when = { milliseconds(5), milliseconds(5) };
    CHECK_OK(timer_getoverrun(timer));
    CHECK_OK(timer_settime(timer, 0, &when, NULL));
    for (int looked_at = 0; looked_at < 2; looked_at++) {
        if (looked_at)
            CHECK_OK(ec_delay(ec, NULL));
        sleep_ms(40);
        event_data_t event = fetch(ec);
        CHECK(event.ev_result >= 5);
        CHECK_IS(timer_getoverrun(timer), event.ev_result - 1);
        /* Expirations that nobody has fetched do not count. */
        sleep_ms(20);
        CHECK_IS(timer_getoverrun(timer), event.ev_result - 1);
    }
    when.it_interval = milliseconds(0);
    CHECK_OK(timer_settime(timer, 0, &when, NULL));
    CHECK_OK(timer_getoverrun(timer));
    CHECK(event_wait(ec).ev_result == 1);
    CHECK_OK(timer_getoverrun(timer));

    /* Expirations by the billion: the count of the event goes on, the overrun has a limit. */
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    when.it_value = milliseconds(1);
    when.it_interval.tv_nsec = 1;
    CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &when, NULL));
    sleep_ms(20);
    event_data_t event = fetch(ec);
    CHECK_IS(timer_getoverrun(timer), event.ev_result > INT_MAX ? INT_MAX : event.ev_result - 1);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
