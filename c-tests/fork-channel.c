/* In a child the parent's channels do not exist: EPERM from every call, and nothing happens. */
#include "check.h"

static void all_refuse(ec_t ec, int source, int fd, int listener)
{
    event_data_t event = user_event(0);
    struct timespec zero = { 0, 0 };
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    CHECK_ERR(ec_next_event(ec, &event), EPERM);
    CHECK_ERR(ec_next_events(ec, &event, 1), EPERM);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &zero, NULL), EPERM);
    CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), EPERM);
    CHECK_ERR(ec_delay(ec, &zero), EPERM);
    CHECK_ERR(ec_delay(ec, NULL), EPERM);
    CHECK_ERR(ec_to_fd(ec), EPERM);
    CHECK_ERR(ec_post(ec, &event), EPERM);
    CHECK_ERR(ec_wake(ec, 1), EPERM);
    CHECK_ERR(ec_flush(ec), EPERM);
    CHECK_ERR(ec_add_fd(ec, fd, POLLIN, 0, 0), EPERM);
    CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, 0), EPERM);
    CHECK_ERR(ec_add_accept(ec, listener, 0, 0), EPERM);
    CHECK_ERR(ec_add_socket(ec, fd, 0, 0), EPERM);
    CHECK_ERR(ec_modify(ec, source, POLLIN, 0), EPERM);
    CHECK_ERR(ec_remove(ec, source), EPERM);
    CHECK_ERR(ec_destroy(ec), EPERM);
}

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
            all_refuse(ec, source, pair[0], listener);
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
