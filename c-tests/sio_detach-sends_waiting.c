/* sio_detach of a socket whose peer does not read returns at once, and all blocks come back. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 4 << 20, ATTACHED);
    void *block = block_new(end.area, 1 << 20);
    memset(block, 1, 1 << 20);
    for (int i = 0; i < 20; i++)
        CHECK(sio_send(pair[0], block, 1 << 20, 0) == 1 << 20 || errno == EAGAIN);
    CHECK_OK(ec_flush(end.ec));
    CHECK_OK(sio_release(end.area, block, 1 << 20));
    CHECK_OK(sio_detach(pair[0]));
    check_no_event(end.ec, 10);
    CHECK_OK(dma_free(end.area, end.size));
    CHECK(close(pair[0]) == 0);
    CHECK_OK(ec_destroy(end.ec));
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
