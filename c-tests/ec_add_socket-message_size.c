/* For sockets that keep messages apart, EC_EV_RECV tells the size of the next message. */
#include "check.h"

static void run(enum pair_kind kind)
{
    static const size_t sizes[] = { 1, 1000, 17, 1472, 3, 9000, 500 };
    const size_t count = sizeof sizes / sizeof sizes[0];
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    for (size_t i = 0; i < count; i++)
        write_message(pair[1], sizes[i], i);
    for (size_t i = 0; i < count; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV);
        CHECK(event.ev_result == (int64_t)sizes[i]);
        void *piece;
        CHECK_IS(sio_recv(pair[0], &piece, 10000, 0), (int)sizes[i]);
        CHECK_PATTERN(piece, sizes[i], i);
        CHECK_OK(sio_release(end.area, piece, sizes[i]));
    }
    check_no_event(end.ec, 20);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(MESSAGE_PAIRS, run);
    return 0;
}
