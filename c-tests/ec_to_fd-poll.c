/* poll and select show a channel readable exactly while an event is queued. */
#include "check.h"

#include <sys/select.h>

static int selected(int fd)
{
    fd_set set;
    struct timeval zero = { 0, 0 };
    FD_ZERO(&set);
    FD_SET(fd, &set);
    int ready = select(fd + 1, &set, NULL, NULL, &zero);
    CHECK(ready == 0 || (ready == 1 && FD_ISSET(fd, &set)));
    return ready;
}

static void readable_is(ec_t ec, int expected)
{
    for (int i = 0; i < 3; i++) {
        CHECK(is_readable(ec, 0) == expected);
        CHECK(selected(ec) == expected);
    }
}

int main(void)
{
    check_start();
    for (unsigned flags = 0; flags <= EC_SINGLE; flags += EC_SINGLE) {
        ec_t ec = channel_new(flags);
        event_data_t events[4];
        for (int i = 0; i < 100; i++) {
            readable_is(ec, 0);
            post_user(ec, 1);
            readable_is(ec, 1);
            post_user(ec, 2);
            post_user(ec, 3);
            readable_is(ec, 1);
            CHECK_OK(ec_next_event(ec, events));
            readable_is(ec, 1);
            CHECK_OK(ec_delay(ec, NULL));
            readable_is(ec, 1);
            CHECK_IS(ec_next_events(ec, events, 4), 2);
        }
        readable_is(ec, 0);
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
