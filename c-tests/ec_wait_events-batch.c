/* ec_wait_events fetches what is queued, up to n, without waiting for more. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t events[8];
    struct timespec zero = { 0, 0 };
    for (uint64_t i = 0; i < 11; i++)
        post_user(ec, i);
    CHECK_IS(ec_wait_events(ec, events, 8, NULL, NULL), 8);
    for (uint64_t i = 0; i < 8; i++)
        CHECK(events[i].ev_cookie == i);
    CHECK_IS(ec_wait_events(ec, events, 8, &zero, NULL), 3);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(events[i].ev_cookie == i + 8);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
