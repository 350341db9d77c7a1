/* An empty datagram is an EC_EV_RECV with 0 bytes that is no end: sio_recv gives 0 and a block. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    for (int i = 0; i < 4; i++) {
        void *piece = NULL;
        CHECK(send(pair[1], "", 0, 0) == 0);
        if (attach == ATTACHED) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_RECV && event.ev_result == 0);
            CHECK(event.ev_errno == 0 && (event.ev_flags & EC_F_EOF) == 0);
        }
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 0);
        CHECK(piece != NULL);
        /* To release it is allowed and not needed. */
        if (i % 2 == 0)
            CHECK_OK(sio_release(end.area, piece, 0));
        CHECK_ERR(sio_recv(pair[0], &piece, 100, MSG_DONTWAIT), EAGAIN);
        write_message(pair[1], 7, 0);
        endpoint_wait(&end);
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 7);
        CHECK_OK(sio_release(end.area, piece, 7));
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(DATAGRAM_PAIRS, run);
    return 0;
}
