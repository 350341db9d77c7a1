/* ec_next_events refuses a number that is not positive with EINVAL and fetches nothing. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    post_user(ec, 4);
    CHECK_ERR(ec_next_events(ec, &event, 0), EINVAL);
    CHECK_ERR(ec_next_events(ec, &event, -1), EINVAL);
    CHECK_ERR(ec_next_events(ec, &event, INT_MIN), EINVAL);
    CHECK(event_wait(ec).ev_cookie == 4);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
