/* A channel in an epoll set is ready exactly while an event is queued (level-triggered). */
#include "check.h"

#include <sys/epoll.h>

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = { EPOLLIN, { .u64 = 77 } }, ready;
    event_data_t event;
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ec, &want) == 0);
    for (int i = 0; i < 100; i++) {
        CHECK(epoll_wait(set, &ready, 1, 0) == 0);
        post_user(ec, 1);
        post_user(ec, 2);
        CHECK(epoll_wait(set, &ready, 1, WAIT_MS) == 1);
        CHECK(ready.events == EPOLLIN && ready.data.u64 == 77);
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(epoll_wait(set, &ready, 1, 0) == 1);
        CHECK_OK(ec_next_event(ec, &event));
    }
    CHECK(epoll_wait(set, &ready, 1, 0) == 0);
    CHECK_OK(ec_destroy(ec));
    CHECK(close(set) == 0);
    return 0;
}
