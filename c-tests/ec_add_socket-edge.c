/* With EC_EDGE one EC_EV_RECV comes for what arrives; it is not repeated while data lies there. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ALONE);
    end.ec = channel_new(0);
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], EC_EDGE, 17));
    for (size_t round = 0; round < 10; round++) {
        write_message(pair[1], 100, round);
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie == 17);
        CHECK(event.ev_result == 100);
        check_no_event(end.ec, 5);
        write_message(pair[1], 100, round + 100);
        event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie == 17);
        for (size_t i = 0; i < 2; i++) {
            void *piece;
            CHECK_IS(sio_recv(pair[0], &piece, 100, MSG_DONTWAIT), 100);
            CHECK_PATTERN(piece, 100, round + 100 * i);
            CHECK_OK(sio_release(end.area, piece, 100));
        }
        check_no_event(end.ec, 5);
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
