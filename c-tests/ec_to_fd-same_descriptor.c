/* ec_to_fd returns a descriptor that shows the channel's events: the channel itself. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    CHECK_IS(ec_to_fd(ec), ec);
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(ec_to_fd(ec), EBADF);
    return 0;
}
