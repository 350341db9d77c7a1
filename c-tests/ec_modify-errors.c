/* ec_modify refuses unknown sources with ENOENT, what does not fit the source with EINVAL. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0), other = channel_new(0);
    int pair[2], fd_source, timer, acceptor, gone, source;
    struct sockaddr_storage address;
    socklen_t length;
    struct itimerspec late = { { 0, 0 }, { 3600, 0 } };
    pair_open(TCP4, pair);
    int listener = listener_open(TCP4, &address, &length);

    CHECK_ERR(ec_modify(ec, 0, POLLIN, 0), ENOENT);
    CHECK_ERR(ec_modify(ec, -1, POLLIN, 0), ENOENT);
    CHECK_ERR(ec_modify(ec, INT_MAX, POLLIN, 0), ENOENT);

    CHECK_SET(fd_source, ec_add_fd(ec, pair[1], POLLIN, 0, 1));
    CHECK_ERR(ec_modify(other, fd_source, POLLIN, 0), ENOENT);
    CHECK_ERR(ec_modify(ec, fd_source, 0, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, fd_source, 1u << 20, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, fd_source, POLLIN, 1u << 8), EINVAL);
    CHECK_ERR(ec_modify(ec, fd_source, POLLIN, EC_ATTACH), EINVAL);

    CHECK_SET(timer, ec_add_timer(ec, CLOCK_MONOTONIC, &late, 0, 2));
    CHECK_ERR(ec_modify(ec, timer, 0, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, timer, POLLIN, 0), EINVAL);

    CHECK_SET(acceptor, ec_add_accept(ec, listener, 0, 3));
    CHECK_ERR(ec_modify(ec, acceptor, POLLIN, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, acceptor, 0, 1u << 12), EINVAL);
    CHECK_ERR(ec_modify(ec, acceptor, 0, EC_ATTACH), EINVAL);
    CHECK_OK(ec_modify(ec, acceptor, 0, EC_NONBLOCK));

    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    CHECK_SET(source, ec_add_socket(ec, pair[0], 0, 4));
    CHECK_ERR(ec_modify(ec, source, POLLIN, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, EC_ONESHOT), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, 1u << 9), EINVAL);
    CHECK_OK(ec_modify(ec, source, 0, EC_EDGE));
    CHECK_OK(ec_modify(ec, source, 0, 0));

    CHECK_SET(gone, ec_add_fd(ec, pair[1], POLLIN, 0, 5));
    CHECK_OK(ec_remove(ec, gone));
    CHECK_ERR(ec_modify(ec, gone, POLLIN, 0), ENOENT);

    check_no_event(ec, 20);
    endpoint_close(&end);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(ec_destroy(other));
    return 0;
}
