/* ec_add_socket refuses sockets without an area, sockets in a channel, and unknown flags. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0), other = channel_new(0);
    int pair[2], ends[2], source;
    pair_open(TCP4, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);

    CHECK_ERR(ec_add_socket(ec, -1, 0, 0), EBADF);
    CHECK_ERR(ec_add_socket(ec, INT_MAX, 0, 0), EBADF);
    CHECK_ERR(ec_add_socket(ec, pair[1], 0, 0), EINVAL);
    CHECK_ERR(ec_add_socket(ec, ends[0], 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        if (1u << bit != EC_EDGE)
            CHECK_ERR(ec_add_socket(ec, pair[0], 1u << bit, 0), EINVAL);

    CHECK_SET(source, ec_add_socket(ec, pair[0], 0, 1));
    CHECK_ERR(ec_add_socket(ec, pair[0], 0, 1), EBUSY);
    CHECK_ERR(ec_add_socket(other, pair[0], 0, 1), EBUSY);
    CHECK_OK(ec_remove(ec, source));
    CHECK_SET(source, ec_add_socket(other, pair[0], EC_EDGE, 1));
    endpoint_close(&end);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(ec_destroy(other));
    return 0;
}
