/* A caught signal ends a wait with EINTR; nothing is consumed. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec limit = milliseconds(WAIT_MS);
    signal_catch();
    timer_t timer = signal_start();
    CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), EINTR);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &limit, NULL), EINTR);
    CHECK(signals_seen >= 2);
    CHECK(timer_delete(timer) == 0);
    post_user(ec, 3);
    CHECK(event_wait(ec).ev_cookie == 3);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
