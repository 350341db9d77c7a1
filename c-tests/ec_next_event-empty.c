/* ec_next_event never blocks: EAGAIN when nothing is queued, and nothing is written. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event, before;
    memset(&event, 0x5a, sizeof event);
    before = event;
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK(memcmp(&event, &before, sizeof event) == 0);
    post_user(ec, 1);
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_cookie == 1);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
