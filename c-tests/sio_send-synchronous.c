/* A socket in no channel: sio_send returns when the data is handed over; the block stays ours. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    unsigned char *block = block_new(end.area, 1000);
    for (size_t i = 0; i < 10; i++) {
        pattern_fill(block, 1000, i);
        CHECK_IS(sio_send(pair[0], block, 1000, 0), 1000);
        memset(block, 0xff, 1000);
        CHECK(is_readable(pair[1], WAIT_MS));
        read_message(pair[1], 1000, i);
    }
    CHECK_OK(sio_release(end.area, block, 1000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
