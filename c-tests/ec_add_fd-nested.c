/* A channel is a source of another one: its events make it readable there, level-triggered. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t inner = channel_new(0), outer = channel_new(0);
    event_data_t event;
    int source;
    CHECK_SET(source, ec_add_fd(outer, inner, POLLIN, 0, 6));
    check_no_event(outer, 20);
    for (int i = 0; i < 20; i++) {
        post_user(inner, 1);
        post_user(inner, 2);
        for (int repeat = 0; repeat < 2; repeat++) {
            event = event_wait(outer);
            CHECK(event.ev_type == EC_EV_FD && event.ev_fd == inner);
            CHECK(event.ev_result == POLLIN && event.ev_source == source);
        }
        CHECK(event_wait(inner).ev_cookie == 1);
        CHECK(event_wait(outer).ev_fd == inner);
        CHECK(event_wait(inner).ev_cookie == 2);
        CHECK_ERR(ec_next_event(outer, &event), EAGAIN);
    }
    check_no_event(outer, 20);

    /* A source of the inner channel is seen through both. */
    int ends[2], fd_source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(fd_source, ec_add_fd(inner, ends[0], POLLIN, 0, 7));
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(event_wait(outer).ev_fd == inner);
    CHECK(event_wait(inner).ev_source == fd_source);
    CHECK_OK(ec_remove(outer, source));
    CHECK_OK(ec_destroy(outer));
    CHECK_OK(ec_destroy(inner));
    return 0;
}
