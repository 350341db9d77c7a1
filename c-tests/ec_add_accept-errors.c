/* ec_add_accept refuses what does not listen, and EC_ATTACH where nothing can be inherited. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int pair[2], ends[2], source;
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(TCP4, &address, &length);
    int idle = socket_new(TCP4);
    pair_open(TCP4, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);

    CHECK_ERR(ec_add_accept(ec, -1, 0, 0), EBADF);
    CHECK_ERR(ec_add_accept(ec, INT_MAX, 0, 0), EBADF);
    CHECK_ERR_IN(ec_add_accept(ec, ends[0], 0, 0), ENOTSOCK, EINVAL);
    CHECK_ERR(ec_add_accept(ec, idle, 0, 0), EINVAL);
    CHECK_ERR(ec_add_accept(ec, pair[0], 0, 0), EINVAL);
    CHECK_ERR(ec_add_accept(ec, socket_new(UDP4), 0, 0), EINVAL);
    CHECK_ERR(ec_add_accept(ec, listener, EC_ATTACH, 0), EINVAL);
    for (int bit = 8; bit < 32; bit++)
        CHECK_ERR(ec_add_accept(ec, listener, 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_accept(ec, listener, 0x4, 0), EINVAL);
    CHECK_ERR(ec_add_accept(ec, listener, EC_ONESHOT, 0), EINVAL);

    CHECK_SET(source, ec_add_accept(ec, listener, EC_NONBLOCK, 0));
    CHECK_OK(ec_remove(ec, source));
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
