/* EC_EDGE and EC_ONESHOT go together: one event for what arrives, then silence until re-armed. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, EC_EDGE | EC_ONESHOT, 1));
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(event_wait(ec).ev_source == source);
    CHECK(write(ends[1], "x", 1) == 1);
    check_no_event(ec, 20);
    CHECK_OK(ec_modify(ec, source, POLLIN, EC_EDGE | EC_ONESHOT));
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
