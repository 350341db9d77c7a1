/*
 * A reset by the peer: EC_EV_RECV with -1, ECONNRESET and EC_F_HUP until sio_recv has told the
 * error; then the end of the stream.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    void *piece = NULL;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    check_no_event(end.ec, 5);
    close_with_reset(pair[1]);
    for (int i = 0; i < 3; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == pair[0]);
        CHECK(event.ev_result == -1);
        CHECK(event.ev_errno == ECONNRESET);
        CHECK(event.ev_flags & EC_F_HUP);
    }
    CHECK_ERR(sio_recv(pair[0], &piece, 100, 0), ECONNRESET);
    CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 0);
    CHECK(piece == NULL);
    check_no_event(end.ec, 10);
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair(TCP_PAIRS, run);
    return 0;
}
