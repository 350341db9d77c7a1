/* ec_delay returns when an event is queued and leaves it there. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct timespec some = milliseconds(WAIT_MS), zero = { 0, 0 };
    event_data_t event;
    post_user(ec, 1);
    post_user(ec, 2);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_delay(ec, &some));
        CHECK_OK(ec_delay(ec, &zero));
    }
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_cookie == 1);
    CHECK_OK(ec_delay(ec, NULL));
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_cookie == 2);
    CHECK_ERR(ec_delay(ec, &zero), ETIMEDOUT);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
