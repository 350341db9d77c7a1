/* POLLHUP and POLLERR are told without being asked for; POLLRDHUP when asked for. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], pair[2], source;

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 1));
    CHECK(close(ends[1]) == 0);
    CHECK(event_wait(ec).ev_result == POLLHUP);
    CHECK_OK(ec_remove(ec, source));
    CHECK(close(ends[0]) == 0);

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[1], POLLPRI, 0, 2));
    CHECK(close(ends[0]) == 0);
    CHECK(event_wait(ec).ev_result == POLLERR);
    CHECK_OK(ec_remove(ec, source));
    CHECK(close(ends[1]) == 0);

    pair_open(TCP4, pair);
    CHECK_SET(source, ec_add_fd(ec, pair[0], POLLRDHUP, 0, 3));
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CHECK(event_wait(ec).ev_result == POLLRDHUP);
    CHECK_OK(ec_remove(ec, source));
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
