/* A null pointer where a call needs an object is EFAULT, and nothing is consumed. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct timespec zero = { 0, 0 };
    post_user(ec, 7);
    CHECK_ERR(ec_next_event(ec, NULL), EFAULT);
    CHECK_ERR(ec_next_events(ec, NULL, 1), EFAULT);
    CHECK_ERR(ec_wait_events(ec, NULL, 1, &zero, NULL), EFAULT);
    CHECK_ERR(ec_post(ec, NULL), EFAULT);
    CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, NULL, 0, 0), EFAULT);
    CHECK(event_wait(ec).ev_cookie == 7);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
