/* ec_wait_events gives ETIMEDOUT when the time is over, also for a zero time. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec zero = { 0, 0 }, some = milliseconds(30), start, end;
    CHECK_ERR(ec_wait_events(ec, &event, 1, &zero, NULL), ETIMEDOUT);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &some, NULL), ETIMEDOUT);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
    CHECK((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec >= 30000000);
    CHECK(some.tv_sec == 0 && some.tv_nsec == 30000000);
    post_user(ec, 1);
    CHECK_IS(ec_wait_events(ec, &event, 1, &zero, NULL), 1);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
