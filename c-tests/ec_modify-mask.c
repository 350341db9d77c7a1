/* ec_modify replaces mask and flags of a descriptor's source; cookie and id stay. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int pair[2], source;
    pair_open(UNIX_STREAM, pair);
    CHECK_SET(source, ec_add_fd(ec, pair[0], POLLIN, 0, 31));
    check_no_event(ec, 20);
    CHECK_OK(ec_modify(ec, source, POLLOUT, 0));
    for (int i = 0; i < 3; i++) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_result == POLLOUT && event.ev_cookie == 31 && event.ev_source == source);
    }
    CHECK_OK(ec_modify(ec, source, POLLOUT, EC_EDGE));
    CHECK(event_wait(ec).ev_result == POLLOUT);
    check_no_event(ec, 20);
    CHECK_OK(ec_modify(ec, source, POLLIN, 0));
    check_no_event(ec, 20);
    CHECK(write(pair[1], "x", 1) == 1);
    CHECK(event_wait(ec).ev_result == POLLIN);
    CHECK(event_wait(ec).ev_result == POLLIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
