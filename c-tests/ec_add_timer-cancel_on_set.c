/* EC_CANCEL_ON_SET is accepted for an absolute time of CLOCK_REALTIME; the timer works as any. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    int source;
    CHECK_SET(source, ec_add_timer(ec, CLOCK_REALTIME, &when, EC_ABSTIME | EC_CANCEL_ON_SET, 1));
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_TIMER && event.ev_source == source);
    CHECK(event.ev_result == 1 && event.ev_errno == 0);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
