/* An event of a descriptor has type, descriptor, cookie, ready poll events and source id. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int pair[2], source;
    pair_open(UNIX_STREAM, pair);
    CHECK_SET(source, ec_add_fd(ec, pair[0], POLLIN | POLLOUT, EC_EDGE, UINT64_MAX));
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_FD);
    CHECK(event.ev_fd == pair[0]);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(event.ev_result == POLLOUT);
    CHECK(event.ev_errno == 0);
    CHECK(event.ev_source == source);
    CHECK(write(pair[1], "x", 1) == 1);
    event = event_wait(ec);
    CHECK(event.ev_result == POLLIN || event.ev_result == (POLLIN | POLLOUT));
    CHECK(event.ev_source == source);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
