/*
 * One descriptor can be several sources of one channel, and be in several channels, epoll sets
 * and poll calls at once: each is told of everything.
 */
#include "check.h"

#include <sys/epoll.h>

int main(void)
{
    check_start();
    ec_t ec[2] = { channel_new(0), channel_new(0) };
    int ends[2], source[3], set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = { EPOLLIN, { 0 } }, ready;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &want) == 0);
    CHECK_SET(source[0], ec_add_fd(ec[0], ends[0], POLLIN, 0, 10));
    CHECK_SET(source[1], ec_add_fd(ec[0], ends[0], POLLIN, EC_ONESHOT, 11));
    CHECK_SET(source[2], ec_add_fd(ec[1], ends[0], POLLIN, EC_EDGE, 12));
    CHECK(source[0] != source[1]);
    CHECK(write(ends[1], "x", 1) == 1);

    int seen[2] = { 0, 0 };
    while (seen[0] == 0 || seen[1] == 0) {
        event_data_t event = event_wait(ec[0]);
        CHECK(event.ev_fd == ends[0] && event.ev_result == POLLIN);
        int which = event.ev_source == source[1];
        CHECK(event.ev_source == source[which] && event.ev_cookie == 10 + (uint64_t)which);
        seen[which]++;
    }
    CHECK(seen[1] == 1);
    event_data_t event = event_wait(ec[1]);
    CHECK(event.ev_source == source[2] && event.ev_cookie == 12);
    CHECK(epoll_wait(set, &ready, 1, WAIT_MS) == 1);
    CHECK(is_readable(ends[0], 0) == 1);

    /* Taking one source out leaves the other. */
    CHECK_OK(ec_remove(ec[0], source[1]));
    CHECK(event_wait(ec[0]).ev_source == source[0]);
    CHECK_OK(ec_remove(ec[0], source[0]));
    check_no_event(ec[0], 20);
    CHECK_OK(ec_destroy(ec[0]));
    CHECK_OK(ec_destroy(ec[1]));
    return 0;
}
