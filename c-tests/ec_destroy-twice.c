/* ec_destroy ends a channel and closes its descriptor; a second one gives EBADF. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    post_user(ec, 1);
    CHECK_OK(ec_destroy(ec));
    CHECK(fcntl(ec, F_GETFD) == -1 && errno == EBADF);
    CHECK_ERR(ec_destroy(ec), EBADF);
    return 0;
}
