/* A child may close the descriptor of its parent's channel; the number can be its own channel's. */
#include "check.h"

int main(void)
{
    check_start();
    int ends[2], source;
    ec_t ec = channel_new(0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 5));
    post_user(ec, 1);
    pid_t child = child_start();
    if (child == 0) {
        CHECK(close(ec) == 0);
        ec_t own = channel_new(0);
        event_data_t event;
        CHECK_ERR(ec_next_event(own, &event), EAGAIN);
        post_user(own, 2);
        CHECK(event_wait(own).ev_cookie == 2);
        CHECK_OK(ec_destroy(own));
        exit(0);
    }
    child_end(child);
    CHECK(event_wait(ec).ev_cookie == 1);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
