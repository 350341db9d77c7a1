/*
 * Children that come and go, whatever they do, disturb nothing: transfers, timers and waiters of
 * the parent go on.
 */
#include "check.h"

#define TOTAL (4 << 20)

static void forks(int number, ec_t ec, int sock)
{
    pid_t child = child_start();
    if (child == 0) {
        event_data_t event;
        void *piece;
        CHECK_ERR(ec_next_event(ec, &event), EPERM);
        CHECK_ERR(sio_recv(sock, &piece, 1, MSG_DONTWAIT), EPERM);
        CHECK_ERR(ec_destroy(ec), EPERM);
        if (number % 3 == 0)
            exit(0);
        if (number % 3 == 1)
            _exit(0);
        for (int fd = 3; fd < 100; fd++)
            close(fd);
        exit(0);
    }
    child_end(child);
}

static void run(enum pair_kind kind)
{
    int pair[2], timer, children = 0;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    struct itimerspec when = { milliseconds(5), milliseconds(5) };
    CHECK_SET(timer, ec_add_timer(end.ec, CLOCK_MONOTONIC, &when, 0, 1));
    pid_t writer = child_start();
    if (writer == 0) {
        write_pattern(pair[1], TOTAL, 0);
        _exit(0);
    }
    for (size_t at = 0; at < TOTAL || children < 10;) {
        event_data_t event = event_wait(end.ec);
        void *piece;
        int n;
        if (event.ev_type == EC_EV_TIMER) {
            CHECK(event.ev_source == timer && event.ev_result >= 1);
            if (children < 10)
                forks(children++, end.ec, pair[0]);
            continue;
        }
        CHECK(event.ev_type == EC_EV_RECV && event.ev_result > 0);
        CHECK_SET(n, sio_recv(pair[0], &piece, 65536, MSG_DONTWAIT));
        CHECK_PATTERN(piece, (size_t)n, at);
        CHECK_OK(sio_release(end.area, piece, (size_t)n));
        at += (size_t)n;
    }
    child_end(writer);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
