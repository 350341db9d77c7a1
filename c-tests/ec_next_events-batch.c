/* ec_next_events fetches up to n events in order and tells how many; it never blocks. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t events[16];
    CHECK_ERR(ec_next_events(ec, events, 16), EAGAIN);
    for (uint64_t i = 0; i < 20; i++)
        post_user(ec, i);
    CHECK_IS(ec_next_events(ec, events, 1), 1);
    CHECK(events[0].ev_cookie == 0);
    memset(events, 0x77, sizeof events);
    CHECK_IS(ec_next_events(ec, events, 15), 15);
    for (uint64_t i = 0; i < 15; i++)
        CHECK(events[i].ev_cookie == i + 1);
    CHECK(events[15].ev_cookie == 0x7777777777777777u);
    CHECK_IS(ec_next_events(ec, events, 16), 4);
    CHECK(events[3].ev_cookie == 19);
    CHECK_ERR(ec_next_events(ec, events, 16), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
