/* A timer that would wake the machine from sleep needs a privilege: EPERM without it. */
#include "check.h"

int main(void)
{
    check_start();
    struct itimerspec late = { { 0, 0 }, { 3600, 0 } };
    become_nobody();
    ec_t ec = channel_new(0);
    CHECK_ERR(ec_add_timer(ec, CLOCK_REALTIME_ALARM, &late, 0, 0), EPERM);
    CHECK_ERR(ec_add_timer(ec, CLOCK_BOOTTIME_ALARM, &late, 0, 0), EPERM);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
