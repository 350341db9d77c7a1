/*
 * When the peer has closed, EC_EV_RECV has EC_F_EOF; it is repeated until sio_recv has told the
 * end (0, no block), and not after that.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    for (int data = 0; data <= 1; data++) {
        int pair[2];
        void *piece = &pair;
        pair_open(kind, pair);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
        if (data)
            write_message(pair[1], 80, 0);
        CHECK(close(pair[1]) == 0);
        if (data) {
            CHECK(event_wait(end.ec).ev_result == 80);
            CHECK_IS(sio_recv(pair[0], &piece, 80, 0), 80);
            CHECK_PATTERN(piece, 80, 0);
            CHECK_OK(sio_release(end.area, piece, 80));
        }
        for (int i = 0; i < 3; i++) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == pair[0]);
            CHECK(event.ev_result == 0 && event.ev_errno == 0);
            CHECK(event.ev_flags & EC_F_EOF);
        }
        CHECK_IS(sio_recv(pair[0], &piece, 80, 0), 0);
        CHECK(piece == NULL);
        check_no_event(end.ec, 20);
        CHECK_IS(sio_recv(pair[0], &piece, 80, 0), 0);
        CHECK(piece == NULL);
        endpoint_close(&end);
    }
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
