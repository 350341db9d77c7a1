/* Every call on a channel, where none may be made. */
#ifndef REFUSED_H
#define REFUSED_H

#include "check.h"

static inline void channel_refuses(ec_t ec, int source, int fd, int listener, int error)
{
    event_data_t event = user_event(0);
    struct timespec zero = { 0, 0 };
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    CHECK_ERR(ec_next_event(ec, &event), error);
    CHECK_ERR(ec_next_events(ec, &event, 1), error);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &zero, NULL), error);
    CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), error);
    CHECK_ERR(ec_delay(ec, &zero), error);
    CHECK_ERR(ec_delay(ec, NULL), error);
    CHECK_ERR(ec_to_fd(ec), error);
    CHECK_ERR(ec_post(ec, &event), error);
    CHECK_ERR(ec_wake(ec, 1), error);
    CHECK_ERR(ec_flush(ec), error);
    CHECK_ERR(ec_add_fd(ec, fd, POLLIN, 0, 0), error);
    CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, 0), error);
    CHECK_ERR(ec_add_accept(ec, listener, 0, 0), error);
    CHECK_ERR(ec_add_socket(ec, fd, 0, 0), error);
    CHECK_ERR(ec_modify(ec, source, POLLIN, 0), error);
    CHECK_ERR(ec_remove(ec, source), error);
    CHECK_ERR(ec_destroy(ec), error);
}

#endif
