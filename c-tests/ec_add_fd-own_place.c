/* Sources need no place in the capacity: a channel for 2 events tells of 200 ready ones. */
#include "check.h"

#include <sys/eventfd.h>

#define SOURCES 200

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_CAPACITY(1));
    int fd[SOURCES], told[SOURCES] = { 0 };
    post_user(ec, SOURCES);
    post_user(ec, SOURCES);
    for (uint64_t i = 0; i < SOURCES; i++) {
        int source;
        CHECK((fd[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
        CHECK_SET(source, ec_add_fd(ec, fd[i], POLLIN, EC_ONESHOT, i));
    }
    int posted = 0, sources = 0;
    while (posted + sources < SOURCES + 2) {
        event_data_t event = event_wait(ec);
        if (event.ev_type == EC_EV_USER) {
            posted++;
            continue;
        }
        CHECK(event.ev_type == EC_EV_FD && event.ev_cookie < SOURCES);
        CHECK(told[event.ev_cookie]++ == 0);
        sources++;
    }
    CHECK(posted == 2);
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
