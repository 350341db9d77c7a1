/* ec_wait_events refuses numbers that are not positive and times that are none with EINVAL. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec zero = { 0, 0 };
    static const struct timespec bad[] = { { 0, -1 }, { 0, 1000000000 }, { -1, 0 },
                                           { -1, 999999999 } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(ec_wait_events(ec, &event, 1, &bad[i], NULL), EINVAL);
    post_user(ec, 2);
    CHECK_ERR(ec_wait_events(ec, &event, 0, &zero, NULL), EINVAL);
    CHECK_ERR(ec_wait_events(ec, &event, -1, &zero, NULL), EINVAL);
    CHECK_ERR(ec_wait_events(ec, &event, INT_MIN, NULL, NULL), EINVAL);
    CHECK(event_wait(ec).ev_cookie == 2);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
