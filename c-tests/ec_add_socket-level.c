/*
 * Without flags EC_EV_RECV comes again and again while sio_recv has something to give, tells how
 * much, and stops when all is fetched.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    check_no_event(end.ec, 10);
    for (size_t round = 0; round < 5; round++) {
        write_message(pair[1], 500, round);
        for (int i = 0; i < 5; i++) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_RECV);
            CHECK(event.ev_fd == pair[0]);
            CHECK(event.ev_cookie == ENDPOINT_COOKIE);
            CHECK(event.ev_source == end.source);
            CHECK(event.ev_errno == 0);
            CHECK(event.ev_result == 500);
            CHECK((event.ev_flags & (EC_F_EOF | EC_F_HUP)) == 0);
        }
        void *piece;
        if (pair_is_stream(kind)) {
            CHECK_IS(sio_recv(pair[0], &piece, 200, 0), 200);
            CHECK_PATTERN(piece, 200, round);
            CHECK_OK(sio_release(end.area, piece, 200));
            CHECK(event_wait(end.ec).ev_result == 300);
            endpoint_read_pattern(&end, 300, round + 200);
        } else {
            CHECK_IS(sio_recv(pair[0], &piece, 500, 0), 500);
            CHECK_PATTERN(piece, 500, round);
            CHECK_OK(sio_release(end.area, piece, 500));
        }
        check_no_event(end.ec, 10);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
