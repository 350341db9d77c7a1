/* A channel is readable for poll when data arrives on a socket in it, until all is fetched. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    for (size_t i = 0; i < 30; i++) {
        event_data_t event;
        void *piece;
        CHECK(is_readable(end.ec, 0) == 0);
        write_message(pair[1], 100, i);
        CHECK(is_readable(end.ec, WAIT_MS) == 1);
        event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_result == 100);
        CHECK(is_readable(end.ec, WAIT_MS) == 1);
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
        CHECK_OK(sio_release(end.area, piece, 100));
        CHECK_ERR(ec_next_event(end.ec, &event), EAGAIN);
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
