/* In a child the parent's channels do not exist: EPERM from every call, and nothing happens. */
#include "refused.h"

int main(void)
{
    check_start();
    for (unsigned flags = 0; flags <= EC_SINGLE; flags += EC_SINGLE) {
        int pair[2], source;
        struct sockaddr_storage address;
        socklen_t length;
        event_data_t event;
        pair_open(UNIX_STREAM, pair);
        int listener = listener_open(TCP4, &address, &length);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
        ec_t ec = channel_new(flags);
        CHECK_SET(source, ec_add_fd(ec, pair[1], POLLIN, 0, 3));
        post_user(ec, 1);

        pid_t child = child_start();
        if (child == 0) {
            channel_refuses(ec, source, pair[0], listener, EPERM);
            exit(0);
        }
        child_end(child);

        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_cookie == 1);
        check_no_event(ec, 5);
        CHECK(write(pair[0], "x", 1) == 1);
        CHECK(event_wait(ec).ev_source == source);
        CHECK_OK(ec_remove(ec, source));
        CHECK_OK(ec_destroy(ec));
        endpoint_close(&end);
        CHECK(close(listener) == 0 && close(pair[1]) == 0);
    }
    return 0;
}
