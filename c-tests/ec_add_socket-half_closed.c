/* A peer that has shut down its sending side can still be sent to. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CHECK(event_wait(end.ec).ev_flags & EC_F_EOF);
    void *piece;
    CHECK_IS(sio_recv(pair[0], &piece, 1, 0), 0);
    void *block = block_new(end.area, 5000);
    pattern_fill(block, 5000, 0);
    endpoint_send(&end, block, 5000, 0);
    read_pattern(pair[1], 5000, 0);
    CHECK_OK(sio_release(end.area, block, 5000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
