/* ec_wake refuses a negative number with EINVAL; 0 wakes nobody and is no error. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    CHECK_ERR(ec_wake(ec, -1), EINVAL);
    CHECK_ERR(ec_wake(ec, INT_MIN), EINVAL);
    CHECK_OK(ec_wake(ec, 0));
    CHECK_OK(ec_wake(ec, INT_MAX));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
