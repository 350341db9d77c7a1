/* ec_wake is for those who wait at that moment: who waits later is not woken. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec zero = { 0, 0 }, some = milliseconds(20);
    CHECK_OK(ec_wake(ec, 5));
    CHECK(is_readable(ec, 0) == 0);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &zero, NULL), ETIMEDOUT);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &some, NULL), ETIMEDOUT);
    CHECK_ERR(ec_delay(ec, &some), ETIMEDOUT);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
