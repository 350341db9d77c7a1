/* An expiration that nobody has fetched when the timer is set again is taken back. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    for (int looked_at = 0; looked_at < 2; looked_at++) {
        timer_arm(timer, 1, 0);
        if (looked_at)
            CHECK_OK(ec_delay(ec, NULL));
        CHECK(is_readable(ec, WAIT_MS) == 1);
        timer_arm(timer, 0, 0);
        check_no_event(ec, 10);
        CHECK(is_readable(ec, 0) == 0);
        timer_arm(timer, 1, 0);
        CHECK(event_wait(ec).ev_result == 1);
    }
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
