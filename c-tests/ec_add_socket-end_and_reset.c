/* A connection that the peer has ended, and then reset: what is received has an end, as with recv(2);
 * the error is told of what is sent. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    void *piece = NULL;

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    check_no_event(end.ec, 5);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    for (int i = 0; i < 2; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_result == 0 && event.ev_errno == 0);
        CHECK(event.ev_flags & EC_F_EOF);
        if (i == 0)
            close_with_reset(pair[1]);
    }
    CHECK_OK(sio_recv(pair[0], &piece, 100, 0));
    CHECK(piece == NULL);
    check_no_event(end.ec, 5);
    CHECK_OK(sio_recv(pair[0], &piece, 100, 0));
    void *block = block_new(end.area, 10);
    if (sio_send(pair[0], block, 10, MSG_NOSIGNAL) == 10) {
        event_data_t event = event_wait_for(end.ec, EC_EV_SENT, pair[0]);
        CHECK(event.ev_result == -1 && event.ev_errno == EPIPE);
    }
    CHECK_OK(sio_release(end.area, block, 10));
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair(TCP_PAIRS, run);
    return 0;
}
