/* 16 MiB through a small area, in a channel, event by event: every byte in order. */
#include "check.h"

#define TOTAL (16 << 20)

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    pid_t writer = child_start();
    if (writer == 0) {
        write_pattern(pair[1], TOTAL, 0);
        CHECK(shutdown(pair[1], SHUT_WR) == 0);
        _exit(0);
    }
    for (size_t at = 0; at < TOTAL;) {
        event_data_t event = event_wait(end.ec);
        void *piece;
        int n;
        CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0 && event.ev_result > 0);
        CHECK_SET(n, sio_recv(pair[0], &piece, (size_t)event.ev_result, MSG_DONTWAIT));
        CHECK(n > 0 && n <= event.ev_result);
        CHECK_PATTERN(piece, (size_t)n, at);
        CHECK_OK(sio_release(end.area, piece, (size_t)n));
        at += (size_t)n;
    }
    child_end(writer);
    event_data_t event = event_wait(end.ec);
    CHECK(event.ev_type == EC_EV_RECV && event.ev_result == 0 && event.ev_flags & EC_F_EOF);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
