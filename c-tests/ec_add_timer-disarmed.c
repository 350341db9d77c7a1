/* As with timerfd_settime(2), a first expiration of zero does not arm the timer. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    static const struct itimerspec never[] = { { { 0, 0 }, { 0, 0 } },
                                               { { 0, 1000000 }, { 0, 0 } } };
    for (int i = 0; i < 2; i++) {
        int source;
        CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &never[i], 0, 1));
        check_no_event(ec, 30);
        CHECK_OK(ec_remove(ec, source));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
