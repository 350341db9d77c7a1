/* With TIMER_ABSTIME the time is one of the clock's; one that is past expires at once. */
#include "sigevent.h"

int main(void)
{
    check_start();
    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    ec_t ec = channel_new(0);
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct sigevent how = to_channel(ec, i);
        struct itimerspec when = { { 0, 0 }, { 0, 0 } }, rest;
        struct timespec now;
        timer_t timer;
        CHECK_OK(timer_create(clocks[i], &how, &timer));
        CHECK(clock_gettime(clocks[i], &now) == 0);
        long start = in_ms(now);
        when.it_value = milliseconds(start + 30);
        CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &when, NULL));
        /* What is left is relative all the same. */
        CHECK_OK(timer_gettime(timer, &rest));
        CHECK(in_ms(rest.it_value) <= 30);
        CHECK(event_wait(ec).ev_cookie == i);
        CHECK(clock_gettime(clocks[i], &now) == 0);
        CHECK(clocks[i] == CLOCK_REALTIME || in_ms(now) >= start + 29);

        when.it_value = milliseconds(1000);
        CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &when, NULL));
        CHECK(event_wait(ec).ev_result == 1);
        CHECK_OK(timer_delete(timer));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
