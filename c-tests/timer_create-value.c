/* The cookie is sigev_value: a number that was set as an int is in its lower half. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct sigevent how = to_channel(ec, 0);
    timer_t timer;
    how.sigev_value.sival_int = -7;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    timer_arm(timer, 1, 0);
    event_data_t event = event_wait(ec);
    union sigval value;
    CHECK(sizeof value == sizeof event.ev_cookie);
    memcpy(&value, &event.ev_cookie, sizeof value);
    CHECK(value.sival_int == -7);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
