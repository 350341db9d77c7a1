/* ec_remove gives ENOENT for a source that the channel does not have, or has no more. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0), other = channel_new(0);
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_ERR(ec_remove(ec, 0), ENOENT);
    CHECK_ERR(ec_remove(ec, -1), ENOENT);
    CHECK_ERR(ec_remove(ec, INT_MIN), ENOENT);
    CHECK_ERR(ec_remove(ec, INT_MAX), ENOENT);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 1));
    CHECK_ERR(ec_remove(other, source), ENOENT);
    CHECK_OK(ec_remove(ec, source));
    CHECK_ERR(ec_remove(ec, source), ENOENT);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(ec_destroy(other));
    return 0;
}
