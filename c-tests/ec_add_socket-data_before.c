/* Data that arrived before the socket was put into the channel, or associated, is told and kept. */
#include "check.h"

static void run(enum pair_kind kind)
{
    for (unsigned flags = 0; flags <= EC_EDGE; flags += EC_EDGE) {
        int pair[2];
        pair_open(kind, pair);
        write_message(pair[1], 64, 1);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
        write_message(pair[1], 64, 65);
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], flags, 3));
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie == 3);
        CHECK(event.ev_result >= 64);
        for (size_t i = 0; i < 2; i++) {
            void *piece;
            CHECK_IS(sio_recv(pair[0], &piece, 64, 0), 64);
            CHECK_PATTERN(piece, 64, 1 + 64 * i);
            CHECK_OK(sio_release(end.area, piece, 64));
        }
        endpoint_close(&end);
        CHECK(close(pair[1]) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
