/* ec_flush lets accepted sends go out, though nobody fetches from the channel or waits on it. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 256);
    pattern_fill(block, 256, 11);
    CHECK_OK(ec_flush(end.ec));
    for (int i = 0; i < 3; i++) {
        CHECK_IS(sio_send(pair[0], block, 256, 0), 256);
        CHECK_OK(ec_flush(end.ec));
        CHECK(is_readable(pair[1], WAIT_MS));
        read_message(pair[1], 256, 11);
    }
    for (int i = 0; i < 3; i++)
        CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == 256);
    CHECK_OK(sio_release(end.area, block, 256));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
