/* ec_modify re-arms a source: an edge that was told already is told again if its cause is there. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, EC_EDGE, 1));
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    CHECK_OK(ec_modify(ec, source, POLLIN, EC_EDGE));
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    CHECK_OK(ec_modify(ec, source, POLLIN, EC_ONESHOT));
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
