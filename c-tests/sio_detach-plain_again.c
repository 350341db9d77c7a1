/* After sio_detach the socket is an ordinary one, still connected, and may be associated again. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    for (size_t round = 0; round < 10; round++) {
        struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
        void *block = block_new(end.area, 100);
        pattern_fill(block, 100, round);
        endpoint_send(&end, block, 100, SIO_RELEASE);
        read_message(pair[1], 100, round);
        write_message(pair[1], 60, round);
        endpoint_read_pattern(&end, 60, round);
        CHECK_OK(sio_detach(pair[0]));
        if (attach == ATTACHED)
            CHECK_OK(ec_destroy(end.ec));
        CHECK_OK(dma_free(end.area, end.size));

        write_message(pair[0], 30, round);
        read_message(pair[1], 30, round);
        write_message(pair[1], 20, round);
        read_message(pair[0], 20, round);
    }
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
