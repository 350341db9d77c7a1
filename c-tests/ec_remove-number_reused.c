/*
 * A descriptor that is removed and closed, and whose number is at once another file's, is the
 * source of nothing: events of the new file are those of the new source only.
 */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    for (uint64_t i = 0; i < 100; i++) {
        int old[2], new[2], source;
        CHECK(pipe2(old, O_CLOEXEC) == 0);
        int number = old[0];
        CHECK_SET(source, ec_add_fd(ec, number, POLLIN, i % 2 ? 0 : EC_EDGE, 1));
        CHECK(write(old[1], "x", 1) == 1);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_remove(ec, source));
        CHECK(close(old[0]) == 0 && close(old[1]) == 0);

        CHECK(pipe2(new, O_CLOEXEC) == 0);
        CHECK(new[0] == number);
        CHECK_SET(source, ec_add_fd(ec, number, POLLIN, 0, 2));
        check_no_event(ec, 1);
        CHECK(write(new[1], "x", 1) == 1);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_cookie == 2 && event.ev_source == source);
        CHECK_OK(ec_remove(ec, source));
        CHECK(close(new[0]) == 0 && close(new[1]) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
