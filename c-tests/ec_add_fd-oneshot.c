/* With EC_ONESHOT one event comes; the source stays, silent, until ec_modify re-arms it. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, EC_ONESHOT, 1));
    for (int i = 0; i < 10; i++) {
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK(event_wait(ec).ev_source == source);
        check_no_event(ec, 5);
        CHECK(write(ends[1], "x", 1) == 1);
        check_no_event(ec, 5);
        CHECK_OK(ec_modify(ec, source, POLLIN, EC_ONESHOT));
        CHECK(event_wait(ec).ev_source == source);
        check_no_event(ec, 5);
        char text[4];
        CHECK(read(ends[0], text, sizeof text) == 2);
        CHECK_OK(ec_modify(ec, source, POLLIN, EC_ONESHOT));
        check_no_event(ec, 5);
    }
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
